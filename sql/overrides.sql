-- Permission overrides: one student, one section, one rule; who let them, and why.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, min_credits, max_credits) VALUES
    (1, 'open', '-infinity', 'infinity', current_date + 30, current_date + 60, NULL, 6),
    (2, 'closed', '-infinity', '2021-01-01', current_date + 2, current_date + 60, NULL, 6),
    (3, 'with a minimum', '-infinity', 'infinity', current_date + 30, current_date + 60, 5, 6);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 40);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT 100 * term + course, term, course, 'A', 5 FROM generate_series(1, 3) AS term, generate_series(1, 9) AS course;
UPDATE fcfs.section SET capacity = 1 WHERE id = 101;
-- 2, 3 and 4 meet at the same time; 9 is after 8.
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) SELECT s, 1, '09:00', '10:00' FROM unnest('{102,103,104}'::bigint[]) AS s;
INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (9, 8);
CREATE FUNCTION test.let(student bigint, section bigint, VARIADIC rules text[]) RETURNS void LANGUAGE sql AS
$$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) SELECT student, section, r, 'because' FROM unnest(rules) AS r$$;
CREATE FUNCTION test.has(student bigint) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(section_id || override::text, ' ' ORDER BY section_id) FROM fcfs.enrollment WHERE student_id = student AND status = 'enrolled'$$;

-- Who and why, once for a rule; no rule that nobody knows.
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, 'capacity', 'needs it to graduate');
SELECT granted_by = session_user, granted_at BETWEEN now() AND clock_timestamp(), reason FROM fcfs.permission_override;
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, 'capacity', 'again')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, 'duplicate', 'x')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, 'Capacity', 'x')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, NULL, 'x')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule) VALUES (1, 101, 'conflict')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 101, 'conflict', '')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason, granted_by) VALUES (1, 101, 'conflict', 'x', '')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (99, 101, 'conflict', 'x')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (1, 999, 'conflict', 'x')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (30, 102, '{duplicate}')$$);

-- Capacity: not needed while there is a seat; then in without one, which is nobody's.
SELECT test.both('enroll(1, 101)'), test.has(1);
SELECT test.both('cancel_enrollment(1, 101)');
SELECT test.both('enroll(2, 101)');
SELECT test.both('enroll(3, 101)');
SELECT test.both('enroll(1, 101)'), test.has(1);
SELECT test.free('section', 101);
SELECT test.both('cancel_enrollment(1, 101)');
SELECT test.free('section', 101);
SELECT test.both('enroll(1, 101)'), test.has(1);
-- Whoever leaves with a seat frees one, and only one.
SELECT test.both('cancel_enrollment(2, 101)');
SELECT test.free('section', 101);
SELECT test.both('enroll(3, 101)'), test.has(3);
SELECT test.free('section', 101);
-- Below what is claimed with a seat the capacity is not lowered; what has none does not count.
SELECT test.said('UPDATE fcfs.section SET capacity = 0 WHERE id = 101');
SELECT test.both('cancel_enrollment(3, 101)');
SELECT test.said('UPDATE fcfs.section SET capacity = 0 WHERE id = 101'), test.has(1);
SELECT test.said('UPDATE fcfs.section SET capacity = 1 WHERE id = 101'), test.free('section', 101);
-- Taken away, it is not taken from who has used it; and the next time it is not there.
SELECT test.both('enroll(2, 101)');
DELETE FROM fcfs.permission_override WHERE student_id = 1;
SELECT test.has(1);
SELECT test.both('cancel_enrollment(1, 101)');
SELECT test.both('enroll(1, 101)');
-- With its override a raw INSERT takes no seat, either; without, it is refused.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 101)');
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (4, 101, '{capacity}')$$), test.free('section', 101);
-- To take it away from the row takes a seat, to note it there frees one.
SELECT test.said($$UPDATE fcfs.enrollment SET override = '{}' WHERE student_id = 4$$);
SELECT test.both('cancel_enrollment(2, 101)'), test.free('section', 101);
SELECT test.said($$UPDATE fcfs.enrollment SET override = '{}' WHERE student_id = 4$$), test.free('section', 101);
SELECT test.said($$UPDATE fcfs.enrollment SET override = '{capacity}' WHERE student_id = 4$$), test.free('section', 101);

-- Conflict: it overlaps, and stands outside of the exclusion constraint; what comes after it is refused.
SELECT test.let(5, 103, 'conflict');
SELECT test.both('enroll(5, 102)'), test.both('enroll(5, 104)'), test.both('enroll(5, 103)'), test.has(5);
SELECT test.both('cancel_enrollment(5, 102)');
SELECT test.both('enroll(5, 104)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (5, 104)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (5, 102)');
SELECT test.said('DELETE FROM fcfs.enrollment WHERE student_id = 5 AND section_id = 102 AND status = ''enrolled''');
SELECT test.said($$UPDATE fcfs.enrollment SET override = '{}' WHERE student_id = 5 AND section_id = 103$$);
SELECT test.said('DELETE FROM fcfs.enrollment WHERE student_id = 5 AND section_id = 104 AND status = ''enrolled''');
SELECT test.both('swap_enrollment(5, 103, 102)'), test.both('swap_enrollment(5, 102, 103)'), test.has(5);
-- In one change one of the two must have it, whichever it is and comes first.
SELECT test.let(6, 103, 'conflict');
SELECT test.both($$change_schedule(6, '{}', '{102,104}')$$);
SELECT test.both($$change_schedule(6, '{}', '{102,103}')$$), test.has(6);
SELECT test.both($$change_schedule(6, '{102,103}', '{}')$$);
SELECT test.both($$change_schedule(6, '{}', '{103,102}')$$), test.has(6);
SELECT test.both($$change_schedule(6, '{102,103}', '{}')$$);
UPDATE fcfs.student SET max_credits = 9 WHERE id = 6;
SELECT test.both($$change_schedule(6, '{}', '{103,102,104}')$$);

