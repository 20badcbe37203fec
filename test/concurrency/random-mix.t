#!/usr/bin/python3
"""A random mix of every operation, by function and by raw SQL, with a third of the
transactions rolled back, half of those to a savepoint. Each client keeps a record
of what was acknowledged to it; afterwards exactly that is in the tables, and the
pools give out exactly what is left of them. Capacities change meanwhile, calendars
too, and verify() runs all the while and has nothing to report."""
import collections
import random
import sys
import time
sys.dont_write_bytecode = True
import psycopg2
from psycopg2 import errors
from load import ALWAYS, WORLD, Tap, Threads, connect, counts, nothing_left, rows, value

CLIENTS = 12
SECONDS = 10
PEOPLE = 12           # of each client, its own
SECTIONS = 12
ITEMS = 4
COUPONS = 4
HOLD = 0.4            # seconds

SETUP = WORLD + f"""
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, {SECTIONS}) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, strict_order)
SELECT g, 1, g, 'A', 4 * g, g % 4 = 0 FROM generate_series(1, {SECTIONS}) g;
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
SELECT g, 1 + g % 4, '09:00', '10:30' FROM generate_series(1, {SECTIONS} / 2) g;
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for)
VALUES (1, 'E', {ALWAYS}, interval '{HOLD} s');
INSERT INTO fcfs.item (id, event_id, code, stock, strict_order)
SELECT g, 1, 'I' || g, 10 * g, g = 4 FROM generate_series(1, {ITEMS}) g;
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at)
SELECT g, 'K' || g, 12 * g, 2, {ALWAYS} FROM generate_series(1, {COUPONS}) g;
"""

TABLES = ("enrollment", "reservation", "coupon_issue")


