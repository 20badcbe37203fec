#!/usr/bin/python3
"""A real catalogue loads whole, and the timetable conflicts that the extension finds
in it are exactly those of an independent count, made here from the raw file: day by
day, a meeting that starts before another has ended. Then students enrol into pairs
of sections, and are refused exactly then."""
import csv
import datetime
import os
import random
import re
import subprocess
import sys
import tempfile
sys.dont_write_bytecode = True
from load import Tap, counts, nothing_left, rows, value
from ucsd import files

FIRST = datetime.date(2022, 3, 28)          # of classes; a Monday
LAST_OF_CLASSES = datetime.date(2022, 6, 3)
LAST = datetime.date(2022, 6, 10)           # of finals
WEEKDAYS = {"M": 0, "Tu": 1, "W": 2, "Th": 3, "F": 4, "Sa": 5, "Su": 6}
PAIRS = 400


def read(path):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def minutes(clock):
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def dates(days):
    if re.match(r"\d", days):
        return [datetime.date.fromisoformat(days)]
    weekdays = {WEEKDAYS[day] for day in re.findall("Tu|Th|Sa|Su|M|W|F", days)}
    span = (FIRST + datetime.timedelta(days=n) for n in range((LAST_OF_CLASSES - FIRST).days + 1))
    return [date for date in span if date.weekday() in weekdays]


def calendar(parts):
    """All meetings, each as its date, and its start and end in minutes."""
    meetings = set()
    for part in parts:
        _, days, times, _ = part.split(",", 3)
        if days not in ("", "N/A"):
            meetings |= {(date, *map(minutes, times.split(" - "))) for date in dates(days)}
    return frozenset(meetings)


class Conflicts:
    """Which calendars clash, found day by day; sections of the same calendar are looked at once."""

    def __init__(self, calendars):
        self.calendars = calendars
        self.numbers = {meetings: n for n, meetings in enumerate(sorted(set(calendars.values()), key=sorted))}
        self.pairs = set()
        days = {}
        for meetings, number in self.numbers.items():
            for date, start, end in meetings:
                days.setdefault(date, []).append((start, end, number))
        for day in days.values():
            running = []
            for start, end, number in sorted(day):
                running = [(until, other) for until, other in running if until > start]
                self.pairs.update((min(number, other), max(number, other)) for _, other in running)
                running.append((end, number))

    def between(self, one, other):
        a, b = sorted((self.numbers[self.calendars[one]], self.numbers[self.calendars[other]]))
        return a == b or (a, b) in self.pairs

    def of_each(self):
        """With how many other sections each one clashes."""
        keys = {}
        for key, meetings in self.calendars.items():
            keys.setdefault(self.numbers[meetings], []).append(key)
        clashes = {number: len(same) - 1 for number, same in keys.items()}
        if frozenset() in self.numbers:
            clashes[self.numbers[frozenset()]] = 0
        for a, b in self.pairs:
            if a != b:
                clashes[a] += len(keys[b])
                clashes[b] += len(keys[a])
        return {" ".join(key): clashes[self.numbers[meetings]] for key, meetings in self.calendars.items()}


def credits_of(units):
    """The first number written; of several to choose from, the least of these."""
    firsts = [re.search(r"\d+(?:\.\d+)?", choice) for choice in re.split(r",|\bor\b", units)]
    return min((float(first[0]) for first in firsts if first), default=4.0)


def load(tap, data):
    run = subprocess.run(
        [os.path.join(os.environ["FCFS_TOP"], "demo", "catalogue.py"), "--sections", data.sections, "--courses", data.courses,
         "--starts-on", str(FIRST), "--classes-end-on", str(LAST_OF_CLASSES), "--ends-on", str(LAST),
         "--time-zone", "America/Los_Angeles"], text=True, capture_output=True, check=False)
    tap.ok(run.returncode == 0, f"{data.name}: the catalogue loads", run.stdout, run.stderr)
    tap.diag(run.stdout.strip())


def loads_whole(tap, data, sections, parts):
    tap.equal(counts("SELECT c.code || ' ' || s.code, s.capacity FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id"),
              {" ".join(key): seats for key, seats in sections.items()}, f"all {len(sections)} sections, each with its seats")
    wanted = {(" ".join(key), weekday, date, start, end) for key, texts in parts.items() for text in texts
              for weekday, date, start, end in meetings_of(text)}
    there = set(rows("SELECT c.code || ' ' || s.code, m.weekday, m.on_date, m.starts_at::text, m.ends_at::text "
                     "FROM fcfs.meeting m JOIN fcfs.section s ON s.id = m.section_id JOIN fcfs.course c ON c.id = s.course_id"))
    tap.equal(sorted(there ^ wanted, key=str)[:5], [],
              f"all {len(wanted)} meetings, {sum(1 for m in wanted if m[2])} of them dated, and no other")
    courses = {course: 4.0 for course, _ in sections}
    for row in reversed(read(data.courses)):
        courses[row["course"]] = credits_of(row["units"])
    tap.equal(counts("SELECT code, credits::float FROM fcfs.course"), courses, f"all {len(courses)} courses, each with its credits")
    unlimited = sum(1 for seats in sections.values() if seats is None)
    tap.equal(value("SELECT count(*) FROM fcfs.section WHERE capacity IS NULL"), unlimited, f"9999 seats are no limit, {unlimited} times")


