"""What must be true after the crowds: each check is one query, with the answer that it must give.

They count in the tables, from the meetings and the claims themselves, and trust
nothing that the extension keeps beside them; only the last ones ask it.
demo.call holds every call of the clients and its answer; demo.seated, by a trigger
of the demonstration's own, when somebody in line got a seat.

Times are of one clock, seconds as float8. What lies so close together that it
cannot be known which came first counts for the extension.
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
-- Places in line that were had: from when, and until when if they have ended, by a
-- seat or without.
CREATE TABLE demo.place AS
SELECT e.id, e.student_id, e.section_id, e.swap_section_id, e.arrived_at, c.ended AS told, s.began AS seating, s.at AS seated,
    coalesce(s.at, extract(epoch FROM e.ended_at)::float8, 'infinity') AS over
FROM demo.call c
JOIN fcfs.enrollment e ON e.id = c.id
LEFT JOIN demo.seated s ON s.id = e.id
-- Who found a seat free, and nobody in line, was in none.
WHERE c.function = 'wait' AND c.ok AND (c.code <> 'ENROLLED' OR s.id IS NOT NULL);
CREATE INDEX ON demo.place (section_id);
CREATE INDEX ON demo.place (student_id);
CREATE INDEX ON demo.call (person) WHERE ok;
-- Seats that were had. When exactly one that was given up was free is not known, but
-- that it was two seconds later.
CREATE TABLE demo.seat AS
SELECT e.id, e.student_id, e.section_id, coalesce(p.seated, extract(epoch FROM e.arrived_at)::float8) AS since,
    coalesce(extract(epoch FROM e.ended_at)::float8 + 2, 'infinity') AS until
FROM fcfs.enrollment e
LEFT JOIN demo.place p USING (id)
WHERE p.id IS NULL OR p.seated IS NOT NULL;
CREATE INDEX ON demo.seat (student_id);
CREATE INDEX ON demo.seat (section_id);
-- Could a student, with what they had between two moments, not take the section, were
-- there a seat?
CREATE FUNCTION demo.barred(student_id bigint, section_id bigint, given_up bigint, moment float8, later float8)
RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM demo.seat h
    JOIN fcfs.section s ON s.id = h.section_id
    JOIN fcfs.section wanted ON wanted.id = $2
    WHERE h.student_id = $1 AND h.section_id IS DISTINCT FROM $3 AND h.since <= $5 AND h.until >= $4 AND (
        s.course_id = wanted.course_id
        OR EXISTS (
            SELECT FROM demo.meeting a, demo.meeting b
            WHERE a.section_id = h.section_id AND b.section_id = $2 AND demo.clash(a, b))))
OR (SELECT coalesce(sum(c.credits), 0)
    FROM demo.seat h
    JOIN fcfs.section s ON s.id = h.section_id
    JOIN fcfs.course c ON c.id = s.course_id
    WHERE h.student_id = $1 AND h.section_id IS DISTINCT FROM $3 AND h.since <= $5 AND h.until >= $4)
    > (SELECT t.max_credits - c.credits
       FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id JOIN fcfs.course c ON c.id = s.course_id
       WHERE s.id = $2);
ANALYZE demo.call, demo.meeting, demo.place, demo.seat, fcfs.enrollment, fcfs.section"""

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
    ("registration", "sections that refused as full and never were", 0, """
SELECT count(*)
FROM (SELECT s.id, s.capacity - count(a.*) * {seats_added} AS capacity
      FROM fcfs.section s LEFT JOIN demo.seats_added a ON a.section_id = s.id GROUP BY s.id) AS s
WHERE s.id IN (SELECT target FROM demo.call WHERE code = 'COURSE_FULL')
    AND s.capacity > (
        SELECT max(taken)
        FROM (SELECT sum(change) OVER (ORDER BY at, change DESC) AS taken
              FROM (SELECT since AS at, 1 AS change FROM demo.seat WHERE section_id = s.id
                    UNION ALL SELECT until, -1 FROM demo.seat WHERE section_id = s.id) AS changes
             ) AS moment)"""),
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
    SELECT FROM demo.seat h
    JOIN demo.meeting a ON a.section_id = h.section_id
    JOIN demo.meeting b ON b.section_id = refused.target
    WHERE h.student_id = refused.person AND h.since <= refused.ended AND h.until >= refused.began AND demo.clash(a, b))"""),
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
    ("waves", "enrollments, or places in line, from before the student's wave opened", 0, """
