-- A small world in which one of everything can be called a thousand times: what
-- the calls cost in instructions is counted there, so nothing in it is left to
-- chance or to today's date, but for the windows.
--
-- Coupon 1 and item 1 never run out, coupon 2 is sold out. The sections 1 to 50 have
-- 21 meetings each, in one of five patterns that do not overlap. Students with even
-- ids up to 4,000 are to be enrolled; those with odd ids up to 1,800 have five enrollments
-- each, to be cancelled and changed.
-- Section 52 has a wait list and nobody in it, the students 10,001 and on are to be enrolled
-- there. Those from 20,001 on are in section 53, and those from 30,001 on in section 51, which is
-- full and has 1,500 in line: each who cancels there passes the seat on.
-- Reservations 1 to 1,000 are held, and to be confirmed.

INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES
    (1, 'HOT', 1000000000, now() - interval '1 day', now() + interval '1 day'),
    (2, 'GONE', 100, now() - interval '1 day', now() + interval '1 day');
INSERT INTO fcfs.coupon_issue (coupon_id, user_id)
SELECT 2, g FROM generate_series(1, 100) g;

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on)
VALUES (1, 'NEXT', 'America/Los_Angeles', now() - interval '1 day', now() + interval '1 day',
    '2100-01-04', '2100-03-14', '2100-03-28');
INSERT INTO fcfs.course (id, code, credits)
SELECT g, 'C' || g, 3 FROM generate_series(1, 53) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity)
SELECT g, 1, g, 'A', CASE WHEN g = 51 THEN 410 ELSE 1000000000 END, CASE WHEN g IN (51, 52) THEN 2000 ELSE 0 END
FROM generate_series(1, 53) g;
INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at)
SELECT
    s.id,
    m.weekday,
    CASE WHEN m.weekday IS NULL THEN date '2100-03-22' + m.pattern END,
    m.starts_at,
    m.starts_at + interval '80 minutes'
FROM fcfs.section s
JOIN (VALUES
    (0, 1, time '09:00'), (0, 3, time '09:00'), (0, NULL, time '08:00'),
    (1, 1, time '11:00'), (1, 3, time '11:00'), (1, NULL, time '08:00'),
    (2, 2, time '09:30'), (2, 4, time '09:30'), (2, NULL, time '08:00'),
    (3, 2, time '14:00'), (3, 4, time '14:00'), (3, NULL, time '08:00'),
    (4, 3, time '15:00'), (4, 5, time '10:00'), (4, NULL, time '08:00')) AS m (pattern, weekday, starts_at)
    ON m.pattern = (s.id - 1) % 5;
INSERT INTO fcfs.student (id)
SELECT g FROM generate_series(1, 4000) g
UNION ALL SELECT p + g FROM unnest(ARRAY[10000, 20000, 30000]) p, generate_series(1, 410) g
UNION ALL SELECT 31000 + g FROM generate_series(1, 1500) g;

-- Nobody has touched these pools yet, so the escrow need not be told.
SET session_replication_role = replica;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule)
SELECT 2 * g - 1, s.id, s.term_id, s.course_id, 3, s.schedule
FROM generate_series(1, 900) g
JOIN fcfs.section s ON (s.id - 1) / 5 = g % 10;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule, status)
SELECT p.first + g, s.id, s.term_id, s.course_id, 3, s.schedule, p.status
FROM (VALUES (20000, 410, 53, 'enrolled'), (30000, 410, 51, 'enrolled'), (31000, 1500, 51, 'waitlisted')) AS p (first, count, section_id, status)
JOIN fcfs.section s ON s.id = p.section_id
CROSS JOIN LATERAL generate_series(1, p.count) g;
RESET session_replication_role;

INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer)
VALUES (1, 'CONCERT', now() - interval '1 day', now() + interval '1 day', 4);
INSERT INTO fcfs.item (id, event_id, code, stock, price)
VALUES (1, 1, 'FLOOR', 1000000000, 9900);
SELECT count(*) AS held FROM generate_series(1, 1000) g, LATERAL fcfs.try_reserve(1000000 + g, 1, 1) o WHERE o.ok;

-- The yardsticks: the same columns, defaults, identity, indexes and exclusion
-- constraint, and no rule.
CREATE SCHEMA bench;
CREATE TABLE bench.bare_issue (LIKE fcfs.coupon_issue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
CREATE TABLE bench.bare_enrollment (LIKE fcfs.enrollment INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
INSERT INTO bench.bare_enrollment (student_id, section_id, term_id, course_id, credits, schedule)
SELECT student_id, section_id, term_id, course_id, credits, schedule FROM fcfs.enrollment;
