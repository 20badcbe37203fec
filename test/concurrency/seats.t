#!/usr/bin/python3
"""Sections with reserved seats, cross lists and lines under a random load, by functions and
by raw SQL, partly rolled back, while an office changes all of it: verify(), which looks on
all the time, finds nothing, and in the end nothing is in flight."""
import collections
import os
import random
import sys
sys.dont_write_bytecode = True
from load import WORLD, Tap, Threads, connect, nothing_left, rows
from psycopg2 import errors

CLIENTS = 8
SECONDS = 12
SECTIONS = 4
SEED = int(os.environ.get("FCFS_SEED", "1"))

# What the rules may say to a raw statement of these clients.
RULES = (errors.CheckViolation, errors.UniqueViolation, errors.ForeignKeyViolation)
# What may end a transaction of theirs.
ENDS = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)

ANSWERS = ("OK", "ALREADY_ENROLLED", "COURSE_FULL", "NOT_ENROLLED", "LOCK_TIMEOUT", "WAITLIST_FULL", "ALREADY_WAITLISTED",
           "NOT_WAITLISTED", "SEATS_AVAILABLE")

DEFINITIONS = WORLD + """
    UPDATE fcfs.term SET max_credits = 100;
    INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 4) g;
    INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G'), (2, 'H');
    INSERT INTO fcfs.student_group_member (student_group_id, student_id) SELECT 1 + g % 2, g FROM generate_series(1, 60) g WHERE g % 3 > 0;
    INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X', 14), (2, 'Y', 12);
    INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id)
    SELECT g, 1, g, 'A', 10, 3, CASE WHEN g < 4 THEN 1 + g % 2 END FROM generate_series(1, 4) g;
    INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats)
    SELECT 2 * s + g - 2, s, g, 2 FROM generate_series(1, 4) s, generate_series(1, 2) g;"""


class Client:
    """Some students of its own, and what it does for them."""

    def __init__(self, number, seen):
        self.random = random.Random(SEED * 1000 + number)
        self.people = range(1 + number * 7, 8 + number * 7)
        self.seen = seen
        self.cursor = connect().cursor()
        self.cursor.execute("SET deadlock_timeout = '20ms'; SET fcfs.lock_timeout = '2s'")

    def run(self, stop):
        while not stop.is_set():
            try:
                self.transaction()
            except ENDS as error:
                self.seen[error.pgcode] += 1
                self.cursor.execute("ROLLBACK")

    def transaction(self):
        self.cursor.execute("BEGIN")
        for _ in range(self.random.randint(1, 3)):
            save = self.random.random() < 0.3
            if save:
                self.cursor.execute("SAVEPOINT one")
            self.random.choice((self.call, self.call, self.claim, self.change, self.end))()
            if save and self.random.random() < 0.5:
                self.cursor.execute("ROLLBACK TO one")
        self.cursor.execute("COMMIT" if self.random.random() < 0.8 else "ROLLBACK")

    def someone(self):
        return self.random.choice(self.people), self.random.randint(1, SECTIONS)

    def call(self):
        student, section = self.someone()
        other = self.random.choice([number for number in range(1, SECTIONS + 1) if number != section])
        self.answered(*self.random.choice((
            ("SELECT code FROM fcfs.try_enroll(%s, %s)", student, section),
            ("SELECT code FROM fcfs.try_enroll(%s, %s)", student, section),
            ("SELECT code FROM fcfs.try_cancel_enrollment(%s, %s)", student, section),
            ("SELECT code FROM fcfs.try_swap_enrollment(%s, %s, %s)", student, section, other),
            ("SELECT code FROM fcfs.try_change_schedule(%s, ARRAY[%s]::bigint[], ARRAY[%s]::bigint[])", student, section, other))))

    def answered(self, sql, *values):
        self.cursor.execute(sql, values)
        code = self.cursor.fetchone()[0]
        self.seen[code] += 1
        if code not in ANSWERS:
            raise RuntimeError(f"{sql} {values}: {code}")

    def raw(self, sql, *values):
        self.cursor.execute("SAVEPOINT raw")
        try:
            self.cursor.execute(sql, values)
            self.seen["raw SQL done"] += self.cursor.rowcount > 0
        except RULES as error:
            self.seen[f"raw SQL {error.diag.constraint_name}"] += 1
            self.cursor.execute("ROLLBACK TO raw")

    def claim(self):
        student, section = self.someone()
        self.random.choice((
            lambda: self.raw("INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (%s, %s)", student, section),
            lambda: self.raw("INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (%s, %s, %s)",
                             student, section, 2 * section - self.random.randint(0, 1)),
            lambda: self.raw("INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (%s, %s, 'waitlisted')",
                             student, section),
            lambda: self.raw("INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (%s, %s, '{capacity}')",
                             student, section)))()

    def change(self):
        student, section = self.someone()
        self.raw("UPDATE fcfs.enrollment SET " + self.random.choice((
            "reserved_seats_id = NULL", f"reserved_seats_id = {2 * section}", "override = '{}'", "status = 'enrolled', ended_at = NULL"))
            + " WHERE student_id = %s AND section_id = %s", student, section)

    def end(self):
        student, section = self.someone()
        self.raw(self.random.choice(("DELETE FROM fcfs.enrollment", "UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now()"))
                 + " WHERE student_id = %s AND section_id = %s", student, section)


