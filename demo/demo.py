#!/usr/bin/python3
"""The demonstration: a university opens registration, a shop has a flash sale, coupons are dropped.

    demo/demo.py REPORT.html [--sections FILE --courses FILE]

Works in the empty database of the PG* environment, whose owner it must be: makes
the extension and all data there, lets the crowds in, shows what happened,
checks it, and writes the report. Status 1 if a check fails.
"""
import argparse
import os
import random
import signal
import sys
import time

import psycopg2

import catalogue
import report
import rush
import university
from checks import run_checks

APP = "demo_app"            # what the clients connect as: may call the functions, and nothing else
STUDENTS = 5000
IN_TWO_TABS = 500           # of them press in two windows at once
PRESS_EARLY = 0.2           # seconds before registration opens
BUYERS, UNITS = 1000, 100
COLLECTORS, COUPONS = 10000, 100


def say(text=""):
    print(text, flush=True)


def progress_line(early):
    """A function that prints a line a second: the totals, and the calls of the last second."""
    before = [-early, 0]

    def tell(seconds, calls, accepted):
        rate = (calls - before[1]) / (seconds - before[0])
        before[:] = seconds, calls
        say(f"  {seconds:5.1f} s {calls:9,} calls {accepted:9,} accepted {calls - accepted:9,} refused {rate:8,.0f} calls/s")
    return tell


