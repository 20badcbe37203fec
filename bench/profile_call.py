"""Where the server's process of one client spends its time: perf looks at it two
thousand times a second of processor time, the kernel included, and each look
belongs to one share, by the functions that were active then.

The shares are told apart so, the first that fits:

1. writing the log to disk is active, or COMMIT: flush, commit;
2. from the innermost function outwards, the first that SERVER or OURS names: its
   share; one of ours that no table names: rules;
3. neither: the statement around it.

Ours are found by the file they are in, so that a function that moves or is renamed
stays where it belongs.
"""

import fnmatch
import glob
import os
import re
import shutil
import tempfile
import time

import command
import pgbench
from cluster import TOP, Failure

FREQUENCY = 1999  # looks a second; a prime, so that nothing keeps step with it

STATEMENT = "statement"
PLAN = "parse and plan"
LOCKS = "locks"
COUNT = "count"
RULES = "rules"
WRITE = "write"
COMMIT = "commit"
FLUSH = "flush"
SHARES = (STATEMENT, PLAN, LOCKS, COUNT, RULES, WRITE, COMMIT, FLUSH)

# However deep they are.
OUTER = {"XLogFlush": FLUSH, "CommitTransactionCommand": COMMIT}

# Exported functions of the server: the others have no names in a packaged one.
SERVER = {
    PLAN: (
        "pg_parse_query raw_parser pg_analyze_and_rewrite_fixedparams parse_analyze_fixedparams transformTopLevelStmt"
        " pg_plan_query pg_plan_queries planner standard_planner GetCachedPlan BuildCachedPlan CachedPlanIsValid"
        " stringToNode"
    ),
    LOCKS: (
        "LockAcquire LockAcquireExtended LockRelease LockReleaseAll LockRelationOid UnlockRelationOid"
        " ConditionalLockRelationOid LockHeldByMe ProcSleep"
    ),
    WRITE: (
        "heap_insert heap_update heap_multi_insert simple_heap_insert simple_heap_update simple_table_tuple_insert"
        " ExecInsertIndexTuples ExecSimpleRelationInsert ExecConstraints ExecComputeStoredGenerated index_insert"
        " XLogInsert XLogInsertRecord nextval_internal heap_lock_tuple heap_page_prune_opt GetNewTransactionId"
        " AssignTransactionId GetCurrentTransactionId check_exclusion_constraint"
    ),
}

# Our source files, and functions in them that differ from their file.
OURS = {
    STATEMENT: "call_scan.c operation.c",
    LOCKS: "lock.c",
    COUNT: "escrow*.c pool*.c trigger.c identity.c",
    WRITE: "table_*.c query_write",
}
NOBODY = "plan_cache.c table.c"  # theirs belong to whoever calls them


def works():
    """Whether perf is there and may look."""
    if not shutil.which("perf"):
        return False
    return command.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"]).returncode == 0


def share_of_names():
    """The share by function, where one of ours that is named apart wins over its file."""
    functions = our_functions()
    shares = {name: share_of_file(file) for name, file in functions.items() if file not in NOBODY.split()}
    for word, share in named():
        if not word.endswith(".c"):
            shares[word] = share
        elif not fnmatch.filter(functions.values(), word):
            raise Failure(f"profile_call.py has a share for {word}, which is not in src/")
    return shares


def named():
    return [(word, share) for table in (SERVER, OURS) for share, words in table.items() for word in words.split()]


def share_of_file(file):
    return next((share for word, share in named() if fnmatch.fnmatch(file, word)), RULES)


def our_functions():
    """The file of each function in src/."""
    sources = sorted(glob.glob(f"{TOP}/src/*.c"))
    tags = command.run(["ctags", "-x", "--kinds-C=f", "--languages=C", *sources])
    found = {line.split()[0]: os.path.basename(line.split()[3]) for line in tags.stdout.splitlines()}
    if not found:
        raise Failure(f"ctags: {tags.stderr.strip()}")
    return found


def share(stack, shares):
    """Of a stack, the innermost function first."""
    for name, outer in OUTER.items():
        if name in stack:
            return outer
    return next((shares[name] for name in stack if name in shares), STATEMENT)


def stacks(perf_data):
    script = command.run(["perf", "script", "-i", perf_data, "-F", "ip,sym"])
    if script.returncode:
        raise Failure(f"perf: {script.stderr.strip()[-500:]}")
    for block in script.stdout.split("\n\n"):
        names = [re.sub(r"\.(isra|part|constprop|cold).*", "", line.split(None, 1)[1].strip())
                 for line in block.splitlines() if len(line.split(None, 1)) == 2]
        if names:
            yield names


def session(database):
    """The process that serves pgbench's only client: the one that stays, for the
    first that it opens is closed again."""
    seen = None
    for _ in range(100):
        pid = database.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'")
        if pid.isdigit() and pid == seen:
            return pid
        seen = pid
        time.sleep(0.1)
    raise Failure("pgbench does not come")


def look(database, seconds, file):
    """perf record, for some seconds, of the session that is there."""
    pid = session(database)
    line = ["perf", "record", "-e", "cpu-clock", "-F", str(FREQUENCY), "--call-graph", "fp", "-p", pid, "-o", file]
    done = command.run([*line, "sleep", str(seconds)])
    if done.returncode:
        raise Failure(f"perf: {done.stderr.strip()[-500:]}")


def profile(side, database, seconds):
    """What pgbench says, and microseconds a call by share."""
    with tempfile.TemporaryDirectory() as place, pgbench.script_file(side.script) as script:
        line = pgbench.arguments(script, database, 1, "-T", seconds + 2 * pgbench.WARM_UP)
        process = command.start(line, env=pgbench.environment(side, database))
        try:
            time.sleep(pgbench.WARM_UP)
            look(database, seconds, f"{place}/perf.data")
            output, errors = process.communicate()
        finally:
            if process.poll() is None:
                command.end(process)
        calls = pgbench.checked(command.done(process, output, errors), side)
        shares, spent = share_of_names(), dict.fromkeys(SHARES, 0)
        for stack in stacks(f"{place}/perf.data"):
            spent[share(stack, shares)] += 1
    rate = float(re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)[1])
    a_look = 1e6 / FREQUENCY / (rate * seconds)
    return pgbench.Result(calls, rate), {name: looks * a_look for name, looks in spent.items()}
