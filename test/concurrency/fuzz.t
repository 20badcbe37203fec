#!/usr/bin/python3
"""Random calls of every function of the schema, as the catalogue has them, with values
plausible and strange, in random states of a transaction and under random settings,
mixed with random changes of every table by its owner, on several connections. Whatever
is asked: no crash, no lost connection, no internal error, nothing left in flight, and
nothing for verify() to report. What is done with triggers switched off may be reported,
so it has a database of its own, and there reload_pool() must make the escrow right.

FCFS_SEED chooses the statements of each connection, FCFS_CALLS how many; FCFS_SECONDS
makes it go on for as long. A statement that failed is shown with what led to it."""
import collections
import io
import json
import os
import random
import sys
import time
sys.dont_write_bytecode = True
import psycopg2
from load import ALWAYS, Tap, Threads, connect, nothing_left, rows, value

SEED = int(os.environ.get("FCFS_SEED", "20261122"))
CALLS = int(os.environ.get("FCFS_CALLS", "25000"))
SECONDS = float(os.environ.get("FCFS_SECONDS", "0"))
CLIENTS = 4
IDS = 8               # ids of everything are 1 to about this
DATABASE = os.environ["PGDATABASE"]
ROLE = f"{DATABASE}_app"

MADE = ("term", "student", "course", "student_group", "cross_list", "section", "reserved_seats", "event", "item", "coupon")  # with ids that are known
WORLD = f"""
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)
SELECT g, 'T' || g, {ALWAYS}, '2099-01-01', '2099-02-01' FROM generate_series(1, 2) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.student (id) SELECT generate_series(1, {IDS}) ON CONFLICT DO NOTHING;
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, {IDS}) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.student_group (id, code) SELECT g, 'G' || g FROM generate_series(1, 3) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.student_group_member (student_id, student_group_id)
SELECT s.id, g.id FROM fcfs.student s, fcfs.student_group g WHERE s.id % g.id = 0 AND g.id <= 3 ON CONFLICT DO NOTHING;
INSERT INTO fcfs.cross_list (id, code, capacity) SELECT g, 'X' || g, 3 * g FROM generate_series(1, 2) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, strict_order, waitlist_capacity, cross_list_id)
SELECT g, t.id, c.id, 'A' || g, g, g = 4, g % 4, (SELECT min(id) FROM fcfs.cross_list WHERE g IN (6, 7))
FROM generate_series(1, {IDS}) g, LATERAL (SELECT min(id) AS id FROM fcfs.term) t, LATERAL (SELECT id FROM fcfs.course ORDER BY id OFFSET g % 5 LIMIT 1) c
ON CONFLICT DO NOTHING;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats, release_at)
SELECT g, s.id, (SELECT min(id) FROM fcfs.student_group), 1, '2000-01-01' FROM generate_series(1, 2) g JOIN fcfs.section s ON s.id = 4 + g AND s.capacity > 1 ON CONFLICT DO NOTHING;
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for, max_per_customer)
SELECT g, 'E' || g, {ALWAYS}, g * interval '100 ms', 6 FROM generate_series(1, 3) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.item (id, event_id, code, stock, price, strict_order)
SELECT g, (SELECT min(id) FROM fcfs.event WHERE g % 2 = 0), 'I' || g, 3 * g, g, g = 4 FROM generate_series(1, {IDS}) g ON CONFLICT DO NOTHING;
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at, strict_order)
SELECT g, 'K' || g, 3 * g, 1 + g % 2, {ALWAYS}, g = 4 FROM generate_series(1, {IDS}) g ON CONFLICT DO NOTHING;
"""

# What random changes take away, so that sections are open, full, and have lines.
MEND = ("UPDATE fcfs.term SET enroll_opens_at = '2000-01-01', enroll_closes_at = '2098-01-01', max_credits = 18, min_credits = NULL",
        "UPDATE fcfs.section SET capacity = id % 3, waitlist_capacity = 3, cancelled_at = NULL",
        "UPDATE fcfs.student SET max_credits = NULL", "DELETE FROM fcfs.prerequisite", "DELETE FROM fcfs.enrollment_wave", "DELETE FROM fcfs.grade")