class Client:
    """One connection, the people only it acts for, and what they have by its own account."""

    def __init__(self, number, stop):
        self.random = random.Random(number)
        self.people = range(number * PEOPLE + 1, (number + 1) * PEOPLE + 1)
        self.stop = stop
        self.has = {}          # (table, id) → status, as acknowledged
        self.of = {}           # enrollment id → (student, section)
        self.seen = collections.Counter()

    def run(self):
        self.connection = connect()
        self.cursor = self.connection.cursor()
        self.cursor.execute("SET deadlock_timeout = '20ms'; SET fcfs.lock_timeout = '2s'")
        while not self.stop.is_set():
            self.transaction()
        self.connection.close()

    def transaction(self):
        self.now = dict(self.has)
        end = self.random.choices(["COMMIT", "ROLLBACK", "ROLLBACK TO half"], [70, 15, 15])[0]
        level = self.random.choices(["READ COMMITTED", "REPEATABLE READ"], [85, 15])[0]
        try:
            self.cursor.execute(f"BEGIN ISOLATION LEVEL {level}")
            for _ in range(self.random.randint(0, 2)):
                self.operation()
            if end == "ROLLBACK TO half":
                self.cursor.execute("SAVEPOINT half")
                half = dict(self.now)
            for _ in range(self.random.randint(1, 2)):
                self.operation()
            self.cursor.execute(end)
            if end == "ROLLBACK TO half":
                self.cursor.execute("COMMIT")
                self.now = half
            if end != "ROLLBACK":
                self.has = self.now
            self.seen[end] += 1
        except (errors.DeadlockDetected, errors.SerializationFailure) as error:
            self.seen[error.pgcode] += 1
            self.cursor.execute("ROLLBACK")

    def operation(self):
        self.random.choice([self.enroll, self.enroll, self.drop, self.reserve, self.reserve, self.confirm,
                            self.cancel, self.expire, self.issue, self.issue, self.revoke])()

    def call(self, function, *arguments, may=()):
        """By either face; returns the id, or nothing if it was refused."""
        slots = ", ".join(["%s"] * len(arguments))
        if self.random.random() < 0.3:
            self.cursor.execute("SAVEPOINT one")
            try:
                self.cursor.execute(f"SELECT id FROM fcfs.{function}({slots})", arguments)
                code, number = "OK", self.cursor.fetchone()[0]
                self.cursor.execute("RELEASE one")
            except (errors.DeadlockDetected, errors.SerializationFailure):
                raise
            except psycopg2.Error as error:
                code, number = error.diag.constraint_name, None
                self.cursor.execute("ROLLBACK TO one")
        else:
            self.cursor.execute(f"SELECT code, id FROM fcfs.try_{function}({slots})", arguments)
            code, number = self.cursor.fetchone()
        self.seen[code] += 1
        if code != "OK" and code != "LOCK_TIMEOUT" and code not in may:
            raise RuntimeError(f"{function}{arguments} answered {code}")
        return number if code == "OK" else None

    def raw(self, sql, arguments, may):
        self.cursor.execute("SAVEPOINT one")
        try:
            self.cursor.execute(sql, arguments)
            self.seen["raw SQL done"] += 1
            number = self.cursor.fetchone()[0]
            self.cursor.execute("RELEASE one")
            return number
        except may as error:
            self.seen[f"raw SQL {error.pgcode}"] += 1
            self.cursor.execute("ROLLBACK TO one")
            return None

    def pick(self, table, *statuses):
        mine = [number for (of, number), status in self.now.items() if of == table and status in statuses]
        return self.random.choice(mine) if mine else None

    def enroll(self):
        student, section = self.random.choice(self.people), self.random.randint(1, SECTIONS)
        if self.random.random() < 0.2:
            number = self.raw("INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (%s, %s) RETURNING id",
                              (student, section), (errors.CheckViolation, errors.UniqueViolation, errors.ExclusionViolation))
        else:
            number = self.call("enroll", student, section,
                               may=("ALREADY_ENROLLED", "CREDIT_LIMIT_EXCEEDED", "SCHEDULE_CONFLICT", "COURSE_FULL"))
        if number:
            self.now["enrollment", number] = "enrolled"
            self.of[number] = student, section

    def drop(self):
        number = self.pick("enrollment", "enrolled")
        if number and self.call("cancel_enrollment", *self.of[number]):
            self.now["enrollment", number] = "cancelled"

    def reserve(self):
        number = self.call("reserve", self.random.choice(self.people), self.random.randint(1, ITEMS),
                           self.random.randint(1, 3), may=("OUT_OF_STOCK",))
        if number:
            self.now["reservation", number] = "held"

    def confirm(self):
        number = self.pick("reservation", "held")
        if number and self.call("confirm_reservation", number, may=("RESERVATION_EXPIRED",)):
            self.now["reservation", number] = "confirmed"

    def cancel(self):
        number = self.pick("reservation", "held", "confirmed")
        final = number and self.now["reservation", number] == "confirmed"
        if number and self.call("cancel_reservation", number, may=() if final else ("RESERVATION_EXPIRED",)):
            self.now["reservation", number] = "cancelled"

    def expire(self):
        self.cursor.execute("SELECT fcfs.expire_reservations(%s)", (self.random.choice((1, 100)),))
        self.seen["expired"] += self.cursor.fetchone()[0]

    def issue(self):
        number = self.call("issue_coupon", self.random.randint(1, COUPONS), self.random.choice(self.people),
                           may=("COUPON_ALREADY_ISSUED", "COUPON_EXHAUSTED"))
        if number:
            self.now["coupon_issue", number] = "issued"

    def revoke(self):
        number = self.pick("coupon_issue", "issued")
        if number and self.raw("UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE id = %s RETURNING id", (number,), ()):
            self.now["coupon_issue", number] = "revoked"


def administer(stop, seen):
    """Raises and lowers capacities, and moves meetings, which fails where it would break a rule."""
    dice = random.Random(0)
    cursor = connect().cursor()
    cursor.execute("SET deadlock_timeout = '20ms'; SET fcfs.lock_timeout = '2s'")
    pools = (("section", "capacity", SECTIONS), ("item", "stock", ITEMS), ("coupon", "quota", COUPONS))
    while not stop.wait(0.01):
        table, capacity, count = dice.choice(pools)
        try:
            cursor.execute("BEGIN")
            if dice.random() < 0.9:
                cursor.execute(f"UPDATE fcfs.{table} SET {capacity} = greatest({capacity} + %s, 0) WHERE id = %s",
                               (dice.choice((-3, -1, 1, 3)), dice.randint(1, count)))
            else:
                cursor.execute("UPDATE fcfs.meeting SET starts_at = starts_at + %s, ends_at = ends_at + %s "
                               "WHERE section_id = %s AND starts_at BETWEEN '08:00' AND '10:00'",
                               (*[dice.choice(("15 min", "-15 min"))] * 2, dice.randint(1, SECTIONS)))
            cursor.execute(dice.choices(["COMMIT", "ROLLBACK"], [80, 20])[0])
            seen["administered"] += 1
        except (errors.CheckViolation, errors.ExclusionViolation, errors.DeadlockDetected, errors.LockNotAvailable) as error:
            seen[f"administering {error.pgcode}"] += 1
            cursor.execute("ROLLBACK")


