-- Units taken and given in savepoints, in PL/pgSQL exception blocks, and the same
-- pool taken and given in one transaction.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 20) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 2), (2, 1, 2, 'A', 2), (3, 1, 3, 'A', 1);
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES (1, 'K1', 10, 100, '-infinity', 'infinity');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 10);

-- Taken in savepoints, nested, released and rolled back.
BEGIN;
SELECT (fcfs.reserve(1, 1, 1)).status;
SAVEPOINT a;
SELECT (fcfs.reserve(2, 1, 2)).status;
SAVEPOINT b;
SELECT (fcfs.reserve(3, 1, 4)).status;
SELECT test.free('item', 1);
ROLLBACK TO SAVEPOINT b;
SELECT test.free('item', 1);
SELECT (fcfs.reserve(4, 1, 5)).status;
RELEASE SAVEPOINT b;
SELECT test.free('item', 1);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('item', 1);
SELECT (fcfs.reserve(5, 1, 3)).status;
RELEASE SAVEPOINT a;
COMMIT;
SELECT customer_id FROM fcfs.reservation ORDER BY 1;
SELECT test.free('item', 1);
-- Of the same name, one in another.
BEGIN;
SAVEPOINT a;
SELECT (fcfs.reserve(6, 1, 1)).status;
SAVEPOINT a;
SELECT (fcfs.reserve(7, 1, 1)).status;
SAVEPOINT a;
SELECT (fcfs.reserve(8, 1, 1)).status;
RELEASE SAVEPOINT a;
ROLLBACK TO SAVEPOINT a;
COMMIT;
SELECT customer_id FROM fcfs.reservation ORDER BY 1;
SELECT test.free('item', 1);
-- The statement that fails takes its savepoint with it, and nothing else.
BEGIN;
SELECT (fcfs.reserve(9, 1, 1)).status;
SAVEPOINT a;
SELECT 1 / (length(status) - 4) FROM fcfs.reserve(10, 1, 1);
SELECT 1;
ROLLBACK TO SAVEPOINT a;
SELECT (fcfs.reserve(11, 1, 1)).status;
COMMIT;
SELECT test.free('item', 1);
-- One that fails outside of any takes all.
BEGIN;
SELECT (fcfs.reserve(12, 1, 1)).status;
SELECT fcfs.reserve(12, 1, 99);
COMMIT;
SELECT test.free('item', 1);
TRUNCATE fcfs.reservation, fcfs.reservation_line;

-- Given back in savepoints: others get it at commit only, this transaction at once.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (2, 1), (3, 2), (4, 2);
BEGIN;
SAVEPOINT a;
SELECT code FROM fcfs.try_cancel_enrollment(1, 1);
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('section', 1);
SELECT code FROM fcfs.try_cancel_enrollment(1, 1);
SAVEPOINT b;
SELECT code FROM fcfs.try_cancel_enrollment(2, 1);
SELECT code FROM fcfs.try_enroll(5, 1);
SELECT code FROM fcfs.try_enroll(6, 1);
SELECT code FROM fcfs.try_enroll(7, 1);
ROLLBACK TO SAVEPOINT b;
SELECT code FROM fcfs.try_enroll(5, 1);
SELECT code FROM fcfs.try_enroll(6, 1);
COMMIT;
SELECT student_id FROM fcfs.enrollment WHERE section_id = 1 AND status = 'enrolled' ORDER BY 1;
SELECT test.free('section', 1);
-- Taken inside with what was given outside, and given again: rolled back step by step.
BEGIN;
SELECT code FROM fcfs.try_cancel_enrollment(2, 1);
SAVEPOINT a;
SELECT code FROM fcfs.try_enroll(8, 1);
SAVEPOINT b;
SELECT code FROM fcfs.try_cancel_enrollment(8, 1);
SAVEPOINT c;
SELECT code FROM fcfs.try_enroll(9, 1);
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT c;
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT b;
SELECT test.free('section', 1);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('section', 1);
ROLLBACK;
SELECT test.free('section', 1);
SELECT student_id FROM fcfs.enrollment WHERE section_id = 1 AND status = 'enrolled' ORDER BY 1;

-- Taken and given in one transaction, over and over: the pool has what it had.
BEGIN;
SELECT code FROM fcfs.try_enroll(10, 3);
SELECT code FROM fcfs.try_cancel_enrollment(10, 3);
SELECT code FROM fcfs.try_enroll(10, 3);
SELECT code FROM fcfs.try_cancel_enrollment(10, 3);
COMMIT;
SELECT test.free('section', 3);
DO $$
BEGIN
    FOR i IN 1..100 LOOP
        PERFORM fcfs.enroll(10, 3);
        PERFORM fcfs.cancel_enrollment(10, 3);
    END LOOP;
    PERFORM fcfs.enroll(11, 3);