# Classes of SQLSTATE that an answer may have; RF only as refusals() lists it. 57P are
# sessions that were ended, which nobody does here.
CLASSES = {"09", "0A", "21", "22", "23", "24", "25", "26", "34", "39", "3B", "3F", "40", "42", "53", "54", "55", "57", "P0"}

STRANGE = ("", " ", "a'b", 'a"b', "a\\b", "\\", "$$", "$1", "%s%I%n", "'; DROP TABLE fcfs.term; --", "\u202etfel ot thgir", "𝄞" * 255, "𝄞" * 256,
           "x" * 255, "x" * 256, "é" * 300000, "NULL", "{}", "\n\r\t\b", "\u0001\u007f\u0080", "infinity", "-1", "1e400", "NaN", "true")
MOMENTS = ("2000-01-01", "2100-01-01", "2020-02-30", "-infinity", "infinity", "now", "tomorrow", "4713-01-01 BC", "294276-12-31", "2099-01-05 09:30+00")
CATALOGUES = tuple(json.dumps(document) for document in (
    {}, [], {"courses": {}}, {"courses": [1, None, [], {}]}, {"sections": [{"term": "T1", "course": "C1", "code": "A1", "meetings": [1]}]},
    {"courses": [{"code": f"C{n}", "credits": n % 4, "title": "x" * n} for n in range(12)]},
    {"courses": [{"code": "C1", "credits": 1}, {"code": "C1", "credits": 2}, {"code": "C99", "credits": "many"}, {"code": {}, "credits": 1}]},
    {"terms": [{"code": "T1", "starts_on": "2099-01-01", "classes_end_on": "2099-01-30", "ends_on": "2099-02-02"}, {"code": "T1", "time_zone": "Mars"}]},
    {"student_groups": [{"code": "G1"}, {"code": "G2", "title": None}], "students": [{"external_id": "p1"}, {"external_id": "p2", "max_credits": -1}],
     "student_group_members": [{"student": "p1", "student_group": "G1"}, {"student": "p1", "student_group": "nobody"}],
     "enrollment_waves": [{"term": "T1", "student_group": "G1", "opens_at": "2000-01-01", "closes_at": "2098-01-01"},
                          {"term": "T1", "opens_at": "2000-01-01", "closes_at": "2098-01-01"}, {"term": "T1", "opens_at": "2001-01-01", "closes_at": "2002-01-01"}]},
    {"prerequisites": [{"course": f"C{n}", "required_course": f"C{n % 4 + 1}", "concurrent": n % 3 > 0} for n in range(1, 6)]},
    {"cross_lists": [{"code": "X1", "capacity": 9}], "sections": [
        {"term": "T1", "course": f"C{n}", "code": f"A{n}", "capacity": n, "cross_list": ("X1", None)[n % 2], "cancelled_at": (None, None, "2021-01-01")[n % 3],
         "meetings": [{"weekday": n, "starts_at": "09:00", "ends_at": f"1{n}:00"}, {"on_date": f"2099-02-0{n}", "starts_at": "09:00", "ends_at": "10:00"}]}
        for n in range(1, 8)], "reserved_seats": [{"term": "T1", "course": "C5", "section": "A5", "student_group": "G1", "seats": 2}]}))
