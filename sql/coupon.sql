-- issue_coupon(): window, quota, the limit a user, arrival numbers, revoked ones.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES
    (1, 'three', 3, 1, '-infinity', 'infinity'),
    (2, 'later', 3, 1, now() + interval '1 minute', 'infinity'),
    (3, 'over', 3, 1, '-infinity', now() - interval '1 second'),
    (4, 'edge', 3, 1, '-infinity', 'infinity'),
    (5, 'none', 0, 1, '-infinity', 'infinity'),
    (6, 'unlimited', NULL, 1, '-infinity', 'infinity'),
    (7, 'three each', 10, 3, '-infinity', 'infinity'),
    (8, 'strict', 2, 1, '-infinity', 'infinity'),
    (9, 'arrivals', 1000000000000000, 2147483647, '-infinity', 'infinity');
UPDATE fcfs.coupon SET strict_order = true WHERE id = 8;

-- The row and the outcome.
SELECT coupon_id, user_id, user_ordinal, status, arrival, redeemed_at, reference,
    arrived_at BETWEEN now() AND clock_timestamp() AS arrived
FROM fcfs.issue_coupon(1, 10);
SELECT ok, code, http_status, retryable, message, detail IS NULL AS no_detail, id, replayed FROM fcfs.try_issue_coupon(1, 11) \gset
SELECT :'ok', :'code', :http_status, :'retryable', :'message', :'no_detail', :'replayed', id = :id AS id
FROM fcfs.coupon_issue WHERE user_id = 11;
SELECT user_id, user_ordinal, status, arrival FROM fcfs.coupon_issue ORDER BY arrival;

-- Not there; the window.
SELECT test.both('issue_coupon(999, 10)');
SELECT test.both('issue_coupon(-9223372036854775808, 10)');
SELECT test.both('issue_coupon(2, 10)');
SELECT test.both('issue_coupon(3, 10)');
SELECT test.edge('UPDATE fcfs.coupon SET opens_at = $1 WHERE id = 4', 'issue_coupon(4, 10)', 'COUPON_NOT_STARTED', 'OK');
UPDATE fcfs.coupon SET opens_at = '-infinity' WHERE id = 4;
SELECT test.edge('UPDATE fcfs.coupon SET closes_at = $1 WHERE id = 4', 'issue_coupon(4, 10)', 'OK', 'COUPON_CLOSED');
-- Until when a coupon can be used is no matter of when it is issued.
UPDATE fcfs.coupon SET valid_until = now() - interval '1 hour' WHERE id = 6;
SELECT test.both('issue_coupon(6, 10)');
-- Users are whoever the application says.
SELECT test.both(format('issue_coupon(6, %s)', id)) FROM (VALUES ('0'), ('-1'), ('9223372036854775807'), ('-9223372036854775808')) AS u (id);

-- Once a user; the last one; none left; none from the start.
SELECT test.both('issue_coupon(1, 10)');
SELECT test.both('issue_coupon(1, 12)');
SELECT test.both('issue_coupon(1, 13)');
SELECT test.both('issue_coupon(1, 10)');
SELECT test.both('issue_coupon(5, 10)');
SELECT test.both('issue_coupon(8, 1)'), test.both('issue_coupon(8, 2)'), test.both('issue_coupon(8, 3)');
SELECT count(*) FILTER (WHERE (fcfs.try_issue_coupon(6, g)).ok) AS "of 200 issued" FROM generate_series(1000, 1199) AS g;

-- Three a user, whatever has become of them, but for revoked ones.
SELECT test.both('issue_coupon(7, 1)') FROM generate_series(1, 4);
SELECT test.both('issue_coupon(7, 2)');
UPDATE fcfs.coupon_issue SET status = 'redeemed', redeemed_at = now() WHERE coupon_id = 7 AND user_id = 1 AND user_ordinal = 1;
UPDATE fcfs.coupon_issue SET status = 'expired' WHERE coupon_id = 7 AND user_id = 1 AND user_ordinal = 3;
SELECT test.both('issue_coupon(7, 1)');
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 7 AND user_id = 1 AND user_ordinal = 2;
SELECT test.both('issue_coupon(7, 1)');
SELECT test.both('issue_coupon(7, 1)');
SELECT user_ordinal, status FROM fcfs.coupon_issue WHERE coupon_id = 7 AND user_id = 1 ORDER BY user_ordinal, status;
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 7 AND user_id = 1;
SELECT test.both('issue_coupon(7, 1)') FROM generate_series(1, 4);
SELECT status, count(*) FROM fcfs.coupon_issue WHERE coupon_id = 7 AND user_id = 1 GROUP BY status ORDER BY status;
-- Of ten, user 1 has three and user 2 one.
SELECT test.free('coupon', 7);
-- The limit raised, lowered under what a user has, and the user's revoked ones below it.
UPDATE fcfs.coupon SET per_user_limit = 4 WHERE id = 7;
SELECT test.both('issue_coupon(7, 1)');
SELECT test.both('issue_coupon(7, 1)');
SELECT test.said('UPDATE fcfs.coupon SET per_user_limit = 2 WHERE id = 7');
SELECT test.both('issue_coupon(7, 1)');
SELECT test.both('issue_coupon(7, 2)');
SELECT test.both('issue_coupon(7, 2)');

