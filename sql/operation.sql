-- What operators have: reload_pool() mends what was written where triggers do not
-- fire; health() and stat_pools tell how things are.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 5);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 5, '-infinity', 'infinity'), (2, 'K2', NULL, '-infinity', 'infinity');
-- All of them have been looked at.
SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1), test.free('coupon', 2);

-- Rows from elsewhere: two claims on each, and another capacity.
SET session_replication_role = replica;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule) VALUES (1, 1, 1, 1, 1, '{}'), (2, 1, 1, 1, 1, '{}');
INSERT INTO fcfs.reservation (id, customer_id, amount, currency, expires_at) VALUES (1, 1, 0, 'USD', 'infinity');
INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) VALUES (1, 1, 2, 0);
INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival) VALUES (1, 1, 1), (1, 2, 70);
UPDATE fcfs.coupon SET quota = 4 WHERE id = 1;
RESET session_replication_role;
-- Counted anew they are right.
SELECT test.said(format('SELECT fcfs.reload_pool(%L, 1)', kind)) FROM unnest('{section,waitlist,item,coupon,reserved_seats,cross_list}'::text[]) AS kind;
SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1);
SELECT arrival > 70 AS later FROM fcfs.issue_coupon(1, 3);
SELECT * FROM fcfs.verify();
-- Rolled back and in a savepoint; and as often as one likes.
BEGIN;
SELECT fcfs.reload_pool('coupon', 1);
SELECT test.free('coupon', 1);
SAVEPOINT a;
SELECT fcfs.reload_pool('coupon', 1);
SELECT (fcfs.issue_coupon(1, 4)).status;
ROLLBACK TO SAVEPOINT a;
SELECT test.free('coupon', 1);
ROLLBACK;
SELECT test.free('coupon', 1);
SELECT fcfs.reload_pool('coupon', 1) FROM generate_series(1, 3);
SELECT test.free('coupon', 1);
-- Bad input.
SELECT left(test.said(format('SELECT fcfs.reload_pool(%s)', args)), 5)
FROM unnest(ARRAY['NULL, 1', $$'coupon', NULL$$, $$'coupons', 1$$, $$'', 1$$]) AS args;
SELECT test.said($$SELECT fcfs.reload_pool('coupon', 99)$$);
SELECT test.said($$SELECT fcfs.reload_pool('section', -1)$$);

-- health() has a line for each thing, ok or with what to do.
SELECT item, ok FROM fcfs.health() WHERE item <> 'library' ORDER BY item COLLATE "C";
SELECT item FROM fcfs.health() WHERE detail IS NULL OR ok IS NULL;
INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) SELECT g, 0, 'USD', now() FROM generate_series(1, 1000) AS g;
SELECT item, ok, detail FROM fcfs.health() WHERE item = 'overdue holds';
SELECT fcfs.expire_reservations();
SELECT item, ok, detail FROM fcfs.health() WHERE item = 'overdue holds';
-- It and stat_pools agree about where the pools are: in shared memory, or nowhere to be seen.
SELECT ok = (SELECT count(*) > 0 FROM fcfs.stat_pools) AS agree FROM fcfs.health() WHERE item = 'library';
SELECT kind, id, capacity, remaining, taken_in_flight, pinned_by, waiters FROM fcfs.stat_pools
EXCEPT VALUES ('section', 1::bigint, 5::bigint, 3::bigint, 0::bigint, 0, 0), ('item', 1, 5, 3, 0, 0, 0), ('coupon', 1, 4, 1, 0, 0, 0), ('coupon', 2, NULL, NULL, 0, 0, 0);
-- What is in flight is shown while it is.
BEGIN;
SELECT count(fcfs.issue_coupon(2, g)) FROM generate_series(1, 3) AS g;
SELECT coalesce(max(taken_in_flight), 3), coalesce(max(pinned_by), 1) FROM fcfs.stat_pools WHERE kind = 'coupon' AND id = 2;
ROLLBACK;

\i sql/include/finish.sql
