-- What must have been taken before a course, and what with it.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'ago', '-infinity', '2021-01-01', '2021-02-01', '2021-06-01'),
    (2, 'ago too', '-infinity', '2021-01-01', '2021-09-01', '2021-12-01'),
    (3, 'now', '-infinity', 'infinity', '2100-01-04', '2100-03-01'),
    (4, 'next', '-infinity', 'infinity', '2100-04-04', '2100-06-01');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 40);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 12) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT term * 100 + course, term, course, 'A', 50 FROM generate_series(3, 4) AS term, generate_series(1, 12) AS course;
-- 2 after 1 with 2.0; 3 after 1 and 2, with any grade; 5 with 4; 6 with 4 at 3.0; 7 and 8 with each other.
INSERT INTO fcfs.prerequisite (course_id, required_course_id, min_points, concurrent) VALUES
    (2, 1, 2.0, false), (3, 1, NULL, false), (3, 2, NULL, false),
    (5, 4, NULL, true), (6, 4, 3.0, true), (7, 8, NULL, true), (8, 7, NULL, true);
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES
    (2, 1, 1, 1.99), (3, 1, 1, 2.00), (4, 1, 1, 1.00), (4, 1, 2, 3.00), (5, 1, 1, 3.00), (5, 1, 2, 0), (6, 1, 1, -1),
    (7, 1, 1, 0), (7, 2, 1, 0), (8, 2, 1, 3.50), (9, 4, 1, 2.99), (10, 4, 1, 3.00);

-- No grade, one that is too low, one that just suffices; the best one counts, whichever it was.
SELECT test.both('enroll(1, 302)');
SELECT test.both('enroll(2, 302)');
SELECT test.both('enroll(3, 302)');
SELECT test.both('enroll(4, 302)');
SELECT test.both('enroll(5, 302)');
SELECT test.both('enroll(6, 302)');
-- Each of several; where no points are asked for, any grade will do.
SELECT test.both('enroll(1, 303)');
SELECT test.both('enroll(6, 303)');
SELECT test.both('enroll(8, 303)');
SELECT test.both('enroll(7, 303)');
-- To be enrolled in it is not to have had it, nor to take it in the same change.
SELECT test.both('enroll(1, 301)');
SELECT test.both('enroll(1, 302)');
SELECT test.both($$change_schedule(11, '{}', '{301,302}')$$);
-- Nobody loses what they have when the rule comes later, or the grade goes; and it may be given up.
DELETE FROM fcfs.grade WHERE student_id = 3;
SELECT test.both('cancel_enrollment(3, 302)');
SELECT test.both('enroll(3, 302)');

-- A corequisite: had before, had now, in the same change, in whichever order; not in another term.
SELECT test.both('enroll(12, 305)');
SELECT test.both('enroll(9, 305)');
SELECT test.both($$change_schedule(12, '{}', '{404,305}')$$);
SELECT test.both($$change_schedule(12, '{}', '{305,304}')$$);
SELECT test.both('enroll(13, 304)');
SELECT test.both('enroll(13, 305)');
SELECT test.both('enroll(14, 404)');
SELECT test.both('enroll(14, 305)');
-- Not if it goes in the same change, or was cancelled; but another section of it is as good.
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (314, 3, 4, 'B', 50);
SELECT test.both('enroll(15, 304)');
SELECT test.both('swap_enrollment(15, 304, 305)');
SELECT test.both($$change_schedule(15, '{304}', '{305,314}')$$);
SELECT test.both('swap_enrollment(15, 314, 304)');
-- It cannot be given up under the course that needs it, unless the two go together.
SELECT test.both('cancel_enrollment(15, 304)');
SELECT test.both('swap_enrollment(15, 304, 301)');
SELECT test.both($$change_schedule(15, '{304}', '{301,309}')$$);
SELECT test.both('cancel_enrollment(15, 305)');
SELECT test.both('enroll(15, 305)');
SELECT test.both($$change_schedule(15, '{304,305}', '{}')$$);
-- With points: taking it is enough; a grade must have them.
SELECT test.both('enroll(9, 306)');
SELECT test.both('enroll(10, 306)');
SELECT test.both('enroll(9, 304)');
SELECT test.both('enroll(9, 306)');
SELECT test.both('cancel_enrollment(9, 304)');
SELECT test.both('cancel_enrollment(9, 306)');
SELECT test.both('cancel_enrollment(9, 304)');
-- Of two courses that need it each must have it: the one with points says no.
SELECT test.both($$change_schedule(9, '{}', '{304,306}')$$);
SELECT test.both('cancel_enrollment(9, 304)');
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (16, 306, 'prerequisite', 'may')$$);
SELECT test.both($$change_schedule(16, '{}', '{304,305,306}')$$);
SELECT test.both('cancel_enrollment(16, 304)');
SELECT test.both('cancel_enrollment(16, 305)');
SELECT test.both('cancel_enrollment(16, 304)');
-- Each other's: only together, there and back.
SELECT test.both('enroll(17, 307)');
SELECT test.both('enroll(17, 308)');
SELECT test.both($$change_schedule(17, '{}', '{307,308}')$$);
SELECT test.both('cancel_enrollment(17, 307)');
SELECT test.both('cancel_enrollment(17, 308)');
SELECT test.both($$change_schedule(17, '{308,307}', '{}')$$);

-- An administrator lets one in without, and it is noted if it was needed.
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES
    (18, 302, 'prerequisite', 'had it elsewhere'), (4, 303, 'prerequisite', 'in case'), (18, 305, 'prerequisite', 'in case');
SELECT test.both('enroll(18, 302)');
SELECT test.both('enroll(18, 303)');
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (4, 2, 1, 1);
SELECT test.both('enroll(4, 303)');
SELECT test.both($$change_schedule(18, '{}', '{305,304}')$$);
SELECT student_id, section_id, override FROM fcfs.enrollment WHERE student_id IN (4, 18) AND status = 'enrolled' ORDER BY 1, 2;
SELECT test.both('cancel_enrollment(18, 304)');

-- A rule that comes, changes and goes is true from then on.
SELECT test.both('enroll(19, 309)');
INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (9, 10);
SELECT test.both('enroll(20, 309)');
UPDATE fcfs.prerequisite SET concurrent = true WHERE course_id = 9;
SELECT test.both($$change_schedule(20, '{}', '{309,310}')$$);
DELETE FROM fcfs.prerequisite WHERE course_id = 9;
SELECT test.both('enroll(21, 309)');
BEGIN;
INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (9, 10);
SELECT code FROM fcfs.try_enroll(22, 309);
ROLLBACK;
SELECT test.both('enroll(22, 309)');
-- A policy, not an invariant: an administrator may pass over it.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 303)');
-- What had to be had before may be dropped beside it.
SELECT test.both('cancel_enrollment(1, 301)');

\i sql/include/finish.sql
