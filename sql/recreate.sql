-- DROP EXTENSION, CREATE EXTENSION in the same session, rolled back and committed:
-- the new one starts clean, although the old one's numbers come again.
\i sql/include/start.sql

CREATE PROCEDURE test.world() LANGUAGE sql AS $$
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 2);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 2);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 2, '-infinity', 'infinity');
$$;
CREATE FUNCTION test.sell_out() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT (fcfs.try_enroll(g, 1)).code FROM generate_series(1, 3) AS g;
    RETURN QUERY SELECT (fcfs.try_reserve(g, 1)).code FROM generate_series(1, 3) AS g;
    RETURN QUERY SELECT (fcfs.try_issue_coupon(1, g)).code FROM generate_series(1, 3) AS g;
END
$$;
CALL test.world();
SELECT test.sell_out();
PREPARE coupon AS SELECT code FROM fcfs.try_issue_coupon(1, 9);
EXECUTE coupon;

-- Dropped and made again.
DROP EXTENSION pg_fcfs;
CREATE EXTENSION pg_fcfs;
SELECT code FROM fcfs.try_issue_coupon(1, 1);
CALL test.world();
EXECUTE coupon;
SELECT arrival FROM fcfs.coupon_issue;
DELETE FROM fcfs.coupon_issue;
SELECT test.sell_out();
SELECT * FROM fcfs.verify();

-- Dropped and rolled back: everything is as it was, sold out.
BEGIN;
DROP EXTENSION pg_fcfs;
ROLLBACK;
SELECT test.sell_out();
BEGIN;
SAVEPOINT a;
DROP EXTENSION pg_fcfs;
ROLLBACK TO SAVEPOINT a;
SELECT code FROM fcfs.try_issue_coupon(1, 8);
COMMIT;
SELECT * FROM fcfs.verify();

-- Dropped with units in flight, in one transaction; made, used and rolled back in one.
BEGIN;
DELETE FROM fcfs.coupon_issue WHERE user_id = 1;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
DROP EXTENSION pg_fcfs;
ROLLBACK;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
SELECT code FROM fcfs.try_issue_coupon(1, 1);
BEGIN;
DROP EXTENSION pg_fcfs;
CREATE EXTENSION pg_fcfs;
CALL test.world();
SELECT test.sell_out();
ROLLBACK;
SELECT test.sell_out();
BEGIN;
DROP EXTENSION pg_fcfs;
CREATE EXTENSION pg_fcfs;
CALL test.world();
SELECT test.sell_out();
COMMIT;
SELECT test.sell_out();
SELECT * FROM fcfs.verify();

-- Dropped with everything that hangs on it.
CREATE VIEW test.enrolled AS SELECT * FROM fcfs.enrollment;
DROP EXTENSION pg_fcfs;
\echo :SQLSTATE
DROP EXTENSION pg_fcfs CASCADE;
SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'fcfs');
SELECT fcfs.try_issue_coupon(1, 1);
\echo :SQLSTATE
CREATE EXTENSION pg_fcfs;
CALL test.world();
SELECT test.sell_out();

\i sql/include/finish.sql
