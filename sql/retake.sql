-- enroll(): who has passed a course well enough may not take it again.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, retake_cutoff) VALUES
    (1, 'long ago', '2020-01-01', '2020-02-01', '2020-03-01', '2020-06-18', DEFAULT),
    (2, 'ago', '2020-07-01', '2020-08-01', '2020-09-01', '2020-12-18', DEFAULT),
    (3, 'now', '-infinity', 'infinity', '2021-03-01', '2021-06-18', DEFAULT),
    (4, 'now, lenient', '-infinity', 'infinity', '2021-03-01', '2021-06-18', NULL),
    (5, 'now, severe', '-infinity', 'infinity', '2021-03-01', '2021-06-18', 2.35);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 12);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 3), (2, 'C2', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (10, 3, 1, 'A', NULL), (11, 3, 2, 'A', NULL), (12, 4, 1, 'A', NULL), (13, 5, 1, 'A', NULL), (14, 3, 1, 'B', NULL);
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES
    (1, 1, 1, 3.99), (2, 1, 1, 4.00), (3, 1, 1, 4.01), (4, 1, 1, 4.30), (5, 1, 1, 0), (6, 1, 1, -1),
    (7, 1, 1, 1.00), (7, 1, 2, 4.00), (8, 1, 1, 4.00), (8, 1, 2, 1.00), (9, 2, 1, 4.00), (10, 1, 3, 4.00),
    (11, 1, 1, 2.34), (12, 1, 1, 2.35);

-- Just below the cutoff, at it, above it, far below it.
SELECT test.both(format('enroll(%s, 10)', student)) FROM generate_series(1, 6) AS student;
-- The best of several grades counts, whichever came last.
SELECT test.both('enroll(7, 10)');
SELECT test.both('enroll(8, 10)');
-- A grade in another course does not.
SELECT test.both('enroll(9, 10)');
SELECT test.both('enroll(9, 11)');
-- A grade already given in this term does.
SELECT test.both('enroll(10, 10)');
-- Another section is the same course.
SELECT test.both('enroll(2, 14)');
-- A term without a cutoff lets everybody in; the cutoff is that of the term to enrol in.
SELECT test.both('enroll(4, 12)');
SELECT test.both('enroll(11, 13)');
SELECT test.both('enroll(12, 13)');
SELECT test.both('enroll(12, 10)');
-- The grade taken back, or the cutoff changed, the answer changes.
SELECT test.tried('enroll(3, 10)');
UPDATE fcfs.grade SET points = 3.9 WHERE student_id = 3;
SELECT test.tried('enroll(3, 10)');
UPDATE fcfs.term SET retake_cutoff = 3.9 WHERE id = 3;
SELECT test.tried('enroll(3, 10)');
UPDATE fcfs.term SET retake_cutoff = 3.91 WHERE id = 3;
SELECT test.tried('enroll(3, 10)');
-- A policy, not an invariant: an administrator may pass over it.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (2, 10)');

\i sql/include/finish.sql