RULES = ("capacity", "credits", "conflict", "prerequisite", "window")
PLAUSIBLE = {
    "weekday": range(0, 9), "quantity": range(1, 4), "capacity": range(0, 10), "stock": range(0, 20), "quota": range(0, 20), "price": range(0, 9),
    "per_user_limit": range(0, 4), "user_ordinal": range(0, 4), "max_per_customer": range(0, 9), "cancel_days": (0, 3, 3660, 3661), "max_rows": (1, 100),
    "amount": range(0, 9), "credits": (0, 1, 3, "NaN", 999.9), "points": (0, 2, 4, "NaN"), "max_credits": (0, 18, 1000), "retake_cutoff": (1, 4, "NaN"),
    "time_zone": ("UTC", "Europe/Berlin", "America/New_York", "nowhere", "<x>+25", "../passwd"), "currency": ("USD", "EUR", "usd"),
    "starts_at": ("09:00", "09:30", "23:00", "24:00"), "ends_at": ("10:00", "10:30", "24:00"), "kind": ("section", "waitlist", "reserved_seats", "cross_list", "item", "coupon", "seat"),
    "starts_on": ("2099-01-01", "2099-01-15", "5874897-12-31", "4713-01-01 BC"), "ends_on": ("2099-02-01", "2099-01-20", "2199-01-01"),
    "status": ("enrolled", "waitlisted", "cancelled", "held", "confirmed", "expired", "issued", "redeemed", "revoked", "lost"), "role": (ROLE, ROLE, ROLE, "nobody at all", 'x"y'),
    "hold_for": ("1 s", "10 ms", "15 min", "178000000 years", "-1 day"), "schedule": ("{}", "{[2099-01-05 09:30+00,2099-01-05 10:30+00)}", "{(,)}"),
    "catalogue": CATALOGUES,
    "waitlist_capacity": range(0, 4), "seats": range(0, 4), "release_at": MOMENTS, "min_credits": (0, 1, 3), "max_attempts": (1, 2), "min_points": (0, 2, 4),
    "rule": RULES, "override": RULES, "granted_by": ("the office",), "reason": ("a reason",), "swap_from_section_id": range(1, IDS + 1), "swap_section_id": range(1, IDS + 1),
    "drop_id": range(1, IDS + 1), "add_id": range(1, IDS + 1), "cancelled_at": ("now", "2000-01-01", "infinity"),
    "opens_at": MOMENTS, "closes_at": MOMENTS, "enroll_opens_at": MOMENTS, "enroll_closes_at": MOMENTS, "sale_opens_at": MOMENTS, "sale_closes_at": MOMENTS,
    "key": ("k1", "k2", "k3"), "idempotency_key": ("k1", "k2", "k3"), "function": ("enroll", "reserve"), "arguments": ("1,1", "1,1,1"), "external": ("ann", "bob"),
}
TYPES = {
    "bigint": (0, -1, 2**63 - 1, -2**63, 2**31, 2**62, 10**15), "integer": (0, -1, 2**31 - 1, -2**31), "smallint": (0, -1, 2**15 - 1), "boolean": ("true", "false"),
    "text": STRANGE, "name": STRANGE, "numeric": (0, -1, "NaN", "Infinity", 1e300, 99999), "double precision": (0, -1, "NaN", "Infinity"), "uuid": (
        "00000000-0000-0000-0000-000000000000", "x"), "interval": ("0", "-1 day", "178000000 years", "1 mon -30 days"), "date": ("infinity", "5874897-12-31", "x"),
    "time without time zone": ("00:00", "24:00", "25:00"), "timestamp with time zone": MOMENTS, "timestamp without time zone": MOMENTS, "jsonb": (
        "{}", "[]", "null", "1", '"x"', "{", '{"\\u0000": 1}', '{"a": {"b": [1, {"c": null}]}}', "[" * 20000), "tstzmultirange": ("{}", "{(,)}", "{[x]}"),
}
HARMLESS = (0, -1, -2**63, 2**31)    # the highest id that there is, brought along, leaves none to come
LENGTHS = (0, 1, 2, 3, 300, 501)      # of arrays
SETTINGS = (
    "DateStyle = 'SQL, DMY'", "DateStyle = 'German'", "IntervalStyle = sql_standard", "IntervalStyle = iso_8601", "TimeZone = 'Asia/Kathmandu'", "TimeZone = '-15'",
    "search_path = ''", "search_path = pg_temp, fcfs", "search_path = fcfs, public", "extra_float_digits = -15", "standard_conforming_strings = off",
    "escape_string_warning = off", "work_mem = '64kB'", "array_nulls = off",
    "transform_null_equals = on", "backslash_quote = off", "quote_all_identifiers = on", "row_security = off", "check_function_bodies = off", "lock_timeout = '5ms'",
    "statement_timeout = '3ms'", "fcfs.lock_timeout = '1ms'", "fcfs.lock_timeout = 0", "fcfs.max_waiters = 1", "fcfs.wait_for_uncertain = off", "fcfs.hold_for = '1s'",
    "fcfs.slow_wait = 0", "fcfs.idempotency_keep = '1d'", "fcfs.max_pools = 16", "fcfs.nonsense = 1", "enable_seqscan = off", "enable_indexscan = off",
    "plan_cache_mode = force_custom_plan", "plan_cache_mode = force_generic_plan", "force_parallel_mode = on", "jit_above_cost = 0", "client_min_messages = debug2",
    "bytea_output = escape", "xmloption = document", "plpgsql.extra_errors = 'all'", "plpgsql.variable_conflict = use_column", "default_transaction_read_only = on",
    "default_transaction_isolation = serializable", "default_transaction_deferrable = on", "constraint_exclusion = on", "cursor_tuple_fraction = 0",
    "from_collapse_limit = 1", "geqo_threshold = 2", "lc_messages = 'C'", "temp_file_limit = '64kB'", "synchronous_commit = off", "transaction_isolation = serializable",
    "exit_on_error = on")
