"""The worlds and workloads that several benchmarks share."""

from declare import Workload, World

# Users are many and come in no order; those of the claims that are there before
# have the even numbers between them.
USER = r"\set user 2 * permute(:i, 1000000000, 1) + 1" + "\n"


def coupon_world(present=0, preload=True, standby=False):
    return World("coupon.sql", (("present", present),), preload=preload, standby=standby)


COUPON = coupon_world()
COUPON_LOCAL = coupon_world(preload=False)
RESERVE = World("reserve.sql")

ISSUES = "SELECT count(*) FROM fcfs.coupon_issue"
ROW_ISSUES = "SELECT count(*) FROM bench.row_issue"
ISSUE = Workload(USER + "SELECT * FROM fcfs.try_issue_coupon(1, :user);", rows=ISSUES)
ROW_ISSUE = Workload(USER + "SELECT bench.row_issue_coupon(1, :user);", rows=ROW_ISSUES)
BARE_ISSUE = Workload(
    USER + "INSERT INTO bench.bare_issue (coupon_id, user_id, arrival) VALUES (1, :user, :i);",
    rows="SELECT count(*) FROM bench.bare_issue",
)
SOLD_OUT = Workload(USER + "SELECT * FROM fcfs.try_issue_coupon(2, :user);", rows=ISSUES, each=0)

RESERVE_CONFIRM = Workload(
    r"\set customer permute(:i, 2000000000, 1) + 1" + "\n"
    r"SELECT id FROM fcfs.try_reserve(:customer, 1, 1) \gset" + "\n"
    "SELECT * FROM fcfs.try_confirm_reservation(:id);",
    rows="SELECT count(*) FROM fcfs.reservation r JOIN fcfs.reservation_line l"
    " ON l.reservation_id = r.id WHERE r.status = 'confirmed' AND l.active AND l.quantity = 1",
)
RESERVE_ONLY = Workload(
    r"\set customer permute(:i, 2000000000, 1) + 1" + "\n"
    "SELECT * FROM fcfs.try_reserve(:customer, 1, 1);",
    rows="SELECT count(*) FROM fcfs.reservation_line WHERE active AND quantity = 1",
)

STUDENT = r"\set student 2 * (permute(:i, :fresh, 1) + 1)" + "\n"
SECTION = r"\set section random(1, 5000)" + "\n"
ENROLLMENTS = "SELECT count(*) FROM fcfs.enrollment"
ENROLL_SPREAD = Workload(
    STUDENT + SECTION + "SELECT * FROM fcfs.try_enroll(:student, :section);", rows=ENROLLMENTS
)


def enroll_world(present, fresh, bare=False):
    """`present` enrollments, `fresh` students with none; `bare`: the yardstick has as many rows."""
    return World("enroll.sql", (("present", present), ("fresh", fresh), ("bare", str(bare).lower())))
