-- Waves: when which group of students may enrol.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'waves', '-infinity', 'infinity', '2100-01-04', '2100-03-01'),
    (2, 'no waves', '-infinity', 'infinity', '2100-01-04', '2100-03-01'),
    (3, 'not open', '2099-01-01', 'infinity', '2100-01-04', '2100-03-01'),
    (4, 'over', '-infinity', '2021-01-01', '2100-01-04', '2100-03-01');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'seniors'), (2, 'juniors'), (3, 'athletes'), (4, 'nobody');
INSERT INTO fcfs.student_group_member (student_id, student_group_id) VALUES (1, 1), (2, 2), (3, 1), (3, 2), (4, 3);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT term * 10 + course, term, course, 'A', 50 FROM generate_series(1, 4) AS term, generate_series(1, 9) AS course;

-- A group's wave is open to its students, and to nobody else; one that comes is announced.
INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at) VALUES
    (1, 1, 1, '-infinity', '2099-01-01'), (2, 1, 2, '2098-06-01', '2099-01-01'), (3, 1, 3, '2020-01-01', '2021-01-01');
SELECT test.both('enroll(1, 11)');
SELECT test.both('enroll(2, 11)');
SELECT test.both('enroll(3, 11)');
SELECT test.both('enroll(4, 11)');
SELECT test.both('enroll(5, 11)');
-- A term without waves is open to all.
SELECT test.both('enroll(5, 21)');
-- Of several that come the first is announced; one that is over is not.
INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at) VALUES
    (4, 1, 2, '2098-01-01', '2098-02-01'), (5, 1, NULL, '2098-03-01', '2098-04-01'), (6, 1, 3, '2098-05-01', '2098-06-01'),
    (7, 1, 4, '-infinity', 'infinity');
SELECT test.both('enroll(2, 11)');
SELECT test.both('enroll(4, 11)');
SELECT test.both('enroll(5, 11)');
SELECT s, regexp_replace(detail, '.*at ', '') FROM unnest('{2,3,4,5}'::bigint[]) AS s, fcfs.try_enroll(s, 13);
-- One for everybody.
UPDATE fcfs.enrollment_wave SET opens_at = '2021-01-01' WHERE id = 5;
SELECT test.both('enroll(2, 12)');
SELECT test.both('enroll(5, 12)');
UPDATE fcfs.enrollment_wave SET closes_at = '2021-01-02' WHERE id = 5;
SELECT test.both('enroll(5, 13)');
SELECT test.both('enroll(2, 13)');

-- Who comes to a group later is let in from then on; who leaves it keeps what they have.
INSERT INTO fcfs.student_group_member VALUES (6, 1);
SELECT test.both('enroll(6, 11)');
DELETE FROM fcfs.student_group_member WHERE student_id = 6;
SELECT test.both('enroll(6, 12)');
SELECT test.both('cancel_enrollment(6, 11)');
-- What is given up needs no wave; what is added does, also in a swap.
SELECT test.both('enroll(1, 12)');
DELETE FROM fcfs.student_group_member WHERE student_id = 1;
SELECT test.both('swap_enrollment(1, 12, 13)');
SELECT test.both('swap_enrollment(1, 12, 22)');
SELECT test.both($$change_schedule(1, '{22}', '{23,14}')$$);
SELECT test.both($$change_schedule(1, '{22,11}', '{23}')$$);

-- The term's own window and a wave, both.
INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at)
SELECT 10 * term, term, NULL, '-infinity', 'infinity' FROM generate_series(3, 4) AS term;
SELECT test.both('enroll(3, 31)');
SELECT test.both('enroll(3, 41)');
UPDATE fcfs.enrollment_wave SET opens_at = '2098-01-01' WHERE term_id IN (3, 4);
SELECT test.both('enroll(3, 31)');
UPDATE fcfs.term SET enroll_opens_at = '-infinity' WHERE id = 3;
SELECT test.both('enroll(3, 31)');
UPDATE fcfs.enrollment_wave SET opens_at = '-infinity' WHERE term_id = 3;
SELECT test.both('enroll(3, 31)');

-- From the first microsecond of it up to, not including, the last.
UPDATE fcfs.enrollment_wave SET opens_at = '2020-01-01', closes_at = '2099-01-01' WHERE term_id = 3;
SELECT test.edge('UPDATE fcfs.enrollment_wave SET opens_at = $1 WHERE term_id = 3', 'enroll(7, 31)', 'ENROLLMENT_NOT_STARTED', 'OK');
SELECT test.edge('UPDATE fcfs.enrollment_wave SET closes_at = $1 WHERE term_id = 3', 'enroll(7, 32)', 'OK', 'ENROLLMENT_CLOSED');
-- Two that meet leave no gap between them, and one of them is open at any time.
INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at)
SELECT 31, 3, NULL, closes_at, '2099-01-01' FROM fcfs.enrollment_wave WHERE id = 30;
SELECT test.both('enroll(7, 33)');
-- An administrator lets one student in without.
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (8, 14, 'window', 'was ill');
SELECT test.both('enroll(8, 14)');
SELECT override FROM fcfs.enrollment WHERE student_id = 8;
SELECT test.both('enroll(8, 15)');

-- In a transaction that makes and unmakes them.
BEGIN;
INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (2, 1, '-infinity', 'infinity');
SELECT code FROM fcfs.try_enroll(9, 21);
SELECT code FROM fcfs.try_enroll(3, 21);
SAVEPOINT a;
DELETE FROM fcfs.enrollment_wave WHERE term_id = 2;
SELECT code FROM fcfs.try_enroll(9, 21);
ROLLBACK TO a;
SELECT code FROM fcfs.try_enroll(10, 21);
ROLLBACK;
SELECT test.both('enroll(9, 21)');
TRUNCATE fcfs.enrollment_wave;
SELECT test.both('enroll(5, 14)');

-- Waves of a group do not overlap in a term; those of two groups, of everybody and of two terms may.
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 1, '2021-01-01', '2021-02-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 1, '2021-01-31', '2021-03-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 1, '2021-02-01', '2021-03-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 2, '2021-01-01', '2021-02-01'), (2, 1, '2021-01-01', '2021-02-01'), (1, NULL, '2021-01-01', '2021-02-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, NULL, '2021-01-01', '2021-02-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 3, '2021-02-01', '2021-02-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 99, '2021-02-01', '2021-02-02')$$);
-- In one statement, by an UPDATE, and one that is moved over its own time.
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (1, 4, '2020-01-01', '2020-02-01'), (1, 4, '2020-01-31', '2020-03-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at) VALUES (90, 2, 4, '2020-01-01', '2020-02-01'), (91, 2, 4, '2020-02-01', '2020-03-01')$$);
SELECT test.said($$UPDATE fcfs.enrollment_wave SET closes_at = '2020-02-02' WHERE id = 90$$);
SELECT test.said($$UPDATE fcfs.enrollment_wave SET opens_at = '2020-02-05', closes_at = '2020-04-01', id = 92 WHERE id = 91$$);
-- The same again may be passed over.
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (2, 4, '2020-01-01', '2020-02-01') ON CONFLICT DO NOTHING$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at) VALUES (90, 2, 4, '2020-01-01', '2020-01-15') ON CONFLICT DO NOTHING$$);
-- What is no wave at all is said before.
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (2, 4, '2020-02-01', '2020-01-01')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment_wave (id, term_id, student_group_id, opens_at, closes_at) VALUES (93, 2, 4, NULL, '2020-01-15')$$);
SELECT test.said('DELETE FROM fcfs.student_group WHERE id = 1');

\i sql/include/finish.sql