def watch(stop, reports):
    """verify(), again and again, on its own connection."""
    connection = connect()
    cursor = connection.cursor()
    while not stop.is_set():
        cursor.execute("SELECT rule, kind, id, detail FROM fcfs.verify()")
        reports.append(cursor.fetchall())


def stands_as_acknowledged(tap, clients):
    """A hold that was not ended by its client may have run out of time; nothing else may differ."""
    has = {key: status for client in clients for key, status in client.has.items()}
    there = {(table, number): status for table in TABLES for number, status in rows(f"SELECT id, status FROM fcfs.{table}")}
    overdue = {number for number, in rows("SELECT id FROM fcfs.reservation WHERE expires_at <= clock_timestamp()")}
    for (table, number), status in has.items():
        if table == "reservation" and status == "held" and number in overdue and there.get((table, number)) == "expired":
            has[table, number] = "expired"
    tap.equal(sorted(set(has) - set(there)), [], "every acknowledged claim is there")
    tap.equal(sorted(set(there) - set(has)), [], "nothing else is")
    tap.equal([(key, status, there[key]) for key, status in has.items() if key in there and there[key] != status], [],
              "each has the status that was acknowledged")


def sells_the_rest(tap):
    """What a pool still gives out is its capacity less what the tables hold."""
    time.sleep(HOLD)
    while value("SELECT fcfs.expire_reservations()"):
        pass
    for kind, table, capacity, used, claim, people in (
            ("section", "section", "capacity",
             "SELECT count(*) FROM fcfs.enrollment WHERE section_id = p.id AND status = 'enrolled'",
             "fcfs.try_enroll(person, p.id)", "1000 + p.id * 100"),
            ("item", "item", "stock",
             "SELECT coalesce(sum(quantity), 0) FROM fcfs.reservation_line WHERE item_id = p.id AND active",
             "fcfs.try_reserve(person, p.id, 1)", "1000"),
            ("coupon", "coupon", "quota",
             "SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = p.id AND status <> 'revoked'",
             "fcfs.try_issue_coupon(p.id, person)", "1000")):
        free = counts(f"SELECT id, ({capacity} - ({used}))::integer FROM fcfs.{table} p")
        sold = counts(f"SELECT p.id, count(*) FILTER (WHERE o.ok)::integer FROM fcfs.{table} p, "
                      f"generate_series({people} + 1, {people} + 60) person, LATERAL {claim} o GROUP BY p.id")
        tap.equal(sold, free, f"every {kind} gives out exactly what is left of it: {sum(free.values())}")


with Tap() as tap:
    rows(SETUP)
    threads = Threads()
    clients = [Client(number, threads.stop) for number in range(CLIENTS)]
    reports = []
    for client in clients:
        threads.start(client.run)
    threads.start(watch, threads.stop, reports)
    administered = collections.Counter()
    threads.start(administer, threads.stop, administered)
    threads.stop.wait(SECONDS)
    threads.stop.set()
    threads.join()

    seen = sum((client.seen for client in clients), administered)
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    tap.ok(all(seen[what] > 0 for what in (
        "COMMIT", "ROLLBACK", "ROLLBACK TO half", "OK", "COURSE_FULL", "OUT_OF_STOCK", "COUPON_EXHAUSTED",
        "SCHEDULE_CONFLICT", "RESERVATION_EXPIRED", "expired", "raw SQL done", "raw SQL 23514",
        "administered", "administering 23514")),
        "the mix had everything in it", seen)
    tap.ok(len(reports) > 10, f"verify() ran {len(reports)} times under load")
    tap.equal([report for report in reports if report], [], "and never had anything to report")
    stands_as_acknowledged(tap, clients)
    nothing_left(tap, "after the mix")
    sells_the_rest(tap)
    nothing_left(tap, "sold out")
