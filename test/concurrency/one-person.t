#!/usr/bin/python3
"""One person from 20 connections at once, against every rule about persons: the
totals are exact, whichever of the calls came first."""
import sys
sys.dont_write_bytecode = True
from load import ALWAYS, WORLD, Tap, counts, nothing_left, pgbench, rows, value

CLIENTS = 20


def all_at_once(tap, name, call, times, wanted):
    """Each client makes the call so many times; :n counts 1, 2, … over all of them."""
    rows("TRUNCATE answer; ALTER SEQUENCE n RESTART")
    pgbench("SELECT nextval('n') AS n \\gset\n"
            f"INSERT INTO answer SELECT code, id, replayed FROM {call};\n", CLIENTS, times)
    tap.equal(counts("SELECT code, count(*)::integer FROM answer GROUP BY code"), wanted, name)


with Tap() as tap:
    rows(WORLD + f"""
        CREATE UNLOGGED TABLE answer (code text, id bigint, replayed boolean);
        CREATE SEQUENCE n;
        INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, 20) g;
        INSERT INTO fcfs.course (id, code, credits) SELECT 20 + g, 'D' || g, 4 FROM generate_series(1, 20) g;
        INSERT INTO fcfs.course (id, code, credits) SELECT 40 + g, 'E' || g, 0 FROM generate_series(1, 20) g;
        INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
        SELECT g, 1, g, 'A', 1000 FROM generate_series(1, 60) g;
        -- 41 to 60 form a ring in which each overlaps its two neighbours and no other.
        INSERT INTO fcfs.meeting (section_id, on_date, starts_at, ends_at)
        SELECT 40 + g, '2099-03-02', time '01:00' + g * interval '1 hour', time '02:30' + g * interval '1 hour'
        FROM generate_series(1, 20) g;
        INSERT INTO fcfs.meeting (section_id, on_date, starts_at, ends_at)
        VALUES (41, '2099-03-03', '09:00', '10:00'), (60, '2099-03-03', '09:30', '10:30');
        INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
        SELECT 60 + g, 1, 1, 'R' || g, 1000 FROM generate_series(1, 20) g;
        INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES (1, 'E', {ALWAYS}, 7);
        INSERT INTO fcfs.item (id, event_id, code, stock) SELECT g, 1, 'I' || g, 1000 FROM generate_series(1, 5) g;
        INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at)
        VALUES (1, 'once', 1000, 1, {ALWAYS}), (2, 'thrice', 1000, 3, {ALWAYS});""")

    all_at_once(tap, "the same section", "fcfs.try_enroll(1, 1)", 5, {"OK": 1, "ALREADY_ENROLLED": 99})
    all_at_once(tap, "another section of the same course", "fcfs.try_enroll(2, 60 + :n)", 1,
                {"OK": 1, "ALREADY_ENROLLED": 19})
    all_at_once(tap, "18 credits in courses of 3", "fcfs.try_enroll(3, :n)", 1, {"OK": 6, "CREDIT_LIMIT_EXCEEDED": 14})
    all_at_once(tap, "18 credits in courses of 4", "fcfs.try_enroll(4, 20 + :n)", 1,
                {"OK": 4, "CREDIT_LIMIT_EXCEEDED": 16})
    rows("UPDATE fcfs.student SET max_credits = 7 WHERE id = 5")
    all_at_once(tap, "a limit of their own", "fcfs.try_enroll(5, 20 + :n)", 1, {"OK": 1, "CREDIT_LIMIT_EXCEEDED": 19})
    all_at_once(tap, "the same section under one key", "fcfs.try_enroll(6, 1, 'key')", 5, {"OK": 100})
    tap.equal(rows("SELECT count(DISTINCT id), count(*) FILTER (WHERE NOT replayed) FROM answer"), [(1, 1)],
              "one key: one enrollment, one call that made it")

    # How many fit into the ring depends on who comes first; that no more fits, and no two overlap, does not.
    rows("TRUNCATE answer; ALTER SEQUENCE n RESTART")
    pgbench("SELECT nextval('n') AS n \\gset\n"
            "INSERT INTO answer SELECT code, id, replayed FROM fcfs.try_enroll(7, 41 + (:n * 7) % 20);\n", CLIENTS, 3)
    tap.equal(rows("SELECT DISTINCT code FROM answer ORDER BY 1"), [("ALREADY_ENROLLED",), ("OK",), ("SCHEDULE_CONFLICT",)],
              "overlapping sections: taken, had, or in conflict")
    tap.equal(value("""
        SELECT count(*) FROM fcfs.section s WHERE s.id BETWEEN 41 AND 60 AND NOT EXISTS (
            SELECT FROM fcfs.enrollment e JOIN fcfs.section o ON o.id = e.section_id
            WHERE e.student_id = 7 AND o.schedule && s.schedule)"""), 0, "none that would still fit was refused")
    tap.equal(value("""
        SELECT count(*) FROM fcfs.enrollment a JOIN fcfs.enrollment b
        ON a.student_id = b.student_id AND a.id < b.id AND a.schedule && b.schedule
        WHERE a.status = 'enrolled' AND b.status = 'enrolled'"""), 0, "no two overlap")

    all_at_once(tap, "7 units a customer, from 5 items", "fcfs.try_reserve(8, 1 + :n % 5, 1)", 2,
                {"OK": 7, "QUANTITY_LIMIT_EXCEEDED": 33})
    all_at_once(tap, "7 units a customer, 2 at a time", "fcfs.try_reserve(9, 1 + :n % 5, 2)", 2,
                {"OK": 3, "QUANTITY_LIMIT_EXCEEDED": 37})
    all_at_once(tap, "a coupon a user", "fcfs.try_issue_coupon(1, 10)", 2, {"OK": 1, "COUPON_ALREADY_ISSUED": 39})
    all_at_once(tap, "three coupons a user", "fcfs.try_issue_coupon(2, 10)", 2, {"OK": 3, "COUPON_ALREADY_ISSUED": 37})
    all_at_once(tap, "confirming one hold",
                "(SELECT id AS r FROM fcfs.reservation WHERE customer_id = 8 ORDER BY id LIMIT 1) h, "
                "fcfs.try_confirm_reservation(h.r)", 1, {"OK": 1, "RESERVATION_NOT_HELD": 19})
    all_at_once(tap, "cancelling one hold",
                "(SELECT id AS r FROM fcfs.reservation WHERE customer_id = 8 ORDER BY id DESC LIMIT 1) h, "
                "fcfs.try_cancel_reservation(h.r)", 1, {"OK": 1, "RESERVATION_NOT_HELD": 19})
    all_at_once(tap, "cancelling one enrollment", "fcfs.try_cancel_enrollment(1, 1)", 1, {"OK": 1, "NOT_ENROLLED": 19})
    nothing_left(tap, "after all")
