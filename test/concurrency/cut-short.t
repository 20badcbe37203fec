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
SECONDS = 7
QUOTA = 300
POOLS = 3

class Client:
    """Takes units, mostly to give them up again, so that there is always something to wait for."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.user = (number + 1) * 1_000_000
        self.connection = None
        self.sure = set()           # claims that were acknowledged
        self.unsure = set()         # claims made or revoked whose answer was cut off
        self.seen = collections.Counter()

    def run(self, stop):
        while not stop.is_set():
            try:
                if self.connection is None or self.connection.closed:
                    self.connection = connect(application_name="client")
                    self.cursor = self.connection.cursor()
                    self.cursor.execute("SET deadlock_timeout = '5ms'")
                self.transaction()
                self.cursor.execute("ROLLBACK")
            except (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected) as error:
                self.seen[error.pgcode] += 1
                self.abort()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.seen["terminated"] += 1
                self.connection = None

    def abort(self):
        try:
            self.cursor.execute("ROLLBACK")
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.connection = None

    def transaction(self):
        self.cursor.execute(f"SET statement_timeout = {self.random.choice((0, 0, 3, 10, 30))};"
                            f"SET lock_timeout = {self.random.choice((0, 0, 0, 5, 20))};"
                            f"SET fcfs.lock_timeout = {self.random.choice((3000, 3000, 10, 50))}")
        self.cursor.execute("BEGIN")
        taken = set()
        for pool in self.random.sample(range(1, POOLS + 1), self.random.randint(1, 2)):
            self.user += 1
            self.cursor.execute("SELECT code, id FROM fcfs.try_issue_coupon(%s, %s)", (pool, self.user))
            code, number = self.cursor.fetchone()
            self.seen[code] += 1
            taken |= {number} if code == "OK" else set()
        if self.random.random() < 0.5:
            return
        self.unsure |= taken
        self.cursor.execute("COMMIT")
        self.unsure -= taken
        if self.random.random() < 0.9 and taken:
            self.unsure |= taken
            self.cursor.execute("UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE id = ANY (%s)", (list(taken),))
            self.unsure -= taken
        else:
            self.sure |= taken


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
    clients = [Client(number) for number in range(CLIENTS)]
    seen = collections.Counter()
    for client in clients:
        threads.start(client.run, threads.stop)
    threads.start(trouble, threads.stop, seen)
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()
    seen = sum((client.seen for client in clients), seen)
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    tap.ok(all(seen[what] > 0 for what in (
        "OK", "LOCK_TIMEOUT", "57014", "pg_cancel_backend", "pg_terminate_backend")), "claims were cut short in every way", seen)

    sure = set().union(*(client.sure for client in clients))
    unsure = set().union(*(client.unsure for client in clients))
    there = {number for number, in rows("SELECT id FROM fcfs.coupon_issue WHERE status = 'issued'")}
    tap.equal(sorted(sure - there), [], f"all of {len(sure)} acknowledged claims are there")
    tap.equal(sorted(there - sure - unsure), [], f"nothing else is, but for some of {len(unsure)} whose answer was cut off")
    nothing_left(tap, "after the trouble")
    for pool in range(1, POOLS + 1):
        free = value("SELECT quota - (SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = c.id AND status <> 'revoked') "
                     "FROM fcfs.coupon c WHERE id = %s", pool)
        sold = value("SELECT count(*) FILTER (WHERE ok) FROM generate_series(1, %s) u, LATERAL fcfs.try_issue_coupon(%s, u) o",
                     QUOTA + 10, pool)
        tap.equal(sold, free, f"pool {pool} gives out exactly what is left of it")
    nothing_left(tap, "sold out")
