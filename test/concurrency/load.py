"""What the tests under load share: TAP, connections, pgbench, a small world, and
the question what a load has left behind."""
import functools
import os
import subprocess
import sys
import tempfile
import threading
import traceback

import psycopg2

ALWAYS = "'2000-01-01', '2100-01-01'"

WORLD = f"""
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)
VALUES (1, 'T', {ALWAYS}, '2099-02-02', '2099-05-01');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 5000);
"""


def shortened(text):
    return text if len(text) <= 1000 else text[:1000] + " …"


class Tap:
    """Prints tests as they are made, and the plan at the end. An exception is a failed test."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            self.ok(False, "the test runs to its end")
            self.diag("".join(traceback.format_exception(kind, error, trace)))
        print(f"1..{self.number}", flush=True)
        sys.stdout.flush()
        os._exit(1 if self.failed else 0)

    def ok(self, good, name, *facts):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}", flush=True)
        if not good:
            for fact in facts:
                self.diag(fact)
        return good

    def equal(self, got, wanted, name):
        if isinstance(got, dict) and isinstance(wanted, dict):
            differ = [key for key in {**wanted, **got} if got.get(key) != wanted.get(key)]
            return self.ok(not differ, name, len(differ), *(
                shortened(f"{key}: got {got.get(key)}, wanted {wanted.get(key)}") for key in differ[:20]))
        return self.ok(got == wanted, name, shortened(f"got    {got}"), shortened(f"wanted {wanted}"))

    @staticmethod
    def diag(text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


def connect(**options):
    connection = psycopg2.connect("", **options)
    connection.autocommit = True
    return connection


@functools.cache
def main_connection():
    return connect()


def rows(sql, *values):
    with main_connection().cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def value(sql, *values):
    return rows(sql, *values)[0][0]


def counts(sql):
    """A query of two columns as a dictionary."""
    return dict(rows(sql))


def pgbench(script, clients, transactions):
    """Runs a script so many times in each client; fails if one run of it does."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        run = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(transactions), "-f", file.name],
            text=True, capture_output=True, check=False)
    wanted = f"number of transactions actually processed: {clients * transactions}/{clients * transactions}"
    if run.returncode != 0 or wanted not in run.stdout:
        raise RuntimeError(f"pgbench: {run.stderr.strip()[-2000:]}\n{run.stdout[-1000:]}")


class Threads:
    """Threads that run until they are told to stop; an exception in one of them is raised by join()."""

    def __init__(self):
        self.stop = threading.Event()
        self.threads = []
        self.errors = []

    def start(self, function, *arguments):
        thread = threading.Thread(target=self._run, args=(function, *arguments), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _run(self, function, *arguments):
        try:
            function(*arguments)
        except Exception:  # whatever it is, the test must fail by it
            self.errors.append(traceback.format_exc())
            self.stop.set()

    def join(self):
        for thread in self.threads:
            thread.join(120)
            if thread.is_alive():
                raise RuntimeError("a client hangs\n" + hanging())
        if self.errors:
            raise RuntimeError(f"{len(self.errors)} clients failed, the first:\n{self.errors[0]}")


def hanging():
    """What the server's sessions wait for, for the report on a hang."""
    return "\n".join(map(str, rows(
        "SELECT pid, state, wait_event_type, wait_event, pg_blocking_pids(pid), left(query, 80) "
        "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")))


def nothing_left(tap, load):
    """After a load: no invariant broken, nothing in flight, nobody waiting, no lock kept."""
    tap.equal(rows("SELECT rule, kind, id, detail FROM fcfs.verify()"), [], f"{load}: verify() is empty")
    tap.equal(
        rows("SELECT kind, id, taken_in_flight, pinned_by, waiters FROM fcfs.stat_pools "
             "WHERE taken_in_flight <> 0 OR pinned_by <> 0 OR waiters <> 0"),
        [], f"{load}: nothing is in flight")
    tap.equal(
        rows("SELECT locktype, classid, objid, objsubid, mode FROM pg_locks WHERE locktype = 'advisory'"),
        [], f"{load}: no lock is kept")
