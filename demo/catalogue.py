#!/usr/bin/python3
"""Reads a university's catalogue from two tab-separated files and loads it as a term.

    demo/catalogue.py --sections FILE --courses FILE [--check] [--term CODE] ...

Loads into the database of the PG* environment, in one transaction: all or
nothing. --check only reads the files. A line that cannot be right is an error:
its file, number and what is wrong are printed, nothing is loaded, status 1.

sections: course, section, section_id, seats, meetings
    seats       9999 or more is unlimited.
    meetings    parts joined by |, each "type,days,HH:MM - HH:MM,room". days is
                M Tu W Th F Sa Su run together, one date, or N/A (no fixed time).
                A part with a time but no day never clashes with anything, so it
                is left out of the timetable, with a notice.
    A section may stand on several lines that agree in section_id and seats: its
    meetings are those of all of them.

courses: course, title, units
    units       a number; a choice or a range counts as the least of it, a
                sequence (a course of several terms) as its first term.
    Without units, or without a line here, a course has DEFAULT_CREDITS. A course
    may stand here again with the same credits: its first title stays.

The files do not say when the term is. Unless it is given, it starts in the week
of the first dated meeting (ten weeks before it, where all are finals, type FI) and ends
with the last; weekly meetings stop before the first final. Without dates, it is
a term of 15 weeks that starts about a month from now.
"""
import argparse
import datetime
import io
import json
import os
import re
import sys
from collections import namedtuple
from dataclasses import dataclass, field

DEFAULT_CREDITS = 4.0
UNLIMITED_SEATS = 9999
LONGEST_TERM = datetime.timedelta(days=366)     # a date farther off is a slip of the pen
WEEKDAYS = ["M", "Tu", "W", "Th", "F", "Sa", "Su"]
SECTION_COLUMNS = ["course", "section", "section_id", "seats", "meetings"]
COURSE_COLUMNS = ["course", "title", "units"]

Course = namedtuple("Course", "title credits")
Meeting = namedtuple("Meeting", "weekday on_date starts_at ends_at room")    # weekday or on_date
Term = namedtuple("Term", "starts_on classes_end_on ends_on")


class BadLine(Exception):
    """What is wrong with one line."""


class BadCatalogue(Exception):
    """What is wrong with the files, one "file:line: problem" each."""

    def __init__(self, problems):
        self.problems = problems
        more = [f"and {len(problems) - 20} more"] if len(problems) > 20 else []
        super().__init__("\n".join(problems[:20] + more))


@dataclass
class Section:
    section_id: str
    seats: int | None                               # None is unlimited
    where: str                                      # file:line, to speak of it
    meetings: dict = field(default_factory=dict)    # Meeting → nothing: an ordered set
    final_dates: set = field(default_factory=set)


@dataclass
class Catalogue:
    courses: dict = field(default_factory=dict)     # course → Course
    sections: dict = field(default_factory=dict)    # (course, section) → Section
    lines: int = 0                                  # of sections
    without_course: int = 0                         # courses that only the sections name
    notices: list = field(default_factory=list)


# Fields -----------------------------------------------------------------------

def parse_credits(units):
    """Credits from any written form of units."""
    text = re.sub(r"\s*units?$", "", units.strip())
    if not text:
        return DEFAULT_CREDITS
    choices = [c for c in re.split(r"\s*,\s*or\s+|\s*,\s*|\s+or\s+", text)]
    return min(parse_sequence(choice, units) for choice in choices)


def parse_sequence(text, units):
    """The first number of 4, 4-4-4, 4/0, 1–12 or 1 to 4: the least of a range, or the first term."""
    numbers = re.split(r"\s*(?:[-–—/]|\bto\b)\s*", text)
    if not all(re.fullmatch(r"\d{1,3}(\.\d0?)?", n) for n in numbers):
        raise BadLine(f'units "{units}" are not a number, choice, range or sequence')
    if " to " in text and (len(numbers) != 2 or float(numbers[0]) > float(numbers[1])):
        raise BadLine(f'units "{units}": the range runs backwards')
    return float(numbers[0])


def parse_seats(text):
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise BadLine(f'seats "{text}" are not a whole number')
    seats = int(text)
    return None if seats >= UNLIMITED_SEATS else seats


def parse_time(text):
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", text, re.ASCII)
    if not match or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise BadLine(f'"{text}" is not a time of the day')
    return f"{int(match[1]):02}:{match[2]}"


