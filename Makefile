# pg_fcfs: build, installation and the commands of the project.
#
#   make, make install       the extension, plain PGXS; PG_CONFIG=... chooses the server
#   make demo                set up, build, run the main job on a private cluster, show the result
#   make check               everything that must pass; ONLY=phase[:test] runs a part of it
#   make soak MINUTES=n      the tests with chance in them, over and over, with other seeds
#   make memcheck            the regression tests under valgrind; ONLY=regress/mode:test a part of them
#   make coverage            lines and branches that the tests reach, and why not the rest
#   make bench               the figures
#   make lint                what `make check` checks in the sources themselves
#   make format              lay the C sources out as `make lint` wants them
#   make setup               install the packages that those above need
#
# The commands of the project and PGXS are two halves that never meet in one
# run of make: the commands must work where pg_config is not there yet, and
# PGXS has a `check` of its own.

COMMANDS := demo check soak memcheck coverage bench lint format setup

ifneq (,$(filter $(COMMANDS),$(MAKECMDGOALS)))

.PHONY: $(COMMANDS)

setup:
	@scripts/setup
demo: setup
	@demo/run
check: setup
	@test/run $(ONLY)
soak: setup
	@test/soak $(MINUTES)
memcheck: setup
	@test/memcheck $(ONLY)
coverage: setup
	@test/coverage $(ONLY)
bench:
	@scripts/setup bench
	@bench/run
lint: setup
	@scripts/lint
format: setup
	@clang-format -i src/*.[ch] test/history/*.[ch]

else

EXTENSION   := pg_fcfs
EXTVERSION  := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(EXTENSION).control)
MODULE_big  := $(EXTENSION)
OBJS        := $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SQL_SCRIPT  := $(EXTENSION)--$(EXTVERSION).sql
SQL_PARTS   := $(sort $(wildcard src/sql/[0-9]*.sql))
DATA_built  := $(SQL_SCRIPT)
DATA        := $(wildcard src/sql/updates/*.sql)
EXTRA_CLEAN := build $(EXTENSION)--*.sql

# For `make installcheck`, against a server that is running with the extension
# installed; `make check` runs the same tests on servers of its own.
REGRESS      := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS := --load-extension=btree_gist --load-extension=$(EXTENSION)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(wildcard $(PGXS)))
$(error no server headers by way of PG_CONFIG=$(PG_CONFIG): give another one, or run `make setup`)
endif

# The server's headers are system headers to us: their warnings under -Wextra
# are not ours to mend. Unused parameters are the rule where the server fixes
# the signature (SQL functions, hooks, callbacks), so that one says nothing.
# Warnings become errors with COPT=-Werror, PostgreSQL's own switch, as every
# build of `make check` has it; another compiler's new warning must not keep a
# user from building.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter
ifdef ASSERTIONS
PG_CPPFLAGS += -DUSE_ASSERT_CHECKING
endif

# Without this a function of ours that has the name of one inside the server,
# or inside an extension loaded earlier, would silently become that one.
comma := ,
SHLIB_LINK = $(if $(filter linux,$(PORTNAME)),-Wl$(comma)-Bsymbolic)

# Bitcode lets the JIT inline functions; ours do too much to gain from it.
override with_llvm = no

include $(PGXS)

# Debian's servers are configured without dependency tracking. The sources are
# few: a changed header rebuilds them all.
$(OBJS): $(wildcard src/*.h) Makefile

$(SQL_SCRIPT): $(wildcard src/sql/*) $(EXTENSION).control Makefile
	@echo "joining $@"
	@{ printf '%s\n\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit' && \
	   awk -f src/sql/operations.awk $(SQL_PARTS); } > $@.part
	@mv $@.part $@

endif
