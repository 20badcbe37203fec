-- Changes of capacity: raising gives, lowering takes, below what is claimed is
-- refused; pools made, changed, claimed and deleted within transactions.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 20) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT g, 1, g, 'A', 5 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 5, '-infinity', 'infinity');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 5);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(1, 3) AS g;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) SELECT 1, g FROM generate_series(1, 3) AS g;
SELECT (fcfs.reserve(1, 1, 3)).status;

-- Up, down to exactly what is claimed, one below, to nothing, and up again: for each kind of pool.
SELECT test.said('UPDATE fcfs.section SET capacity = 7 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 3 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 2 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 0 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = -1 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 4 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 2147483647 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 4 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 7'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 3'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 2'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 1000000000000000'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 4'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.item SET stock = 7'), test.free('item', 1);
SELECT test.said('UPDATE fcfs.item SET stock = 3'), test.free('item', 1);
SELECT test.said('UPDATE fcfs.item SET stock = 2'), test.free('item', 1);
SELECT test.said('UPDATE fcfs.item SET stock = 4'), test.free('item', 1);
-- As psql shows it.
UPDATE fcfs.section SET capacity = 2 WHERE id = 1;
\echo :SQLSTATE

-- To no limit and back, down to what was claimed meanwhile.
SELECT test.said('UPDATE fcfs.section SET capacity = NULL WHERE id = 1'), test.free('section', 1);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(4, 10) AS g;
SELECT left(test.said('UPDATE fcfs.section SET capacity = 9 WHERE id = 1'), 24), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = 10 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.section SET capacity = NULL WHERE id = 1'), test.free('section', 1);
DELETE FROM fcfs.enrollment WHERE student_id > 3;
SELECT left(test.said('UPDATE fcfs.section SET capacity = 2 WHERE id = 1'), 24), test.free('section', 1);
-- The message counts in seats; how no limit is written inside is nobody's business.
SELECT test.said('UPDATE fcfs.section SET capacity = 2 WHERE id = 1') ~ '\d{12}' AS "has a number of the inside";
SELECT test.said('UPDATE fcfs.section SET capacity = 4 WHERE id = 1'), test.free('section', 1);
SELECT test.said('UPDATE fcfs.item SET stock = NULL'), test.free('item', 1);
SELECT test.said('UPDATE fcfs.item SET stock = 4'), test.free('item', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = NULL'), test.free('coupon', 1);
SELECT test.said('UPDATE fcfs.coupon SET quota = 4'), test.free('coupon', 1);

-- Many pools in one statement: all of them or none.
SELECT test.said('UPDATE fcfs.section SET capacity = 2');
SELECT test.free('section', 1), test.free('section', 2);
SELECT test.said('UPDATE fcfs.section SET capacity = capacity + 1');
SELECT test.free('section', 1), test.free('section', 2);
-- An order that is strict, or is not any more, leaves the count as it is.
UPDATE fcfs.section SET strict_order = true, capacity = 5 WHERE id = 1;
SELECT test.free('section', 1);
UPDATE fcfs.section SET strict_order = false, capacity = 4 WHERE id = 1;
SELECT test.free('section', 1);

-- Raised in this transaction, taken in it: rolled back, both are gone.
BEGIN;
UPDATE fcfs.section SET capacity = 6 WHERE id = 1;
SELECT test.free('section', 1);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(4, 6) AS g;
SELECT test.free('section', 1);
ROLLBACK;
SELECT test.free('section', 1);
BEGIN;
UPDATE fcfs.section SET capacity = 6 WHERE id = 1;
SELECT code FROM fcfs.try_enroll(4, 1);
SELECT code FROM fcfs.try_enroll(5, 1);
SELECT code FROM fcfs.try_enroll(6, 1);
SELECT code FROM fcfs.try_enroll(7, 1);
COMMIT;
SELECT test.free('section', 1);
-- Lowered in this transaction.
BEGIN;
DELETE FROM fcfs.enrollment WHERE student_id IN (5, 6);
UPDATE fcfs.section SET capacity = 4 WHERE id = 1;
SELECT test.free('section', 1);
ROLLBACK;
SELECT test.free('section', 1);
BEGIN;
UPDATE fcfs.section SET capacity = 8 WHERE id = 1;
UPDATE fcfs.section SET capacity = 7 WHERE id = 1;
UPDATE fcfs.section SET capacity = 6 WHERE id = 1;
UPDATE fcfs.section SET capacity = 9 WHERE id = 1;
COMMIT;
SELECT test.free('section', 1);
UPDATE fcfs.section SET capacity = 6 WHERE id = 1;
SELECT test.free('section', 1);
-- In savepoints: what is rolled back was not.
BEGIN;
SAVEPOINT a;
UPDATE fcfs.section SET capacity = 9 WHERE id = 1;
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('section', 1);
UPDATE fcfs.section SET capacity = 7 WHERE id = 1;
SAVEPOINT b;
UPDATE fcfs.section SET capacity = NULL WHERE id = 1;
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT b;
SELECT test.free('section', 1);
SAVEPOINT c;
UPDATE fcfs.section SET capacity = 8 WHERE id = 1;
RELEASE SAVEPOINT c;
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('section', 1);
COMMIT;
SELECT test.free('section', 1);
BEGIN;
SAVEPOINT a;
UPDATE fcfs.section SET capacity = NULL WHERE id = 1;
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(11, 20) AS g;
ROLLBACK TO SAVEPOINT a;
COMMIT;
SELECT test.free('section', 1);
BEGIN;
UPDATE fcfs.section SET capacity = NULL WHERE id = 1;
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(11, 20) AS g;
SELECT left(test.said('UPDATE fcfs.section SET capacity = 10 WHERE id = 1'), 24);
ROLLBACK;
SELECT test.free('section', 1);

-- Made, claimed, and gone again.
BEGIN;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (50, 1, 20, 'A', 2);
SELECT test.free('section', 50);
SELECT code FROM fcfs.try_enroll(1, 50);
ROLLBACK;
SELECT code FROM fcfs.try_enroll(1, 50);
-- The same number again, as another pool: nothing is left of the first.
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (50, 1, 20, 'A', 3);
SELECT test.free('section', 50);
BEGIN;
SAVEPOINT a;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 2);
SELECT code FROM fcfs.try_enroll(1, 51);
ROLLBACK TO SAVEPOINT a;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 4);
SELECT test.free('section', 51);
SELECT code FROM fcfs.try_enroll(1, 51);
COMMIT;
SELECT test.free('section', 51);
BEGIN;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (50, 'K50', 2, '-infinity', 'infinity');
SELECT arrival FROM fcfs.issue_coupon(50, 1);
COMMIT;
SELECT test.free('coupon', 50);

