#!/usr/bin/python3
"""Lines under load. First where nobody is ever barred: at no moment has somebody a seat out of
the line of a section while somebody waits in it who came before. Then with conflicts, credits,
groups, cross lists and swaps: when all is over and pass_waitlists() finds nothing more, no seat
is free of which somebody in line could have one, by a judgement of the test's own."""
import collections
import os
import random
import sys
sys.dont_write_bytecode = True
from load import WORLD, Tap, Threads, connect, nothing_left, rows, value
from psycopg2 import errors

CLIENTS = 5
SECONDS = 4
LINES = 3             # sections where nobody is barred
SEED = int(os.environ.get("FCFS_SEED", "1"))
# What may end a transaction of these clients.
ENDS = (errors.DeadlockDetected, errors.SerializationFailure)

SETUP = WORLD + f"""
CREATE SCHEMA test;
CREATE TABLE test.lined (id bigint PRIMARY KEY);
UPDATE fcfs.term SET max_credits = 6;
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, CASE WHEN g > {LINES} THEN 2 ELSE 0 END FROM generate_series(1, 20) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity)
SELECT g, 1, g, 'A', 3, NULL FROM generate_series(1, {LINES}) g;
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X', 5);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
INSERT INTO fcfs.student_group_member (student_group_id, student_id) SELECT 1, g FROM generate_series(4001, 4040) g WHERE g % 3 = 0;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id, strict_order)
SELECT g, 1, g - g / 17, 'S' || g, CASE WHEN g > 15 THEN 20 ELSE 3 END, CASE WHEN g = 11 THEN 4 WHEN g > 15 THEN 0 END, CASE WHEN g IN (12, 13) THEN 1 END, g = 14 FROM generate_series(11, 17) g;
INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (15, 1, 2), (12, 1, 1);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
SELECT g, 1 + g % 3, '09:00', '10:00' FROM generate_series(11, 16) g;
"""

# A seat out of a line, although somebody waits who came before.
OVERTAKEN = """
SELECT a.section_id, a.id, b.id FROM fcfs.enrollment a JOIN fcfs.enrollment b USING (section_id) JOIN test.lined l ON l.id = b.id
WHERE a.status = 'waitlisted' AND b.status = 'enrolled' AND (a.arrived_at, a.id) < (b.arrived_at, b.id)"""

# Who in line lacks nothing, by all rules that there are in this world.
COULD_BE_SEATED = """
WITH open_seat AS (
    SELECT s.id, s.capacity - (SELECT coalesce(sum(r.seats), 0) FROM fcfs.reserved_seats r WHERE r.section_id = s.id)
        > (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = 'enrolled' AND e.reserved_seats_id IS NULL) AS free
    FROM fcfs.section s)
SELECT w.section_id, w.student_id
FROM fcfs.enrollment w
JOIN fcfs.section s ON s.id = w.section_id
JOIN fcfs.course c ON c.id = s.course_id
JOIN open_seat o ON o.id = s.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.credits), 0) AS credits, coalesce(bool_or(e.course_id = s.course_id), false) AS same,
        coalesce(bool_or(e.schedule && s.schedule), false) AS clash
    FROM fcfs.enrollment e
    WHERE e.student_id = w.student_id AND e.status = 'enrolled' AND e.section_id IS DISTINCT FROM w.swap_section_id) kept
WHERE w.status = 'waitlisted' AND kept.credits + c.credits <= 6 AND NOT kept.same AND NOT kept.clash
    AND (o.free OR EXISTS (
        SELECT FROM fcfs.reserved_seats r JOIN fcfs.student_group_member m USING (student_group_id)
        WHERE r.section_id = s.id AND m.student_id = w.student_id
            AND r.seats > (SELECT count(*) FROM fcfs.enrollment e WHERE e.reserved_seats_id = r.id AND e.status = 'enrolled')))
    AND (s.cross_list_id IS NULL OR EXISTS (
        SELECT FROM fcfs.cross_list x WHERE x.id = s.cross_list_id
            AND x.capacity > (SELECT count(*) FROM fcfs.enrollment e WHERE e.cross_list_id = x.id AND e.status = 'enrolled'
                AND (e.student_id <> w.student_id OR e.section_id IS DISTINCT FROM w.swap_section_id))))"""


class Client:
    """A connection, and what it was answered."""

    def __init__(self, number, stop):
        self.random = random.Random(SEED * 1000 + number)
        self.stop = stop
        self.seen = collections.Counter()
        self.connection = connect()
        self.cursor = self.connection.cursor()
        self.cursor.execute("SET deadlock_timeout = '50ms'; SET fcfs.lock_timeout = '5s'")

    def ask(self, sql, *values):
        self.cursor.execute(sql, values or None)
        return self.cursor.fetchall()

    def call(self, name, *arguments):
        code, detail = self.ask(f"SELECT code, detail FROM fcfs.try_{name}({', '.join(['%s'] * len(arguments))})", *arguments)[0]
        self.seen[f"{name} {code}" if code != "OK" or name != "join_waitlist" else f"{name} {detail}"] += 1
        return code

    def transaction(self, *steps):
        """A fifth is rolled back."""
        try:
            self.cursor.execute("BEGIN")
            for step in steps:
                step()
            self.cursor.execute("ROLLBACK" if self.random.random() < 0.2 else "COMMIT")
        except ENDS as error:
            self.seen[error.pgcode] += 1
            self.cursor.execute("ROLLBACK")


