-- MERGE (PostgreSQL 15 and later) counts like the statements it is made of.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 3, '-infinity', 'infinity');
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 1), (1, 2);

-- User 1 is there already, user 2 is taken out, users 3 and 4 come in: three.
SELECT test.said($$MERGE INTO fcfs.coupon_issue AS i USING (VALUES (1), (2), (3), (4)) AS v (user_id) ON i.user_id = v.user_id
    WHEN MATCHED AND i.user_id = 2 THEN DELETE
    WHEN MATCHED THEN UPDATE SET reference = 'seen'
    WHEN NOT MATCHED THEN INSERT (coupon_id, user_id) VALUES (1, v.user_id)$$);
SELECT user_id, status, reference FROM fcfs.coupon_issue ORDER BY user_id;
SELECT test.free('coupon', 1);
-- One more than there is: nothing of it.
SELECT test.said($$MERGE INTO fcfs.coupon_issue AS i USING (VALUES (1), (5)) AS v (user_id) ON i.user_id = v.user_id
    WHEN MATCHED THEN UPDATE SET reference = 'seen again'
    WHEN NOT MATCHED THEN INSERT (coupon_id, user_id) VALUES (1, v.user_id)$$);
SELECT user_id, status, reference FROM fcfs.coupon_issue ORDER BY user_id;
-- Revoked here, issued there.
SELECT test.said($$MERGE INTO fcfs.coupon_issue AS i USING (VALUES (1), (5)) AS v (user_id) ON i.user_id = v.user_id
    WHEN MATCHED THEN UPDATE SET status = 'revoked'
    WHEN NOT MATCHED THEN INSERT (coupon_id, user_id) VALUES (1, v.user_id)$$);
SELECT user_id, status, reference FROM fcfs.coupon_issue ORDER BY user_id;
SELECT test.free('coupon', 1);

\i sql/include/finish.sql