Function = collections.namedtuple("Function", "name arguments defaults kind")
Column = collections.namedtuple("Column", "name type must")


class Catalogue:
    """What there is to call and to write."""

    def __init__(self, run):
        self.functions = [Function(*row) for row in run(
            "SELECT p.proname::text, coalesce((SELECT json_agg(json_build_array(p.proargnames[a.n], format_type(a.type, NULL)) ORDER BY a.n) "
            " FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (type, n)), '[]'), p.pronargdefaults,"
            " CASE WHEN p.prorettype = 'trigger'::regtype THEN 'trigger' WHEN p.prorettype = 'fcfs.outcome'::regtype THEN 'try'"
            " WHEN p.proname LIKE 'grant%' THEN 'grant' WHEN EXISTS (SELECT FROM pg_proc t WHERE t.pronamespace = p.pronamespace"
            "  AND t.proname = 'try_' || p.proname) THEN 'operation' ELSE 'other' END "
            "FROM pg_proc p WHERE p.pronamespace = 'fcfs'::regnamespace ORDER BY p.proname")]
        weights = {"try": 10, "operation": 5, "other": 1, "trigger": 0.05, "grant": 1}
        self.weights = [30 if f.name == "call" else weights[f.kind] for f in self.functions]
        self.operations = [f for f in self.functions if f.kind == "operation"]
        self.tables = {name: [Column(*column) for column in columns] for name, columns in run(
            "SELECT c.relname::text, json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL), a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')"
            " ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind = 'r' GROUP BY c.relname ORDER BY c.relname")}


def quoted(text):
    """As a literal, whatever standard_conforming_strings is."""
    return "E'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