def join_and_note(client, student, section):
    number, status = client.ask("SELECT id, status FROM fcfs.join_waitlist(%s, %s)", student, section)[0]
    if status == "waitlisted":
        client.cursor.execute("INSERT INTO test.lined VALUES (%s)", (number,))


def join_one_after_another(client, section):
    """The only one who joins this line: each has committed before the next comes."""
    student = 1000 * section
    while not client.stop.is_set():
        if client.ask("SELECT count(*) FROM fcfs.enrollment WHERE section_id = %s AND status = 'waitlisted'", section)[0][0] > 30:
            client.stop.wait(0.005)
            continue
        student += 1
        client.transaction(lambda student=student: join_and_note(client, student, section))
        client.seen["joined"] += 1
    client.connection.close()


def come_and_go(client):
    """Gives seats up, leaves lines, tries to come new."""
    newcomer = 4500
    while not client.stop.is_set():
        section = client.random.randint(1, LINES)
        steps = []
        for status, name, share in (("enrolled", "cancel_enrollment", 0.8), ("waitlisted", "leave_waitlist", 0.2)):
            there = client.ask("SELECT student_id FROM fcfs.enrollment WHERE section_id = %s AND status = %s", section, status)
            if there and client.random.random() < share:
                student = client.random.choice(there)[0]
                steps.append(lambda name=name, student=student: client.call(name, student, section))
        steps.append(lambda: client.call("enroll", newcomer + client.random.randint(1, 400), section))
        client.transaction(*steps)
    client.connection.close()


def do_anything(client, number):
    """Calls of all kinds for a few students, in sections where much is in the way; one a transaction."""
    students = range(4001 + 8 * number, 4009 + 8 * number)
    while not client.stop.is_set():
        name, count = client.random.choice((
            ("join_waitlist", 1), ("join_waitlist", 1), ("enroll", 1), ("cancel_enrollment", 1), ("cancel_enrollment", 1),
            ("leave_waitlist", 1), ("swap_enrollment", 2), ("swap_enrollment", 2), ("join", 2)))
        arguments = (client.random.choice(students), *client.random.sample(range(11, 18), count))
        if name == "join":
            name, arguments = "join_waitlist", (*arguments[:2], None, arguments[2])
        client.transaction(lambda name=name, arguments=arguments: client.call(name, *arguments))
    client.connection.close()


def pass_on(client):
    while not client.stop.wait(0.02):
        client.transaction(lambda: client.seen.update(passed=client.ask("SELECT fcfs.pass_waitlists()")[0][0]))
    client.connection.close()


def watch(stop, sql, reports):
    cursor = connect().cursor()
    while not stop.is_set():
        cursor.execute(sql)
        reports.append(cursor.fetchall())


def run(tap, work, sql):
    """Has clients work, and looks on; what they were answered, and what was seen."""
    threads = Threads()
    reports = []
    clients = [(Client(number, threads.stop), *job) for number, job in enumerate(work)]
    for client, function, *arguments in clients:
        threads.start(function, client, *arguments)
    threads.start(watch, threads.stop, sql, reports)
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()
    seen = sum((client.seen for client, *_ in clients), collections.Counter())
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    return seen, reports


def settle(tap):
    """When nothing more is passed on nobody in line could have a seat."""
    for _ in range(1000):
        if value("SELECT fcfs.pass_waitlists()") == 0:
            break
    tap.equal(rows(COULD_BE_SEATED), [], "nobody in line could have a seat that is free")


with Tap() as tap:
    rows(SETUP)
    seen, reports = run(tap, [(join_one_after_another, section) for section in range(1, LINES + 1)]
                        + [(come_and_go,)] * CLIENTS + [(pass_on,)] * 2, OVERTAKEN)
    tap.ok(all(seen[what] > 0 for what in (
        "joined", "cancel_enrollment OK", "leave_waitlist OK", "enroll COURSE_FULL")), "the mix had everything in it", seen)
    tap.ok(len(reports) > 5, f"looked at the lines {len(reports)} times")
    tap.equal([report for report in reports if report], [], "nobody was seated while somebody waited who had come before")
    tap.equal(rows(OVERTAKEN), [], "nor at the end")
    tap.ok(value("SELECT count(*) FROM fcfs.enrollment JOIN test.lined USING (id) WHERE status = 'enrolled'") > 0, "and some were seated")
    settle(tap)
    nothing_left(tap, "where nobody is barred")

    seen, reports = run(tap, [(do_anything, number) for number in range(CLIENTS)] + [(pass_on,)],
                        "SELECT rule, kind, id, detail FROM fcfs.verify()")
    tap.ok(all(seen[what] > 0 for what in (
        "join_waitlist waitlisted", "join_waitlist enrolled", "cancel_enrollment OK", "leave_waitlist OK",
        "swap_enrollment OK", "enroll COURSE_FULL")), "the mix had everything in it", seen)
    tap.equal(seen["40P01"], 0, "no call that is alone in its transaction meets a deadlock")
    tap.equal([report for report in reports if report], [], f"verify() had nothing to report, {len(reports)} times")
    settle(tap)
    nothing_left(tap, "where much is in the way")