-- A revoked one comes back to the quota.
SELECT test.both('issue_coupon(1, 14)');
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 1 AND user_id = 10;
SELECT test.both('issue_coupon(1, 10)');
SELECT test.both('issue_coupon(1, 14)');
UPDATE fcfs.coupon_issue SET status = 'redeemed', redeemed_at = now() WHERE coupon_id = 1 AND user_id = 11;
UPDATE fcfs.coupon_issue SET status = 'expired' WHERE coupon_id = 1 AND user_id = 12;
SELECT test.both('issue_coupon(1, 14)');
SELECT test.both('issue_coupon(1, 11)');
SELECT test.both('issue_coupon(1, 12)');

-- Arrival numbers: one after another,
SELECT (fcfs.issue_coupon(9, g)).arrival FROM generate_series(1, 3) AS g;
-- a gap for what was rolled back,
BEGIN;
SELECT (fcfs.issue_coupon(9, 4)).arrival;
SAVEPOINT s;
SELECT (fcfs.issue_coupon(9, 5)).arrival;
ROLLBACK TO SAVEPOINT s;
SELECT (fcfs.issue_coupon(9, 6)).arrival > 5 AS later;
COMMIT;
BEGIN;
SELECT (fcfs.issue_coupon(9, 7)).arrival > 6 AS later;
ROLLBACK;
SELECT arrival > (SELECT max(arrival) FROM fcfs.coupon_issue WHERE coupon_id = 9 AND user_id < 8) AS later
FROM fcfs.issue_coupon(9, 8);
-- none twice when the last one is revoked,
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 9 AND user_id = 8;
SELECT arrival > (SELECT max(arrival) FROM fcfs.coupon_issue WHERE coupon_id = 9 AND user_id < 9) AS later
FROM fcfs.issue_coupon(9, 9);
-- for the same user again,
SELECT arrival > (SELECT max(arrival) FROM fcfs.coupon_issue WHERE coupon_id = 9 AND user_id < 10) AS later
FROM fcfs.issue_coupon(9, 9);
-- above whatever is in the table,
INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival) VALUES (9, 11, 5000);
SELECT arrival > 5000 AS later FROM fcfs.issue_coupon(9, 12);
-- and a coupon each for itself.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (20, 'new', 3, '-infinity', 'infinity');
SELECT (fcfs.issue_coupon(20, 1)).arrival;
SELECT coupon_id, arrival, count(*) FROM fcfs.coupon_issue GROUP BY 1, 2 HAVING count(*) > 1;

-- A change of the coupon counts from its commit on, in its transaction at once, rolled back never.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (21, 'changed', 3, '-infinity', 'infinity');
SELECT test.tried('issue_coupon(21, 1)');
BEGIN;
UPDATE fcfs.coupon SET closes_at = now() WHERE id = 21;
SELECT test.tried('issue_coupon(21, 1)');
SAVEPOINT a;
UPDATE fcfs.coupon SET closes_at = 'infinity', opens_at = now() + interval '1 day' WHERE id = 21;
SELECT test.tried('issue_coupon(21, 1)');
ROLLBACK TO SAVEPOINT a;
SELECT test.tried('issue_coupon(21, 1)');
ROLLBACK;
SELECT test.tried('issue_coupon(21, 1)');
UPDATE fcfs.coupon SET opens_at = now() + interval '1 day' WHERE id = 21;
SELECT test.tried('issue_coupon(21, 1)');
UPDATE fcfs.coupon SET opens_at = '-infinity', per_user_limit = 2 WHERE id = 21;
SELECT test.both('issue_coupon(21, 1)') FROM generate_series(1, 3);
BEGIN;
UPDATE fcfs.coupon SET per_user_limit = 3 WHERE id = 21;
SELECT test.tried('issue_coupon(21, 1)');
ROLLBACK;
SELECT test.tried('issue_coupon(21, 1)');
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (21, 2);
SELECT test.said('UPDATE fcfs.coupon SET per_user_limit = 1 WHERE id = 21');
SELECT test.tried('issue_coupon(21, 2)');

-- A statement that changes the coupon, claims, and fails: nobody sees the change.
UPDATE fcfs.coupon SET closes_at = '2001-01-01', opens_at = '2000-01-01' WHERE id = 21;
WITH changed AS (UPDATE fcfs.coupon SET closes_at = 'infinity' WHERE id = 21 RETURNING id),
claimed AS MATERIALIZED (SELECT id, fcfs.try_issue_coupon(id, 50) FROM changed)
SELECT 1 / (id - 21) FROM claimed;
SELECT test.tried('issue_coupon(21, 51)');
UPDATE fcfs.coupon SET opens_at = '-infinity', closes_at = 'infinity' WHERE id = 21;

-- By hand: over the quota, over the limit a user, the same ordinal twice, no such coupon.
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (5, 1)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal) VALUES (20, 1, 2)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (20, 1)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (999, 1)');
SELECT test.said($$INSERT INTO fcfs.coupon_issue (coupon_id, user_id, status) VALUES (20, 1, 'revoked'), (20, 1, 'revoked')$$);
SELECT test.said('UPDATE fcfs.coupon_issue SET user_ordinal = 2 WHERE coupon_id = 20');
SELECT test.said($$UPDATE fcfs.coupon_issue SET status = 'issued' WHERE coupon_id = 20 AND status = 'revoked'$$);

\i sql/include/finish.sql
