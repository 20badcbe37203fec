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
import waves
from checks import prepare, run_checks
from lines import Lines

APP = "demo_app"            # what the clients connect as: may call the functions, and nothing else
STUDENTS = 4000
IN_TWO_TABS = 400           # of them press in two windows at once
BUYERS, UNITS = 1000, 100
COLLECTORS, COUPONS = 10000, 100


def say(text=""):
    print(text, flush=True)


def progress_line():
    """A function that prints a line a second: the totals, and the calls of the last second."""
    before = [0, 0]

    def tell(seconds, counts):
        calls, accepted, refused = counts[:3]
        rate = (calls - before[1]) / (seconds - before[0])
        before[:] = seconds, calls
        say(f"  {seconds:5.1f} s {calls:9,} calls {accepted:9,} accepted {refused:9,} refused {rate:8,.0f} calls/s")
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
            " other bigint, began float8, ended float8, ok boolean, code text, id bigint);"
            "CREATE TABLE demo.seats_added (section_id bigint)")
        self.watch_lines()
        self.settings = self.query(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('server_version', 'fsync',"
            " 'synchronous_commit', 'shared_preload_libraries', 'shared_buffers', 'max_connections', 'data_checksums')"
            " OR name LIKE 'fcfs.%%' ORDER BY name LIKE 'fcfs.%%', name", ())
        self.version = self.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_fcfs'")

    def watch_lines(self):
        """Notes who in line gets a seat, as an application would that tells them."""
        self.cursor.execute("""
CREATE TABLE demo.seated (id bigint, section_id bigint, began float8, at float8, by_worker boolean);
CREATE FUNCTION demo.note_seated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO demo.seated VALUES (
        NEW.id, NEW.section_id, extract(epoch FROM statement_timestamp()), extract(epoch FROM clock_timestamp()),
        current_setting('application_name') LIKE '%worker');
    RETURN NULL;
END
$$;
CREATE TRIGGER note_seated AFTER UPDATE OF status ON fcfs.enrollment
    FOR EACH ROW WHEN (OLD.status = 'waitlisted' AND NEW.status = 'enrolled') EXECUTE FUNCTION demo.note_seated()""")

    # The university -------------------------------------------------------------

    def load_university(self, read, **term):
        """The catalogue, the students and their groups, and the good grades some of them have forgotten."""
        self.connection.autocommit = False
        self.term = catalogue.load(self.cursor, read, code="NEXT", **term)
        self.connection.commit()
        self.connection.autocommit = True
        # A place in line for every second seat, and ten at least.
        self.cursor.execute("UPDATE fcfs.section SET waitlist_capacity = greatest(10, capacity / 2) WHERE capacity > 0")
        self.cursor.execute("INSERT INTO fcfs.student (id) SELECT generate_series(1, %s)", (STUDENTS,))
        self.make_waves()
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

    def make_waves(self):
        """Groups of students, each with a wave of its own; when they open is said later."""
        for wave, group in enumerate(waves.GROUPS):
            group_id = self.value("INSERT INTO fcfs.student_group (code) VALUES (%s) RETURNING id", (group,))
            catalogue.copy_rows(self.cursor, "fcfs.student_group_member", (
                (person, group_id) for person in range(1, STUDENTS + 1) if waves.wave_of(person) == wave))
            self.cursor.execute(
                "INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at)"
                " VALUES (%s, %s, now() + interval '1 day', 'infinity')", (self.term, group_id))

    # The rushes -----------------------------------------------------------------

    def rush(self, name, clients, statement, **options):
        """Lets the clients in at an opening that the statement sets; keeps their calls."""
        opening = []

        def open_at(seconds):
            # So far ahead that it has not passed when it is committed.
            while True:
                opening[:] = [time.time() + seconds]
                self.cursor.execute(statement, (opening[0],))
                left = opening[0] - time.time()
                if left > seconds / 2:
                    return time.monotonic() + left
                seconds *= 2

        self.calls[name] = calls = rush.run(APP, clients, open_at, **options)
        catalogue.copy_rows(self.cursor, "demo.call", (
            (name, c.function, c.person, c.target, c.other, opening[0] + c.arrival, opening[0] + c.arrival + c.latency / 1000,
             c.ok, c.code, c.id) for c in calls))
        return opening[0]

    def registration(self):
        """In waves, with lines; returns when it opened."""
        students = [waves.Student(p, self.wishes[p - 1], self.credits_of) for p in range(1, STUDENTS + 1)]
        students += [waves.Student(p, self.wishes[p - 1], self.credits_of, thinks_again=False) for p in range(1, IN_TWO_TABS + 1)]
        random.Random(4).shuffle(students)
        # The groups' ids are 1, 2, ... in the order of their waves.
        opened = self.rush(
            "registration", [student.acts() for student in students],
            "UPDATE fcfs.enrollment_wave SET opens_at = to_timestamp(%s) + "
            f"(student_group_id - 1) * interval '{waves.EVERY} s'",
            progress=self.wave_line(), early=waves.EARLY, counted=waves.counted, events=[(waves.SEATS_ADDED_AT, self.add_seats)])
        self.let_lines_rest()
        return opened

    def in_line(self):
        return self.query("SELECT (SELECT count(*) FROM fcfs.enrollment WHERE status = 'waitlisted'), (SELECT count(*) FROM demo.seated)")[0]

    def wave_line(self):
        """A function that prints what happened in each second."""
        before = [0] * 10
        say("   second " + "".join(f"{group:>12}" for group in waves.GROUPS) + "     refused     in line   passed on")

        def tell(seconds, counts):
            change = [now - then for now, then in zip(counts, before)]
            before[:] = counts
            waiting, seated = self.in_line()
            say(f"  {seconds:7.1f}" + "".join(f"{n:12,}" for n in (*change[1:5], change[6], waiting, seated)))
        return tell

    def add_seats(self):
        """What the office does where the lines are longest."""
        self.cursor.execute(f"""
WITH longest AS (
    SELECT section_id FROM fcfs.enrollment WHERE status = 'waitlisted'
    GROUP BY section_id ORDER BY count(*) DESC, section_id LIMIT {waves.LONGEST_LINES}),
added AS (UPDATE fcfs.section SET capacity = capacity + {waves.SEATS_ADDED} WHERE id IN (SELECT section_id FROM longest) RETURNING id)
INSERT INTO demo.seats_added SELECT id FROM added""")
        say(f"           the office adds {waves.SEATS_ADDED} seats to each of the {waves.LONGEST_LINES} sections with the longest lines")

    def let_lines_rest(self):
        """The worker looks every second at what the calls have left; until it finds nothing for a while. A line in which
        everybody was barred it may leave alone for a minute: here that is looked at in its place."""
        seated, since = self.in_line()[1], time.monotonic()
        deadline = since + 20
        while time.monotonic() < min(since + 2.5, deadline):
            time.sleep(0.25)
            now = self.in_line()[1]
            if now != seated:
                seated, since = now, time.monotonic()
        self.cursor.execute("SET application_name = 'in place of the worker'")
        while self.value("SELECT fcfs.pass_waitlists()") > 0:
            pass

    def flash_sale(self):
        event = self.value(
            "INSERT INTO fcfs.event (code, title, sale_opens_at, sale_closes_at, max_per_customer)"
            " VALUES ('FLASH', 'Flash sale', now() + interval '1 day', 'infinity', 1) RETURNING id")
        item = self.value(
            "INSERT INTO fcfs.item (event_id, code, title, stock, price)"
            " VALUES (%s, 'CONSOLE', 'Game console', %s, 49900) RETURNING id", (event, UNITS))
        self.rush("flash sale", [rush.buyer(p, item) for p in range(1, BUYERS + 1)],
                  "UPDATE fcfs.event SET sale_opens_at = to_timestamp(%s)", progress=progress_line())

    def coupon_drop(self):
        coupon = self.value(
            "INSERT INTO fcfs.coupon (code, title, quota, opens_at, closes_at)"
            " VALUES ('HALF', 'Half price', %s, now() + interval '1 day', 'infinity') RETURNING id", (COUPONS,))
        self.rush("coupon drop", [rush.collector(p, coupon) for p in range(1, COLLECTORS + 1)],
                  "UPDATE fcfs.coupon SET opens_at = to_timestamp(%s)", progress=progress_line())

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
            "SELECT d.began - extract(epoch FROM c.opens_at)::float8, i.arrival"
            " FROM demo.call d JOIN fcfs.coupon_issue i USING (id) JOIN fcfs.coupon c ON c.id = i.coupon_id"
            " WHERE d.function = 'issue' AND d.ok")
        refused = [call.arrival for call in self.calls["coupon drop"] if not call.ok]
        return report.coupon_arrivals(issued, refused, COUPONS)

    def wave_plots(self, lines):
        """Both plots, and the files that they are kept in."""
        return {"waves": report.wave_timeline(self.calls["registration"]), "lines": report.line_lengths(lines)}

    def write_report(self, path, rows, checks, plots, university_text):
        registration = self.calls["registration"]
        wrong = sum(got != wanted for *_, wanted, got, _ in checks)
        oversold = next(got for _, what, _, got, _ in checks if what == "seats sold twice")
        narrow = {"width": 460, "height": 330}
        settings = "".join(f"<tr><td>{name}</td><td>{value or '(empty)'}</td></tr>" for name, value in self.settings)
        report.write(
            path,
            f"{STUDENTS:,} students in {len(waves.GROUPS)} waves. {'Not one seat' if not oversold else f'{oversold:,} seats'} sold twice.",
            f"pg_fcfs {self.version} on PostgreSQL {dict(self.settings)['server_version']}, {time.strftime('%-d %B %Y %H:%M')}. "
            f"{university_text}.",
            [(f"{sum(row.calls for row in rows):,}", "calls over " + f"{rush.CONNECTIONS} connections"),
             (f"{self.value('SELECT count(*) FROM demo.seated'):,}", "seats passed on to who was first in line"),
             (f"{oversold:,}", "seats sold twice"),
             (f"{len(checks) - wrong} of {len(checks)}", "checks hold")],
            [report.section(
                "Registration in waves", f"Enrolments a second. A group of students after the other may enrol, {waves.EVERY:g} seconds "
                f"apart; some press a little too early, {IN_TWO_TABS} in two windows at once.", plots["waves"]),
             report.section(
                 "The lines", f"Who finds a section full lines up. Then many students think again, and what they give up goes to the "
                 f"first in line who can take it; in the end {waves.SEATS_ADDED} seats are added to each of the {waves.LONGEST_LINES} "
                 "sections with the longest lines, and the background worker passes those on.", plots["lines"]),
             report.section("Every answer", "By the second.", report.timeline("registration", registration)),
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

    say(f"\nRegistration opens in waves, {waves.EVERY:g} s apart; {IN_TWO_TABS} students press in two windows at once;"
        f"\nfrom {waves.THINK_AGAIN[0]:g} s on many drop, swap or leave a line. Enrolments by wave:\n")
    opened = demo.registration()
    say(f"\nFlash sale: {UNITS} units, {BUYERS:,} buyers")
    demo.flash_sale()
    say(f"\nCoupon drop: {COUPONS} coupons, {COLLECTORS:,} users")
    demo.coupon_drop()

    prepare(demo.cursor)
    lines = Lines(demo.query, opened)
    say("\n" + lines.text(demo.calls["registration"]))
    say("\n" + report.wave_timeline_text(demo.calls["registration"], lines))
    rows = list(report.all_figures(demo.calls))
    say("\n" + report.table_text(rows))
    say(f"as the clients see it, who share {os.cpu_count()} processors with the server\n")
    checks = list(run_checks(demo.cursor, units=UNITS, coupons=COUPONS, seats_added=waves.SEATS_ADDED))
    show_checks(checks)
    plots = demo.wave_plots(lines)
    directory = os.path.dirname(os.path.abspath(arguments.report))
    for name, svg in plots.items():
        report.write_svg(os.path.join(directory, f"{name}.svg"), svg)
    demo.write_report(arguments.report, rows, checks, plots, text)
    wrong = sum(got != wanted for *_, wanted, got, _ in checks)
    say(f"\n{len(checks) - wrong} of {len(checks)} checks hold. Plots and queries: {os.path.abspath(arguments.report)};"
        f" plots alone: {' '.join(f'{name}.svg' for name in plots)} beside it")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
