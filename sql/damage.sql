-- What somebody has changed behind the extension's back: each is told by an error that says
-- what is wrong, and none by a wrong answer.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 5, '-infinity', 'infinity');
SELECT code FROM generate_series(1, 3) AS u, fcfs.try_issue_coupon(1, u);

-- An answer under a key that no version has given.
SELECT code FROM fcfs.try_issue_coupon(1, 4, 'key');
UPDATE fcfs.idempotency SET code = 'NO_SUCH_CODE';
SELECT test.both('issue_coupon(1, 4, ''key'')');
DELETE FROM fcfs.idempotency;

-- Tables and columns that have other names.
BEGIN;
ALTER TABLE fcfs.coupon_issue RENAME TO issued;
SELECT test.said('SELECT fcfs.try_issue_coupon(1, 5)');
ROLLBACK;
BEGIN;
ALTER TABLE fcfs.coupon RENAME quota TO units;
SELECT test.said('INSERT INTO fcfs.coupon (code, opens_at, closes_at) VALUES (''K2'', ''-infinity'', ''infinity'')');
ROLLBACK;
SELECT test.both('issue_coupon(1, 4)');

-- A capacity that was changed where no trigger fired: verify() sees it once the pool is in
-- shared memory, reload_pool() mends it.
SET session_replication_role = replica;
UPDATE fcfs.coupon SET quota = 9;
RESET session_replication_role;
SELECT NOT fcfs.is_preloaded() OR EXISTS (
    SELECT FROM fcfs.verify() WHERE detail = 'the escrow has capacity 5, the table 9') AS seen;
SELECT fcfs.reload_pool('coupon', 1);
SELECT test.free('coupon', 1);

-- Claims that were ended where no trigger fired, and their pool made again with less.
SELECT code FROM fcfs.try_issue_coupon(1, 5);
SET session_replication_role = replica;
DELETE FROM fcfs.coupon_issue;
RESET session_replication_role;
BEGIN;
DELETE FROM fcfs.coupon;
SELECT CASE WHEN fcfs.is_preloaded() THEN
    '55000 | claims on row 1 of table "coupon" were ended where no trigger fired | Call fcfs.reload_pool() before the row is deleted and made again.'
    ELSE 'ok 1' END = test.said(
    'INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, ''K1'', 1, ''-infinity'', ''infinity'')') AS told;
ROLLBACK;
SELECT fcfs.reload_pool('coupon', 1);
SELECT test.free('coupon', 1);
\i sql/include/finish.sql
