-- Claims made and removed by plain SQL: counted like those of the functions, never
-- over capacity.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', '2021-03-01', '2021-03-07'),
    (2, 'T2', '-infinity', 'infinity', '2021-03-01', '2021-03-07');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 200);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 2.5 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (1, 1, 1, 'A', 3), (2, 1, 2, 'A', 3), (3, 1, 3, 'A', 0), (4, 1, 4, 'A', NULL), (5, 1, 1, 'B', 3);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00');
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES (1, 'K1', 3, 2, '-infinity', 'infinity');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 10), (2, 'I2', 10);

-- INSERT: what is left out is filled in from the section.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1)
RETURNING student_id, section_id, term_id, course_id, credits, schedule, status, ended_at;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule)
VALUES (2, 1, 1, 1, 0.5, '{["2021-03-01 09:00:00+00","2021-03-01 10:00:00+00")}')
RETURNING term_id, course_id, credits, schedule;
-- What is given agrees with the section while enrolled.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, term_id) VALUES (3, 1, 2)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, course_id) VALUES (3, 1, 2)');
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, schedule) VALUES (3, 1, '{}')$$);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, credits) VALUES (3, 1, -1)');
SELECT test.said('UPDATE fcfs.enrollment SET term_id = 2 WHERE student_id = 1');
SELECT test.said('UPDATE fcfs.enrollment SET course_id = 2 WHERE student_id = 1');
SELECT test.said('UPDATE fcfs.enrollment SET student_id = NULL WHERE student_id = 1');
SELECT test.said('UPDATE fcfs.enrollment SET section_id = NULL WHERE student_id = 1');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id) VALUES (3)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (3, 999)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (999, 1)');
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (3, 1, 'dreaming')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (3, 1, 'cancelled')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, ended_at) VALUES (3, 1, now())$$);
-- Twice in a section, or in a course.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 5)');
-- Cancelled from the start it is no claim.
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, status, ended_at) VALUES (1, 1, 'cancelled', now()), (1, 3, 'cancelled', now())$$);
SELECT test.free('section', 1);

-- The last seat, one beyond it, several beyond it in one statement: all or nothing.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (3, 1), (4, 1)');
SELECT test.free('section', 1);
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (3, 1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 1)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 3)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 2 FROM generate_series(1, 4) AS g');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 2 FROM generate_series(1, 3) AS g');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 4 FROM generate_series(1, 200) AS g');
SELECT test.free('section', 1), test.free('section', 2), test.free('section', 4);
-- As psql shows it.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 1);
\echo :SQLSTATE

-- ON CONFLICT: a row that is not inserted claims nothing, not even where all is full.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (2, 1), (3, 1) ON CONFLICT DO NOTHING');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (4, 1) ON CONFLICT DO NOTHING');
DELETE FROM fcfs.enrollment WHERE section_id = 2 AND student_id > 1;
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 2), (2, 2), (2, 2) ON CONFLICT DO NOTHING');
SELECT test.free('section', 2);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 2), (3, 2)
    ON CONFLICT (student_id, term_id, course_id) WHERE status = 'enrolled' DO UPDATE SET credits = 1$$);
SELECT test.free('section', 2);
SELECT student_id, section_id, credits FROM fcfs.enrollment WHERE section_id = 2 ORDER BY 1;

