# shellcheck shell=sh
# What the private servers of peers share, which are not PostgreSQL: each script is
#
#   bench/peers/serve-KIND start DIR
#   bench/peers/serve-KIND stop DIR
#
# start  makes a server in DIR (new or empty), leaves its process id in DIR/pid, and
#        prints lines for eval: export VARIABLE='the socket'. Whoever starts sets a trap
#        that stops.
# stop   stops the server and removes DIR; nothing is wrong if it is gone.
#
# The server runs as an ordinary user, listens on a socket in DIR only, and keeps
# everything in DIR. To be sourced by a script that has set `top`, and that sets
# `variable` and a function `make_server`, which launches the server in $dir.

: "${top:?}"
. "$top/scripts/lib.sh"

usage()
{
    echo "bench/peers/${0##*/} start|stop DIR" >&2
    exit 2
}

# Waits for a condition, for half a minute.
await()
{
    waited=0
    until "$@"; do
        waited=$((waited + 1))
        [ "$waited" -le 300 ] || return 1
        sleep 0.1
    done
}

# The socket is there, or nothing is any more that could make it.
decided()
{
    [ -S "$dir/socket" ] || { [ -s "$dir/pid" ] && ! kill -0 "$(cat "$dir/pid")" 2> /dev/null; }
}

needs()
{
    command -v "$1" > /dev/null || die "$1 is needed and not there: scripts/setup bench installs it"
}

# Runs a command in the background as the server's user: in a session of its own, so
# that a signal to us is not one to it, and with none of our files open, so that
# who reads our output sees its end.
launch()
{
    # shellcheck disable=SC2016 # expanded by the inner shell
    (
        exec < /dev/null > "$dir/log" 2>&1
        as_server_user setsid sh -c 'echo $$ > "$1/pid" && shift && exec "$@"' sh "$dir" "$@"
    ) &
}

# In a subshell of its own, so that a failure inside removes what it made.
start()
(
    dir=$1
    # A socket's path must fit into 107 bytes.
    [ ${#dir} -le 90 ] || die "the path $dir is too long for a socket"
    mkdir -p "$dir"
    [ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
    trap 'trap "" HUP INT TERM; stop "$dir"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    [ "$server_user" = "$(id -un)" ] || chown "$server_user" "$dir"
    chmod 700 "$dir"
    make_server
    await decided && [ -S "$dir/socket" ] || { tail -n 20 "$dir/log" >&2; die "the server does not start"; }
    trap - EXIT
    cat << END
export ${variable:?}='$dir/socket'
END
)

stop()
{
    [ -d "$1" ] || return 0
    if [ -s "$1/pid" ]; then
        pid=$(cat "$1/pid")
        kill "$pid" 2> /dev/null || true
        await gone || kill -KILL "$pid" 2> /dev/null || true
    fi
    # What makes a data directory may need a moment to see that nobody wants it any more.
    await rm -rf "$1" 2> /dev/null
}

gone()
{
    ! kill -0 "$pid" 2> /dev/null
}

serve()
{
    [ $# = 2 ] || usage
    case $1 in
        start) start "$2" ;;
        stop) stop "$2" ;;
        *) usage ;;
    esac
}