def parse_days(text):
    """Weekdays, or a date, as pairs (weekday, date)."""
    if re.match(r"\d", text):
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
                raise ValueError
            return [(None, datetime.date.fromisoformat(text))]
        except ValueError:
            raise BadLine(f'"{text}" is not a date YYYY-MM-DD') from None
    days = re.findall("M|Tu|W|Th|F|Sa|Su", text)
    if "".join(days) != text or len(set(days)) != len(days):
        raise BadLine(f'days "{text}" are not of {" ".join(WEEKDAYS)}')
    return [(WEEKDAYS.index(day) + 1, None) for day in days]


def add_meeting(section, text, notice):
    """Adds one part of the meetings field to the section."""
    parts = [part.strip() for part in text.split(",", 3)]
    if len(parts) != 4:
        raise BadLine(f'meeting "{text}" is not "type,days,HH:MM - HH:MM,room"')
    kind, days, times, room = parts
    starts_at, dash, ends_at = times.partition(" - ")
    if not dash:
        raise BadLine(f'"{times}" is not "HH:MM - HH:MM"')
    starts_at, ends_at = parse_time(starts_at), parse_time(ends_at)
    if days in ("", "N/A"):
        if (starts_at, ends_at) != ("00:00", "00:00"):
            notice(f"{kind} {times} is on no day: left out of the timetable")
        return
    if ends_at <= starts_at:
        raise BadLine(f"meeting {days} {times} does not end after it starts")
    for weekday, on_date in parse_days(days):
        section.meetings[Meeting(weekday, on_date, starts_at, ends_at, room)] = None
        if on_date and kind == "FI":
            section.final_dates.add(on_date)


# Files ------------------------------------------------------------------------

def read_lines(path, columns, problems):
    """Yields (file:line, fields) of all lines after the heading that have the right number of fields."""
    number = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                problems.append(f"{where}: not UTF-8")
                continue
            fields = [f.strip() for f in text.split("\t")]
            if number == 1 and fields != columns:
                raise BadCatalogue([f"{where}: the heading is not " + ", ".join(columns) + " with tabs between"])
            if len(fields) != len(columns):
                problems.append(f"{where}: {len(fields)} fields, not {len(columns)}: " + ", ".join(columns))
            elif "\0" in text:
                problems.append(f"{where}: a zero byte")
            elif number > 1:
                yield where, fields
    if not number:
        raise BadCatalogue([f"{path}:1: empty, without even a heading"])


def read_course(catalogue, where, fields):
    code, title, units = fields
    if not code:
        raise BadLine("no course")
    course = Course(title, parse_credits(units))
    known = catalogue.courses.setdefault(code, course)
    if known.credits != course.credits:
        raise BadLine(f"course {code} stands above with {known.credits:g} credits, here with {course.credits:g}")
    if known.title != title:
        catalogue.notices.append(f"{where}: course {code} again, with another title: the first one stays")


def read_section(catalogue, where, fields):
    course, code, section_id, seats, meetings = fields
    if not course or not code:
        raise BadLine("no course" if not course else "no section")
    seats = parse_seats(seats)
    section = catalogue.sections.setdefault((course, code), Section(section_id, seats, where))
    if (section.section_id, section.seats) != (section_id, seats):
        raise BadLine(f"section {code} of {course} differs in section_id or seats from {section.where}")
    for meeting in meetings.split("|"):
        add_meeting(section, meeting, lambda text: catalogue.notices.append(f"{where}: {text}"))
    catalogue.lines += 1


def check_dates(catalogue):
    """A date a year away from the others would stretch the term over all years between."""
    dated = sorted((m.on_date, s.where) for s in catalogue.sections.values() for m in s.meetings if m.on_date)
    if not dated:
        return []
    middle, there = dated[len(dated) // 2]
    return [f"{where}: {date} is more than a year from {middle} ({there})"
            for date, where in dated if abs(date - middle) > LONGEST_TERM]


def read(sections_path, courses_path):
    """The Catalogue in the two files; raises BadCatalogue with everything that is wrong in them."""
    catalogue, problems = Catalogue(), []
    for path, columns, read_one in ((courses_path, COURSE_COLUMNS, read_course),
                                    (sections_path, SECTION_COLUMNS, read_section)):
        for where, fields in read_lines(path, columns, problems):
            try:
                read_one(catalogue, where, fields)
            except BadLine as bad:
                problems.append(f"{where}: {bad}")
    problems += check_dates(catalogue)
    if not catalogue.sections and not problems:
        problems.append(f"{sections_path}:2: there are no sections")
    if problems:
        raise BadCatalogue(problems)
    for course, _ in catalogue.sections:
        if course not in catalogue.courses:
            catalogue.courses[course] = Course("", DEFAULT_CREDITS)
            catalogue.without_course += 1
    return catalogue


def term_of(catalogue):
    """When the term is, as far as the catalogue tells."""
    day = datetime.timedelta(days=1)
    finals = {d for s in catalogue.sections.values() for d in s.final_dates}
    dates = {m.on_date for s in catalogue.sections.values() for m in s.meetings if m.on_date}
    if not dates:
        first = datetime.date.today() + 35 * day
        starts_on = first - first.weekday() * day
        return Term(starts_on, starts_on + 104 * day, starts_on + 104 * day)
    first = min(dates) if dates - finals else min(dates) - 70 * day
    starts_on = first - first.weekday() * day
    classes_end_on = min(finals) - day if finals and min(finals) > starts_on else max(dates)
    return Term(starts_on, classes_end_on, max(dates))


# Loading ----------------------------------------------------------------------

def copy_rows(cursor, table, rows):
    """COPY of rows into a table; None is NULL."""
    def text(value):
        if value is None:
            return r"\N"
        return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
    lines = "".join("\t".join(map(text, row)) + "\n" for row in rows)
    cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(lines))


