"""What is measured. A new comparison is a side or two, and a Ratio of them."""

from dataclasses import replace

import settings

from cluster import POOLS
from curves import CURVES
from declare import Benchmark, Bound, Lines, Ratio, Statement, Value, Workload, World
from peer_benchmarks import PEERS
from registration import REGISTRATION
from slow_commits import SLOW_COMMITS
from workloads import (
    BARE_ISSUE,
    COUPON,
    COUPON_LOCAL,
    ENROLL_SPREAD,
    ENROLLMENTS,
    ISSUE,
    ISSUES,
    RESERVE,
    RESERVE_CONFIRM,
    ROW_ISSUE,
    ROW_ISSUES,
    SECTION,
    SOLD_OUT,
    STUDENT,
    USER,
    enroll_world,
)

# Students for all rounds of three sides, as many passed over, at 20,000 calls a second.
FRESH = 3 * (settings.rounds() + 1) * (40000 * (settings.seconds(1) + 1) + 1000 * settings.CLIENTS)
ENROLL = enroll_world(50000, FRESH, bare=True)
MANY = 5000000 if settings.FULL else 500000
PRESENT = sorted({10000, 500000, MANY})
ENROLL_PRESENT = {present: enroll_world(present, max(FRESH // 3, present // 5)) for present in PRESENT}

COPY = World("copy.sql")

BENCHMARKS = {
    "coupon": Benchmark(
        "One hot coupon",
        COUPON,
        sides={
            "issue_coupon": ISSUE,
            "bare INSERT": BARE_ISSUE,
            "PL/pgSQL, row lock": ROW_ISSUE,
            "PL/pgSQL, advisory lock": Workload(
                USER + "SELECT bench.advisory_issue_coupon(1, :user);", rows=ROW_ISSUES
            ),
            "issue_coupon, with a key": Workload(
                USER + "SELECT * FROM fcfs.try_issue_coupon(1, :user, '6f1c9f52-71d4-4c55-9a0e-' || :user::text);",
                rows=ISSUES,
            ),
        },
        figures=[
            Ratio("issue_coupon, one hot coupon", "issue_coupon", "bare INSERT", at_least=0.90),
            Ratio("the same", "issue_coupon", "PL/pgSQL, row lock", at_least=7),
            Ratio("the same", "issue_coupon", "PL/pgSQL, advisory lock"),
            Ratio("an idempotency key", "issue_coupon, with a key", "issue_coupon", at_least=0.7),
        ],
        notes=["Not there yet, and so not measured: issue_coupons, join_queue, poll_queue."],
    ),
    "sold-out": Benchmark(
        "A coupon that is sold out",
        COUPON,
        sides={
            "try_issue_coupon, sold out": SOLD_OUT,
            "try_issue_coupon, sold out, one column": replace(
                SOLD_OUT, script=SOLD_OUT.script.replace("SELECT *", "SELECT ok")
            ),
            "SELECT 1": Workload(USER + "SELECT :user::bigint;"),
        },
        figures=[
            Ratio("try_issue_coupon once sold out", "try_issue_coupon, sold out", "SELECT 1", at_least=0.8),
            Ratio("the same, asked for one column", "try_issue_coupon, sold out, one column", "SELECT 1", at_least=0.8),
        ],
    ),
    "enroll": Benchmark(
        "Enrolment",
        ENROLL,
        seconds=1,
        sides={
            "enroll, one hot section": Workload(
                STUDENT + "SELECT * FROM fcfs.try_enroll(:student, 5001);", rows=ENROLLMENTS
            ),
            "enroll, 5,000 sections": ENROLL_SPREAD,
            "bare INSERT, 5,000 sections": Workload(
                STUDENT
                + SECTION
                + "INSERT INTO bench.bare_enrollment (student_id, section_id, term_id, course_id, credits, schedule)"
                " SELECT :student, id, term_id, course_id, 3, schedule FROM fcfs.section WHERE id = :section;",
                rows="SELECT count(*) FROM bench.bare_enrollment",
            ),
            **{
                f"enroll, {present:,} present": replace(ENROLL_SPREAD, world=world)
                for present, world in ENROLL_PRESENT.items()
            },
        },
        figures=[
            Ratio("enroll, one hot section", "enroll, one hot section", "enroll, 5,000 sections", at_least=0.9),
            Ratio("enroll, spread", "enroll, 5,000 sections", "bare INSERT, 5,000 sections", at_least=0.6),
            Ratio(
                f"enroll with {MANY:,} enrollments present, against 50,000",
                f"enroll, {MANY:,} present",
                "enroll, 5,000 sections",
                at_least=0.8,
            ),
        ],
        notes=[] if settings.FULL else ["The contract says 5,000,000 enrollments present; FULL=1 measures that."],
        plots=[
            Lines(
                "enroll",
                "Enrolment by enrollments that are there before",
                "enrollments",
                "enrollments a second",
                {
                    "": {
                        "enroll, 5,000 sections": {50000: "enroll, 5,000 sections"}
                        | {present: f"enroll, {present:,} present" for present in PRESENT}
                    }
                },
            )
        ],
    ),
    "reserve": Benchmark(
        "Reserve and confirm, one hot item, as two transactions",
        RESERVE,
        seconds=1,
        sides={
            "reserve, confirm": RESERVE_CONFIRM,
            "PL/pgSQL, row lock (reserve)": Workload(
                r"\set customer permute(:i, 2000000000, 1) + 1" + "\n"
                r"SELECT bench.row_reserve(:customer, 1, 1) AS id \gset" + "\n"
                "SELECT bench.row_confirm(:id);",
                rows="SELECT count(*) FROM bench.row_reservation WHERE status = 'confirmed'",
            ),
        },
        figures=[
            Ratio(
                "reserve + confirm, one hot item", "reserve, confirm", "PL/pgSQL, row lock (reserve)", at_least=5
            )
        ],
    ),
    "copy": Benchmark(
        "COPY of 500,000 claims into one pool",
        COPY,
        sides={
            "COPY": Statement(
                "COPY fcfs.coupon_issue (coupon_id, user_id) FROM :'file';",
                rows=ISSUES,
                each=500000,
                before="TRUNCATE fcfs.coupon_issue; CHECKPOINT;",
            ),
            "COPY, our triggers disabled": Statement(
                "COPY fcfs.coupon_issue (coupon_id, user_id) FROM :'file';",
                rows=ISSUES,
                each=500000,
                before="TRUNCATE fcfs.coupon_issue; ALTER TABLE fcfs.coupon_issue DISABLE TRIGGER USER; CHECKPOINT;",
                after="TRUNCATE fcfs.coupon_issue; ALTER TABLE fcfs.coupon_issue ENABLE TRIGGER USER;",
            ),
            "COPY, no trigger nor foreign key": Statement(
                "COPY bench.bare_issue (coupon_id, user_id) FROM :'file';",
                rows="SELECT count(*) FROM bench.bare_issue",
                each=500000,
                before="TRUNCATE bench.bare_issue; CHECKPOINT;",
            ),
        },
        figures=[
            Ratio("COPY of 500,000 claims: times longer", "COPY", "COPY, our triggers disabled", at_most=3),
            Ratio("the same", "COPY", "COPY, no trigger nor foreign key", at_most=3),
        ],
    ),
    "memory": Benchmark(
        "Shared memory of 10,000 pools",
        COUPON,
        rounds=1,
        sides={
            "pg_fcfs% in pg_shmem_allocations": Value(
                "SELECT coalesce(sum(allocated_size), 0) / 1048576.0 FROM pg_shmem_allocations WHERE name LIKE 'pg_fcfs%'",
                "MB",
                times=10000 / POOLS,
            ),
            # A hash table's elements are anonymous there, so the whole is the
            # difference to a server without us.
            "all that preloading adds": Value(
                "SELECT sum(allocated_size) / 1048576.0 FROM pg_shmem_allocations WHERE name IS NOT NULL",
                "MB",
                less=COUPON_LOCAL,
                times=10000 / POOLS,
            ),
        },
        figures=[
            Bound("shared memory of 10,000 pools, by name", "pg_fcfs% in pg_shmem_allocations", at_most=4),
            Bound("shared memory of 10,000 pools, all in all", "all that preloading adds", at_most=4),
        ],
    ),
    **REGISTRATION,
    **PEERS,
    **SLOW_COMMITS,
    **CURVES,
}
