"""pgbench: what it is given, and what it says."""

import glob
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass

import command
from cluster import Failure

# Seconds at the start of each run that do not count: connections are new, and
# make their plans.
WARM_UP = 1
# Calls that arrive meanwhile wait, and it takes a while until none waits any more.
ARRIVALS_WARM_UP = 2

# A few calls of each client in each world before all: the first of all find nothing in memory.
WARM_CALLS = 20

PERCENTILES = (50, 95, 99, 99.9)


@dataclass
class Result:
    calls: int  # in all
    rate: float  # calls a second, once warm
    latency: dict = None  # milliseconds, by percentile


@contextmanager
def script_file(text):
    """A file with the script, and before it what gives every call an :i of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set n :n + 1\n\\set i :first + :n * :clients + :client_id\n" + text + "\n")
        script.flush()
        yield script.name


def arguments(file, database, clients, *length):
    command_line = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2))]
    command_line += ["-P", "1", "-f", file, *map(str, length)]
    variables = database.variables + (("n", -1), ("first", database.used), ("clients", clients))
    for name, value in variables:
        command_line += ["-D", f"{name}={value}"]
    return command_line


def environment(side, database):
    return dict(database.cluster.env, PGDATABASE=database.name, PGOPTIONS=side.settings)


def checked(done, side):
    """How many calls there were, if all went well."""
    if done.returncode or "failed: 0 " not in done.stdout.replace("failed transactions", "failed"):
        raise Failure(f"pgbench: {done.stderr.strip()[-1000:]}\n{side.script}")
    return int(re.search(r"actually processed: (\d+)", done.stdout)[1])


def use_up(database, calls, clients):
    """Some clients come further than others; what all have passed is used up."""
    database.used += 2 * calls + 1000 * clients


def warm(side, database, clients):
    """Calls that nobody measures."""
    with script_file(side.script) as file:
        done = command.run(arguments(file, database, clients, "-t", WARM_CALLS), env=environment(side, database))
    use_up(database, checked(done, side), clients)


def closed(side, database, seconds, clients):
    """Every client calls again once it is answered."""
    with script_file(side.script) as file:
        line = arguments(file, database, clients, "-T", WARM_UP + seconds)
        done = command.run(line, env=environment(side, database))
    calls = checked(done, side)
    took = calls / float(re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)[1])
    cold = re.search(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", done.stderr, re.MULTILINE)
    cold_took, cold_rate = float(cold[1]), float(cold[2])
    return Result(calls, (calls - cold_took * cold_rate) / (took - cold_took))


def arriving(side, database, seconds, clients, rate):
    """Calls arrive at random moments, `rate` a second, and wait for a client that is
    free: the latency counts from when they should have begun."""
    with tempfile.TemporaryDirectory() as logs, script_file(side.script) as file:
        line = arguments(file, database, clients, "-T", ARRIVALS_WARM_UP + seconds)
        line += ["--rate", f"{rate:.3f}", "--log", "--log-prefix", f"{logs}/log"]
        calls = checked(command.run(line, env=environment(side, database)), side)
        answers = logged(logs)
    begin = min(end - latency for end, latency in answers) + ARRIVALS_WARM_UP
    latencies = sorted(1000 * latency for end, latency in answers if end >= begin)
    if not latencies:
        raise Failure(f"no call was answered after {ARRIVALS_WARM_UP} seconds: {side.script}")
    return Result(calls, len(latencies) / seconds, {str(p): percentile(latencies, p) for p in PERCENTILES})


def logged(directory):
    """When each call was answered, and after how long, in seconds."""
    answers = []
    for name in glob.glob(f"{glob.escape(directory)}/log.*"):
        with open(name) as file:
            for line in file:
                fields = line.split()
                answers.append((int(fields[4]) + int(fields[5]) / 1e6, int(fields[2]) / 1e6))
    return answers


def percentile(ordered, percent):
    """Of an ordered list, the least value that `percent` of it does not exceed."""
    return ordered[max(0, -int(-percent * len(ordered) // 100) - 1)]