-- DELETE gives back, UPDATE of the status too; UPDATE back again takes.
DELETE FROM fcfs.enrollment WHERE section_id = 1 AND student_id = 3;
SELECT test.free('section', 1);
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE section_id = 1 AND student_id = 2;
SELECT test.free('section', 1);
DELETE FROM fcfs.enrollment WHERE section_id = 1 AND status = 'cancelled' AND student_id = 1;
SELECT test.free('section', 1);
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 1), (5, 1);
SELECT test.said($$UPDATE fcfs.enrollment SET status = 'enrolled', ended_at = NULL WHERE section_id = 1 AND student_id = 2$$);
DELETE FROM fcfs.enrollment WHERE student_id = 5;
SELECT test.said($$UPDATE fcfs.enrollment SET status = 'enrolled', ended_at = NULL WHERE section_id = 1 AND student_id = 2$$);
SELECT test.free('section', 1);
-- UPDATE from one pool to another gives here and takes there; what is copied from the section comes anew.
CREATE FUNCTION test.move(student bigint, section bigint) RETURNS text
LANGUAGE sql RETURN test.said(format('UPDATE fcfs.enrollment SET section_id = %s, course_id = NULL, schedule = NULL
    WHERE student_id = %s AND section_id IN (1, 5)', section, student));
SELECT test.move(2, 3);
SELECT test.move(2, 999);
SELECT test.move(2, 5);
SELECT student_id, section_id, course_id, schedule FROM fcfs.enrollment WHERE student_id = 2 AND section_id <> 4 AND section_id <> 2;
SELECT test.free('section', 1), test.free('section', 5);
-- One to a section that is full.
SELECT test.move(4, 2);
SELECT test.move(2, 1);
SELECT test.free('section', 1), test.free('section', 5);
-- Nothing of this is a claim more or less.
UPDATE fcfs.enrollment SET credits = credits + 1, arrived_at = arrived_at, student_id = student_id;
UPDATE fcfs.enrollment SET section_id = section_id, id = id;
SELECT test.free('section', 1), test.free('section', 2);

-- In one statement: taken out here and put in there, in a section that is full.
SELECT section_id, count(*) FROM fcfs.enrollment WHERE status = 'enrolled' AND section_id < 4 GROUP BY 1 ORDER BY 1;
WITH gone AS (DELETE FROM fcfs.enrollment WHERE section_id = 1 AND student_id = 4 RETURNING section_id)
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 6, section_id FROM gone;
SELECT test.free('section', 1);
WITH gone AS (UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE section_id = 1 AND student_id = 6 RETURNING section_id)
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 7, section_id FROM gone;
SELECT test.free('section', 1);

-- COPY: good rows, a row too many, and what was copied before it.
COPY fcfs.enrollment (student_id, section_id) FROM stdin WITH (FORMAT csv);
11,5
12,5
\.
COPY fcfs.enrollment (student_id, section_id) FROM stdin WITH (FORMAT csv);
13,5
14,5
\.
SELECT test.free('section', 5);
COPY fcfs.enrollment (student_id, section_id) FROM stdin WITH (FORMAT csv);
13,5
\.
SELECT test.free('section', 5);

-- TRUNCATE gives everything back; rolled back, nothing.
BEGIN;
TRUNCATE fcfs.enrollment;
SELECT count(*) FROM fcfs.enrollment;
ROLLBACK;
SELECT test.free('section', 1), test.free('section', 5);
BEGIN;
SAVEPOINT s;
TRUNCATE fcfs.enrollment;
ROLLBACK TO SAVEPOINT s;
SELECT test.free('section', 1), test.free('section', 5);
TRUNCATE fcfs.enrollment;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (21, 1), (22, 1);
SELECT test.free('section', 1), test.free('section', 5);
COMMIT;
SELECT test.free('section', 1), test.free('section', 2), test.free('section', 5);
BEGIN;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (23, 1), (23, 2);
TRUNCATE fcfs.enrollment;
COMMIT;
SELECT test.free('section', 1), test.free('section', 2), test.free('section', 3);
TRUNCATE fcfs.enrollment;
SELECT test.free('section', 1);

-- Rolled back, all of it is as before.
BEGIN;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (2, 1), (3, 1);
SELECT test.free('section', 1);
DELETE FROM fcfs.enrollment WHERE student_id = 1;
SELECT test.free('section', 1);
ROLLBACK;
SELECT test.free('section', 1);
BEGIN;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (2, 1), (3, 1), (4, 1);
COMMIT;
SELECT test.free('section', 1);

-- Coupons, by hand.
INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal) VALUES (1, 1, 1), (1, 1, 2);
SELECT test.free('coupon', 1);
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 2), (1, 3)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal) VALUES (1, 1, 3)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal) VALUES (1, 1, 2)');
SELECT left(test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal) VALUES (1, 2, 0)'), 5);
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, NULL)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (NULL, 1)');
SELECT left(test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival) VALUES (1, 4, 0)'), 5);
SELECT left(test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival) VALUES (1, 4, -1)'), 5);
SELECT test.said($$INSERT INTO fcfs.coupon_issue (coupon_id, user_id, status) VALUES (1, 2, 'lost')$$);
-- However great the last number, the next is none from before the first.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (2, 'K2', 9, '-infinity', 'infinity');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival) VALUES (2, 1, 9223372036854775807)') <> '';
SELECT test.said('SELECT fcfs.issue_coupon(2, 2)') <> '';
SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = 2 AND arrival < 1;
DELETE FROM fcfs.coupon_issue WHERE coupon_id = 2;
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 2), (1, 2) ON CONFLICT DO NOTHING');
SELECT test.free('coupon', 1);
UPDATE fcfs.coupon_issue SET status = 'redeemed' WHERE user_id = 1;
SELECT test.free('coupon', 1);
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE user_id = 1;
SELECT test.free('coupon', 1);
SELECT test.said($$UPDATE fcfs.coupon_issue SET status = 'expired' WHERE user_id = 1$$);
SELECT test.free('coupon', 1);
TRUNCATE fcfs.coupon_issue;
SELECT test.free('coupon', 1);

-- Stock, by hand: the line is the claim, as many units as it has.
INSERT INTO fcfs.reservation (id, customer_id, amount, currency, expires_at) VALUES
    (101, 1, 0, 'USD', 'infinity'), (102, 2, 0, 'USD', 'infinity');
