"""What the tests that replay a recorded demand share: the samples, a section for
each group, and clients that replay the samples of some groups each, in their order."""
import csv
import gzip
import zlib

from psycopg2 import errors
from load import ALWAYS, Threads, connect, rows

CLIENTS = 8
STUDENTS = 2000     # of a group, at most; those of group n are n * 10000 and on


def samples(data):
    """Pairs: the name of a group, and its (available, waitlisted, total), in order of time."""
    with gzip.open(data.changes, "rt") as file:
        return [(row["section"], tuple(int(row[c]) for c in ("available", "waitlisted", "total"))) for row in csv.DictReader(file)]


def make_sections(names, **columns):
    """A section without seats, of a course of its own, for each name; ids are 1, 2, ..."""
    rows(f"""
        INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)
        VALUES (1, 'T', {ALWAYS}, '2099-02-02', '2099-05-01');
        INSERT INTO fcfs.student (id)
        SELECT g * 10000 + s FROM generate_series(1, {len(names)}) g, generate_series(0, {STUDENTS - 1}) s;""")
    for number, name in enumerate(names, 1):
        rows("INSERT INTO fcfs.course (id, code, credits) VALUES (%s, %s, 4)", number, name)
        values = {"id": number, "term_id": 1, "course_id": number, "code": "A", "capacity": 0, **columns}
        rows(f"INSERT INTO fcfs.section ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})", *values.values())


class Client:
    """One connection, and the samples that it replays."""

    def __init__(self):
        self.samples = []
        self.calls = 0
        self.refused = 0
        self.wrong = []

    def connect(self):
        self.cursor = connect().cursor()
        self.cursor.execute("SET synchronous_commit = off")

    def run(self):
        self.connect()
        for group, numbers in self.samples:
            group.change(self, *numbers)

    def query(self, statement, *values):
        self.cursor.execute(statement, values)
        return self.cursor.fetchall()

    def each(self, function, students, section):
        """The answers to a call for each student, one after the other."""
        if not students:
            return []
        codes = [code for code, in self.query(
            f"SELECT o.code FROM unnest(%s) WITH ORDINALITY s (id, n), fcfs.{function}(s.id, %s) o ORDER BY s.n",
            list(students), section)]
        self.calls += len(codes)
        self.refused += sum(code != "OK" for code in codes)
        return codes

    def resize(self, section, capacity):
        try:
            self.cursor.execute("UPDATE fcfs.section SET capacity = %s WHERE id = %s", (capacity, section))
            return True
        except errors.CheckViolation:
            return False

    def expect(self, wanted, got, what):
        if wanted != got:
            self.wrong.append(f"{what}: wanted {wanted}, got {got}"[:1000])


def replay(all_samples, groups):
    """Replays them by CLIENTS clients at once, a group always by the same; returns the clients."""
    clients = [Client() for _ in range(CLIENTS)]
    for name, numbers in all_samples:
        clients[zlib.crc32(name.encode()) % CLIENTS].samples.append((groups[name], numbers))
    threads = Threads()
    for client in clients:
        threads.start(client.run)
    threads.join()
    return clients
