#!/usr/bin/python3
"""The demand that a university's registration saw, replayed: every sample at which a
section's numbers changed becomes claims, releases and changes of capacity, by 8
clients. Each call's answer is known beforehand: seats go to those who come while
there are any, the others are refused, and come again when one is free."""
import csv
import gzip
import sys
import tempfile
import zlib
sys.dont_write_bytecode = True
from psycopg2 import errors
from load import ALWAYS, Tap, Threads, connect, counts, nothing_left, rows
from ucsd import files

CLIENTS = 8


class Group:
    """One section as it should be: who is in it, who waits outside."""

    def __init__(self, section, first_student):
        self.section = section
        self.next_student = first_student
        self.capacity = 0
        self.demand = 0
        self.enrolled = []
        self.outside = []

    def change(self, client, available, waitlisted, total):
        if total != self.capacity:
            self.set_capacity(client, total)
        change = total - available + waitlisted - self.demand
        self.demand += change
        if change > 0:
            self.outside += range(self.next_student, self.next_student + change)
            self.next_student += change
            self.enroll(client, self.outside[-change:] if self.free() == 0 else self.outside)
        elif change < 0:
            self.release(client, -change)

    def free(self):
        return self.capacity - len(self.enrolled)

    def set_capacity(self, client, capacity):
        possible = capacity >= len(self.enrolled)
        client.expect(possible, client.resize(self.section, capacity), f"capacity {capacity} with {len(self.enrolled)} enrolled")
        if possible:
            self.capacity = capacity
            self.enroll(client, self.outside[:self.free()])

    def enroll(self, client, students):
        """All of them ask, in order; as many as there are seats get one."""
        fit = min(self.free(), len(students))
        codes = client.each("try_enroll", students, self.section)
        client.expect(["OK"] * fit + ["COURSE_FULL"] * (len(students) - fit), codes, f"{len(students)} for {self.free()} seats")
        served = students[:fit]
        self.enrolled += served
        self.outside = [student for student in self.outside if student not in set(served)]

    def release(self, client, number):
        """Those who came first leave, and whoever is outside comes again."""
        leaving, self.enrolled = self.enrolled[:number], self.enrolled[number:]
        client.expect(["OK"] * len(leaving), client.each("try_cancel_enrollment", leaving, self.section), "cancelling")
        self.outside = self.outside[number - len(leaving):]
        self.enroll(client, self.outside[:self.free() + 1])


class Client:
    """One connection, and the groups whose samples it replays in their order."""

    def __init__(self):
        self.samples = []
        self.calls = 0
        self.refused = 0
        self.wrong = []

    def run(self):
        self.cursor = connect().cursor()
        self.cursor.execute("SET synchronous_commit = off")
        for group, numbers in self.samples:
            group.change(self, *numbers)

    def each(self, function, students, section):
        if not students:
            return []
        self.cursor.execute(f"SELECT o.code FROM unnest(%s) WITH ORDINALITY s (id, n), fcfs.{function}(s.id, %s) o ORDER BY s.n",
                            (list(students), section))
        codes = [code for code, in self.cursor.fetchall()]
        self.calls += len(codes)
        self.refused += codes.count("COURSE_FULL")
        return codes

    def resize(self, section, capacity):
        try:
            self.cursor.execute("UPDATE fcfs.section SET capacity = %s WHERE id = %s", (capacity, section))
            return True
        except errors.CheckViolation:
            return False

    def expect(self, wanted, got, what):
        if wanted != got:
            self.wrong.append(f"{what}: wanted {wanted}, got {got}")


with Tap() as tap, tempfile.TemporaryDirectory() as directory:
    data = files(tap, directory)
    with gzip.open(data.changes, "rt") as file:
        samples = [(row["section"], tuple(int(row[c]) for c in ("available", "waitlisted", "total"))) for row in csv.DictReader(file)]
    names = sorted({name for name, _ in samples})
    groups = {name: Group(n, n * 10_000) for n, name in enumerate(names, 1)}
    clients = [Client() for _ in range(CLIENTS)]
    for name, numbers in samples:
        clients[zlib.crc32(name.encode()) % CLIENTS].samples.append((groups[name], numbers))
    rows(f"""
        INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)
        VALUES (1, 'T', {ALWAYS}, '2099-02-02', '2099-05-01');
        INSERT INTO fcfs.student (id) SELECT g * 10000 + s FROM generate_series(1, {len(names)}) g, generate_series(0, 1999) s;""")
    for name, group in groups.items():
        rows("INSERT INTO fcfs.course (id, code, credits) VALUES (%s, %s, 4)", group.section, name)
        rows("INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (%s, 1, %s, 'A', 0)", group.section, group.section)

    threads = Threads()
    for client in clients:
        threads.start(client.run)
    threads.join()

    calls, refused = sum(c.calls for c in clients), sum(c.refused for c in clients)
    wrong = [text for client in clients for text in client.wrong]
    tap.ok(not wrong, f"{data.name}: {len(samples)} samples of {len(names)} groups, {calls} calls, {refused} of them refused: all as foreseen",
           len(wrong), *wrong[:5])
    tap.ok(refused > 0, "the demand was more than there was")
    tap.equal(counts("SELECT section_id, array_agg(student_id ORDER BY student_id) FROM fcfs.enrollment WHERE status = 'enrolled' GROUP BY 1"),
              {g.section: sorted(g.enrolled) for g in groups.values() if g.enrolled}, "each section has exactly those who were served")
    tap.equal(counts("SELECT id, capacity FROM fcfs.section"), {g.section: g.capacity for g in groups.values()}, "and its capacity")
    nothing_left(tap, "after all")
