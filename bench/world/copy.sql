-- Half a million claims on one coupon, in a file, and where to copy them without
-- our triggers. :dir is a directory where the server may write.

INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at)
VALUES (1, 'BULK', 1000000000, now() - interval '1 day', now() + interval '1 day');

CREATE SCHEMA bench;
CREATE TABLE bench.bare_issue (LIKE fcfs.coupon_issue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES INCLUDING CONSTRAINTS);

COPY (SELECT 1, g FROM generate_series(1, 500000) g) TO :'file';
