"""One run of one side: what it reached, whether it did what it claims, and what
else the machine did meanwhile."""

import json
import time
from dataclasses import dataclass, field

import command
import pgbench
import profile_call
import settings
from cluster import TOP, Failure
from declare import Arrivals, Profile, Program, Statement, Value, Workload
from noise import Noise


@dataclass
class Run:
    figure: float  # claims (or answers) a second, or the value
    calls: int = 0
    cost: float = 0  # microseconds of processor a call, client, server and warm-up together
    foreign: float = 0  # share of the processors that others used
    stolen: float = 0  # share of the processors that the machine was denied
    latency: dict = field(default_factory=dict)  # milliseconds, by percentile
    spent: dict = field(default_factory=dict)  # microseconds of a call in the server, by share
    told: dict = field(default_factory=dict)  # other numbers that a program told


def run(side, database, clusters, seconds, reached=None):
    """Runs a side once. `reached` is the rate that arrivals are a share of."""
    if isinstance(side, Statement):
        return run_statement(side, database, clusters)
    if isinstance(side, Value):
        value = float(database.sql(side.script))
        less = float(clusters.database(side.less).sql(side.script)) if side.less else 0
        return Run((value - less) * side.times)
    if isinstance(side, Program):
        return run_program(side, database, clusters, seconds)
    workload = side if isinstance(side, Workload) else side.workload
    clients = 1 if isinstance(side, Profile) else workload.clients or settings.CLIENTS
    before = count(workload, database)
    noise = Noise(clusters.pids())
    spent = {}
    if isinstance(side, Arrivals):
        result = pgbench.arriving(workload, database, seconds, clients, reached * side.share)
    elif isinstance(side, Profile):
        result, spent = profile_call.profile(workload, database, seconds)
    else:
        result = pgbench.closed(workload, database, seconds, clients)
    during = noise.during(result.calls)
    pgbench.use_up(database, result.calls, clients)
    check_claims(workload, result.calls, count(workload, database) - before)
    return Run(result.rate, latency=result.latency or {}, spent=spent, **during)


def run_program(side, database, clusters, seconds):
    clients = side.clients or settings.CLIENTS
    before = count(side, database)
    noise = Noise(clusters.pids())
    told = json.loads(last_line(side, side.command, database, clusters, seconds))
    calls = told.pop("calls")
    during = noise.during(calls)
    pgbench.use_up(database, calls, clients)
    check_claims(side, calls, told.pop("made") if "made" in told else count(side, database) - before)
    return Run(told.pop("rate"), latency=told.pop("latency", {}), told=told, **during)


def prepare_program(side, database, clusters):
    if side.prepare:
        last_line(side, side.prepare, database, clusters, 1)


def last_line(side, program, database, clusters, seconds):
    """What a program of a side prints last, if it ends well."""
    env = dict(database.cluster.env, PGDATABASE=database.name)
    for service in side.services:
        env.update(clusters.service(service).variables)
    line = [f"{TOP}/bench/{program[0]}", *program[1:], "--clients", str(side.clients or settings.CLIENTS)]
    line += ["--seconds", str(seconds), "--warm-up", str(pgbench.WARM_UP), "--first", str(database.used + 1)]
    done = command.run(line, env=env)
    if done.returncode or not done.stdout.strip():
        raise Failure(f"{' '.join(program)}: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip().splitlines()[-1]


def check_claims(side, calls, made):
    if not calls:
        raise Failure(f"no call at all: {side}")
    if (getattr(side, "rows", "") or isinstance(side, Program)) and made != side.each * calls:
        raise Failure(f"{calls} calls made {made} claims, not {side.each * calls}: {side}")


def run_statement(side, database, clusters):
    database.sql(side.before)
    before = count(side, database)
    noise = Noise(clusters.pids())
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
