-- A course may have its own cutoff for taking it again, and a maximum of attempts.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, retake_cutoff) VALUES
    (1, 'one', '2020-01-01', '2020-02-01', '2020-03-01', '2020-06-18', 4), (2, 'two', '2020-01-01', '2020-02-01', '2020-03-01', '2020-06-18', 4),
    (3, 'three', '2020-01-01', '2020-02-01', '2020-03-01', '2020-06-18', 4),
    (10, 'now', '-infinity', 'infinity', current_date + 30, current_date + 60, 4),
    (11, 'lenient', '-infinity', 'infinity', current_date + 30, current_date + 60, NULL);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits, retake_cutoff, max_attempts) VALUES
    (1, 'C1', 3, 2.5, NULL), (2, 'C2', 3, 4.5, NULL), (3, 'C3', 3, NULL, 2), (4, 'C4', 3, 2.0, 1), (5, 'C5', 3, NULL, NULL);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT 10 * term + course, term, course, 'A', 20 FROM generate_series(10, 11) AS term, generate_series(1, 5) AS course;
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES
    (1, 1, 1, 2.49), (2, 1, 1, 2.50), (3, 2, 1, 4.49), (4, 2, 1, 4.50), (5, 5, 1, 4),
    (6, 3, 1, 1), (7, 3, 1, 1), (7, 3, 2, 0), (8, 3, 1, 1), (8, 3, 2, 0), (8, 3, 3, 1), (9, 3, 1, 4), (9, 3, 2, 1),
    (10, 4, 1, 1.99), (11, 4, 1, 2);

-- The course's cutoff, lower or higher than the term's, in a term that has none too.
SELECT s, test.both(format('enroll(%s, 101)', s)) FROM generate_series(1, 2) AS s;
SELECT s, test.both(format('enroll(%s, 102)', s)) FROM generate_series(3, 4) AS s;
SELECT test.both('enroll(2, 111)'), test.both('enroll(4, 112)'), test.both('enroll(5, 105)'), test.both('enroll(5, 115)');
-- Attempts: fewer than the maximum, as many, and more; the grade comes first.
SELECT s, test.both(format('enroll(%s, 103)', s)) FROM generate_series(6, 9) AS s;
SELECT s, test.both(format('enroll(%s, 113)', s)) FROM generate_series(7, 9) AS s;
SELECT s, test.both(format('enroll(%s, 104)', s)) FROM generate_series(10, 12) AS s;
-- An enrollment is no attempt before it has a grade.
SELECT test.both('enroll(13, 104)'), test.both('cancel_enrollment(13, 104)'), test.both('enroll(13, 104)'), test.both('enroll(13, 114)');
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (13, 4, 1, 0);
SELECT test.both('swap_enrollment(13, 114, 101)'), test.both('enroll(13, 114)');
-- In a change of several the one that may not be retaken is said, in the order of the array.
SELECT test.both($$change_schedule(11, '{}', '{101,104,105}')$$), test.both($$change_schedule(8, '{}', '{101,103}')$$);
-- More attempts allowed, from then on; as many as one likes.
UPDATE fcfs.course SET max_attempts = 3 WHERE id = 3;
SELECT s, test.both(format('enroll(%s, 103)', s)) FROM generate_series(7, 8) AS s;
UPDATE fcfs.course SET max_attempts = NULL, retake_cutoff = 0 WHERE id = 3;
SELECT test.both('enroll(8, 103)');
UPDATE fcfs.course SET retake_cutoff = NULL WHERE id = 3;
SELECT test.both('enroll(8, 103)');
SELECT test.said('UPDATE fcfs.course SET max_attempts = 0'), test.said($$UPDATE fcfs.course SET retake_cutoff = 'NaN'$$);

\i sql/include/finish.sql