class Demo:
    """The database, and what happened in it."""

    def __init__(self):
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.calls = {}     # rush → its calls

    def query(self, statement, arguments=None):
        self.cursor.execute(statement, arguments)
        return self.cursor.fetchall()

    def value(self, statement, arguments=None):
        return self.query(statement, arguments)[0][0]

    def begin(self):
        """Makes the extension, the application's role and the table of what the clients saw."""
        self.cursor.execute("SET client_min_messages = warning; CREATE EXTENSION pg_fcfs CASCADE")
        self.cursor.execute(f"CREATE ROLE {APP} LOGIN; SELECT fcfs.grant_app('{APP}')")
        self.cursor.execute(
            "CREATE SCHEMA demo; CREATE TABLE demo.call (rush text, function text, person bigint, target bigint,"
            " arrival float8, latency float8, ok boolean, code text, id bigint)")
        self.settings = self.query(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('server_version', 'fsync',"
            " 'synchronous_commit', 'shared_preload_libraries', 'shared_buffers', 'max_connections', 'data_checksums')"
            " OR name LIKE 'fcfs.%%' ORDER BY name LIKE 'fcfs.%%', name", ())
        self.version = self.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_fcfs'")

    # The university -------------------------------------------------------------

    def load_university(self, read, **term):
        """The catalogue, the students, and the good grades some of them have forgotten."""
        self.connection.autocommit = False
        self.term = catalogue.load(self.cursor, read, code="NEXT", opens_at="tomorrow", **term)
        self.connection.commit()
        self.connection.autocommit = True
        self.cursor.execute("INSERT INTO fcfs.student (id) SELECT generate_series(1, %s)", (STUDENTS,))
        self.credits_of = dict(self.query("SELECT id, credits FROM fcfs.course"))
        sections_of, seats_of = {}, {}
        for section, course, capacity in self.query(
                "SELECT id, course_id, capacity FROM fcfs.section"
                " WHERE term_id = %s AND capacity IS DISTINCT FROM 0 ORDER BY id", (self.term,)):
            sections_of.setdefault(course, []).append(section)
            seats_of[course] = seats_of.get(course, 0) + (capacity or 0)
        self.wishes = list(university.wishes(STUDENTS, sections_of, seats_of))
        self.cursor.execute(
            "INSERT INTO fcfs.term (code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)"
            " VALUES ('LAST', '-infinity', '2000-01-01', '2000-01-01', '2000-06-30') RETURNING id")
        last_term = self.cursor.fetchone()[0]
        catalogue.copy_rows(self.cursor, "fcfs.grade", (
            (person, self.wishes[person - 1][1][0], last_term, 4.0) for person in range(10, STUDENTS + 1, 10)))

    def open_registration(self, seconds):
        return self.open_at(seconds, "UPDATE fcfs.term SET enroll_opens_at = to_timestamp(%s) WHERE id = %s", self.term)

    def open_at(self, seconds, statement, row):
        """Sets an opening so far ahead that it has not passed when it is committed."""
        while True:
            opening = time.time() + seconds
            self.cursor.execute(statement, (opening, row))
            left = opening - time.time()
            if left > seconds / 2:
                return time.monotonic() + left
            seconds *= 2

    # The rushes -----------------------------------------------------------------

    def rush(self, name, clients, open_at, early=0.0):
        calls = rush.run(APP, clients, open_at, early, progress_line(early))
        self.calls[name] = calls
        catalogue.copy_rows(self.cursor, "demo.call", ((name, *call) for call in calls))

    def registration(self):
        people = list(range(1, STUDENTS + 1)) + list(range(1, IN_TWO_TABS + 1))
        random.Random(4).shuffle(people)
        self.rush("registration", [rush.student(p, self.wishes[p - 1], self.credits_of) for p in people],
                  self.opener("UPDATE fcfs.term SET enroll_opens_at = to_timestamp(%s) WHERE id = %s", self.term),
                  early=PRESS_EARLY)

    def flash_sale(self):
        event = self.value(
            "INSERT INTO fcfs.event (code, title, sale_opens_at, sale_closes_at, max_per_customer)"
            " VALUES ('FLASH', 'Flash sale', now() + interval '1 day', 'infinity', 1) RETURNING id")
        item = self.value(
            "INSERT INTO fcfs.item (event_id, code, title, stock, price)"
            " VALUES (%s, 'CONSOLE', 'Game console', %s, 49900) RETURNING id", (event, UNITS))
        self.rush("flash sale", [rush.buyer(p, item) for p in range(1, BUYERS + 1)],
                  self.opener("UPDATE fcfs.event SET sale_opens_at = to_timestamp(%s) WHERE id = %s", event))

    def coupon_drop(self):
        coupon = self.value(
            "INSERT INTO fcfs.coupon (code, title, quota, opens_at, closes_at)"
            " VALUES ('HALF', 'Half price', %s, now() + interval '1 day', 'infinity') RETURNING id", (COUPONS,))
        self.rush("coupon drop", [rush.collector(p, coupon) for p in range(1, COLLECTORS + 1)],
                  self.opener("UPDATE fcfs.coupon SET opens_at = to_timestamp(%s) WHERE id = %s", coupon))

    def opener(self, statement, row):
        """A function that sets an opening so far ahead that it has not passed when it is committed."""
        def open_at(seconds):
            while True:
                opening = time.time() + seconds
                self.cursor.execute(statement, (opening, row))
                left = opening - time.time()
                if left > seconds / 2:
                    return time.monotonic() + left
                seconds *= 2
        return open_at

    # The report -----------------------------------------------------------------

    def hottest_sections(self, how_many=16):
        return self.query("""
SELECT label, wanted, (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = hot.id AND e.status = 'enrolled'), capacity
FROM (SELECT DISTINCT ON (c.id) s.id, c.code || ' ' || s.code AS label, count(DISTINCT d.person) AS wanted, s.capacity
      FROM demo.call d
      JOIN fcfs.section s ON s.id = d.target
      JOIN fcfs.course c ON c.id = s.course_id
      WHERE d.function = 'enroll' AND s.capacity IS NOT NULL
      GROUP BY s.id, c.id
      ORDER BY c.id, count(DISTINCT d.person) - s.capacity DESC, s.id) AS hot
ORDER BY wanted - capacity DESC, label
LIMIT %s""", (how_many,))

    def coupon_plot(self):
        issued = self.query(
            "SELECT d.arrival, i.arrival FROM demo.call d JOIN fcfs.coupon_issue i USING (id)"
            " WHERE d.function = 'issue' AND d.ok")
        refused = [call.arrival for call in self.calls["coupon drop"] if not call.ok]
        return report.coupon_arrivals(issued, refused, COUPONS)

    def write_report(self, path, rows, checks, university_text):
        enroll = rows[0]
        wrong = sum(got != wanted for *_, wanted, got, _ in checks)
        oversold = next(got for _, what, _, got, _ in checks if what == "seats sold twice")
        narrow = {"width": 460, "height": 330}
        settings = "".join(f"<tr><td>{name}</td><td>{value or '(empty)'}</td></tr>" for name, value in self.settings)
        report.write(
            path,
            f"{STUDENTS:,} students pressed at once. {'Not one seat' if not oversold else f'{oversold:,} seats'} sold twice.",
            f"pg_fcfs {self.version} on PostgreSQL {dict(self.settings)['server_version']}, {time.strftime('%-d %B %Y %H:%M')}. "
            f"{university_text}.",
            [(f"{sum(row.calls for row in rows):,}", "calls over " + f"{rush.CONNECTIONS} connections"),
             (f"{enroll.rate:,.0f}", "enrolments tried a second"),
             (f"{oversold:,}", "seats sold twice"),
             (f"{len(checks) - wrong} of {len(checks)}", "checks hold")],
            [report.section(
                "Registration", f"Every answer of enroll() by the second. {IN_TWO_TABS} students pressed in two "
                f"windows at once, and the first a little too early.", report.timeline("registration", self.calls["registration"])),
             report.section(
                 "The hottest sections", "Where most students more pressed than there are seats, one section of each course. "
                 "The line marks its seats.",
                 report.hottest_sections(self.hottest_sections())),
             '<div class="two">' + report.section(
                 "Flash sale", f"{BUYERS:,} buyers for {UNITS} units: reserve, then confirm.",
                 report.timeline("sale", self.calls["flash sale"], **narrow)) + report.section(
                 "Coupon drop", f"{COLLECTORS:,} users for {COUPONS} coupons.",
                 report.timeline("drop", self.calls["coupon drop"], **narrow)) + "</div>",
             report.section(
                 "The coupons in the order of arrival", "The number each coupon was issued with, by the moment its user "
                 "pressed. Above the line: the first requests that came too late.", self.coupon_plot()),
             report.section(
                 "How long an answer took", f"{rush.CONNECTIONS} connections share {os.cpu_count()} processors with the "
                 "server, and so do the clients: these are figures of the whole, not of the server alone.",
                 report.latency_curves(self.calls)),
             report.section("All calls", "Refusals by their code.", report.table_html(rows)),
             report.section("What was checked", "Counted in the tables after the last call. Open a line for its query.",
                            report.checks_html(checks)),
             report.section("Settings", "Of the private cluster.", f'<table class="checks">{settings}</table>')])


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", help="HTML file to write")
    parser.add_argument("--sections", metavar="FILE", help="a real catalogue; see catalogue.py")
    parser.add_argument("--courses", metavar="FILE")
    return parser.parse_args()


def find_catalogue(arguments):
    """The catalogue that was given, or one made up and written beside the report; and its term."""
    if arguments.sections:
        return catalogue.read(arguments.sections, arguments.courses), {}
    directory = os.path.dirname(os.path.abspath(arguments.report))
    sections, courses = os.path.join(directory, "sections.tsv"), os.path.join(directory, "courses.tsv")
    term = university.coming_term()
    university.write(sections, courses, term)
    return catalogue.read(sections, courses), {"term": term, "time_zone": university.TIME_ZONE}


def show_checks(checks):
    for rush_name, what, wanted, got, _ in checks:
        say(f"  {'ok    ' if got == wanted else 'FAILED'} {rush_name:<13} {got:>6,}  {what}")


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))     # ends the client processes, too
    arguments = read_arguments()
    demo = Demo()
    demo.begin()
    settings = dict(demo.settings)
    say(f"pg_fcfs {demo.version} on PostgreSQL {settings['server_version'].split()[0]}, private cluster, "
        f"fsync {settings['fsync']}, {rush.CONNECTIONS} connections, {os.cpu_count()} processors")

    read, term = find_catalogue(arguments)
    demo.load_university(read, **term)
    text = (f"{len(read.sections):,} sections of {len({c for c, _ in read.sections}):,} courses, "
            f"{sum(s.seats or 0 for s in read.sections.values()):,} seats, {STUDENTS:,} students")
    say(f"\nA university: {text}")

    say(f"\nRegistration opens; {IN_TWO_TABS} students press in two windows at once")
    demo.registration()
    say(f"\nFlash sale: {UNITS} units, {BUYERS:,} buyers")
    demo.flash_sale()
    say(f"\nCoupon drop: {COUPONS} coupons, {COLLECTORS:,} users")
    demo.coupon_drop()

    rows = list(report.all_figures(demo.calls))
    say("\n" + report.table_text(rows))
    say(f"as the clients see it, who share {os.cpu_count()} processors with the server\n")
    checks = list(run_checks(demo.cursor, units=UNITS, coupons=COUPONS))
    show_checks(checks)
    demo.write_report(arguments.report, rows, checks, text)
    wrong = sum(got != wanted for *_, wanted, got, _ in checks)
    say(f"\n{len(checks) - wrong} of {len(checks)} checks hold. Plots and queries: {os.path.abspath(arguments.report)}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
