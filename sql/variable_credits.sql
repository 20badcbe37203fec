-- Sections that are taken for as many credits as the student says.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60, 12);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 3), (2, 'C2', 4), (3, 'C3', 4), (4, 'C4', 4), (5, 'C5', 4), (6, 'C6', 0.5);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, min_credits, max_credits) VALUES
    (10, 1, 1, 'fixed', 9, NULL, NULL), (20, 1, 2, '1 to 8', 20, 1, 8), (30, 1, 3, '5 to 6', 9, 5, 6), (40, 1, 4, '2 to 3', 9, 2, 3),
    (50, 1, 5, '4 to 4', 9, 4, 4), (60, 1, 6, '0 to 0.5', 9, 0, 0.5);

-- Not stated: those of the course, or the nearest that the section has.
SELECT section_id, credits FROM unnest('{10,20}'::bigint[]) AS s, fcfs.enroll(1, s);
SELECT section_id, credits FROM unnest('{30,40,50}'::bigint[]) AS s, fcfs.enroll(2, s);
SELECT test.both('enroll(1, 50, NULL, NULL)'), test.both('cancel_enrollment(1, 50)');
-- Stated: the ends of the range and what is between them, and nothing outside.
SELECT c, test.both(format('enroll(3, 20, NULL, %s)', c)), test.tried('cancel_enrollment(3, 20)') FROM unnest('{0.9,1}'::numeric[]) AS c;
SELECT credits FROM fcfs.enrollment WHERE student_id = 3;
SELECT c, test.both(format('enroll(4, 20, NULL, %s)', c)) FROM unnest('{8.1,8}'::numeric[]) AS c;
SELECT test.both('enroll(5, 20, NULL, 2.5)'), test.both('enroll(6, 20, NULL, 2.50)'), test.both('enroll(7, 20, NULL, 0)'), test.both('enroll(7, 20, NULL, -1)');
SELECT student_id, credits FROM fcfs.enrollment WHERE student_id IN (4, 5, 6) ORDER BY 1;
SELECT test.both('enroll(7, 60, NULL, 0)'), test.both('enroll(8, 60, NULL, 0.5)'), test.both('enroll(8, 50, NULL, 4)'), test.both('enroll(9, 50, NULL, 3.9)');
-- A section whose credits are fixed is taken for those, which may be said.
SELECT test.both('enroll(8, 10, NULL, 3)'), test.both('enroll(9, 10, NULL, 3.1)'), test.both('enroll(9, 10, NULL, 2.9)');
-- Numbers that are none, or too fine.
SELECT test.both('enroll(9, 20, NULL, 2.25)'), test.both('enroll(9, 20, NULL, 0.00001)'), test.both($$enroll(9, 20, NULL, 'NaN')$$), test.both($$enroll(9, 20, NULL, 'infinity')$$);
SELECT test.both('enroll(9, 20, NULL, 1e30)'), test.both('enroll(9, 20, NULL, -1e30)');

-- What is stated is what counts against the limit; and for the summary, the timetable and the key.
SELECT test.both('enroll(4, 10)'), test.both('enroll(4, 60, NULL, 0.5)'), test.both('enroll(4, 40)'), test.both('enroll(4, 50)');
SELECT * FROM fcfs.timetable WHERE id = 4;
SELECT test.both('swap_enrollment(4, 10, 40, NULL, 3.1)'), test.both('swap_enrollment(4, 10, 40, NULL, 3)');
SELECT test.both('swap_enrollment(4, 20, 30, NULL, 6)'), (SELECT credits FROM fcfs.timetable WHERE id = 4);
SELECT test.both($$change_schedule(4, '{30,40}', '{20,50,10}', NULL, '{5,4,3.1}')$$);
SELECT test.both($$change_schedule(4, '{30,40}', '{20,50,10}', NULL, '{4.6,4,NULL}')$$);
SELECT test.both($$change_schedule(4, '{30,40}', '{20,50,10}', NULL, '{4.5,4,NULL}')$$);
SELECT section_id, credits FROM fcfs.enrollment WHERE student_id = 4 AND status = 'enrolled' ORDER BY 1;
SELECT code, replayed FROM fcfs.try_enroll(10, 20, 'k', 3);
SELECT code, replayed FROM fcfs.try_enroll(10, 20, 'k', 3.0);
SELECT code, replayed FROM fcfs.try_enroll(10, 20, 'k', 3.1);
SELECT code, replayed FROM fcfs.try_enroll(10, 20, 'k');

-- The range narrowed: what is taken stays, what is to be taken is within it.
UPDATE fcfs.section SET min_credits = 2, max_credits = 3 WHERE id = 20;
SELECT test.both('enroll(11, 20, NULL, 8)'), test.both('enroll(11, 20)');
SELECT student_id, credits FROM fcfs.enrollment WHERE section_id = 20 AND student_id IN (3, 11);
UPDATE fcfs.section SET min_credits = NULL, max_credits = NULL WHERE id = 20;
SELECT test.both('enroll(12, 20, NULL, 3)'), test.both('enroll(12, 20)');
SELECT test.said('UPDATE fcfs.section SET min_credits = 1 WHERE id = 20'), test.said('UPDATE fcfs.section SET min_credits = 3, max_credits = 2 WHERE id = 20');
-- A raw INSERT may bring any.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, credits) VALUES (13, 40, 9)'), test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (14, 40)');
SELECT student_id, credits FROM fcfs.enrollment WHERE student_id IN (13, 14) ORDER BY 1;

\i sql/include/finish.sql
