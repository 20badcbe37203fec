-- Bad input to functions: an error with a standard SQLSTATE from both faces, and
-- nothing changed.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (1);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 100);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 100, '-infinity', 'infinity');

-- NULL where there must be a value.
SELECT call, test.both(call)
FROM unnest(ARRAY[
    'enroll(NULL, 1)', 'enroll(1, NULL)', 'enroll(NULL, NULL, NULL)',
    'cancel_enrollment(NULL, 1)', 'cancel_enrollment(1, NULL)',
    'reserve(NULL, 1)', 'reserve(1, NULL)', 'reserve(1, 1, NULL)',
    'confirm_reservation(NULL)', 'cancel_reservation(NULL)',
    'issue_coupon(NULL, 1)', 'issue_coupon(1, NULL)']) AS call;

-- Quantities of nothing and of less.
SELECT call, test.both(call)
FROM unnest(ARRAY['reserve(1, 1, 0)', 'reserve(1, 1, -1)', 'reserve(1, 1, -2147483648)']) AS call;

-- What is no bigint or integer at all does not get as far as the function.
SELECT call, left(test.said('SELECT fcfs.' || call), 5), left(test.said('SELECT fcfs.try_' || call), 5)
FROM unnest(ARRAY['enroll(9223372036854775808, 1)', 'reserve(1, 1, 2147483648)', $$enroll('one', 1)$$, 'reserve(1, 1, 1.5)',
    'enroll(1)', 'enroll(1, 1, NULL, NULL, NULL)', $$enroll(1, 1, NULL, 'one')$$]) AS call;

-- Numbers that are none, or that no section has for credits.
SELECT call, test.both(call)
FROM unnest(ARRAY[$$enroll(1, 1, NULL, 'NaN')$$, $$enroll(1, 1, NULL, 'infinity')$$, $$enroll(1, 1, NULL, '-infinity')$$,
    'enroll(1, 1, NULL, -0.1)', 'enroll(1, 1, NULL, 1000)', 'enroll(1, 1, NULL, 1e131071)', 'enroll(1, 1, NULL, 1.25)']) AS call;

-- Raised as psql shows it.
SELECT * FROM fcfs.try_reserve(1, 1, 0);
\echo :SQLSTATE
SELECT * FROM fcfs.enroll(NULL, 1);
\echo :SQLSTATE

-- Where nothing can be written.
BEGIN READ ONLY;
SELECT test.said('SELECT fcfs.enroll(1, 1)');
SELECT test.said('SELECT fcfs.try_enroll(1, 1)');
SELECT test.said('SELECT fcfs.try_enroll(999, 1)');
SELECT test.said('SELECT fcfs.try_cancel_enrollment(1, 1)');
SELECT test.said('SELECT fcfs.try_reserve(1, 1)');
SELECT test.said('SELECT fcfs.try_confirm_reservation(1)');
SELECT test.said('SELECT fcfs.try_cancel_reservation(1)');
SELECT test.said('SELECT fcfs.try_issue_coupon(1, 1)');
SELECT test.said('SELECT fcfs.expire_reservations()');
SELECT test.said('SELECT fcfs.expire_idempotency_keys()');
SELECT test.said($$SELECT fcfs.person_id('nobody yet')$$);
SELECT test.said('SELECT * FROM fcfs.verify()');
SELECT test.said('SELECT * FROM fcfs.health()');
SELECT test.said('SELECT * FROM fcfs.refusals()') <> '' AS refusals;
COMMIT;

-- Transactions that would outlive the session.
BEGIN;
SELECT (fcfs.try_issue_coupon(1, 1)).ok;
PREPARE TRANSACTION 'in flight';
\echo :SQLSTATE
BEGIN;
DELETE FROM fcfs.coupon_issue;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1);
PREPARE TRANSACTION 'in flight';
\echo :SQLSTATE
BEGIN;
UPDATE fcfs.coupon SET quota = 101;
PREPARE TRANSACTION 'in flight';
\echo :SQLSTATE
SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database();
SELECT quota FROM fcfs.coupon;
SELECT test.free('section', 1);

SELECT (SELECT count(*) FROM fcfs.enrollment) AS enrollments, (SELECT count(*) FROM fcfs.reservation) AS reservations,
    (SELECT count(*) FROM fcfs.coupon_issue) AS coupons, (SELECT count(*) FROM fcfs.idempotency) AS answers;

\i sql/include/finish.sql
