-- Functions, operators, tables and types that a caller plants where names are
-- looked for do not get into the functions, which run with the rights of their owner.
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

CREATE ROLE tap_caller;
SELECT lives_ok($$SELECT fcfs.grant_app('tap_caller')$$, 'a caller');
CREATE SCHEMA planted AUTHORIZATION tap_caller;
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (901, 'tap', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (901), (902);
INSERT INTO fcfs.course (id, code, credits) VALUES (901, 'tap', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (901, 901, 901, 'A', 5);
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES (901, 'tap', '-infinity', 'infinity', 3);
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (901, 901, 'tap', 3);
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES (901, 'tap', 1000, 9, '-infinity', 'infinity');

SET LOCAL ROLE tap_caller;
SET LOCAL search_path = planted, public;
-- Every operator that compares or computes, for the types in use, and the functions one would call.
CREATE FUNCTION planted.trap() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE SQLSTATE 'TRAP0' USING MESSAGE = 'hijacked';
END
$$;
DO $$
DECLARE
    type text;
    operator text;
BEGIN
    FOREACH type IN ARRAY '{bigint,integer,text,name,boolean,numeric,date,time,timestamp,timestamptz,interval,oid,tstzmultirange,jsonb,"char"}'::text[] LOOP
        EXECUTE format('CREATE FUNCTION planted.trap(%1$s, %1$s) RETURNS boolean LANGUAGE sql AS %2$L', type, 'SELECT planted.trap()');
        FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=,+,-,*,/,%,||,&&,@>,~,~~}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR planted.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = planted.trap)', operator, type);
        END LOOP;
    END LOOP;
    FOREACH operator IN ARRAY '{now(),clock_timestamp(),current_setting(text),length(text),format(text),isfinite(date),num_nonnulls(integer),
        range_agg(tstzmultirange),sum(bigint),count(bigint),max(bigint),min(bigint),unnest(bigint),to_jsonb(text),
        jsonb_build_object(text),make_interval(integer),nextval(regclass),quote_ident(text)}'::text[] LOOP
        EXECUTE format('CREATE FUNCTION planted.%s RETURNS boolean LANGUAGE sql AS %L', operator, 'SELECT planted.trap()');
    END LOOP;
END
$$;
-- Operators with two types, as between a timestamp and an interval.
CREATE FUNCTION planted.trap2(timestamptz, interval) RETURNS timestamptz LANGUAGE sql AS $$SELECT CASE WHEN planted.trap() THEN $1 END$$;
CREATE OPERATOR planted.+ (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = planted.trap2);
CREATE OPERATOR planted.- (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = planted.trap2);
CREATE FUNCTION planted.trap3(integer, bigint) RETURNS boolean LANGUAGE sql AS $$SELECT planted.trap()$$;
CREATE OPERATOR planted.= (LEFTARG = integer, RIGHTARG = bigint, FUNCTION = planted.trap3);
CREATE FUNCTION planted.trap4(jsonb, text) RETURNS text LANGUAGE sql AS $$SELECT planted.trap()::text$$;
CREATE OPERATOR planted.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = planted.trap4);
CREATE OPERATOR planted.? (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = planted.trap4);
CREATE TABLE planted.enrollment (id bigint);
CREATE TYPE planted.outcome AS (ok boolean);
CREATE DOMAIN planted.timestamptz AS text;
-- Temporary tables are looked for first, unless the path says otherwise.
CREATE TEMPORARY TABLE section (id bigint, capacity integer);
CREATE TEMPORARY TABLE coupon (id bigint, quota bigint);
CREATE TEMPORARY TABLE pg_proc (oid oid, proname name);
CREATE TEMPORARY TABLE pg_trigger (oid oid);
CREATE TEMPORARY TABLE idempotency (person_id bigint);
CREATE TEMPORARY TABLE person (id bigint, external_id text);
CREATE DOMAIN pg_temp.int8 AS text;
CREATE DOMAIN pg_temp.outcome AS text;

