-- Where several refusals are possible at once, the order is fixed: not found,
-- window, duplicate, retake, credits, conflict, capacity. Each test begins with
-- all of them possible and takes away one at a time.
\i sql/include/start.sql

-- enroll
SELECT test.both('enroll(1, 10)');
INSERT INTO fcfs.student (id, max_credits) VALUES (1, 0);
SELECT test.both('enroll(1, 10)');
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', now() + interval '1 day', 'infinity', '2021-03-01', '2021-03-07'),
    (2, 'T2', '2020-01-01', '2020-01-02', '2020-03-01', '2020-03-07');
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 3), (2, 'C2', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (10, 1, 1, 'A', 0), (11, 1, 1, 'B', 9), (12, 1, 2, 'A', 9);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (10, 1, '09:00', '10:00'), (12, 1, '09:00', '10:00');
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 11), (1, 12);
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (1, 1, 2, 4.0);
SELECT test.both('enroll(1, 10)');
UPDATE fcfs.term SET enroll_opens_at = '-infinity', enroll_closes_at = now() WHERE id = 1;
SELECT test.both('enroll(1, 10)');
UPDATE fcfs.term SET enroll_closes_at = 'infinity' WHERE id = 1;
SELECT test.both('enroll(1, 10)');
DELETE FROM fcfs.enrollment WHERE section_id = 11;
SELECT test.both('enroll(1, 10)');
DELETE FROM fcfs.grade;
SELECT test.both('enroll(1, 10)');
UPDATE fcfs.student SET max_credits = 6 WHERE id = 1;
SELECT test.both('enroll(1, 10)');
UPDATE fcfs.meeting SET weekday = 2 WHERE section_id = 12;
SELECT test.both('enroll(1, 10)');
UPDATE fcfs.section SET capacity = 1 WHERE id = 10;
SELECT test.both('enroll(1, 10)');

-- cancel_enrollment
SELECT test.both('cancel_enrollment(2, 20)');
INSERT INTO fcfs.student (id) VALUES (2);
SELECT test.both('cancel_enrollment(2, 20)');
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (20, 1, 1, 'C');
SELECT test.both('cancel_enrollment(2, 20)');
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (2, 20);
SELECT test.both('cancel_enrollment(2, 20)');
UPDATE fcfs.term SET starts_on = current_date + 30, ends_on = current_date + 60 WHERE id = 1;
SELECT test.both('cancel_enrollment(2, 20)');

-- reserve
SELECT test.both('reserve(1, 10, 2)');
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES (1, 'E1', now() + interval '1 day', 'infinity', 1);
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (10, 1, 'I1', 1);
SELECT test.both('reserve(1, 10, 2)');
UPDATE fcfs.event SET sale_opens_at = '-infinity', sale_closes_at = now();
SELECT test.both('reserve(1, 10, 2)');
UPDATE fcfs.event SET sale_closes_at = 'infinity';
SELECT test.both('reserve(1, 10, 2)');
UPDATE fcfs.event SET max_per_customer = 2;
SELECT test.both('reserve(1, 10, 2)');
UPDATE fcfs.item SET stock = 2;
SELECT test.both('reserve(1, 10, 2)');

-- confirm_reservation and cancel_reservation: what is not held any more, or confirmed, and out of time.
SELECT id FROM fcfs.reservation \gset
UPDATE fcfs.reservation SET expires_at = clock_timestamp();
SELECT test.both('confirm_reservation(' || :id || ')'), test.both('cancel_reservation(' || :id || ')');
UPDATE fcfs.reservation SET status = 'confirmed';
SELECT test.tried('confirm_reservation(' || :id || ')'), test.tried('cancel_reservation(' || :id || ')');
UPDATE fcfs.reservation SET status = 'cancelled', ended_at = now();
SELECT test.tried('confirm_reservation(' || :id || ')'), test.tried('cancel_reservation(' || :id || ')');
UPDATE fcfs.reservation SET status = 'expired';
SELECT test.both('confirm_reservation(' || :id || ')'), test.both('cancel_reservation(' || :id || ')');

-- issue_coupon
SELECT test.both('issue_coupon(1, 1)');
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 1, now() + interval '1 day', 'infinity');
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 1);
SELECT test.both('issue_coupon(1, 1)');
UPDATE fcfs.coupon SET opens_at = '-infinity', closes_at = now();
SELECT test.both('issue_coupon(1, 1)');
UPDATE fcfs.coupon SET closes_at = 'infinity';
SELECT test.both('issue_coupon(1, 1)');
UPDATE fcfs.coupon_issue SET user_id = 2;
SELECT test.both('issue_coupon(1, 1)');
UPDATE fcfs.coupon SET quota = 2;
SELECT test.both('issue_coupon(1, 1)');

-- Bad input comes before all of it, and a key used for something else before all but that.
SELECT test.both('enroll(999, NULL)');
SELECT test.both('enroll(NULL, 999)');
SELECT test.both('reserve(1, 999, 0)');
SELECT test.both($$enroll(999, 999, '')$$);
SELECT ok FROM fcfs.try_issue_coupon(1, 3, 'k');
SELECT test.both($$issue_coupon(999, 3, 'k')$$);
SELECT test.both($$issue_coupon(NULL, 3, 'k')$$);

\i sql/include/finish.sql
