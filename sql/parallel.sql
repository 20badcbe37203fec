-- Whatever a function of one's own says of itself, nothing is claimed in parallel
-- mode, and nothing stays pinned by a worker that has gone.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (1);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 10);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 10, '-infinity', 'infinity');
-- The pools are in the escrow: a worker would find them there.
SELECT (fcfs.try_enroll(1, 1)).ok, (fcfs.try_reserve(1, 1, 1)).ok, (fcfs.try_issue_coupon(1, 1)).ok;

CREATE FUNCTION pg_temp.said(command text) RETURNS text
LANGUAGE plpgsql PARALLEL SAFE AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE command INTO answer;
    RETURN answer;
END
$$;
-- (Called otherwise from PostgreSQL 16 on.)
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
-- A subtransaction cannot be had there, so each is caught outside.
\set VERBOSITY sqlstate
SELECT pg_temp.said('SELECT fcfs.try_enroll(1, 1)');
SELECT pg_temp.said('SELECT fcfs.enroll(1, 1)');
SELECT pg_temp.said('SELECT fcfs.try_cancel_enrollment(1, 1)');
SELECT pg_temp.said('SELECT fcfs.try_reserve(1, 1)');
SELECT pg_temp.said('SELECT fcfs.try_reserve(1, 1, 100)');
SELECT pg_temp.said('SELECT fcfs.try_confirm_reservation(1)');
SELECT pg_temp.said('SELECT fcfs.try_cancel_reservation(1)');
SELECT pg_temp.said('SELECT fcfs.try_issue_coupon(1, 1)');
SELECT pg_temp.said('SELECT fcfs.try_issue_coupon(1, 2)');
SELECT pg_temp.said('SELECT code FROM fcfs.try_issue_coupon(1, 2)');
SELECT pg_temp.said('SELECT fcfs.call(''issue_coupon'', ''{"coupon_id": 1, "user_id": 2}'')');
SELECT pg_temp.said('SELECT fcfs.expire_reservations()');
SELECT pg_temp.said('SELECT fcfs.expire_idempotency_keys()');
SELECT pg_temp.said('SELECT fcfs.person_id(''ann'')');
SELECT pg_temp.said('SELECT fcfs.reload_pool(''item'', 1)');
SELECT pg_temp.said('SELECT count(*) FROM fcfs.verify()');
\set VERBOSITY terse
SELECT pg_temp.said('SELECT fcfs.try_issue_coupon(1, 2)');
SELECT pg_temp.said('SELECT code FROM fcfs.try_issue_coupon(1, 2)');
\set VERBOSITY default
-- What only looks may be asked there.
SELECT pg_temp.said('SELECT count(*) > 0 FROM fcfs.refusals()');
SELECT pg_temp.said('SELECT count(*) FROM fcfs.health()');
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1);
-- To lower a limit a coupon is needed alone: who had it pinned would be waited for.
SET fcfs.lock_timeout = '10s';
UPDATE fcfs.coupon SET per_user_limit = 2;
SELECT fcfs.reload_pool('section', 1), fcfs.reload_pool('item', 1);

\i sql/include/finish.sql