SELECT count(*)
FROM fcfs.enrollment e
WHERE NOT EXISTS (
    SELECT FROM fcfs.enrollment_wave w
    JOIN fcfs.student_group_member m ON m.student_group_id = w.student_group_id
    WHERE w.term_id = e.term_id AND m.student_id = e.student_id AND w.opens_at <= e.arrived_at)"""),
    ("waves", "students turned away as too early, whose wave was open", 0, """
SELECT count(*)
FROM demo.call c
JOIN fcfs.student_group_member m ON m.student_id = c.person
JOIN fcfs.enrollment_wave w ON w.student_group_id = m.student_group_id
WHERE c.code = 'ENROLLMENT_NOT_STARTED' AND c.began >= extract(epoch FROM w.opens_at)"""),
    ("lines", "who came new and got a seat that others were in line for", 0, """
SELECT count(*)
FROM demo.call c
WHERE (c.function IN ('enroll', 'swap') AND c.ok OR c.code = 'ENROLLED' AND NOT EXISTS (SELECT FROM demo.seated s WHERE s.id = c.id))
    AND EXISTS (
    SELECT FROM demo.place p
    WHERE p.section_id = c.target AND p.told <= c.began AND p.over >= c.ended)"""),
    ("lines", "who got a seat before somebody ahead who could have had it", 0, """
SELECT count(*)
FROM demo.place s
JOIN demo.place p ON p.section_id = s.section_id AND (p.arrived_at, p.id) < (s.arrived_at, s.id)
WHERE p.told <= s.seating AND p.over > s.seated
    AND NOT demo.barred(p.student_id, p.section_id, p.swap_section_id, s.seating, s.seated)"""),
    ("lines", "sections with a free seat that somebody in line could have", 0, """
SELECT count(*)
FROM fcfs.section s
WHERE s.capacity > (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = 'enrolled')
    AND EXISTS (
        SELECT FROM fcfs.enrollment e
        WHERE e.section_id = s.id AND e.status = 'waitlisted'
            AND NOT demo.barred(e.student_id, s.id, e.swap_section_id, 'infinity', 'infinity'))"""),
    ("lines", "places beyond the length of the line", 0, """
SELECT coalesce(sum(greatest(waiting - waitlist_capacity, 0)), 0)
FROM (SELECT s.waitlist_capacity, count(e.id) AS waiting
      FROM fcfs.section s
      LEFT JOIN fcfs.enrollment e ON e.section_id = s.id AND e.status = 'waitlisted'
      GROUP BY s.id) AS section"""),
    ("registration", "accepted without a row, or a row without having been accepted", 0, """
SELECT count(*)
FROM (SELECT id, person, target FROM demo.call WHERE function IN ('enroll', 'swap', 'wait') AND ok) AS said
FULL JOIN fcfs.enrollment e ON e.id = said.id AND e.student_id = said.person AND e.section_id = said.target
WHERE said.id IS NULL OR e.id IS NULL"""),
    ("registration", "enrollments that ended and nobody gave up, or that did not although somebody did", 0, """
SELECT count(*)
FROM fcfs.enrollment e
WHERE (e.status = 'cancelled') <> (
    e.id IN (SELECT c.id FROM demo.call c WHERE c.function IN ('cancel', 'leave') AND c.ok)
    OR EXISTS (
        SELECT FROM demo.call c
        WHERE c.person = e.student_id AND c.other = e.section_id AND c.ok AND (c.function = 'swap' OR c.code = 'ENROLLED')
            AND c.ended >= extract(epoch FROM e.arrived_at) AND c.began <= extract(epoch FROM coalesce(e.ended_at, 'infinity')))
    OR EXISTS (
        SELECT FROM demo.place p
        WHERE p.student_id = e.student_id AND p.swap_section_id = e.section_id AND p.seated IS NOT NULL
            AND p.seated >= extract(epoch FROM e.arrived_at)))"""),
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
FROM (SELECT CASE status WHEN 'enrolled' THEN 'section' ELSE 'waitlist' END AS kind, section_id AS id, count(*) AS taken
      FROM fcfs.enrollment WHERE status <> 'cancelled' GROUP BY 1, 2
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


def prepare(cursor):
    """Makes the tables that the checks look at, once all is quiet."""
    cursor.execute("SET jit = off")      # of small tables
    cursor.execute(PREPARATION)


def run_checks(cursor, **numbers):
    """Yields (rush, what, answer wanted, answer, query) for each check."""
    for rush, what, wanted, query in CHECKS:
        what, query = what.format(**numbers), query.strip().format(**numbers)
        cursor.execute(query)
        yield rush, what, int(str(wanted).format(**numbers)), int(cursor.fetchone()[0]), query