def administer(stop, number, seen):
    """Changes everything that seats come from."""
    dice = random.Random(SEED + number)
    cursor = connect().cursor()
    cursor.execute("SET deadlock_timeout = '20ms'; SET fcfs.lock_timeout = '1s'")
    while not stop.wait(0.01):
        more = dice.choice((-2, -1, 1, 2))
        section, seats = dice.randint(1, SECTIONS), dice.randint(1, 2 * SECTIONS)
        what = dice.choice((
            f"UPDATE fcfs.reserved_seats SET seats = greatest(seats + {more}, 0) WHERE id = {seats}",
            f"UPDATE fcfs.reserved_seats SET released = NOT released WHERE id = {seats}",
            f"UPDATE fcfs.reserved_seats SET release_at = now() WHERE section_id = {section}",
            "SELECT fcfs.release_reserved_seats(2)",
            f"DELETE FROM fcfs.reserved_seats WHERE id = {seats}",
            f"INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) "
            f"VALUES ({seats}, {(seats + 1) // 2}, {2 - seats % 2}, 2) ON CONFLICT DO NOTHING",
            f"UPDATE fcfs.section SET capacity = greatest(capacity + {more}, 4) WHERE id = {section}",
            f"UPDATE fcfs.section SET capacity = CASE WHEN capacity IS NULL THEN 10 END WHERE id = {section}",
            f"UPDATE fcfs.section SET waitlist_capacity = greatest(waitlist_capacity + {more}, 0) WHERE id = {section}",
            f"UPDATE fcfs.section SET cross_list_id = {dice.choice(('NULL', 1, 2))} WHERE id = {section}",
            f"UPDATE fcfs.cross_list SET capacity = greatest(capacity + {more}, 5)"))
        try:
            cursor.execute("BEGIN")
            cursor.execute(what)
            cursor.execute(dice.choices(["COMMIT", "ROLLBACK"], [80, 20])[0])
            seen["administered"] += 1
        except RULES + ENDS as error:
            seen[f"administering {error.pgcode}"] += 1
            cursor.execute("ROLLBACK")


def watch(stop, reports):
    cursor = connect().cursor()
    while not stop.is_set():
        cursor.execute("SELECT rule, kind, id, detail FROM fcfs.verify()")
        reports.append(cursor.fetchall())


with Tap() as tap:
    rows(DEFINITIONS)
    seen, reports, threads = collections.Counter(), [], Threads()
    for number in range(CLIENTS):
        threads.start(Client(number, seen).run, threads.stop)
    for number in range(2):
        threads.start(administer, threads.stop, number, seen)
    threads.start(watch, threads.stop, reports)
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()
    tap.diag(f"seed {SEED}: {dict(seen)}")
    tap.ok(len(reports) > 2, "verify() looked on", len(reports))
    tap.equal([report for report in reports if report][:3], [], "and found nothing")
    for wanted in ("OK", "COURSE_FULL", "administered", "raw SQL done", "raw SQL reserved_seats_capacity", "raw SQL section_capacity",
                   "raw SQL cross_list_capacity", "raw SQL section_waitlist_capacity"):
        tap.ok(seen[wanted] > 0, f"there was: {wanted}")
    nothing_left(tap, "in the end")