-- Credits: above the maximum; what has it does not count for the rest of the change.
SELECT test.let(7, 107, 'credits');
SELECT test.both($$change_schedule(7, '{}', '{105,106}')$$), test.both('enroll(7, 108)'), test.both('enroll(7, 107)'), test.has(7);
SELECT test.both('enroll(7, 108)'), test.both('swap_enrollment(7, 106, 108)');
SELECT test.let(8, 107, 'credits');
SELECT test.both($$change_schedule(8, '{}', '{107,105,106,108}')$$);
SELECT test.both($$change_schedule(8, '{}', '{107,105,106}')$$), test.has(8);
SELECT test.let(9, 107, 'credits'), test.let(9, 106, 'credits');
SELECT test.both($$change_schedule(9, '{}', '{107,105,106}')$$), test.has(9);
-- Below the minimum: for the section that is given up.
SELECT test.both($$change_schedule(10, '{}', '{301,302}')$$), test.both('cancel_enrollment(10, 301)');
SELECT test.let(10, 302, 'credits');
SELECT test.both('cancel_enrollment(10, 301)'), test.both($$change_schedule(10, '{301,302}', '{}')$$), test.both('cancel_enrollment(10, 302)');

-- Prerequisite, and window: the term's, a wave's, and the deadline.
SELECT test.let(11, 109, 'prerequisite'), test.let(11, 201, 'window');
SELECT test.both('enroll(11, 109)'), test.both('enroll(12, 109)'), test.both('enroll(11, 201)'), test.both('enroll(11, 202)'), test.has(11);
SELECT test.both('cancel_enrollment(11, 201)');
SELECT test.both('enroll(11, 201)');
DELETE FROM fcfs.permission_override WHERE student_id = 11 AND rule = 'window';
SELECT test.both('cancel_enrollment(11, 201)'), test.both('swap_enrollment(11, 201, 101)');
-- A section that is cancelled is nobody's, nor is a course taken twice, retaken, or taken for other credits.
SELECT test.let(13, 105, 'capacity', 'credits', 'conflict', 'prerequisite', 'window'), test.let(14, 105, 'capacity', 'credits', 'conflict', 'prerequisite', 'window');
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (115, 1, 5, 'B', 9);
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (14, 5, 2, 4);
SELECT test.both('enroll(13, 115)'), test.both('enroll(13, 105)'), test.both('enroll(14, 105)'), test.both('enroll(13, 105, NULL, 2.5)');
SELECT test.both('cancel_enrollment(13, 115)'), test.both('enroll(13, 105, NULL, 2.5)');
UPDATE fcfs.section SET cancelled_at = now() WHERE id = 105;
SELECT test.both('enroll(13, 105)');

-- Several at once, and only those that were needed are noted.
SELECT test.let(15, 209, 'capacity', 'credits', 'conflict', 'prerequisite', 'window');
SELECT test.both('enroll(15, 209)'), test.has(15);
SELECT test.both('enroll(16, 102)');
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (209, 1, '09:00', '10:00');
UPDATE fcfs.section SET capacity = 1 WHERE id = 209;
SELECT test.let(16, 209, 'capacity', 'credits', 'conflict', 'prerequisite', 'window');
UPDATE fcfs.student SET max_credits = 2 WHERE id = 16;
SELECT test.both('enroll(16, 209)'), test.has(16), test.free('section', 209);
-- One rule short, and it is that rule that refuses.
SELECT test.let(17, 209, 'credits', 'conflict', 'prerequisite', 'window'), test.let(18, 209, 'capacity', 'conflict', 'prerequisite', 'window'),
    test.let(19, 209, 'capacity', 'credits', 'prerequisite', 'window'), test.let(20, 209, 'capacity', 'credits', 'conflict', 'window'), test.let(21, 209, 'capacity', 'credits', 'conflict', 'prerequisite');
SELECT count(fcfs.enroll(s, 102)) FROM generate_series(17, 20) AS s;
UPDATE fcfs.section SET capacity = 20 WHERE id = 102;
SELECT count(fcfs.enroll(21, 102));
UPDATE fcfs.student SET max_credits = 2 WHERE id BETWEEN 17 AND 21;
SELECT s, test.both(format('enroll(%s, 209)', s)) FROM generate_series(17, 21) AS s;

-- Of several that are full in one change each needs its own.
DELETE FROM fcfs.enrollment WHERE section_id IN (106, 107, 108);
UPDATE fcfs.section SET capacity = 0 WHERE id IN (106, 107, 108);
UPDATE fcfs.student SET max_credits = 30 WHERE id = 22;
SELECT test.let(22, 106, 'capacity'), test.let(22, 108, 'capacity');
SELECT test.both($$change_schedule(22, '{}', '{104,108,107,106}')$$);
SELECT test.let(22, 107, 'capacity');
SELECT test.both($$change_schedule(22, '{}', '{104,108,107,106}')$$), test.has(22);
SELECT test.free('section', 106), test.free('section', 104);

\i sql/include/finish.sql