def everything():
    """Each row of the catalogue, by its place and the transaction that wrote it."""
    return {table: value(f"SELECT md5(string_agg(ctid::text || xmin::text, ' ' ORDER BY ctid)) FROM fcfs.{table}")
            for table in ("term", "course", "section", "meeting")}


def meetings_of(text):
    _, days, times, _ = text.split(",", 3)
    if days in ("", "N/A"):
        return
    start, end = (f"{minutes(clock) // 60:02}:{minutes(clock) % 60:02}:00" for clock in times.split(" - "))
    if re.match(r"\d", days):
        yield None, datetime.date.fromisoformat(days), start, end
    else:
        for day in re.findall("Tu|Th|Sa|Su|M|W|F", days):
            yield WEEKDAYS[day] + 1, None, start, end


def conflicts_found():
    """With how many other sections each one clashes, by the extension's schedules."""
    return counts("""
        WITH same AS MATERIALIZED (SELECT schedule, count(*) AS n FROM fcfs.section WHERE schedule <> '{}' GROUP BY schedule),
        clash AS MATERIALIZED (
            SELECT a.schedule, sum(b.n) - 1 AS n FROM same a JOIN same b ON a.schedule && b.schedule GROUP BY a.schedule)
        SELECT c.code || ' ' || s.code, coalesce(k.n, 0)::integer
        FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id LEFT JOIN clash k ON k.schedule = s.schedule""")


def enrolls_into_pairs(tap, counted, sections):
    """A student each: in the first of the pair, then into the second."""
    ids = counts("SELECT c.code || ' ' || s.code, s.id FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id")
    dice = random.Random(1)
    fit = [key for key, meetings in counted.calendars.items() if meetings and (sections[key] is None or sections[key] >= 15)]
    wanted = {"OK": [], "SCHEDULE_CONFLICT": []}
    while min(map(len, wanted.values())) < PAIRS:
        one, other = dice.sample(fit, 2)
        if one[0] != other[0]:
            pairs = wanted["SCHEDULE_CONFLICT" if counted.between(one, other) else "OK"]
            if len(pairs) < PAIRS:
                pairs.append((ids[" ".join(one)], ids[" ".join(other)]))
    rows(f"INSERT INTO fcfs.student (id, max_credits) SELECT g, 100 FROM generate_series(1, {2 * PAIRS}) g")
    student = 0
    for code, pairs in wanted.items():
        got = [0, 0]
        for one, other in pairs:
            student += 1
            got[0] += value("SELECT code FROM fcfs.try_enroll(%s, %s)", student, one) == "OK"
            got[1] += value("SELECT code FROM fcfs.try_enroll(%s, %s)", student, other) == code
        tap.equal(got, [PAIRS, PAIRS], f"{PAIRS} students into pairs of sections: {code}, as counted")


with Tap() as tap, tempfile.TemporaryDirectory() as directory:
    data = files(tap, directory)
    load(tap, data)
    sections, parts = {}, {}
    for row in read(data.sections):
        key = row["course"], row["section"]
        sections[key] = None if int(row["seats"]) >= 9999 else int(row["seats"])
        parts.setdefault(key, []).extend(row["meetings"].split("|"))
    loads_whole(tap, data, sections, parts)

    there = everything()
    load(tap, data)
    tap.equal(everything(), there, "loaded once more: not a row is written")

    counted = Conflicts({key: calendar(texts) for key, texts in parts.items()})
    wanted, found = counted.of_each(), conflicts_found()
    untimed = sum(1 for meetings in counted.calendars.values() if not meetings)
    tap.equal(value("SELECT count(*) FROM fcfs.section WHERE schedule = '{}'"), untimed, f"{untimed} sections have no fixed time")
    tap.equal(sum(found.values()) // 2, sum(wanted.values()) // 2,
              f"{sum(wanted.values()) // 2} pairs of sections are in conflict, by the schedules as by the independent count")
    tap.equal([key for key in wanted if wanted[key] != found.get(key)], [], "... the same for each section")
    enrolls_into_pairs(tap, counted, sections)
    nothing_left(tap, "after all")
