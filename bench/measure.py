"""One run of one side, and what else the machine did meanwhile."""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

from cluster import Failure
from declare import Statement, Value, Workload

CLIENTS = int(os.environ.get("CLIENTS", 32))
SECONDS = int(os.environ.get("SECONDS", 3))
WARM_UP = 1  # seconds at the start of each run that do not count: caches, plans


@dataclass
class Run:
    figure: float  # claims (or answers) a second, or the value
    calls: int = 0
    cost: float = 0  # microseconds of processor a call, client, server and warm-up together
    foreign: float = 0  # share of the processors that others used
    stolen: float = 0  # share of the processors that the machine was denied


class Noise:
    """The time that processors spent on what is not ours."""

    def __init__(self, cluster):
        self.postmaster = cluster.postmaster()
        self.machine = machine_time()
        self.ours = self.our_time()

    def our_time(self):
        """Of the cluster's processes, ended ones included, and of our children."""
        spent = os.times()
        total = spent.user + spent.system + spent.children_user + spent.children_system
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(pid) == self.postmaster:
                total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            elif int(fields[1]) == self.postmaster:
                total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        return total

    def during(self, calls):
        """What a Run tells of the time since then."""
        busy, stolen, whole = (now - then for now, then in zip(machine_time(), self.machine))
        ours = self.our_time() - self.ours
        return {
            "calls": calls,
            "cost": 1e6 * ours / max(calls, 1),
            "foreign": max(0.0, (busy - ours) / whole),
            "stolen": stolen / whole,
        }


def machine_time():
    """Seconds that all processors together were busy, were denied, and had."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    user, nice, system, idle, wait, interrupt, soft_interrupt, stolen = (
        tick / os.sysconf("SC_CLK_TCK") for tick in ticks
    )
    busy = user + nice + system + interrupt + soft_interrupt
    return busy, stolen, busy + idle + wait + stolen


def run(side, database, databases, seconds=SECONDS):
    """Runs a side once. `databases` finds those of other worlds."""
    if isinstance(side, Workload):
        return run_workload(side, database, seconds)
    if isinstance(side, Statement):
        return run_statement(side, database)
    assert isinstance(side, Value)
    value = float(database.sql(side.script))
    if side.less:
        value -= float(databases(side.less).sql(side.script))
    return Run(value)


def run_workload(side, database, seconds):
    before = count(side, database)
    noise = Noise(database.cluster)
    calls, rate = pgbench(side, database, seconds)
    during = noise.during(calls)
    # Some clients come further than others; what all have passed is used up.
    database.used += 2 * calls + 1000 * CLIENTS
    made = count(side, database) - before
    if side.rows and made != side.each * calls:
        raise Failure(f"{calls} calls made {made} claims, not {side.each * calls}: {side.script}")
    return Run(rate, **during)


def run_statement(side, database):
    database.sql(side.before)
    before = count(side, database)
    noise = Noise(database.cluster)
    start = time.monotonic()
    database.sql(side.script)
    took = time.monotonic() - start
    during = noise.during(1)
    made = count(side, database) - before
    if made != side.each:
        raise Failure(f"{made} rows, not {side.each}: {side.script}")
    database.sql(side.after)
    return Run(side.each / took, **during)


def count(side, database):
    return int(database.sql(side.rows)) if side.rows else 0


def pgbench(side, database, seconds):
    """Calls in all, and calls a second once warm."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set n :n + 1\n\\set i :first + :n * :clients + :client_id\n" + side.script + "\n")
        script.flush()
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-P", str(WARM_UP)]
        command += ["-T", str(WARM_UP + seconds), "-f", script.name]
        variables = database.variables + (("n", -1), ("first", database.used), ("clients", CLIENTS))
        for name, value in variables:
            command += ["-D", f"{name}={value}"]
        env = dict(database.cluster.env, PGDATABASE=database.name, PGOPTIONS=side.settings)
        done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode or "failed: 0 " not in re.sub(r"failed transactions", "failed", done.stdout):
        raise Failure(f"pgbench: {done.stderr.strip()[-1000:]}\n{side.script}")
    calls = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
    took = calls / float(re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)[1])
    cold = re.search(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", done.stderr, re.MULTILINE)
    cold_took, cold_rate = float(cold[1]), float(cold[2])
    return calls, (calls - cold_took * cold_rate) / (took - cold_took)
