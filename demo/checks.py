"""What must be true after the crowds: each check is one query, with the answer that it must give.

They count in the tables, from the meetings and the claims themselves, and trust
nothing that the extension keeps beside them; only the last ones ask it.
demo.call holds every call of the clients and its answer.
"""

# All meetings with the days between which the weekly ones are held, and whether
# two of them clash: whether they fall on one day and overlap by the clock. Does
# without the schedules that enroll() uses.
PREPARATION = """
CREATE TABLE demo.meeting AS
SELECT m.section_id, m.weekday, m.on_date, m.starts_at, m.ends_at,
    coalesce(s.starts_on, t.starts_on) AS first_day, coalesce(s.ends_on, t.classes_end_on, t.ends_on) AS last_day
FROM fcfs.meeting m
JOIN fcfs.section s ON s.id = m.section_id
JOIN fcfs.term t ON t.id = s.term_id;
CREATE INDEX ON demo.meeting (section_id);
CREATE FUNCTION demo.clash(a demo.meeting, b demo.meeting)
RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN a.starts_at < b.ends_at AND a.ends_at > b.starts_at AND (
    a.on_date = b.on_date
    OR extract(isodow FROM a.on_date) = b.weekday AND a.on_date BETWEEN b.first_day AND b.last_day
    OR extract(isodow FROM b.on_date) = a.weekday AND b.on_date BETWEEN a.first_day AND a.last_day
    OR a.weekday = b.weekday AND EXISTS (
        SELECT FROM generate_series(0, 6) AS n
        WHERE extract(isodow FROM greatest(a.first_day, b.first_day) + n) = a.weekday
            AND greatest(a.first_day, b.first_day) + n <= least(a.last_day, b.last_day)));
ANALYZE demo.call, demo.meeting, fcfs.enrollment, fcfs.section"""

