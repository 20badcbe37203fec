#!/usr/bin/python3
"""Claims cut short wherever they are: statement timeouts, lock timeouts, cancelled
statements and terminated sessions, under load. Nothing stays in flight, nobody
waits for ever, and what was acknowledged is there."""
import collections
import random
import sys
sys.dont_write_bytecode = True
import psycopg2
from psycopg2 import errors
from load import ALWAYS, Tap, Threads, connect, nothing_left, rows, value

CLIENTS = 16
SECONDS = 10
QUOTA = 300
POOLS = 3

CUT = (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected, errors.AdminShutdown)


def client(number, stop, got, seen):
    """Takes units, half of the time to give them up again, so that there is always something to wait for."""
    dice = random.Random(number)
    connection = None
    user = number * 1_000_000
    while not stop.is_set():
        user += 1
        try:
            if connection is None:
                connection = connect(application_name="client")
                cursor = connection.cursor()
                cursor.execute("SET deadlock_timeout = '5ms'")
            cursor.execute(f"SET statement_timeout = {dice.choice((0, 0, 3, 10, 30))};"
                           f"SET lock_timeout = {dice.choice((0, 0, 0, 5, 20))};"
                           f"SET fcfs.lock_timeout = {dice.choice((3000, 3000, 10, 50))}")
            pools = dice.sample(range(1, POOLS + 1), dice.randint(1, 2))
            cursor.execute("BEGIN")
            codes = []
            for pool in pools:
                cursor.execute("SELECT code, id FROM fcfs.try_issue_coupon(%s, %s)", (pool, user))
                codes.append(cursor.fetchone())
            seen.update(code for code, _ in codes)
            if dice.random() < 0.5:
                cursor.execute("ROLLBACK")
                continue
            taken = {issue for code, issue in codes if code == "OK"}
            got["unknown"] |= taken
            cursor.execute("COMMIT")
            got["unknown"] -= taken
            got["sure"] |= taken
            if dice.random() < 0.9 and taken:
                cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
                got["sure"] -= taken
                got["unknown"] |= taken
                cursor.execute("UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE id = ANY (%s)", (list(taken),))
                got["unknown"] -= taken
        except CUT as error:
            seen[error.pgcode] += 1
            if connection.closed:
                connection = None
            else:
                cursor.execute("SET statement_timeout = 0; ROLLBACK" if False else "ROLLBACK")
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            seen["terminated"] += 1
            connection = None


def trouble(stop, seen):
    """Cancels a statement every few milliseconds, now and then a session."""
    dice = random.Random(0)
    cursor = connect().cursor()
    while not stop.wait(0.01):
        how = dice.choices(["pg_cancel_backend", "pg_terminate_backend"], [9, 1])[0]
        cursor.execute(f"SELECT {how}(pid) FROM pg_stat_activity WHERE application_name = 'client' "
                       "AND state = 'active' ORDER BY random() LIMIT 1")
        seen[how] += cursor.rowcount


with Tap() as tap:
    rows(f"INSERT INTO fcfs.coupon (id, code, quota, strict_order, opens_at, closes_at) "
         f"SELECT g, 'K' || g, CASE g WHEN 1 THEN 2 ELSE {QUOTA} END, g = {POOLS}, {ALWAYS} FROM generate_series(1, {POOLS}) g")
    threads = Threads()
    got = [{"sure": set(), "unknown": set()} for _ in range(CLIENTS)]
    seen = [collections.Counter() for _ in range(CLIENTS + 1)]
    for number in range(CLIENTS):
        threads.start(client, number, threads.stop, got[number], seen[number])
    threads.start(trouble, threads.stop, seen[CLIENTS])
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()
    seen = sum(seen, collections.Counter())
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    tap.ok(all(seen[what] > 0 for what in (
        "OK", "LOCK_TIMEOUT", "57014", "pg_cancel_backend", "pg_terminate_backend")), "claims were cut short in every way", seen)

    sure = set().union(*(mine["sure"] for mine in got))
    unknown = set().union(*(mine["unknown"] for mine in got))
    there = {number for number, in rows("SELECT id FROM fcfs.coupon_issue WHERE status = 'issued'")}
    tap.equal(sorted(sure - there), [], f"all of {len(sure)} acknowledged claims are there")
    tap.equal(sorted(there - sure - unknown), [], f"nothing else is, but for some of {len(unknown)} whose answer was cut off")
    nothing_left(tap, "after the trouble")
    for pool in range(1, POOLS + 1):
        free = value("SELECT quota - (SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = c.id AND status <> 'revoked') "
                     "FROM fcfs.coupon c WHERE id = %s", pool)
        sold = value("SELECT count(*) FILTER (WHERE ok) FROM generate_series(1, %s) u, LATERAL fcfs.try_issue_coupon(%s, u) o",
                     QUOTA + 10, pool)
        tap.equal(sold, free, f"pool {pool} gives out exactly what is left of it")
    nothing_left(tap, "sold out")
