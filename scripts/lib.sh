# shellcheck shell=sh
# What the scripts share: where things are, and how to become an ordinary user.
# To be sourced by a script that has set `top`, the root of the checkout.

: "${top:?}"
: "${PG_MAJOR:=15}"
: "${PG_CONFIG:=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config}"
export PG_CONFIG

die()
{
    echo "${0##*/}: $*" >&2
    exit 1
}

# Where the builds for this server are.
build_dir()
{
    "$PG_CONFIG" --version | sed "s|^PostgreSQL \([0-9]*\).*|$top/build/\1|"
}

# The user that runs servers: ours, or postgres where we are root.
if [ "$(id -u)" = 0 ]; then
    server_user=postgres
else
    server_user=$(id -un)
fi

# Runs a command as the server's user, in a directory which that user can enter.
as_server_user()
{
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid "$server_user" --regid "$server_user" --init-groups \
            env HOME=/nonexistent USER="$server_user" LOGNAME="$server_user" "$@")
    else
        (cd / && "$@")
    fi
}
