#!/usr/bin/python3
"""Students enrol, leave and stand in line in sections that the office cancels and opens
again, by function and by UPDATE. Whoever was acknowledged as in, and has not left, is in
or was named by the office, once; nobody is named who was not in; nobody is ever in a
cancelled section; and the seats are all there in the end."""
import collections
import random
import sys
sys.dont_write_bytecode = True
import psycopg2
from psycopg2 import errors
from load import WORLD, Tap, Threads, connect, nothing_left, rows

CLIENTS = 8
SECONDS = 6
PEOPLE = 40           # of each client, its own
SECTIONS = 4
SEATS = 12

SETUP = WORLD + f"""
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, {SECTIONS}) g;
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X', {2 * SEATS - 3});
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id)
SELECT g, 1, g, 'A', {SEATS}, NULL, CASE WHEN g < 3 THEN 1 END FROM generate_series(1, {SECTIONS}) g;
"""


class Client:
    """One connection, and what its people have by its own account."""

    def __init__(self, number, stop):
        self.random = random.Random(number)
        self.people = range(number * PEOPLE + 1, (number + 1) * PEOPLE + 1)
        self.stop = stop
        self.came = {}         # enrollment id → (student, section)
        self.left = set()
        self.seen = collections.Counter()

    def run(self):
        with connect().cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '20ms'; SET fcfs.lock_timeout = '5s'")
            while not self.stop.is_set():
                student, section = self.random.choice(self.people), self.random.randint(1, SECTIONS)
                try:
                    self.random.choice((self.enrol, self.enrol, self.insert, self.leave))(cursor, student, section)
                except (errors.CheckViolation, errors.UniqueViolation, errors.DeadlockDetected) as error:
                    self.seen[error.diag.constraint_name or error.pgcode] += 1

    def enrol(self, cursor, student, section):
        cursor.execute("SELECT code, id FROM fcfs.try_enroll(%s, %s)", (student, section))
        code, number = cursor.fetchone()
        self.seen[code] += 1
        if code == "OK":
            self.came[number] = student, section

    def insert(self, cursor, student, section):
        cursor.execute("INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (%s, %s, %s) RETURNING id",
                       (student, section, self.random.choice(("enrolled", "waitlisted"))))
        self.came[cursor.fetchone()[0]] = student, section
        self.seen["inserted"] += 1

    def leave(self, cursor, student, section):
        cursor.execute("UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE student_id = %s AND section_id = %s"
                       " AND status <> 'cancelled' RETURNING id", (student, section))
        gone = [number for number, in cursor.fetchall()]
        self.left.update(gone)
        self.seen["left"] += len(gone)


def office(stop, named, seen):
    """Cancels sections and opens them again; half of the cancellations are rolled back."""
    dice = random.Random(99)
    with connect().cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '1s'; SET fcfs.lock_timeout = '20s'")
        while not stop.is_set():
            section = dice.randint(1, SECTIONS)
            try:
                cursor.execute("BEGIN")
                cursor.execute("SELECT enrollment_id, student_id, status FROM fcfs.cancel_section(%s)", (section,))
                dropped = cursor.fetchall()
                kept = dice.random() < 0.5
                cursor.execute("COMMIT" if kept else "ROLLBACK")
                named.extend(number for number, _, _ in dropped if kept)
                seen["cancelled" if kept else "taken back"] += bool(dropped)
                stop.wait(0.02)
                cursor.execute("SELECT count(*) FROM fcfs.enrollment e JOIN fcfs.section s ON s.id = e.section_id"
                               " WHERE s.cancelled_at IS NOT NULL AND e.status <> 'cancelled'")
                seen["in a cancelled section"] += cursor.fetchone()[0]
                cursor.execute("UPDATE fcfs.section SET cancelled_at = NULL WHERE id = %s", (section,))
                stop.wait(0.05)
            except psycopg2.errors.DeadlockDetected:
                cursor.execute("ROLLBACK")
                seen["deadlock"] += 1


with Tap() as tap:
    rows(SETUP)
    threads = Threads()
    clients = [Client(number, threads.stop) for number in range(CLIENTS)]
    named, seen = [], collections.Counter()
    for client in clients:
        threads.start(client.run)
    threads.start(office, threads.stop, named, seen)
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()

    seen = sum((client.seen for client in clients), seen)
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    tap.ok(all(seen[what] > 0 for what in (
        "OK", "COURSE_FULL", "ENROLLMENT_CLOSED", "enrollment_section_not_cancelled", "inserted", "left", "cancelled", "taken back")),
        "there was everything in it", seen)
    tap.equal(seen["in a cancelled section"], 0, "nobody was ever in a cancelled section")
    tap.equal(len(named), len(set(named)), f"the office dropped {len(named)}, and named nobody twice")
    came = {number for client in clients for number in client.came}
    left = {number for client in clients for number in client.left}
    there = dict(rows("SELECT id, status FROM fcfs.enrollment"))
    tap.equal(set(there), came, f"all {len(came)} who came are in the table, and nobody else")
    tap.equal(set(named) & left, set(), "nobody who had left was named")
    tap.equal({number for number, status in there.items() if status == "cancelled"}, left | set(named),
              f"those who left, {len(left)}, and those who were dropped are gone, and no others")
    nothing_left(tap, "after all")
    rows("UPDATE fcfs.section SET cancelled_at = NULL")
    dropped = rows(f"SELECT c.* FROM generate_series(1, {SECTIONS}) s, fcfs.cancel_section(s) c")
    tap.equal(len(dropped), len(there) - len(left | set(named)), f"the {len(dropped)} who are left are dropped at last")
    rows("UPDATE fcfs.section SET cancelled_at = NULL, cross_list_id = NULL")
    tap.equal(rows(f"SELECT s.id, count(*) FILTER (WHERE o.ok) FROM fcfs.section s, generate_series(1000, {1000 + 2 * SEATS}) p, "
                   "LATERAL fcfs.try_enroll(p, s.id) o GROUP BY s.id ORDER BY s.id"),
              [(section, SEATS) for section in range(1, SECTIONS + 1)], f"and each section has its {SEATS} seats again")
    nothing_left(tap, "full")