def document(catalogue, code, term, time_zone, opens_at, closes_at):
    """What fcfs.load_catalogue() takes."""
    def meeting(one):
        return {key: str(value) for key, value in one._asdict().items() if value is not None}
    return {
        "terms": [{"code": code, "time_zone": time_zone, "enroll_opens_at": opens_at, "enroll_closes_at": closes_at,
                   **{key: str(day) for key, day in term._asdict().items()}}],
        "courses": [{"code": course, **course_._asdict()} for course, course_ in catalogue.courses.items()],
        "sections": [{"term": code, "course": course, "code": section, "capacity": section_.seats,
                      "meetings": [meeting(one) for one in section_.meetings]}
                     for (course, section), section_ in catalogue.sections.items()]}


def load(cursor, catalogue, code="TERM", term=None, time_zone="UTC", opens_at="-infinity", closes_at="infinity"):
    """Loads the catalogue as a term, in the caller's transaction; returns the term's id.

    What the database has already is brought to what the catalogue says; sections that
    are not in it stay as they are.
    """
    wanted = document(catalogue, code, term or term_of(catalogue), time_zone, opens_at, closes_at)
    cursor.execute("SELECT reason FROM fcfs.load_catalogue(%s) WHERE action = 'refused'", (json.dumps(wanted),))
    refused = [reason for reason, in cursor.fetchall()]
    if refused:
        raise BadCatalogue(refused)
    cursor.execute("SELECT id FROM fcfs.term WHERE code = %s", (code,))
    return cursor.fetchone()[0]


def describe(catalogue):
    sections = catalogue.sections.values()
    timed = sum(1 for s in sections if s.meetings)
    unlimited = sum(1 for s in sections if s.seats is None)
    return (f"{len(sections):,} sections ({catalogue.lines:,} lines; {timed:,} with a timetable, "
            f"{unlimited:,} without a limit), {sum(s.seats or 0 for s in sections):,} seats, "
            f"{sum(len(s.meetings) for s in sections):,} meetings, {len(catalogue.courses):,} courses "
            f"({catalogue.without_course:,} not in the list of courses: {DEFAULT_CREDITS:g} credits each)")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", required=True, metavar="FILE")
    parser.add_argument("--courses", required=True, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="only read the files")
    parser.add_argument("--term", default="TERM", metavar="CODE", help="code of the new term (%(default)s)")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="of the meetings (%(default)s)")
    for option, what in (("--starts-on", "first day of the term"), ("--classes-end-on", "last day of weekly meetings"),
                         ("--ends-on", "last day of the term")):
        parser.add_argument(option, type=datetime.date.fromisoformat, metavar="DATE", help=what)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        catalogue = read(arguments.sections, arguments.courses)
    except BadCatalogue as error:
        sys.exit(f"{error}\nnothing was loaded")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}\nnothing was loaded")
    print("\n".join(catalogue.notices), file=sys.stderr, end="\n" * bool(catalogue.notices))
    if not arguments.check:
        import psycopg2
        term = term_of(catalogue)._replace(
            **{f: getattr(arguments, f) for f in Term._fields if getattr(arguments, f) is not None})
        try:
            with psycopg2.connect("") as connection, connection.cursor() as cursor:
                load(cursor, catalogue, arguments.term, term, arguments.time_zone)
        except BadCatalogue as error:
            sys.exit(f"{error}\nnothing was loaded")
        except psycopg2.Error as error:
            sys.exit(f"{os.path.basename(sys.argv[0])}: {str(error).strip()}\nnothing was loaded")
    print(("read " if arguments.check else "loaded ") + describe(catalogue))


if __name__ == "__main__":
    main()