-- Deleted: not while it is claimed; when it is not, its number is free for another pool.
SELECT test.said('DELETE FROM fcfs.section WHERE id = 51');
SELECT test.said('DELETE FROM fcfs.coupon WHERE id = 50');
SELECT test.said('DELETE FROM fcfs.item WHERE id = 1');
-- Cancelled claims are claims on record.
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE section_id = 51;
SELECT test.said('DELETE FROM fcfs.section WHERE id = 51');
DELETE FROM fcfs.enrollment WHERE section_id = 51;
SELECT test.said('DELETE FROM fcfs.section WHERE id = 51');
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 1);
SELECT test.free('section', 51);
BEGIN;
DELETE FROM fcfs.section WHERE id = 51;
SELECT code FROM fcfs.try_enroll(1, 51);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 6);
SELECT test.free('section', 51);
ROLLBACK;
SELECT test.free('section', 51);
BEGIN;
DELETE FROM fcfs.section WHERE id = 51;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 6);
COMMIT;
SELECT test.free('section', 51);
BEGIN;
SAVEPOINT a;
DELETE FROM fcfs.section WHERE id = 51;
ROLLBACK TO SAVEPOINT a;
SELECT code FROM fcfs.try_enroll(1, 51);
COMMIT;
SELECT test.free('section', 51);
-- Deleted and made anew with fewer seats, claimed, all in one transaction: no more than the fewer.
BEGIN;
DELETE FROM fcfs.enrollment WHERE section_id = 51;
DELETE FROM fcfs.section WHERE id = 51;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 1, 20, 'B', 1);
SELECT (fcfs.try_enroll(g, 51)).code FROM generate_series(1, 3) AS g;
COMMIT;
SELECT test.free('section', 51);
-- The same with coupons, and by giving a pool another number.
BEGIN;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (60, 'K60', 5, '-infinity', 'infinity'), (61, 'K61', 1, '-infinity', 'infinity');
COMMIT;
SELECT test.free('coupon', 60), test.free('coupon', 61), test.free('coupon', 62);
BEGIN;
UPDATE fcfs.coupon SET id = 62 WHERE id = 60;
UPDATE fcfs.coupon SET id = 60 WHERE id = 61;
SELECT test.free('coupon', 60), test.free('coupon', 61), test.free('coupon', 62);
SELECT (fcfs.try_issue_coupon(60, g)).code FROM generate_series(1, 3) AS g;
COMMIT;
SELECT test.free('coupon', 60), test.free('coupon', 61), test.free('coupon', 62);
SELECT test.said('UPDATE fcfs.coupon SET id = 63 WHERE id = 60');
UPDATE fcfs.coupon SET id = 63, quota = 2 WHERE id = 62;
SELECT test.free('coupon', 62), test.free('coupon', 63);
-- Emptied together with its claims, and filled again.
TRUNCATE fcfs.coupon CASCADE;
SELECT test.free('coupon', 60), test.free('coupon', 63);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (60, 'K60', 2, '-infinity', 'infinity');
SELECT test.free('coupon', 60), test.free('coupon', 63);
BEGIN;
TRUNCATE fcfs.coupon, fcfs.coupon_issue;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (60, 'K60', 1, '-infinity', 'infinity');
SELECT test.free('coupon', 60);
ROLLBACK;
SELECT test.free('coupon', 60);
BEGIN;
TRUNCATE fcfs.coupon, fcfs.coupon_issue;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (60, 'K60', 1, '-infinity', 'infinity');
SELECT test.free('coupon', 60);
COMMIT;
SELECT test.free('coupon', 60);

-- Claims and pool in one transaction, in the right order and in the wrong one.
SELECT test.said('WITH gone AS (DELETE FROM fcfs.enrollment WHERE section_id = 51) DELETE FROM fcfs.section WHERE id = 51');
BEGIN;
DELETE FROM fcfs.enrollment WHERE section_id = 51;
DELETE FROM fcfs.section WHERE id = 51;
COMMIT;
SELECT code FROM fcfs.try_enroll(1, 51);

-- Deleted, made again and deleted again to a savepoint: what is left is deleted.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (70, 'K70', 2, '-infinity', 'infinity');
BEGIN;
DELETE FROM fcfs.coupon WHERE id = 70;
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (70, 1)');
SAVEPOINT s;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (70, 'K70', 3, '-infinity', 'infinity');
SELECT count(*) FILTER (WHERE (fcfs.try_issue_coupon(70, u)).ok) FROM generate_series(1, 5) u;
DELETE FROM fcfs.coupon_issue WHERE coupon_id = 70;
DELETE FROM fcfs.coupon WHERE id = 70;
ROLLBACK TO s;
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (70, 1)');
SELECT code FROM fcfs.try_issue_coupon(70, 1);
COMMIT;

\i sql/include/finish.sql