-- From here on nothing of the test's own may look for a name before all calls are made.
RESET ROLE;
CREATE TEMPORARY TABLE said (number integer, path text, call text, state text);
GRANT INSERT, SELECT ON said TO tap_caller;
SET LOCAL ROLE tap_caller;
SET LOCAL search_path = pg_catalog, public;
DO $do$
DECLARE
    call text;
    path text;
BEGIN
    FOREACH path IN ARRAY ARRAY['planted, pg_catalog, public', 'planted, pg_temp, pg_catalog', 'pg_temp, planted, pg_catalog, fcfs'] LOOP
        FOREACH call IN ARRAY ARRAY[
            -- The traps work: the caller falls into them.
            'SELECT 1::pg_catalog.int8 = 2::pg_catalog.int8', 'SELECT clock_timestamp()',
            'SELECT fcfs.enroll(901, 901)', 'SELECT fcfs.try_enroll(901, 901)', 'SELECT fcfs.try_cancel_enrollment(901, 901)',
            'SELECT fcfs.cancel_enrollment(902, 901)', 'SELECT fcfs.try_enroll(902, 901)',
            $$SELECT fcfs.try_enroll(902, 901, 'key')$$, $$SELECT fcfs.try_enroll(902, 901, 'key')$$,
            'SELECT fcfs.reserve(1, 901)', 'SELECT fcfs.try_reserve(1, 901, 3)', 'SELECT fcfs.try_reserve(1, 901, 1)', 'SELECT fcfs.try_reserve(2, 901, 3)',
            'SELECT fcfs.try_confirm_reservation(901)', 'SELECT fcfs.try_cancel_reservation(901)',
            'SELECT fcfs.issue_coupon(901, 1)', 'SELECT fcfs.try_issue_coupon(901, 2)',
            $$SELECT fcfs.call('issue_coupon', '{"coupon_id": 901, "user_id": 3}')$$,
            $$SELECT fcfs.person_id('somebody')$$, $$SELECT fcfs.person_id('somebody')$$, 'SELECT fcfs.refusals()'] LOOP
            DECLARE
                state text := 'done';
            BEGIN
                PERFORM pg_catalog.set_config('search_path', path, true);
                EXECUTE call;
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
                INSERT INTO pg_temp.said VALUES (1, path, call, state);
            EXCEPTION WHEN OTHERS THEN
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
                INSERT INTO pg_temp.said VALUES (1, path, call, SQLSTATE OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) SQLERRM);
            END;
        END LOOP;
    END LOOP;
END
$do$;
RESET ROLE;
-- What the owner writes is counted by triggers that look nowhere else either.
SET LOCAL search_path = planted, pg_catalog;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (901, 77);
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (901, 901) ON CONFLICT DO NOTHING;
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (901, 1, '09:00', '10:00');
UPDATE fcfs.section SET capacity = 6;
UPDATE fcfs.term SET time_zone = 'Asia/Seoul';
DELETE FROM fcfs.coupon_issue;
TRUNCATE fcfs.enrollment;
SET LOCAL search_path = public;
DROP TABLE pg_temp.section, pg_temp.coupon, pg_temp.pg_proc, pg_temp.pg_trigger, pg_temp.idempotency, pg_temp.person;
SELECT pass('no statement of the owner met a trap in a trigger');
SELECT is(count(*), 63::bigint, 'all calls were made') FROM said;
SELECT is(count(*), 6::bigint, 'the traps work') FROM said WHERE state LIKE 'TRAP0 %' AND call NOT LIKE '%fcfs%';
SELECT is_empty(
    $$SELECT * FROM said WHERE call LIKE '%fcfs%' AND state <> 'done' AND state NOT LIKE 'RF%'$$,
    'no call of the functions met a trap');
SELECT is_empty('SELECT * FROM fcfs.verify()', 'nothing is broken');
SELECT * FROM finish();
ROLLBACK;
