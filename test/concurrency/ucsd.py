"""Where the real catalogue and the demand on it are, and, on machines without them,
a generated sample in the same format, so that the tests of it never stand idle. A
sample is never passed off as the real data: its name says what it is."""
import gzip
import os
import random
from collections import namedtuple

Files = namedtuple("Files", "name real sections courses changes")


def files(tap, directory):
    real = os.path.join(os.environ.get("FCFS_DATA", ""), "ucsd")
    names = ("sections_SP22.tsv", "courses.tsv", "changes_SP22.csv.gz")
    if all(os.path.exists(os.path.join(real, name)) for name in names):
        return Files("real data", True, *(os.path.join(real, name) for name in names))
    tap.diag("the real data (../shared/data/ucsd beside the checkout) is absent: a generated sample is tested in its place")
    dice = random.Random(22)
    made = Files("generated sample", False, *(os.path.join(directory, name) for name in names))
    with open(made.sections, "w", encoding="utf-8") as file:
        file.write("course\tsection\tsection_id\tseats\tmeetings\n")
        for course in range(1, 81):
            for section in range(dice.randint(1, 4)):
                seats = dice.choice((0, 20, 30, 60, 120, 9999))
                file.write(f"DEPT {course}\tA{section:02}\t{course * 10 + section:06}\t{seats}\t{meetings(dice)}\n")
    with open(made.courses, "w", encoding="utf-8") as file:
        file.write("course\ttitle\tunits\n")
        for course in range(1, 71):
            units = dice.choice(("4", "2, 4", "2 or 4", "1–12", "4-4-4", "2 to 5", "1.5", ""))
            file.write(f"DEPT {course}\tAbout {course}\t{units}\n")
    with gzip.open(made.changes, "wt") as file:
        file.write("time,section,available,waitlisted,total\n")
        state = {f"DEPT {course}_A": [0, 40] for course in range(1, 41)}     # how many want it, and its seats
        for minute in range(3000):
            group, now = dice.choice(list(state.items()))
            wanted, total = now
            if dice.random() < 0.05:
                total = max(min(wanted, total), total + dice.choice((-20, 20)))     # not below those who have one
            wanted = max(0, wanted + dice.choice((6, 3, 1, 1, -1, -2)))
            now[:] = wanted, total
            available, waitlisted = max(0, total - wanted), max(0, wanted - total)
            file.write(f"2022-03-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00,{group},"
                       f"{available},{waitlisted},{total}\n")
    return made


def meetings(dice):
    parts = []
    if dice.random() < 0.3:
        return "IN,N/A,0:00 - 0:00,TBA TBA"
    for kind in ("LE", "DI")[:dice.randint(1, 2)]:
        hour, minute = dice.randint(8, 19), dice.choice(("00", "30"))
        days = dice.choice(("M", "Tu", "TuTh", "MWF", "WThFSa", "F"))
        parts.append(f"{kind},{days},{hour}:{minute} - {hour + 1}:{dice.choice(('00', '20', '50'))},ROOM {hour}")
    if dice.random() < 0.6:
        hour = dice.choice((8, 11, 15, 19))
        parts.append(f"FI,2022-06-{dice.randint(4, 10):02},{hour:02}:00 - {hour + 2}:59,ROOM {hour}")
    if dice.random() < 0.2:
        parts.append("MI,2022-04-30,10:00 - 11:20,ROOM 7")
    return "|".join(parts)