class Statements:
    """The statements of one connection, one transaction after another: a function of the seed."""

    def __init__(self, seed, catalogue, number, replica):
        self.dice = random.Random(seed)
        self.catalogue = catalogue
        self.name = f"{DATABASE} {number}"
        self.first = number == 0
        self.replica = replica
        self.arrival = self.dice.randrange(10**9)

    def chance(self, share):
        return self.dice.random() < share

    def value(self, name, kind, table=None):
        """A literal for a column or an argument."""
        if self.chance(0.03):
            return "NULL"
        if kind.endswith("[]"):
            inner = ", ".join(self.value(name.rstrip("s"), kind[:-2]) for _ in range(self.dice.choice(LENGTHS)))
            return self.dice.choice((f"ARRAY[{inner}]::{kind}", f"ARRAY[{inner}]::{kind}", f"ARRAY[ARRAY[{inner}]]::{kind}"))
        if self.chance(0.05):
            return f"{quoted(self.dice.choice(HARMLESS if name == 'id' else TYPES.get(kind, STRANGE)))}::{kind}"
        if name == "arrival":   # for who brings them to keep apart
            self.arrival += CLIENTS
            return str(self.arrival)
        if name in PLAUSIBLE:
            return quoted(self.dice.choice(PLAUSIBLE[name]))
        if name == "code":
            return quoted("OK" if table == "idempotency" else self.dice.choice("TCAEIK") + str(self.dice.randint(1, IDS)))
        if name == "external_id":
            return quoted(f"p{self.dice.randint(1, IDS)}")
        if name.endswith("_id") and name[:-3] in self.catalogue.tables and name[:-3] not in MADE and self.chance(0.8):
            return self.recent(name[:-3])
        if kind in ("bigint", "integer", "smallint"):
            return str(self.dice.randint(1, IDS + (name == "id")))
        if kind == "boolean":
            return self.dice.choice(("true", "false"))
        if kind in TYPES:
            return quoted(self.dice.choice(TYPES[kind]))
        return "NULL"

    def recent(self, table):
        return f"((SELECT max(id) FROM fcfs.{table}) - {self.dice.choice((0, 0, 1, 2, 5))})"

    # Functions

    def json_arguments(self, operation):
        if self.chance(0.05):
            return self.value("args", "jsonb")
        names = [a for a in operation.arguments if not self.chance(0.05)] + ([("no_such_thing", "text")] if self.chance(0.02) else [])
        def any_value():
            return self.dice.choice((1, 1, 2, 3, 4, 5, 6, 7, "2", "k1", None, True, 1.5, [1], {"a": 1}, -1, 2**63, 10**400, "x" * 300, "1; SELECT 1"))
        def likely(kind):
            if self.chance(0.1):
                return any_value()
            if kind.endswith("[]"):
                return [likely(kind[:-2]) for _ in range(self.dice.choice(LENGTHS))]
            return f"k{self.dice.randint(1, 3)}" if kind == "text" else self.dice.randint(1, IDS)
        return quoted(json.dumps({name: likely(kind) for name, kind in names})) + "::jsonb"

    def arguments(self, function):
        if function.name == "call":
            operation = self.dice.choice(self.catalogue.operations)
            name = self.dice.choice(("pg_sleep", "call", "verify", "try_enroll", "fcfs.enroll", *STRANGE)) if self.chance(0.05) else operation.name
            return f"{quoted(name)}, {self.json_arguments(operation)}"
        given = [(name, kind) for number, (name, kind) in enumerate(function.arguments)
                 if number < len(function.arguments) - function.defaults or self.chance(0.4)]
        return ", ".join(f"{name} => {self.value(name, kind)}" for name, kind in given)

    def one_call(self):
        function = self.dice.choices(self.catalogue.functions, self.catalogue.weights)[0]
        if function.kind == "grant" and not self.first:     # two at once update one tuple of the catalogue, and say XX000
            function = self.catalogue.operations[0]
        return function.name, f"fcfs.{function.name}({self.arguments(function)})"

    def call(self):
        """A statement, and the functions that it calls."""
        if self.chance(0.3):
            several = [self.one_call() for _ in range(self.dice.randint(2, 6))]
            return [name for name, _ in several], "SELECT " + ", ".join(called for _, called in several)
        name, called = self.one_call()
        form = self.dice.choices(range(8), (30, 30, 5, 5, 5, 3, 3, 2))[0]
        statement = (
            f"SELECT * FROM {called}", f"SELECT {called}", f"SELECT count(*) FROM generate_series(1, 3) g, LATERAL {called} f",
            f"DO $do$BEGIN PERFORM {called}; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE; END IF; END$do$",
            f"DECLARE c CURSOR FOR SELECT {called} FROM generate_series(1, 3)", f"EXPLAIN (ANALYZE, VERBOSE) SELECT {called}",
            f"COPY (SELECT {called}) TO STDOUT", f"SELECT fuzz.parallel({quoted('SELECT ' + called)})")[form]
        return [name], statement

    # Tables

    def columns(self, table, share, rows="many"):
        """Some columns with values. The schedule of a section is kept by the extension, says the guide; arrivals are not brought twice."""
        hidden = {("section", "schedule")} | (set() if rows == "one" else {("coupon_issue", "arrival")})
        return [(c.name, self.value(c.name, c.type, table)) for c in self.catalogue.tables[table]
                if (table, c.name) not in hidden and (c.must or self.chance(share)) and not self.chance(0.01)]

    def where(self, table):
        names = [c.name for c in self.catalogue.tables[table] if c.name == "id" or c.name.endswith("_id") and c.type == "bigint"]
        if table not in MADE and "id" in names and self.chance(0.7):
            return f"id = {self.recent(table)}"
        return f"{self.dice.choice(names)} {self.dice.choice(('=', '=', '=', '<', '>'))} {self.dice.randint(1, IDS)}"

    def insert(self, table):
        columns = self.columns(table, 0.2, "one")
        names = ", ".join(name for name, _ in columns)
        if not columns:
            return f"INSERT INTO fcfs.{table} DEFAULT VALUES"
        lines = [", ".join(v for _, v in columns)]
        if self.chance(0.2):
            lines.append(", ".join(self.value(name, next(c.type for c in self.catalogue.tables[table] if c.name == name), table) for name, _ in columns))
        conflict = self.dice.choice(("", "", "", " ON CONFLICT DO NOTHING", f" ON CONFLICT (id) DO UPDATE SET {self.assignments(table)}"))
        return f"INSERT INTO fcfs.{table} ({names}) VALUES ({'), ('.join(lines)}){conflict}"

    def assignments(self, table):
        name, new = self.dice.choice(self.columns(table, 1) or [("id", "1")])
        if self.chance(0.1):
            new = self.dice.choice((name, "DEFAULT"))
        return f"{name} = {new}" + (", arrival = NULL" if (table, name) == ("coupon_issue", "coupon_id") else "")

    def update(self, table):
        return f"UPDATE fcfs.{table} SET {self.assignments(table)} WHERE {self.where(table)}"

    def delete(self, table):
        return f"DELETE FROM fcfs.{table} WHERE {self.where(table)}"

    def merge(self, table):
        columns = self.columns(table, 0.2) or [("id", "1")]
        return (f"MERGE INTO fcfs.{table} t USING (SELECT generate_series(1, {IDS}) AS g) s ON t.id = s.g AND s.g < {self.dice.randint(1, IDS)} "
                f"WHEN MATCHED AND s.g % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET {self.assignments(table)} "
                f"WHEN NOT MATCHED THEN INSERT ({', '.join(n for n, _ in columns)}) VALUES ({', '.join(v for _, v in columns)})")

    def with_several(self, table):
        other = self.dice.choice(list(self.catalogue.tables))
        return f"WITH w AS ({self.dice.choice((self.delete, self.update))(table)} RETURNING 1) {self.dice.choice((self.insert, self.update, self.delete))(other)}"

    def copy(self, table):
        return ("COPY", table, [(name, "\\N" if v == "NULL" else v) for name, v in self.columns(table, 0.2, "one")])

    def change(self):
        table = self.dice.choice(list(self.catalogue.tables))
        how = self.dice.choices(
            (self.insert, self.update, self.delete, self.merge, self.with_several, self.copy, lambda t: f"TRUNCATE fcfs.{t}{self.dice.choice(('', ' CASCADE'))}",
             lambda t: f"SELECT * FROM fcfs.{t} WHERE {self.where(t)} FOR {self.dice.choice(('UPDATE', 'SHARE', 'KEY SHARE'))} SKIP LOCKED"),
            (40, 30, 5, 5, 5, 10, 0.5, 5))[0]
        return [], how(table)

    # Transactions

    def statement(self):
        what = self.dice.random()
        if what < 0.75:
            return self.call()
        if what < 0.90:
            return self.change()
        if what < 0.93:
            return [], f"SET {self.dice.choice(('', 'LOCAL '))}{self.dice.choice(SETTINGS)}"
        if what < 0.94:
            return [], self.dice.choice(("FETCH 2 FROM c", "MOVE c", "CLOSE c", "LISTEN x", "DISCARD PLANS", "RESET ROLE", f"SET LOCAL ROLE {ROLE}", "nonsense",
                                           "SET CONSTRAINTS ALL DEFERRED", "LOCK TABLE fcfs.enrollment IN SHARE MODE NOWAIT", "SELECT pg_advisory_unlock_all()"))
        return [], self.dice.choice(("SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO b", "RELEASE a", "RELEASE b"))

    def transaction(self):
        """Statements with the functions they call; an error leaves the rest to an aborted transaction, half of the time."""
        if self.chance(0.3):
            return [self.statement()]
        begin = "BEGIN" + self.dice.choice(("", "", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE", " READ ONLY")[:5 + self.chance(0.3)])
        role = [([], "SET LOCAL session_replication_role = replica")] if self.replica and self.chance(0.5) else []
        inner = [self.statement() for _ in range(self.dice.randint(1, 8))]
        if self.chance(0.01):
            return [([], begin), *inner, ([], f"PREPARE TRANSACTION '{self.name}'"),
                    ([], f"{self.dice.choice(('COMMIT', 'ROLLBACK'))} PREPARED '{self.name}'")]
        return [([], begin), *role, *inner, ([], self.dice.choices(("COMMIT", "ROLLBACK", "COMMIT AND CHAIN"), (80, 18, 2))[0])]


class Client:
    """One connection, that sends what its statements say and judges the answers."""

    def __init__(self, number, catalogue, database, calls, replica, refusals, stop):
        self.number = number
        self.statements = Statements(f"{SEED}/{database == DATABASE}/{number}", catalogue, number, replica)
        self.database = database
        self.calls = calls
        self.refusals = refusals
        self.stop = stop
        self.seen = collections.Counter()
        self.done = collections.Counter()
        self.past = collections.deque(maxlen=25)
        self.wrong = []
        self.may_be_lost = False
        self.calls_made = 0

    def open(self):
        self.connection = connect(dbname=self.database, options="-c statement_timeout=20s -c lock_timeout=200ms -c fcfs.lock_timeout=20ms "
                                  "-c deadlock_timeout=5ms -c client_min_messages=error -c max_parallel_workers_per_gather=1 -c synchronous_commit=off")
        self.may_be_lost = False

    def run(self):
        self.open()
        until = time.monotonic() + SECONDS
        transactions = 0
        while not self.stop.is_set() and not self.wrong and (self.calls_made < self.calls or time.monotonic() < until):
            transactions += 1
            aborted = False
            for functions, statement in self.statements.transaction():
                if not (aborted and transactions % 8):
                    aborted = not self.send(functions, statement) or aborted
            self.tidy(transactions)
        self.connection.close()

    def tidy(self, transactions):
        """Ends what was left open, and now and then forgets the settings and mends the world."""
        status = self.connection.info.transaction_status
        if status != psycopg2.extensions.TRANSACTION_STATUS_IDLE and self.connection.closed == 0:
            self.send([], "ROLLBACK")
        if transactions % 20 == 0:
            for statement in ("RESET ALL", "RESET ROLE"):
                self.send([], statement)
            if self.number == 0:
                for statement in (WORLD, *MEND):
                    self.send([], statement)

    def send(self, functions, statement):
        """False if it was answered with an error."""
        self.past.append(statement)
        self.may_be_lost |= "exit_on_error" in str(statement)
        try:
            with self.connection.cursor() as cursor:
                if isinstance(statement, tuple):
                    self.copy_in(cursor, *statement[1:])
                elif statement.startswith("COPY"):
                    cursor.copy_expert(statement, io.BytesIO())
                else:
                    cursor.execute(statement)
            self.done.update(functions)
            self.calls_made += len(functions)
            self.seen["done"] += 1
            return True
        except (UnicodeError, ValueError):      # the client cannot say it in its encoding
            return True
        except psycopg2.Error as error:
            self.calls_made += len(functions) and error.pgcode != "25P02"
            self.judge(error)
            return False

    @staticmethod
    def copy_in(cursor, table, columns):
        names = ", ".join(name for name, _ in columns)
        line = "\t".join(v.split("::")[0].removeprefix("E'").removesuffix("'") for _, v in columns)
        cursor.copy_expert(f"COPY fcfs.{table} ({names}) FROM STDIN", io.StringIO(line + "\n"))

    def judge(self, error):
        state = error.pgcode
        self.seen[state] += 1
        if self.connection.closed and self.may_be_lost and state != "XX000":
            self.open()
            return
        if self.connection.closed or state is None or not (
                state in self.refusals if state.startswith("RF") else state[:2] in CLASSES and not state.startswith("57P")):
            self.wrong.append(f"connection {self.number} of {self.database}, {state}: {error}\nafter:\n" + "\n".join(map(shown, self.past)))
            self.stop.set()


def shown(statement):
    text = str(statement)
    return text if len(text) < 3000 else f"{text[:1000]} … ({len(text)} characters)"


def wait_while_they_go_on(threads, clients):
    """However slow the machine is; a minute and a half without any answer is a hang, which join() then tells."""
    answers, since = 0, time.monotonic()
    while (alive := [thread for thread in threads.threads if thread.is_alive()]) and time.monotonic() - since < 90:
        alive[0].join(0.1)
        now = sum(sum(client.seen.values()) for client in clients)
        if now != answers:
            answers, since = now, time.monotonic()


def play(tap, database, calls, replica, what):
    """The clients of one database, to the end."""
    run = rows if database == DATABASE else only_in(database)
    run(WORLD)
    run("CREATE SCHEMA fuzz; CREATE FUNCTION fuzz.parallel(command text) RETURNS void LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN EXECUTE command; END'")
    run("SELECT fcfs.grant_app(%s)", ROLE)
    catalogue = Catalogue(run)
    refusals = {state for state, in run("SELECT sqlstate FROM fcfs.refusals()")}
    threads = Threads()
    clients = [Client(number, catalogue, database, calls // CLIENTS, replica, refusals, threads.stop) for number in range(CLIENTS)]
    for client in clients:
        threads.start(client.run)
    wait_while_they_go_on(threads, clients)
    threads.join()
    wrong = [fault for client in clients for fault in client.wrong]
    done = sum((client.done for client in clients), collections.Counter())
    seen = sum((client.seen for client in clients), collections.Counter())
    tap.diag(f"{what}: " + ", ".join(f"{state} {count}" for state, count in sorted(seen.items(), key=str)))
    tap.ok(not wrong, f"{what}: {sum(client.calls_made for client in clients)} calls, {sum(seen.values())} statements, no crash and no internal error (FCFS_SEED={SEED})", *wrong)
    if calls >= 20000:     # enough that chance has no part in it
        tap.equal([f.name for f in catalogue.functions if f.kind != "trigger" and not done[f.name]], [], f"{what}: every function came to its end")
    while run("SELECT fcfs.expire_reservations()")[0][0]:
        pass
    return run


def only_in(database):
    connection = connect(dbname=database)
    def run(sql, *values):
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []
    run.close = connection.close
    return run


with Tap() as tap:
    rows(f'CREATE ROLE "{ROLE}"')
    play(tap, DATABASE, CALLS * 9 // 10, False, "in order")
    nothing_left(tap, "in order")
    rows(f'DROP OWNED BY "{ROLE}"')

    other = f"{DATABASE}_replica"
    rows(f"CREATE DATABASE {other}")
    only_in(other)("CREATE EXTENSION pg_fcfs CASCADE")
    run = play(tap, other, CALLS // 10, True, "triggers off")
    tap.equal(run("SELECT kind, id, taken_in_flight, pinned_by, waiters FROM fcfs.stat_pools WHERE taken_in_flight <> 0 OR pinned_by <> 0 OR waiters <> 0"),
              [], "triggers off: nothing is in flight")
    tap.diag(f"triggers off: {run('SELECT rule, count(*) FROM fcfs.verify() GROUP BY 1 ORDER BY 1')}")
    run("SELECT fcfs.reload_pool(kind, id) FROM fcfs.stat_pools")
    tap.equal(run("SELECT * FROM fcfs.verify() WHERE rule = 'escrow_differs'"), [], "triggers off: reload_pool() makes the escrow right")
    run(f'DROP OWNED BY "{ROLE}"')
    run.close()
    rows(f"DROP DATABASE {other} WITH (FORCE)")
    rows(f'DROP ROLE "{ROLE}"')
