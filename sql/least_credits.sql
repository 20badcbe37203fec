-- The fewest credits that a term asks for: nobody drops below them.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, min_credits) VALUES
    (1, 'five', '-infinity', 'infinity', current_date + 30, current_date + 60, 5),
    (2, 'none', '-infinity', 'infinity', current_date + 30, current_date + 60, NULL),
    (3, 'nothing', '-infinity', 'infinity', current_date + 30, current_date + 60, 0);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) VALUES
    (1, 'C1', 3), (2, 'C2', 2), (3, 'C3', 2), (4, 'C4', 1.9), (5, 'C5', 0), (6, 'C6', 0.1), (7, 'C7', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT 10 * term + course, term, course, 'A', 9 FROM generate_series(1, 3) AS term, generate_series(1, 7) AS course;

-- Who comes to it from below adds what they like.
SELECT test.both('enroll(1, 15)'), test.both('enroll(1, 11)'), test.both('enroll(1, 12)');
-- Down to exactly that many, and not a tenth below; a course of nothing may go.
SELECT test.both('cancel_enrollment(1, 12)');
SELECT test.both('cancel_enrollment(1, 15)');
SELECT test.both('enroll(1, 13)'), test.both('cancel_enrollment(1, 12)');
SELECT test.both('enroll(1, 16)'), test.both('cancel_enrollment(1, 11)'), test.both('cancel_enrollment(1, 16)');
-- Judged by the whole of the change: a swap for as many, for fewer, and down to exactly that many.
SELECT test.both('swap_enrollment(1, 13, 12)');
SELECT test.both('swap_enrollment(1, 12, 14)');
SELECT test.both('enroll(1, 16)'), test.both('swap_enrollment(1, 12, 14)');
SELECT test.both($$change_schedule(1, '{11,14,16}', '{12,13}')$$);
SELECT test.both($$change_schedule(1, '{11,14,16}', '{12,17}')$$);
SELECT test.both($$change_schedule(1, '{12,17}', '{}')$$);
-- Below it already, by what was had before there was one: not further down, but up, and from one to another.
UPDATE fcfs.term SET min_credits = 10 WHERE id = 1;
SELECT test.both('cancel_enrollment(1, 12)');
SELECT test.both('swap_enrollment(1, 12, 13)');
SELECT test.both('swap_enrollment(1, 13, 14)');
SELECT test.both('swap_enrollment(1, 13, 11)');
SELECT test.both('enroll(1, 15)'), test.both('cancel_enrollment(1, 15)');
-- Each term for itself; none, and nothing, ask for nothing.
SELECT test.both('enroll(2, 21)'), test.both('enroll(2, 31)'), test.both('enroll(2, 12)');
SELECT test.both('swap_enrollment(2, 12, 22)'), test.both('swap_enrollment(2, 21, 11)'), test.both('cancel_enrollment(2, 31)');
-- After the deadline, before credits, comes what the course is needed for.
INSERT INTO fcfs.prerequisite (course_id, required_course_id, concurrent) VALUES (5, 2, true);
SELECT test.both($$change_schedule(2, '{}', '{15}')$$);
SELECT test.both('cancel_enrollment(2, 12)');
DELETE FROM fcfs.prerequisite;
SELECT test.both('cancel_enrollment(2, 12)');
-- In two calls of one transaction each is judged by itself.
UPDATE fcfs.term SET min_credits = 3 WHERE id = 1;
BEGIN;
SELECT code FROM fcfs.try_cancel_enrollment(2, 12);
SELECT code FROM fcfs.try_cancel_enrollment(2, 11);
ROLLBACK;
-- A policy, not an invariant.
SELECT test.said('DELETE FROM fcfs.enrollment WHERE student_id = 2 AND section_id = 11');
SELECT test.said('UPDATE fcfs.term SET min_credits = -1'), test.said('UPDATE fcfs.term SET min_credits = 1001');

\i sql/include/finish.sql