END
$$;
SELECT test.free('section', 3);
SELECT code FROM fcfs.try_cancel_enrollment(11, 3);
SELECT test.free('section', 3);
-- A swap inside full sections: out of one, into the other, of which the seat has just been given up.
BEGIN;
SELECT code FROM fcfs.try_enroll(3, 1);
SELECT code FROM fcfs.try_cancel_enrollment(2, 1);
SELECT code FROM fcfs.try_cancel_enrollment(3, 2);
SELECT code FROM fcfs.try_enroll(3, 1);
SELECT code FROM fcfs.try_enroll(2, 2);
SELECT code FROM fcfs.try_enroll(12, 1);
SELECT code FROM fcfs.try_enroll(12, 2);
COMMIT;
SELECT student_id, section_id FROM fcfs.enrollment WHERE status = 'enrolled' ORDER BY 2, 1;
SELECT test.free('section', 1), test.free('section', 2);
-- The swap rolled back.
BEGIN;
SELECT code FROM fcfs.try_cancel_enrollment(3, 1);
SELECT code FROM fcfs.try_enroll(12, 1);
ROLLBACK;
SELECT test.free('section', 1);
-- By plain SQL, too.
BEGIN;
DELETE FROM fcfs.enrollment WHERE student_id = 3 AND section_id = 1;
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (13, 1);
SELECT code FROM fcfs.try_cancel_enrollment(13, 1);
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (14, 1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (15, 1)');
COMMIT;
SELECT test.free('section', 1);

-- In exception blocks of PL/pgSQL: what failed is given back, what did not stays.
DO $$
BEGIN
    FOR i IN 1..19 LOOP
        BEGIN
            PERFORM fcfs.issue_coupon(1, i);
            IF i % 2 = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
END
$$;
SELECT count(*), bool_and(user_id % 2 = 1) FROM fcfs.coupon_issue;
SELECT code FROM fcfs.try_issue_coupon(1, 99);
TRUNCATE fcfs.coupon_issue;
DO $$
BEGIN
    FOR i IN 1..1000 LOOP
        BEGIN
            PERFORM fcfs.issue_coupon(1, i);
            PERFORM fcfs.issue_coupon(1, i);
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
END
$$;
SELECT test.free('coupon', 1);
-- A refusal caught like any other error; by its code, too.
DO $$
DECLARE
    refused text;
BEGIN
    PERFORM fcfs.issue_coupon(1, 1);
    BEGIN
        PERFORM fcfs.issue_coupon(99, 1);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
        RAISE WARNING 'caught %, class %', refused, left(SQLSTATE, 2);
    END;
END
$$;
SELECT count(*) FROM fcfs.coupon_issue;
-- Thousands of savepoints in one transaction.
DO $$
BEGIN
    FOR i IN 1..5000 LOOP
        BEGIN
            PERFORM fcfs.try_issue_coupon(1, 2);
            PERFORM fcfs.try_issue_coupon(1, 3);
            RAISE SQLSTATE 'UNDO0';
        EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
            NULL;
        END;
    END LOOP;
    FOR i IN 1..100 LOOP
        BEGIN
            PERFORM fcfs.try_issue_coupon(1, 4);
        EXCEPTION WHEN OTHERS THEN
            RAISE;
        END;
    END LOOP;
END
$$;
SELECT user_id, count(*) FROM fcfs.coupon_issue GROUP BY 1 ORDER BY 1;
SELECT test.free('coupon', 1);

-- A call that fails half way through: the one that the rest of the statement undoes.
UPDATE fcfs.coupon SET quota = 20;
SELECT test.said('SELECT 1 / (length(status) - 6) FROM fcfs.issue_coupon(1, 5)');
SELECT test.free('coupon', 1);
-- A procedure that commits half way.
CREATE PROCEDURE test.in_steps() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fcfs.issue_coupon(1, 6);
    COMMIT;
    PERFORM fcfs.issue_coupon(1, 7);
    ROLLBACK;
    PERFORM fcfs.issue_coupon(1, 8);
    COMMIT AND CHAIN;
    PERFORM fcfs.issue_coupon(1, 9);
    ROLLBACK;
END
$$;
CALL test.in_steps();
SELECT user_id FROM fcfs.coupon_issue WHERE user_id > 5 ORDER BY 1;
SELECT test.free('coupon', 1);
-- A cursor that is left open, and a statement that is timed out.
BEGIN;
DECLARE c CURSOR FOR SELECT (fcfs.try_issue_coupon(1, g)).code FROM generate_series(30, 40) AS g;
FETCH 2 FROM c;
SELECT test.free('coupon', 1);
CLOSE c;
SELECT count(*) FROM fcfs.coupon_issue WHERE user_id >= 30;
ROLLBACK;
BEGIN;
SAVEPOINT a;
SET LOCAL statement_timeout = '20ms';
\set SHOW_CONTEXT never
SELECT (fcfs.try_issue_coupon(1, 50)).code, pg_sleep(10);
ROLLBACK TO SAVEPOINT a;
SELECT test.free('coupon', 1);
COMMIT;
SELECT test.free('coupon', 1);
-- TRUNCATE, rolled back: what was claimed is claimed again. Also for one who holds the whole table
-- for other reasons, as with so many pools without shared memory.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) SELECT g, 'many ' || g, 1, '-infinity', 'infinity' FROM generate_series(1001, 1071) AS g;
SELECT (fcfs.issue_coupon(1070, 1)).status, (fcfs.issue_coupon(1071, 1)).status;
BEGIN;
SELECT count(*) FROM generate_series(1001, 1069) AS g, fcfs.issue_coupon(g, 2);
SAVEPOINT a;
TRUNCATE fcfs.coupon_issue;
ROLLBACK TO SAVEPOINT a;
SELECT code FROM fcfs.try_issue_coupon(1070, 2);
SAVEPOINT b;
SAVEPOINT c;
TRUNCATE fcfs.coupon_issue;
RELEASE SAVEPOINT c;
ROLLBACK TO SAVEPOINT b;
SELECT code FROM fcfs.try_issue_coupon(1071, 2);
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1071, 3)');
ROLLBACK;

\i sql/include/finish.sql
