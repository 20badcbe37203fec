#!/usr/bin/python3
"""Students who change their timetables all the time, in few sections with few seats,
some of them shared or reserved: every change is made whole or not at all, and no seat
is lost or had twice."""
import sys
sys.dont_write_bytecode = True
from load import WORLD, Tap, counts, nothing_left, pgbench, rows, value

CLIENTS, TIMES = 12, 500
SECTIONS = 12

# Two sections that go and up to two that come, by chance, of what the student has and
# has not; a third of it in transactions that go on, or come to nothing.
CHANGE = f"""
\\set student random(1, 25)
\\set way random(1, 6)
\\set one random(1, {SECTIONS})
\\set other random(1, {SECTIONS})
\\if :way > 4
BEGIN;
SAVEPOINT s;
\\endif
\\if :way = 1
SELECT code FROM fcfs.try_swap_enrollment(:student, :one, CASE WHEN :one = :other THEN :other % {SECTIONS} + 1 ELSE :other END);
\\elif :way = 2
INSERT INTO answer SELECT code FROM fcfs.try_enroll(:student, :one);
\\else
INSERT INTO answer SELECT o.code FROM (
    SELECT coalesce(array_agg(h.id) FILTER (WHERE h.had), '{{}}') AS drops, coalesce(array_agg(h.id) FILTER (WHERE NOT h.had), '{{}}') AS adds
    FROM (SELECT s.id, s.id = ANY (t.section_ids) AS had, row_number() OVER (PARTITION BY s.id = ANY (t.section_ids) ORDER BY random()) AS n
        FROM fcfs.section s, fcfs.timetable t WHERE t.id = :student) AS h
    WHERE h.n <= CASE WHEN h.had THEN 2 ELSE :way % 3 END HAVING count(*) > 0) AS c, fcfs.try_change_schedule(:student, c.drops, c.adds) AS o;
\\endif
\\if :way = 5
ROLLBACK TO s;
COMMIT;
\\elif :way = 6
ROLLBACK;
\\endif
"""

with Tap() as tap:
    rows(WORLD + f"""
        CREATE UNLOGGED TABLE answer (code text);
        UPDATE fcfs.student SET max_credits = 7 WHERE id <= 40;
        INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, {SECTIONS}) g;
        INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X1', 7), (2, 'X2', 5);
        INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, cross_list_id, strict_order)
        SELECT g, 1, g, 'A', 5, CASE WHEN g IN (9, 2) THEN 1 WHEN g IN (3, 10) THEN 2 END, g = 7 FROM generate_series(1, {SECTIONS}) g;
        -- Neighbours overlap.
        INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
        SELECT g, 1, time '06:00' + g * interval '1 hour', time '06:59' + (g + g % 2) * interval '1 hour' FROM generate_series(1, {SECTIONS}) g;
        INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
        INSERT INTO fcfs.student_group_member SELECT g, 1 FROM generate_series(1, 10) g;
        INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 4, 1, 2), (2, 9, 1, 1);""")

    pgbench(CHANGE, CLIENTS, TIMES)
    codes = counts("SELECT code, count(*)::integer FROM answer GROUP BY code")
    tap.ok({"OK", "COURSE_FULL", "SCHEDULE_CONFLICT"} <= set(codes), "changes are made, and refused", codes)
    given_up = value("SELECT count(*) FROM fcfs.enrollment WHERE status = 'cancelled'")
    tap.ok(given_up > 100, "sections are given up", given_up, codes)
    tap.equal(rows("""
        SELECT student_id, sum(credits) FROM fcfs.enrollment WHERE status = 'enrolled' GROUP BY 1 HAVING sum(credits) > 7"""),
              [], "no limit of credits is passed")
    # What goes in a change has ended at the very moment at which what comes has arrived.
    tap.equal(rows("""
        SELECT e.student_id, e.ended_at FROM fcfs.enrollment e WHERE e.status = 'cancelled' AND EXISTS (
            SELECT FROM fcfs.enrollment x WHERE x.student_id = e.student_id AND x.section_id = e.section_id
            AND x.id > e.id AND x.arrived_at <= e.ended_at)"""), [], "nobody comes back before they have left")
    tap.equal(rows("""
        SELECT s.id, s.capacity - (SELECT coalesce(sum(r.capacity), 0) FROM fcfs.reserved_seats r WHERE r.section_id = s.id)
            - count(e.id) FILTER (WHERE e.reserved_seats_id IS NULL) AS remaining
        FROM fcfs.section s LEFT JOIN fcfs.enrollment e ON e.section_id = s.id AND e.status = 'enrolled'
        GROUP BY s.id HAVING s.id IN (SELECT p.id FROM fcfs.stat_pools p WHERE p.kind = 'section')
        EXCEPT SELECT p.id, p.remaining FROM fcfs.stat_pools p WHERE p.kind = 'section'"""), [], "no seat is lost")
    nothing_left(tap, "after all")
