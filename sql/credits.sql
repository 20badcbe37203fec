-- enroll(): the credit limit of the term, and the student's own.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'default', '-infinity', 'infinity', current_date + 30, current_date + 60, DEFAULT),
    (2, 'other', '-infinity', 'infinity', current_date + 30, current_date + 60, 4.5),
    (3, 'nothing', '-infinity', 'infinity', current_date + 30, current_date + 60, 0);
INSERT INTO fcfs.student (id, max_credits) VALUES
    (1, NULL), (2, NULL), (3, 21), (4, 2), (5, 0), (6, NULL), (7, NULL), (8, NULL), (9, 1.5);
INSERT INTO fcfs.course (id, code, credits) VALUES
    (1, 'three', 3), (2, 'three too', 3), (3, 'four', 4), (4, 'four too', 4), (5, 'four again', 4),
    (6, 'one', 1), (7, 'half', 0.5), (8, 'half too', 0.5), (9, 'a tenth', 0.1), (10, 'nothing', 0),
    (11, 'a lot', 18), (12, 'too much', 18.1), (13, 'more than there is', 999.9), (14, 'one and a half', 1.5);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT term * 100 + course, term, course, 'A', 100
FROM generate_series(1, 3) AS term, generate_series(1, 14) AS course;

-- 18 are allowed exactly, and then a course of nothing; a tenth more is not.
SELECT test.both(format('enroll(1, %s)', 100 + course)) FROM unnest('{1,2,3,4,5}'::integer[]) AS course;
SELECT test.both('enroll(1, 109)');
SELECT test.both('enroll(1, 110)');
-- In one course, too.
SELECT test.both('enroll(2, 112)');
SELECT test.both('enroll(2, 113)');
SELECT test.both('enroll(2, 111)');
SELECT test.both('enroll(2, 109)');

-- Fractions add up exactly: 17 and a half, a half more, and not another.
SELECT test.both(format('enroll(6, %s)', 100 + course)) FROM unnest('{3,4,5,1,6,14,7,8,9}'::integer[]) AS course;
SELECT sum(credits) FROM fcfs.enrollment WHERE student_id = 6;

-- A student's own limit counts instead of the term's, whether above it or below.
SELECT test.both(format('enroll(3, %s)', 100 + course)) FROM unnest('{1,2,3,4,5,6,7,8,9}'::integer[]) AS course;
SELECT sum(credits) FROM fcfs.enrollment WHERE student_id = 3;
SELECT test.both('enroll(3, 111)');
SELECT test.both('enroll(4, 101)');
SELECT test.both('enroll(4, 106)');
SELECT test.both('enroll(9, 106)');
SELECT test.both('enroll(9, 107)');
SELECT test.both('enroll(9, 109)');
-- Nothing at all is a limit; a course of nothing is within it.
SELECT test.both('enroll(5, 109)');
SELECT test.both('enroll(5, 110)');
SELECT test.both('enroll(7, 309)');
SELECT test.both('enroll(7, 310)');

-- Each term for itself: what is taken in one does not count in the other.
SELECT test.both('enroll(1, 203)');
SELECT test.both('enroll(1, 207)');
SELECT test.both('enroll(1, 209)');

-- What was cancelled does not count.
SELECT test.both('cancel_enrollment(1, 101)');
SELECT test.both('enroll(1, 101)');
SELECT test.both('cancel_enrollment(1, 101)');
SELECT test.both('enroll(1, 106)');
SELECT test.both('enroll(1, 101)');

-- What was taken counts as it was when it was taken; what is to be taken, as it is.
INSERT INTO fcfs.student (id) VALUES (20);
SELECT test.both('enroll(20, 103)');
UPDATE fcfs.course SET credits = 18 WHERE id = 3;
SELECT credits FROM fcfs.enrollment WHERE student_id = 20;
SELECT test.both('enroll(20, 104)');
UPDATE fcfs.course SET credits = 10.1 WHERE id = 5;
SELECT test.both('enroll(20, 105)');
UPDATE fcfs.course SET credits = 10 WHERE id = 5;
SELECT test.both('enroll(20, 105)');

-- A limit lowered below what is taken takes nothing away, and lets nothing in.
UPDATE fcfs.student SET max_credits = 3 WHERE id = 20;
SELECT test.both('enroll(20, 109)');
SELECT sum(credits) FROM fcfs.enrollment WHERE student_id = 20 AND status = 'enrolled';

-- A policy, not an invariant: an administrator may pass over it.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (20, 112)');

\i sql/include/finish.sql
