-- Sold out, told without a lock: the same answers in the same order, and never where something
-- of this transaction's own, or a key, or strict order, makes it uncertain.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at, strict_order) VALUES
    (1, 'K1', 2, 1, '-infinity', 'infinity', false), (2, 'K2', 0, 1, '-infinity', 'infinity', false),
    (3, 'K3', 3, 2, '-infinity', 'infinity', false), (4, 'K4', 1, 1, '-infinity', 'infinity', true),
    (5, 'K5', NULL, 1, '-infinity', 'infinity', false);
-- The answer, and how it came about: a call that looks no closer takes no lock of its own. Only
-- a server with shared memory has what there is to glance at. Whose lock is held already by this
-- transaction is not seen to have been looked at.
CREATE FUNCTION test.call(call text, expected text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    code text;
    way text;
BEGIN
    SELECT count(*) INTO before FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
    EXECUTE format('SELECT code FROM fcfs.try_issue_coupon(%s)', call) INTO code;
    SELECT CASE WHEN count(*) = before THEN 'glance' ELSE 'look' END INTO way
    FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
    RETURN code || CASE WHEN way <> expected AND expected <> 'either' AND current_setting('shared_preload_libraries') LIKE '%pg_fcfs%' THEN ', at a ' || way ELSE '' END;
END
$$;
-- A pool that is not loaded has to be looked at.
SELECT test.call('2, 1', 'look');
SELECT test.call('2, 1', 'glance');
SELECT test.call('1, 1', 'look');
SELECT test.call('1, 1', 'look');
SELECT test.call('1, 2', 'look');
SELECT test.call('1, 3', 'glance'), test.call('1, 1', 'glance'), test.call('1, 2', 'glance');
SELECT test.said('SELECT fcfs.issue_coupon(1, 3)'), test.said('SELECT fcfs.issue_coupon(1, 1)');
SELECT test.both('issue_coupon(1, 3)'), test.both('issue_coupon(1, 1)'), test.both('issue_coupon(2, 1)');
SELECT * FROM fcfs.try_issue_coupon(1, 1);
SELECT * FROM fcfs.try_issue_coupon(1, 3);
SELECT test.said('SELECT fcfs.try_issue_coupon(1, NULL)'), test.said('SELECT fcfs.try_issue_coupon(NULL, 3)'), test.said($$SELECT fcfs.try_issue_coupon(1, 3, '')$$);
BEGIN READ ONLY;
SELECT code FROM fcfs.try_issue_coupon(1, 3);
ROLLBACK;
-- Some of several.
SELECT test.call('3, 1', 'look');
SELECT test.call('3, 1', 'look');
SELECT test.call('3, 2', 'look');
SELECT test.call('3, 1', 'glance'), test.call('3, 2', 'glance'), test.call('3, 3', 'glance');
UPDATE fcfs.coupon SET per_user_limit = 3 WHERE id = 3;
SELECT test.call('3, 1', 'look');
SELECT test.call('3, 1', 'glance'), test.call('3, 2', 'glance');
-- In strict order one stands in line even for that; unlimited is never gone; who does not exist is not there.
SELECT test.call('4, 1', 'look');
SELECT test.call('4, 2', 'look'), test.call('4, 1', 'look');
SELECT test.call('5, 1', 'look');
SELECT test.call('6, 1', 'look');
-- The window comes first, also for those who have one.
UPDATE fcfs.coupon SET opens_at = '2999-01-01' WHERE id = 1;
SELECT test.call('1, 1', 'look');
SELECT test.call('1, 1', 'glance'), test.call('1, 3', 'glance');
UPDATE fcfs.coupon SET opens_at = '-infinity', closes_at = '2001-01-01' WHERE id = 1;
SELECT test.call('1, 1', 'look');
SELECT test.call('1, 3', 'glance');
UPDATE fcfs.coupon SET closes_at = 'infinity' WHERE id = 1;
SELECT test.call('1, 3', 'look');
SELECT test.call('1, 3', 'glance'), test.call('1, 1', 'glance');

-- With a key the answer is stored, and stays.
SELECT test.call($$1, 3, 'k'$$, 'look'), (SELECT string_agg(code, ' ') FROM fcfs.idempotency);
SELECT code, replayed FROM fcfs.try_issue_coupon(1, 3, 'k');
SELECT code, replayed FROM fcfs.try_issue_coupon(2, 3, 'k');
UPDATE fcfs.coupon SET quota = 3 WHERE id = 1;
SELECT code, replayed FROM fcfs.try_issue_coupon(1, 3, 'k');
SELECT test.call('1, 3', 'look');
SELECT code, replayed FROM fcfs.try_issue_coupon(1, 3, 'k');
SELECT test.call('1, 4', 'glance'), test.call('1, 3', 'glance');

-- What this transaction has done itself.
BEGIN;
SELECT test.call('1, 4', 'glance');
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 1 AND user_id = 3;
SELECT test.call('1, 4', 'look'), test.call('1, 3', 'look'), test.call('1, 4', 'either');
ROLLBACK;
SELECT test.call('1, 4', 'glance'), test.call('1, 3', 'glance');
BEGIN;
SAVEPOINT s;
UPDATE fcfs.coupon SET quota = 4 WHERE id = 1;
SAVEPOINT t;
SELECT test.call('1, 4', 'look'), test.call('1, 5', 'look');
ROLLBACK TO t;
SELECT test.call('1, 5', 'look');
ROLLBACK TO s;
SELECT test.call('1, 4', 'look'), test.call('1, 5', 'look'), test.call('1, 1', 'look');
COMMIT;
BEGIN;
DELETE FROM fcfs.coupon_issue WHERE coupon_id = 1 AND user_id = 1;
SELECT test.call('1, 1', 'look'), test.call('1, 1', 'either'), test.call('1, 4', 'look');
COMMIT;
SELECT test.call('1, 1', 'glance'), test.call('1, 4', 'glance');
BEGIN;
TRUNCATE fcfs.coupon_issue;
SELECT test.call('1, 1', 'look'), test.call('2, 1', 'either');
ROLLBACK;
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT test.call('1, 1', 'glance');
BEGIN;
DELETE FROM fcfs.coupon WHERE id = 2;
SELECT test.call('2, 1', 'look');
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (2, 'K2', 1, '-infinity', 'infinity');
SELECT test.call('2, 1', 'either');
SELECT test.call('2, 2', 'look');
ROLLBACK;
SELECT code FROM fcfs.try_issue_coupon(2, 1);
SELECT test.call('2, 1', 'glance');
-- Of another pool is enough to look closer.
BEGIN;
SELECT test.call('5, 2', 'look'), test.call('2, 1', 'look');
COMMIT;
SELECT test.call('2, 1', 'glance'), test.call('2, 1', 'glance');

-- What has committed counts for the next call.
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 1 AND user_id = 1;
SELECT test.call('1, 1', 'look');
SELECT test.call('1, 1', 'glance');
UPDATE fcfs.coupon SET quota = 4 WHERE id = 1;
SELECT test.call('1, 4', 'look');
SELECT test.call('1, 5', 'glance');
UPDATE fcfs.coupon SET quota = NULL WHERE id = 1;
SELECT test.call('1, 5', 'look');
UPDATE fcfs.coupon SET quota = 5 WHERE id = 1;
SELECT code FROM fcfs.try_issue_coupon(1, 6);
SELECT test.call('1, 6', 'glance');
TRUNCATE fcfs.coupon_issue;
SELECT test.call('1, 6', 'look');
UPDATE fcfs.coupon SET quota = 1 WHERE id = 1;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
SELECT test.call('1, 7', 'glance'), test.call('1, 6', 'glance');
-- Where no trigger fired, reload_pool() says so.
SET session_replication_role = replica;
DELETE FROM fcfs.coupon_issue;
RESET session_replication_role;
SELECT fcfs.reload_pool('coupon', 1);
SELECT test.call('1, 7', 'look');
SELECT test.call('1, 7', 'glance');
-- Without the index it is slow, and still right.
DROP INDEX fcfs.coupon_issue_once_a_user;
SELECT test.call('1, 7', 'glance'), test.call('1, 8', 'glance');
DELETE FROM fcfs.coupon_issue;
DELETE FROM fcfs.coupon WHERE id = 1;
SELECT test.call('1, 7', 'look');
SELECT * FROM fcfs.verify();