CHECKS = [  # rush, what, answer, query
    ("registration", "seats sold twice", 0, """
SELECT coalesce(sum(greatest(taken - capacity, 0)), 0)
FROM (SELECT s.capacity, count(e.id) AS taken
      FROM fcfs.section s
      LEFT JOIN fcfs.enrollment e ON e.section_id = s.id AND e.status = 'enrolled'
      GROUP BY s.id) AS section"""),
    ("registration", "sections above their capacity", 0, """
SELECT count(*)
FROM fcfs.section s
WHERE s.capacity < (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = 'enrolled')"""),
    ("registration", "sections that refused as full and are not", 0, """
SELECT count(*)
FROM fcfs.section s
WHERE s.id IN (SELECT target FROM demo.call WHERE code = 'COURSE_FULL')
    AND s.capacity > (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = 'enrolled')"""),
    ("registration", "students in two places at once", 0, """
SELECT count(DISTINCT e.student_id)
FROM fcfs.enrollment e
JOIN fcfs.enrollment f ON f.student_id = e.student_id AND f.section_id > e.section_id
JOIN demo.meeting a ON a.section_id = e.section_id
JOIN demo.meeting b ON b.section_id = f.section_id
WHERE e.status = 'enrolled' AND f.status = 'enrolled' AND demo.clash(a, b)"""),
    ("registration", "students refused for a clash that is not there", 0, """
SELECT count(DISTINCT refused.person)
FROM demo.call AS refused
WHERE refused.code = 'SCHEDULE_CONFLICT' AND NOT EXISTS (
    SELECT FROM fcfs.enrollment e
    JOIN demo.meeting a ON a.section_id = e.section_id
    JOIN demo.meeting b ON b.section_id = refused.target
    WHERE e.student_id = refused.person AND e.status = 'enrolled' AND demo.clash(a, b))"""),
    ("registration", "students above their credit limit", 0, """
SELECT count(*)
FROM (SELECT FROM fcfs.enrollment e
      JOIN fcfs.section s ON s.id = e.section_id
      JOIN fcfs.course c ON c.id = s.course_id
      JOIN fcfs.term t ON t.id = s.term_id
      WHERE e.status = 'enrolled'
      GROUP BY e.student_id, t.id
      HAVING sum(c.credits) > t.max_credits) AS student"""),
    ("registration", "students twice in one course", 0, """
SELECT count(*)
FROM (SELECT FROM fcfs.enrollment e
      JOIN fcfs.section s ON s.id = e.section_id
      WHERE e.status = 'enrolled'
      GROUP BY e.student_id, s.term_id, s.course_id
      HAVING count(*) > 1) AS twice"""),
    ("registration", "students in a course they have an A in", 0, """
SELECT count(DISTINCT e.student_id)
FROM fcfs.enrollment e
JOIN fcfs.section s ON s.id = e.section_id
JOIN fcfs.grade g ON g.student_id = e.student_id AND g.course_id = s.course_id
WHERE e.status = 'enrolled' AND g.points >= 4"""),
    ("registration", "enrollments from before the opening", 0, """
SELECT count(*)
FROM fcfs.enrollment e
JOIN fcfs.section s ON s.id = e.section_id
JOIN fcfs.term t ON t.id = s.term_id
WHERE e.arrived_at < t.enroll_opens_at"""),
    ("registration", "accepted without a row, or a row without having been accepted", 0, """
SELECT count(*)
FROM (SELECT id, person, target FROM demo.call WHERE function = 'enroll' AND ok) AS said
FULL JOIN fcfs.enrollment e ON e.id = said.id AND e.student_id = said.person AND e.section_id = said.target
WHERE said.id IS NULL OR e.id IS NULL OR e.status <> 'enrolled'"""),
    ("flash sale", "units bought, of {units}", "{units}", """
SELECT coalesce(sum(l.quantity), 0)
FROM fcfs.reservation r
JOIN fcfs.reservation_line l ON l.reservation_id = r.id
WHERE r.status = 'confirmed'"""),
    ("flash sale", "units on hold or sold besides", 0, """
SELECT coalesce(sum(l.quantity), 0)
FROM fcfs.reservation r
JOIN fcfs.reservation_line l ON l.reservation_id = r.id
WHERE r.status <> 'confirmed'"""),
    ("flash sale", "accepted without a row, or a row without having been accepted", 0, """
SELECT count(*)
FROM (SELECT target AS id, person FROM demo.call WHERE function = 'confirm' AND ok) AS said
FULL JOIN fcfs.reservation r ON r.id = said.id AND r.customer_id = said.person
WHERE said.id IS NULL OR r.id IS NULL OR r.status <> 'confirmed'"""),
    ("coupon drop", "coupons issued, of {coupons}", "{coupons}", """
SELECT count(*) FROM fcfs.coupon_issue WHERE status = 'issued'"""),
    ("coupon drop", "arrival numbers from 1 to {coupons}, each once", "{coupons}", """
SELECT count(DISTINCT arrival) FROM fcfs.coupon_issue WHERE arrival BETWEEN 1 AND {coupons}"""),
    ("coupon drop", "users with two", 0, """
SELECT count(*) FROM (SELECT FROM fcfs.coupon_issue GROUP BY user_id HAVING count(*) > 1) AS twice"""),
    ("coupon drop", "accepted without a row, or a row without having been accepted", 0, """
SELECT count(*)
FROM (SELECT id, person FROM demo.call WHERE function = 'issue' AND ok) AS said
FULL JOIN fcfs.coupon_issue i ON i.id = said.id AND i.user_id = said.person
WHERE said.id IS NULL OR i.id IS NULL"""),
    ("escrow", "units in flight, now that all is quiet", 0, """
SELECT coalesce(sum(taken_in_flight), 0) FROM fcfs.stat_pools"""),
    ("escrow", "claimed pools that it does not have, or counts otherwise", 0, """
SELECT count(*)
FROM (SELECT 'section' AS kind, section_id AS id, count(*) AS taken
      FROM fcfs.enrollment WHERE status = 'enrolled' GROUP BY section_id
      UNION ALL
      SELECT 'item', item_id, sum(quantity) FROM fcfs.reservation_line WHERE active GROUP BY item_id
      UNION ALL
      SELECT 'coupon', coupon_id, count(*) FROM fcfs.coupon_issue WHERE status <> 'revoked' GROUP BY coupon_id
     ) AS claimed
LEFT JOIN fcfs.stat_pools p USING (kind, id)
WHERE p.id IS NULL OR p.remaining IS DISTINCT FROM p.capacity - claimed.taken"""),
    ("escrow", "broken invariants found by fcfs.verify()", 0, """
SELECT count(*) FROM fcfs.verify()"""),
]


def run_checks(cursor, **numbers):
    """Yields (rush, what, answer wanted, answer, query) for each check."""
    cursor.execute(PREPARATION)
    for rush, what, wanted, query in CHECKS:
        what, query = what.format(**numbers), query.strip().format(**numbers)
        cursor.execute(query)
        yield rush, what, int(str(wanted).format(**numbers)), int(cursor.fetchone()[0]), query
