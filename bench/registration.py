"""What a registration office's functions cost: lines, changes of a whole timetable,
a catalogue."""

import settings
from declare import Benchmark, Ratio, Statement, Workload, World
from workloads import ENROLLMENTS, STUDENT, enroll_world

ROUNDS = 3

# Students for all rounds of six sides; those whom no call comes to cost little.
FRESH = 6 * (settings.rounds(ROUNDS) + 1) * (30000 * (settings.seconds(1) + 1) + 1000 * settings.CLIENTS)
# As many in each line that at the end there are still a thousand.
WAITING = 1000 + 1000 * settings.rounds(ROUNDS) * (settings.seconds(1) + 1) * 32 // settings.CLIENTS
LINES = World("lines.sql", (("clients", settings.CLIENTS), ("waiting", WAITING), ("fresh", FRESH)))

ENDED = "SELECT count(*) FROM fcfs.enrollment WHERE status = 'cancelled'"
FULL = r"\set section random(1001, 1050)" + "\n"
OPEN = r"\set section random(3001, 3050)" + "\n"

CHANGES = enroll_world(10000, FRESH // 4)
OLD = "".join(f"\\set s{n} 5 * :block + {n}\n" for n in range(1, 6))
NEW = "".join(f"\\set t{n} 5 * ((:block + 1) % 1000) + {n}\n" for n in range(1, 6))
FIVE_ENROLLS = (
    STUDENT
    + r"\set block random(0, 999)"
    + "\n"
    + OLD
    + "".join(f"SELECT * FROM fcfs.try_enroll(:student, :s{n});\n" for n in range(1, 6))
)
CHANGE = (
    "SELECT * FROM fcfs.try_change_schedule(:student, ARRAY[:s1, :s2, :s3, :s4, :s5]::bigint[],"
    " ARRAY[:t1, :t2, :t3, :t4, :t5]::bigint[]);\n"
)

SECTIONS = 8500
LOADED = "SELECT coalesce(sum(sections), 0) FROM bench.done"


def load(action):
    """Loads the document, of whose sections all are to be reported with that action."""
    return (
        "INSERT INTO bench.done SELECT count(*) FROM bench.document d, fcfs.load_catalogue(d.catalogue, true) r"
        f" WHERE r.kind = 'section' AND r.action = '{action}';"
    )


# What an office does at once to as many as a large section has.
STUDENTS = 1000
SEATED = "SELECT count(*) FROM fcfs.enrollment WHERE status = 'enrolled'"


def section(seats, reserved, status, then=""):
    """A section of its own, with all students in it or in its line."""
    return f"SELECT bench.section({seats}, {reserved}, '{status}'); {then} CHECKPOINT;"


REGISTRATION = {
    "lines": Benchmark(
        "Wait lists",
        LINES,
        rounds=ROUNDS,
        seconds=1,
        sides={
            "enroll, 50 sections": Workload(
                STUDENT + OPEN + "SELECT * FROM fcfs.try_enroll(:student, :section);", rows=ENROLLMENTS
            ),
            "join_waitlist, 50 lines": Workload(
                STUDENT + FULL + "SELECT * FROM fcfs.try_join_waitlist(:student, :section);", rows=ENROLLMENTS
            ),
            "join_waitlist, one hot line": Workload(
                STUDENT + "SELECT * FROM fcfs.try_join_waitlist(:student, 2000);", rows=ENROLLMENTS
            ),
            "enroll, cancel": Workload(
                STUDENT
                + OPEN
                + "SELECT * FROM fcfs.try_enroll(:student, :section);\n"
                + "SELECT * FROM fcfs.try_cancel_enrollment(:student, :section);",
                rows=ENDED,
            ),
            "enroll, swap": Workload(
                STUDENT
                + OPEN
                + r"\set other 3001 + (:section - 3000) % 50"
                + "\n"
                + "SELECT * FROM fcfs.try_enroll(:student, :section);\n"
                + "SELECT * FROM fcfs.try_swap_enrollment(:student, :section, :other);",
                rows=ENDED,
            ),
            "join_waitlist, leave_waitlist": Workload(
                STUDENT
                + FULL
                + "SELECT * FROM fcfs.try_join_waitlist(:student, :section);\n"
                + "SELECT * FROM fcfs.try_leave_waitlist(:student, :section);",
                rows=ENDED,
            ),
            "cancel_enrollment, 1,000 in line": Workload(
                "SELECT * FROM fcfs.try_cancel_enrollment(bench.turn(:client_id), :client_id + 1);", rows=ENDED
            ),
        },
        figures=[
            Ratio("join_waitlist", "join_waitlist, 50 lines", "enroll, 50 sections"),
            Ratio("join_waitlist, one hot line", "join_waitlist, one hot line", "join_waitlist, 50 lines"),
            Ratio("enroll and swap", "enroll, swap", "enroll, cancel"),
            Ratio("join and leave a line", "join_waitlist, leave_waitlist", "enroll, cancel"),
            Ratio(
                "a seat given up and passed on, 1,000 in line: times longer",
                "cancel_enrollment, 1,000 in line",
                "enroll, 50 sections",
                at_most=5,
            ),
        ],
    ),
    "change": Benchmark(
        "A change of a whole timetable",
        CHANGES,
        rounds=ROUNDS,
        seconds=1,
        sides={
            "5 enrolls": Workload(FIVE_ENROLLS, rows=ENROLLMENTS, each=5),
            "5 enrolls, change_schedule 5 + 5": Workload(FIVE_ENROLLS + NEW + CHANGE, rows=ENROLLMENTS, each=10),
        },
        figures=[
            Ratio(
                "5 enrolls and a change of all 5; 0.5: the change costs 5 enrolls",
                "5 enrolls, change_schedule 5 + 5",
                "5 enrolls",
                at_least=0.5,
            )
        ],
    ),
    "office": Benchmark(
        f"An office, {STUDENTS:,} students a call, students a second",
        World("office.sql", (("students", STUDENTS),)),
        rounds=ROUNDS,
        sides={
            "enroll, one transaction": Statement(
                "SELECT count(*) FROM fcfs.student s, fcfs.try_enroll(s.id, bench.number()) o WHERE o.ok;",
                rows=SEATED,
                each=STUDENTS,
                before=section(STUDENTS, 0, ""),
            ),
            "pass_waitlists": Statement(
                f"SELECT fcfs.pass_waitlists({STUDENTS});",
                rows=SEATED,
                each=STUDENTS,
                before=section(
                    0, 0, "waitlisted", f"UPDATE fcfs.section SET capacity = {STUDENTS} WHERE id = bench.number();"
                ),
            ),
            "release_reserved_seats, pass_waitlists": Statement(
                f"SELECT fcfs.release_reserved_seats(1); SELECT fcfs.pass_waitlists({STUDENTS});",
                rows=SEATED,
                each=STUDENTS,
                before=section(STUDENTS, STUDENTS, "waitlisted"),
            ),
            "cancel_section": Statement(
                "SELECT count(*) FROM fcfs.cancel_section(bench.number());",
                rows=ENDED,
                each=STUDENTS,
                before=section(STUDENTS, 0, "enrolled"),
            ),
        },
        figures=[
            Ratio("a student seated by pass_waitlists", "pass_waitlists", "enroll, one transaction"),
            Ratio(
                "the same, once reserved seats are released", "release_reserved_seats, pass_waitlists", "enroll, one transaction"
            ),
            Ratio("a student dropped by cancel_section", "cancel_section", "enroll, one transaction"),
        ],
    ),
    "catalogue": Benchmark(
        f"A catalogue of {SECTIONS:,} sections, sections a second",
        World("catalogue.sql"),
        rounds=2,
        sides={
            "load_catalogue": Statement(
                load("added"),
                rows=LOADED,
                each=SECTIONS,
                before="UPDATE bench.document SET catalogue = bench.catalogue('T' || nextval('bench.term')); CHECKPOINT;",
            ),
            "load_catalogue, nothing new": Statement(load("unchanged"), rows=LOADED, each=SECTIONS, before="CHECKPOINT;"),
        },
        figures=[Ratio("load_catalogue, nothing new", "load_catalogue, nothing new", "load_catalogue")],
    ),
}
