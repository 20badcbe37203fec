-- enroll(): who and what there must be, the window, duplicates, capacity, and the
-- row it returns. Credits, retakes and timetables have tests of their own.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'open', now() - interval '1 day', now() + interval '1 day', '2021-03-01', '2021-06-18'),
    (2, 'later', now() + interval '1 day', now() + interval '2 days', '2021-03-01', '2021-06-18'),
    (3, 'past', now() - interval '2 days', now() - interval '1 day', '2021-03-01', '2021-06-18'),
    (4, 'always', '-infinity', 'infinity', '2021-09-01', '2021-12-18'),
    (5, 'never any more', '-infinity', now() - interval '1 second', '2021-09-01', '2021-12-18'),
    (6, 'not in our days', now() + interval '1 minute', 'infinity', '2021-09-01', '2021-12-18'),
    (7, 'edge', now() - interval '1 day', now() + interval '1 day', '2021-09-01', '2021-12-18');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 120);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, 20) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (10, 1, 1, 'A', 5), (11, 1, 1, 'B', 5), (12, 2, 2, 'A', 5), (13, 3, 3, 'A', 5),
    (14, 4, 1, 'A', 5), (15, 5, 4, 'A', 5), (16, 6, 5, 'A', 5), (17, 7, 6, 'A', 5),
    (20, 1, 7, 'one seat', 1), (21, 1, 8, 'no seat', 0), (22, 1, 9, 'unlimited', NULL),
    (23, 1, 10, 'strict', 2);
UPDATE fcfs.section SET strict_order = true WHERE id = 23;

-- The row it makes, and the row it returns, which has everything but the schedule.
SELECT student_id, section_id, term_id, course_id, credits, status, ended_at,
    arrived_at BETWEEN now() AND clock_timestamp() AS arrived
FROM fcfs.enroll(1, 10);
SELECT id FROM fcfs.enroll(2, 10) \gset
SELECT id = :id AS id FROM fcfs.enrollment WHERE student_id = 2;
SELECT student_id, section_id, term_id, course_id, credits, schedule, status, ended_at
FROM fcfs.enrollment ORDER BY id;
-- What try_ answers.
SELECT ok, code, http_status, retryable, message, detail IS NULL AS no_detail, id, replayed FROM fcfs.try_enroll(3, 10) \gset
SELECT :'ok', :'code', :http_status, :'retryable', :'message', :'no_detail', :'replayed', id = :id AS id
FROM fcfs.enrollment WHERE student_id = 3;
SELECT ok, code, http_status, retryable, message, id, replayed FROM fcfs.try_enroll(3, 10);
-- A refusal as psql shows it, and its SQLSTATE.
SELECT * FROM fcfs.enroll(3, 10);
\echo :SQLSTATE

-- Nobody and nothing.
SELECT test.both('enroll(999, 10)');
SELECT test.both('enroll(1, 999)');
SELECT test.both('enroll(0, 10)');
SELECT test.both('enroll(-1, 10)');
SELECT test.both('enroll(1, 0)');
SELECT test.both('enroll(9223372036854775807, 10)');
SELECT test.both('enroll(-9223372036854775808, 10)');
SELECT test.both('enroll(1, 9223372036854775807)');
SELECT test.both('enroll(1, -9223372036854775808)');

-- The window: not open yet, not open any more, open for ever, open for ever until now.
SELECT test.both('enroll(1, 12)');
SELECT test.both('enroll(1, 13)');
SELECT test.both('enroll(4, 14)');
SELECT test.both('enroll(1, 15)');
SELECT test.both('enroll(1, 16)');
-- It opens at its instant and closes at its instant. It is the moment of the call
-- that counts, not the start of the transaction: each of these is one transaction.
SELECT test.edge('UPDATE fcfs.term SET enroll_opens_at = $1 WHERE id = 7', 'enroll(1, 17)',
    'ENROLLMENT_NOT_STARTED', 'OK');
SELECT test.edge('UPDATE fcfs.term SET enroll_closes_at = $1 WHERE id = 7', 'enroll(1, 17)',
    'OK', 'ENROLLMENT_CLOSED');

-- Once in a section, once in a course of a term; in another term the course is another.
SELECT test.both('enroll(1, 10)');
SELECT test.both('enroll(1, 11)');
SELECT test.both('enroll(1, 14)');
-- Who has cancelled may come again.
UPDATE fcfs.term SET starts_on = current_date + 30, ends_on = current_date + 60 WHERE id = 4;
SELECT test.both('cancel_enrollment(1, 14)');
SELECT test.both('enroll(1, 14)');
SELECT status, count(*) FROM fcfs.enrollment WHERE student_id = 1 AND section_id = 14 GROUP BY status ORDER BY status;

-- Seats: one, none, no limit.
SELECT test.both('enroll(1, 20)');
SELECT test.both('enroll(2, 20)');
SELECT test.both('enroll(2, 21)');
SELECT count(*) FILTER (WHERE (fcfs.try_enroll(g, 22)).ok) AS "of 120 enrolled" FROM generate_series(1, 120) AS g;
-- A strict section counts no other way.
SELECT test.both('enroll(1, 23)');
SELECT test.both('enroll(2, 23)');
SELECT test.both('enroll(3, 23)');

-- A refusal changes nothing.
CREATE TABLE test.before AS SELECT * FROM fcfs.enrollment;
SELECT test.tried(format('enroll(%s, %s)', student, section))
FROM (VALUES (1, 10), (1, 11), (1, 12), (1, 13), (4, 20), (4, 21), (999, 10), (1, 999)) AS refused (student, section);
TABLE fcfs.enrollment EXCEPT TABLE test.before;
SELECT count(*) - (SELECT count(*) FROM test.before) AS "more rows" FROM fcfs.enrollment;

\i sql/include/finish.sql
