"""Counts the instructions that a session executes for one call, by valgrind's
callgrind: the same on a busy machine as on an idle one.

The world is made by an ordinary server, which is then started again under
callgrind. Each kind of call is made by pgbench in a session of its own, with
prepared statements, as in the benchmarks, and only that session's process is looked
at. Where its calls are warm, and again CALLS later, the session calls the function
MARK, before which callgrind writes down what it has counted and starts again at
nothing. What a session does once a second is all in it that hangs on the clock.
"""

import os
import re
from dataclasses import dataclass

import command
from cluster import TOP, Cluster, Failure
from declare import World

WARM = 150  # calls that do not count: caches, plans, pools
CALLS = 250
MARK = "pg_backend_pid"
WORLD = World("calls.sql")


@dataclass(frozen=True)
class Call:
    """A statement, whose :i is never twice the same, the yardstick that it is
    compared with, and a query that grows by one with each call that did what it should."""

    statement: str
    yardstick: str = ""
    rows: str = ""


COUPON = "SELECT count(*) FROM fcfs.coupon_issue"
ENROLLMENT = "SELECT count(*) FROM fcfs.enrollment"
SECTIONS = "ARRAY[{0} + 1, {0} + 2, {0} + 3, {0} + 4, {0} + 5]::bigint[]"
KEY = "'6f1c9f52-71d4-4c55-9a0e-' || :i::text"

CALL = {
    "select1": Call("SELECT :i::bigint;"),
    "bare": Call(
        "INSERT INTO bench.bare_issue (coupon_id, user_id, arrival) VALUES (1, :i, :i);",
        rows="SELECT count(*) FROM bench.bare_issue",
    ),
    "bare-enroll": Call(
        "INSERT INTO bench.bare_enrollment (student_id, section_id, term_id, course_id, credits, schedule)"
        " SELECT 2 * :i, id, term_id, course_id, 3, schedule FROM fcfs.section WHERE id = :i % 50 + 1;",
        rows="SELECT count(*) FROM bench.bare_enrollment",
    ),
    "soldout": Call("SELECT * FROM fcfs.try_issue_coupon(2, 1000 + :i);", "select1"),
    "issue": Call("SELECT * FROM fcfs.try_issue_coupon(1, :i);", "bare", COUPON),
    "issue-row": Call("SELECT * FROM fcfs.issue_coupon(1, 100000 + :i);", "bare", COUPON),
    "key": Call(f"SELECT * FROM fcfs.try_issue_coupon(1, 200000 + :i, {KEY});", "bare", COUPON),
    "enroll": Call("SELECT * FROM fcfs.try_enroll(2 * :i, :i % 50 + 1);", "bare-enroll", ENROLLMENT),
    "enroll-row": Call("SELECT * FROM fcfs.enroll(2000 + 2 * :i, :i % 50 + 1);", "bare-enroll", ENROLLMENT),
    "cancel": Call(
        "SELECT * FROM fcfs.try_cancel_enrollment(2 * :i - 1, (:i % 10) * 5 + 1);",
        "bare-enroll",
        ENROLLMENT + " WHERE status = 'cancelled' AND student_id < 900",
    ),
    # Five sections for five others at the same hours: ten rows.
    "change": Call(
        "SELECT * FROM fcfs.try_change_schedule(2 * :i + 899,"
        f" {SECTIONS.format('(:i % 10) * 5')}, {SECTIONS.format('((:i + 1) % 10) * 5')});",
        "enroll",
        "SELECT count(DISTINCT student_id) FROM fcfs.enrollment WHERE status = 'cancelled' AND student_id > 900",
    ),
    "enroll-line": Call("SELECT * FROM fcfs.try_enroll(10000 + :i, 52);", "bare-enroll", ENROLLMENT),
    "pass-on": Call(
        "SELECT * FROM fcfs.try_cancel_enrollment(30000 + :i, 51);",
        "enroll",
        "SELECT count(*) FROM fcfs.enrollment WHERE section_id = 51 AND status = 'enrolled' AND student_id > 31000",
    ),
    "reserve": Call(
        "SELECT * FROM fcfs.try_reserve(:i, 1, 1);", "bare", "SELECT count(*) FROM fcfs.reservation_line"
    ),
    "confirm": Call(
        "SELECT * FROM fcfs.try_confirm_reservation(:i);",
        "bare",
        "SELECT count(*) FROM fcfs.reservation WHERE status = 'confirmed'",
    ),
}


class Counter(Cluster):
    """The cluster with that world, under callgrind."""

    def __init__(self):
        super().__init__()
        self.dumps = f"{self.dir}/dumps"
        self.world = self.database(WORLD)
        self.under_callgrind()

    def under_callgrind(self):
        """Starts the server again. Where we are root, it runs as another user."""
        os.mkdir(self.dumps)
        os.chmod(self.dumps, 0o1777)
        server = f"{self.dir}/counted"
        with open(server, "w") as file:
            file.write(
                "#!/bin/sh\n"
                "exec valgrind -q --tool=callgrind --trace-children=yes --combine-dumps=no"
                f" --dump-before={MARK} --callgrind-out-file='{self.dumps}/%p'"
                f" '{self.env['PGBIN']}/postgres' \"$@\"\n"
            )
        os.chmod(server, 0o755)
        as_server_user = 'top=$0; . "$top/scripts/lib.sh"; as_server_user "$@"'
        restart = [f"{self.env['PGBIN']}/pg_ctl", "restart", "-s", "-w", "-t", "120", "-D", f"{self.dir}/data"]
        restart += ["-p", server, "-l", f"{self.dir}/log", "-o", "-c fsync=off"]
        done = command.run(["sh", "-c", as_server_user, TOP, *restart], env=self.env)
        if done.returncode:
            with open(f"{self.dir}/log", errors="replace") as file:
                raise Failure(f"the server does not start under callgrind:\n{file.read()[-2000:]}")

    def profile(self, kind):
        """The file of what CALLS calls did."""
        call, calls = CALL[kind], WARM + CALLS + 1
        before = self.count(call)
        done = set(os.listdir(self.dumps))
        self.make_calls(call, calls)
        if call.rows and self.count(call) != before + calls:
            raise Failure(f"not all of {calls} calls did what they should: {call.statement}")
        # The first mark's is 1, that of the warm-up 2.
        counted = [name for name in set(os.listdir(self.dumps)) - done if name.endswith(".3")]
        if len(counted) != 1:
            raise Failure(f"callgrind counted {len(counted)} sessions, not one: {call.statement}")
        return f"{self.dumps}/{counted[0]}"

    def count(self, call):
        return int(self.world.sql(call.rows)) if call.rows else 0

    def make_calls(self, call, calls):
        script = f"{self.dir}/calls.sql"
        marks = " or ".join(f":i = {number}" for number in (1, WARM + 1, WARM + CALLS + 1))
        with open(script, "w") as file:
            file.write(f"\\set i :i + 1\n\\if {marks}\nSELECT {MARK}();\n\\endif\n{call.statement}\n")
        client = ["pgbench", "-n", "-M", "prepared", "-t", str(calls), "-D", "i=0", "-f", script, self.world.name]
        done = command.run(client, env=self.env)
        if done.returncode:
            raise Failure(f"pgbench: {done.stderr.strip()[-1000:]}\n{call.statement}")

    def instructions(self, kind):
        """Of one call."""
        return total(self.profile(kind)) / CALLS


def total(profile):
    with open(profile) as file:
        return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)[1])