INSERT INTO fcfs.reservation_line (id, reservation_id, item_id, quantity, price) VALUES (101, 101, 1, 6, 0);
SELECT test.free('item', 1);
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 1, 5, 0)');
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 1, 2, 0), (102, 1, 3, 0)');
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 1, 2147483647, 0)');
SELECT left(test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 999, 1, 0)'), 37);
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (999, 1, 1, 0)');
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 1, 0, 0)');
SELECT test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (102, 1, -1, 0)');
INSERT INTO fcfs.reservation_line (id, reservation_id, item_id, quantity, price) VALUES (102, 102, 1, 2, 0), (103, 102, 1, 2, 0);
SELECT test.free('item', 1);
-- More, fewer, another item.
SELECT test.said('UPDATE fcfs.reservation_line SET quantity = 7 WHERE id = 101');
UPDATE fcfs.reservation_line SET quantity = 3 WHERE id = 101;
SELECT test.free('item', 1);
UPDATE fcfs.reservation_line SET quantity = 6 WHERE id = 101;
SELECT test.free('item', 1);
UPDATE fcfs.reservation_line SET item_id = 2 WHERE id = 101;
SELECT test.free('item', 1), test.free('item', 2);
UPDATE fcfs.reservation_line SET item_id = 1, quantity = 5 WHERE id = 101;
SELECT test.free('item', 1), test.free('item', 2);
-- Lines follow the status of their reservation, whoever changes it.
UPDATE fcfs.reservation SET status = 'confirmed' WHERE id = 101;
SELECT test.free('item', 1);
UPDATE fcfs.reservation SET status = 'cancelled', ended_at = now() WHERE id = 101;
SELECT id, active FROM fcfs.reservation_line ORDER BY id;
SELECT test.free('item', 1);
UPDATE fcfs.reservation SET status = 'expired', ended_at = now() WHERE id = 102;
SELECT id, active FROM fcfs.reservation_line ORDER BY id;
SELECT test.free('item', 1);
UPDATE fcfs.reservation SET status = 'held', ended_at = NULL WHERE id = 102;
SELECT id, active FROM fcfs.reservation_line ORDER BY id;
SELECT test.free('item', 1);
SELECT (fcfs.reserve(9, 1, 2)).status;
SELECT test.said($$UPDATE fcfs.reservation SET status = 'held', ended_at = NULL WHERE id = 101$$);
SELECT test.said($$UPDATE fcfs.reservation SET status = 'cancelled' WHERE id = 102$$);
SELECT test.said($$UPDATE fcfs.reservation SET ended_at = now() WHERE id = 102$$);
-- Whatever is written to a line, it does not end up live in a reservation that is over, nor the
-- other way round: units of a reservation that stands are never sold to another.
DO $$
BEGIN
    PERFORM test.said('UPDATE fcfs.reservation_line SET active = true WHERE id = 101');
    PERFORM test.said('UPDATE fcfs.reservation_line SET active = false WHERE id = 102');
    PERFORM test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (101, 1, 1, 0)');
    PERFORM test.said('INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price, active) VALUES (102, 1, 1, 0, false)');
END
$$;
SELECT r.status, l.active, sum(l.quantity)
FROM fcfs.reservation_line AS l JOIN fcfs.reservation AS r ON r.id = l.reservation_id
WHERE l.active <> (r.status IN ('held', 'confirmed')) GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM fcfs.reservation_line WHERE id NOT IN (SELECT min(id) FROM fcfs.reservation_line GROUP BY reservation_id);
-- Gone with its lines, lines first.
SELECT test.said('DELETE FROM fcfs.reservation WHERE id = 102');
DELETE FROM fcfs.reservation_line WHERE reservation_id = 102;
SELECT test.said('DELETE FROM fcfs.reservation WHERE id = 102');
SELECT test.free('item', 1);
SELECT test.said('TRUNCATE fcfs.reservation');
TRUNCATE fcfs.reservation, fcfs.reservation_line;
SELECT test.free('item', 1);

-- Rows that are frozen as they are written are visible to everybody at once, and counted once all the same.
BEGIN;
TRUNCATE fcfs.coupon_issue;
COPY fcfs.coupon_issue (coupon_id, user_id) FROM stdin WITH (FREEZE, DELIMITER ',');
1,1
1,2
\.
COMMIT;
SELECT test.free('coupon', 1);
TRUNCATE fcfs.coupon_issue;

-- Where triggers do not fire, nothing is counted; verify() sees it.
SET session_replication_role = replica;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) SELECT 1, g FROM generate_series(1, 4) AS g;
SET session_replication_role = origin;
SELECT DISTINCT kind, id FROM fcfs.verify();
SET session_replication_role = replica;
DELETE FROM fcfs.coupon_issue;
SET session_replication_role = origin;
SELECT test.free('coupon', 1);

\i sql/include/finish.sql
