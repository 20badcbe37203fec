-- What roles try that have nothing, or a grant: to take the functions over, to get at
-- internals and at rows, to be more than they are, to smuggle SQL in. grants.sql says
-- who has what, planted.sql what names may be planted; this is what can be tried with it.
BEGIN;
SET LOCAL search_path = public;
SET LOCAL client_min_messages = warning;
SELECT no_plan();

CREATE ROLE tap_nobody;
CREATE ROLE tap_app;
CREATE ROLE tap_monitor;
CREATE ROLE tap_admin;
SELECT lives_ok(format('SELECT fcfs.grant_%s(%L)', kind, 'tap_' || kind), 'grant_' || kind) FROM unnest('{app,monitor,admin}'::text[]) AS kind;
-- All that a database may give to somebody who builds applications in it.
CREATE SCHEMA own;
GRANT ALL ON SCHEMA own TO tap_nobody, tap_app, tap_monitor, tap_admin;
DO $$BEGIN EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO tap_nobody, tap_app, tap_monitor, tap_admin', current_database()); END$$;
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (901, 'tap', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id, external_id) VALUES (901, 'somebody secret'), (902, NULL), (903, NULL);
INSERT INTO fcfs.course (id, code, title, credits) VALUES (901, 'tap', 'untold', 3), (902, 'tap 2', 'untold', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (901, 901, 901, 'A', 5), (902, 901, 902, 'A', 1);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (901, 1, '09:00', '10:00'), (902, 1, '09:30', '10:30');
INSERT INTO fcfs.item (id, code, stock) VALUES (901, 'tap', 3);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (901, 'tap', 10, '-infinity', 'infinity');
SELECT ok((fcfs.try_enroll(901, 901)).ok AND (fcfs.try_reserve(901, 901, 1)).ok AND (fcfs.try_issue_coupon(901, 901, 'key')).ok
    AND fcfs.person_id('somebody secret') > 0, 'there is something to get at');

-- Taking over, as each of the roles: all is refused for want of a right.
CREATE TEMPORARY TABLE attempt (command text);
INSERT INTO attempt VALUES
    ($$CREATE OR REPLACE FUNCTION fcfs.try_enroll(student_id bigint, section_id bigint, idempotency_key text DEFAULT NULL, credits numeric DEFAULT NULL) RETURNS fcfs.outcome LANGUAGE sql AS 'SELECT NULL::fcfs.outcome'$$),
    ($$CREATE FUNCTION fcfs.try_pwn(a bigint) RETURNS fcfs.outcome LANGUAGE sql AS 'SELECT NULL::fcfs.outcome'$$),
    ($$CREATE FUNCTION fcfs.enroll(student_id integer, section_id integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'$$),
    ($$CREATE FUNCTION own.enroll(a bigint, b bigint, c text) RETURNS bigint LANGUAGE c AS '$libdir/pg_fcfs', 'fcfs_enroll'$$),
    ($$CREATE FUNCTION own.raw(internal) RETURNS internal LANGUAGE internal AS 'int8in'$$),
    ($$LOAD 'pg_fcfs'$$),
    ('ALTER FUNCTION fcfs.try_enroll(bigint, bigint, text, numeric) SECURITY INVOKER'),
    ('ALTER FUNCTION fcfs.try_enroll(bigint, bigint, text, numeric) SET search_path = own'),
    ('ALTER FUNCTION fcfs.try_enroll(bigint, bigint, text, numeric) RENAME TO elsewhere'),
    ('ALTER FUNCTION fcfs.try_enroll(bigint, bigint, text, numeric) OWNER TO CURRENT_USER'),
    ('DROP FUNCTION fcfs.try_enroll(bigint, bigint, text, numeric)'),
    ('ALTER TYPE fcfs.outcome ADD ATTRIBUTE more text'),
    ('ALTER DOMAIN fcfs.coupon_issue_status DROP CONSTRAINT coupon_issue_status_known'),
    ('CREATE TYPE fcfs.mine AS (a bigint)'), ('CREATE DOMAIN fcfs.mine AS text'),
    ('CREATE OPERATOR fcfs.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8eq)'),
    ('CREATE CAST (text AS fcfs.outcome) WITHOUT FUNCTION'),
    ('CREATE CAST (bigint AS fcfs.outcome) WITH INOUT AS IMPLICIT'),
    ('CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION own.nothing()'),
    ('CREATE TRIGGER mine AFTER INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION own.nothing()'),
    ('CREATE RULE mine AS ON INSERT TO fcfs.enrollment DO INSTEAD NOTHING'),
    ('CREATE RULE mine AS ON SELECT TO fcfs.stat_pools DO INSTEAD SELECT 1'),
    ('CREATE OR REPLACE VIEW fcfs.stat_pools AS SELECT 1'),
    ('CREATE POLICY mine ON fcfs.enrollment USING (true)'),
    ('CREATE INDEX ON fcfs.enrollment (status)'), ('CREATE STATISTICS own.mine ON status, section_id FROM fcfs.enrollment'),
    ('ALTER TABLE fcfs.enrollment DISABLE TRIGGER ALL'), ('ALTER TABLE fcfs.enrollment ALTER status SET DEFAULT 1'),
    ('CREATE TABLE own.child () INHERITS (fcfs.enrollment)'),
    ('CREATE PUBLICATION mine FOR TABLE fcfs.enrollment'),
    ('ALTER SEQUENCE fcfs.enrollment_id_seq RESTART'), ('LOCK TABLE fcfs.enrollment IN ACCESS SHARE MODE'),
    ('ALTER SCHEMA fcfs RENAME TO elsewhere'), ('DROP SCHEMA fcfs CASCADE'),
    ('ALTER EXTENSION pg_fcfs DROP FUNCTION fcfs.verify()'), ('DROP EXTENSION pg_fcfs CASCADE'), ('ALTER EXTENSION pg_fcfs UPDATE'),
    ('COMMENT ON FUNCTION fcfs.verify() IS NULL'),
    ('SET session_replication_role = replica'), ('SET fcfs.slow_wait = -1'), ('SET fcfs.hold_for = 1'), ('SET fcfs.idempotency_keep = 86400'),
    ('ALTER ROLE CURRENT_USER SET fcfs.hold_for = 1'), ('SET log_statement = none'),
    ('TABLE pg_authid'), ('COPY fcfs.enrollment TO ''/tmp/enrollment'''), ('COPY (SELECT 1) TO PROGRAM ''true'''), ('INSERT INTO fcfs.idempotency DEFAULT VALUES'),
    ('INSERT INTO fcfs.enrollment_summary (student_id, section_id) VALUES (902, 901)'), ('DELETE FROM fcfs.enrollment_summary'),
    ('UPDATE fcfs.enrollment SET status = status'), ('MERGE INTO fcfs.enrollment e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE'),
    ('TRUNCATE fcfs.coupon_issue'), ('REINDEX TABLE fcfs.term');
CREATE FUNCTION own.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION pg_temp.answer(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
GRANT SELECT ON attempt TO PUBLIC;
CREATE TEMPORARY TABLE tried (role name, command text, answer text);
GRANT INSERT ON tried TO PUBLIC;
SET LOCAL ROLE tap_nobody;
INSERT INTO tried SELECT CURRENT_USER, command, pg_temp.answer(command) FROM attempt;
SET LOCAL ROLE tap_app;
INSERT INTO tried SELECT CURRENT_USER, command, pg_temp.answer(command) FROM attempt;
SET LOCAL ROLE tap_monitor;
INSERT INTO tried SELECT CURRENT_USER, command, pg_temp.answer(command) FROM attempt;
SET LOCAL ROLE tap_admin;
INSERT INTO tried SELECT CURRENT_USER, command, pg_temp.answer(command) FROM attempt;
RESET ROLE;
SELECT is_empty(
    $$SELECT * FROM tried WHERE answer <> '42501'
          -- An administrator reads every table.
          AND NOT (role = 'tap_admin' AND command ~ '^LOCK TABLE fcfs.enrollment IN ACCESS SHARE')$$,
    'nobody takes anything over');
SELECT is(count(*), 4 * (SELECT count(*) FROM attempt), 'all was tried') FROM tried;
-- Even what got into the schema, and is no work of the owner's, is not run with the owner's rights.
CREATE FUNCTION fcfs.pwn(a bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION fcfs.try_pwn(a bigint) RETURNS fcfs.outcome LANGUAGE sql AS 'SELECT NULL::fcfs.outcome';
GRANT CREATE ON SCHEMA fcfs TO tap_app;
GRANT USAGE ON TYPE fcfs.outcome TO tap_app;
ALTER FUNCTION fcfs.try_pwn(bigint) OWNER TO tap_app;
SELECT throws_ok($$SELECT fcfs.call('pwn', '{"a": 1}')$$, '42883', NULL, 'call() runs nothing that somebody else has made');
DROP FUNCTION fcfs.pwn(bigint), fcfs.try_pwn(bigint);
REVOKE CREATE ON SCHEMA fcfs FROM tap_app;

-- Looking at what is not one's own.
ANALYZE fcfs.student, fcfs.enrollment, fcfs.course, fcfs.person;
SET LOCAL ROLE tap_app;
SELECT is_empty($$SELECT * FROM pg_stats WHERE schemaname = 'fcfs'$$, 'app: no statistics of any table');
SELECT is_empty($$SELECT * FROM pg_sequences WHERE schemaname = 'fcfs' AND last_value IS NOT NULL$$, 'app: no number of any sequence');
SELECT throws_ok('EXPLAIN (VERBOSE) ' || command, '42501', NULL, 'app: EXPLAIN ' || command)
FROM unnest(ARRAY['SELECT * FROM fcfs.student', 'SELECT * FROM fcfs.enrollment_summary', 'SELECT * FROM fcfs.stat_pools', 'DELETE FROM fcfs.person']) AS command;
-- Everything that the functions answer and raise, in all words.
CREATE FUNCTION pg_temp.told(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    message text;
    detail text;
    hint text;
    context text;
BEGIN
    EXECUTE command INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' | ', message, detail, hint, context);
END
$$;
CREATE TEMPORARY TABLE told AS
SELECT command, pg_temp.told(command) AS answer
FROM (
    SELECT format('SELECT fcfs.%s%s(%s)::text', face, function, arguments) AS command
    FROM unnest('{"",try_}'::text[]) AS face,
        unnest('{enroll,cancel_enrollment,swap_enrollment,change_schedule,join_waitlist,leave_waitlist,reserve,confirm_reservation,cancel_reservation,issue_coupon}'::text[]) AS function,
        unnest(ARRAY['901, 901', '901, 902', '902, 902', '903, 902', '904, 901', '901, 904', '-1, 0', '901, 901, NULL', '901, 901, 9', $$901, 901, 'other'$$, '901',
            '(SELECT 1)', $$901, 'key'$$, 'NULL', 'NULL, 901', '9223372036854775807, -9223372036854775808']) AS arguments
    UNION ALL
    SELECT format('EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF) SELECT fcfs.try_enroll(901, %s)', n) FROM generate_series(900, 903) AS n
    UNION ALL
    SELECT format('SELECT fcfs.call(%L, %L)', name, args)
    FROM unnest('{enroll,person,enrollment,student,"enroll(1,1)",try_enroll}'::text[]) AS name,
        unnest(ARRAY['{"student_id": 901, "section_id": 902}', '{"student_id": "(SELECT title FROM fcfs.course)", "section_id": 901}',
            '{"student_id": "901); SELECT title FROM fcfs.course; --", "section_id": 901}',
            $${"student_id": 901, "section_id": 901, "idempotency_key": "' || (SELECT external_id FROM fcfs.person) || '"}$$,
            '{"student_id) SELECT title FROM fcfs.course": 1}']) AS args
    ) AS c;
SELECT cmp_ok(count(*), '>', 200::bigint, 'app: many answers') FROM told WHERE answer <> '';
SELECT is_empty($$SELECT * FROM told WHERE answer ~ 'untold|somebody secret|\{\["'$$, 'app: no title, name or calendar in any answer or error');
-- Nor by functions that tell what they are given, before a condition is judged.
CREATE FUNCTION pg_temp.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE SQLSTATE 'LEAK0'; END$$;
SELECT throws_ok('SELECT * FROM fcfs.' || view || ' AS v WHERE pg_temp.leak(v)', '42501', NULL, 'app: a leaky function over ' || view)
FROM unnest('{stat_pools,enrollment_summary}'::text[]) AS view;
SET LOCAL ROLE tap_monitor;
SELECT is_empty($$SELECT * FROM pg_stats WHERE schemaname = 'fcfs'$$, 'monitor: no statistics of any table');
RESET ROLE;

-- Advisory locks of the application are other locks, whatever their numbers.
SELECT ok((fcfs.try_issue_coupon(901, 99902)).ok, 'a call that holds the lock of user 99902');
CREATE TEMPORARY TABLE held AS SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT cmp_ok(count(*), '>', 0::bigint, 'it is an advisory lock') FROM held WHERE objid = 99902;
SELECT ok(pg_try_advisory_lock(99902) AND pg_try_advisory_lock(0, 99902) AND pg_advisory_unlock(99902), 'the application locks the same number');
DO 'BEGIN PERFORM pg_advisory_unlock_all(); END';
SELECT set_has(
    $$SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()$$,
    'SELECT * FROM held', 'pg_advisory_unlock_all() frees none of ours');

-- Text is text: in codes, keys, names of people, and on its way through JSON.
CREATE TEMPORARY TABLE strange AS
SELECT number + 1000 AS id, text FROM unnest(ARRAY[
    'it''s', 'say "so"', 'back\slash\', '\', '$$', '$1', '%s %I %n %', '''; DROP TABLE fcfs.term; --', E'\u202Etfel ot thgir', E'\U0001D11E',
    repeat(E'\U0001D11E', 255), repeat('x', 255), ' ', E'line\nfeed\r\t\b', E'\x01\x7f', 'NULL', '{}', '{"a": 1}', '(,)', E'\uFEFF', E'a\u0301']) WITH ORDINALITY AS s (text, number);
INSERT INTO fcfs.course (id, code, credits) SELECT id, text, 0 FROM strange;
INSERT INTO fcfs.section (id, term_id, course_id, code, schedule) SELECT id, 901, id, text, '{[2021-03-01,2021-03-02)}' FROM strange;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) SELECT id, text, 9, '-infinity', 'infinity' FROM strange;
INSERT INTO fcfs.section (id, term_id, course_id, code, schedule) VALUES (999, 901, 901, 'C', '{[2021-03-01,2021-03-02)}');
INSERT INTO fcfs.student (id) SELECT id FROM strange;
SET LOCAL standard_conforming_strings = off;
SELECT ok(bool_and((fcfs.try_enroll(id, id)).ok), 'enrolled in sections with strange codes') FROM strange;
SELECT is((fcfs.try_enroll(id, 999)).detail, format('clashes with %s %s (section %s)', text, text, id), 'detail of text ' || id) FROM strange;
SELECT ok((first).ok AND NOT (first).replayed AND (again).ok AND (again).replayed AND (first).id = (again).id
    AND (other).code = 'IDEMPOTENCY_KEY_REUSED' AND json ->> 'replayed' = 'true' AND (json #>> '{data,id}')::bigint = (first).id, 'key of text ' || id)
FROM strange, LATERAL (SELECT fcfs.try_issue_coupon(id, 1, text) AS first) AS a, LATERAL (SELECT fcfs.try_issue_coupon(id, 1, text) AS again) AS b,
    LATERAL (SELECT fcfs.try_issue_coupon(901, 1, text) AS other) AS c,
    LATERAL (SELECT fcfs.call('issue_coupon', jsonb_build_object('coupon_id', id, 'user_id', 1, 'idempotency_key', text)) AS json) AS d;
SELECT ok(count(DISTINCT fcfs.person_id(text)) = count(*), 'people with strange names') FROM strange;
SELECT is_empty('SELECT * FROM strange WHERE fcfs.person_id(text) <> (SELECT p.id FROM fcfs.person AS p WHERE p.external_id = text)', 'they are who they are');
SET LOCAL standard_conforming_strings = on;
SET LOCAL client_encoding = LATIN1;
SELECT ok((fcfs.try_issue_coupon(901, 1001, U&'cl\00e9')).ok, 'a key in another encoding');
SET LOCAL client_encoding = UTF8;
SELECT ok((fcfs.try_issue_coupon(901, 1001, 'clé')).replayed, 'is the same key');
SELECT throws_ok($$SELECT fcfs.call('issue_coupon', '{"coupon_id": 901, "user_id": 1, "idempotency_key": "\u0000"}')$$, '22P05', NULL, 'there is no NUL in a key');
SELECT throws_ok($$SELECT fcfs.try_issue_coupon(901, 1, convert_from('\xff', 'UTF8'))$$, '22021', NULL, 'nor anything that is no text');

-- As large as it gets.
SELECT throws_ok(command, state, NULL, command)
FROM (VALUES
    ($$SELECT fcfs.try_issue_coupon(901, 1, repeat('x', 100000000))$$, '22023'), ($$SELECT fcfs.issue_coupon(901, 1, repeat('é', 10000000))$$, '22023'),
    ($$SELECT fcfs.person_id(repeat('x', 100000000))$$, '22023'), ($$SELECT fcfs.call(repeat('x', 10000000))$$, '42883'),
    ($$SELECT fcfs.call('enroll', jsonb_build_object(repeat('x', 10000000), 1))$$, '22023'),
    ($$SELECT fcfs.call('enroll', (SELECT jsonb_object_agg('k' || g, g) FROM generate_series(1, 100000) AS g))$$, '22023'),
    ($$SELECT fcfs.call('enroll', jsonb_build_object('student_id', repeat('9', 1000000), 'section_id', 1))$$, '22003'),
    ($$SELECT fcfs.call('enroll', (repeat('[', 100000))::jsonb)$$, '54001'),
    ($$SELECT fcfs.load_catalogue((repeat('[', 100000))::jsonb)$$, '54001'),
    ($$SELECT fcfs.load_catalogue(jsonb_build_object(repeat('x', 10000000), '[]'::jsonb))$$, '22023'),
    ($$SELECT fcfs.reload_pool(repeat('x', 10000000), 1)$$, '22023'), ($$SELECT fcfs.grant_app(repeat('x', 10000)::name)$$, '42704')) AS c (command, state);
SELECT cmp_ok(length(pg_temp.told(command)), '<', 2000, 'a short error: ' || command)
FROM unnest(ARRAY[$$SELECT fcfs.call(repeat('x', 10000000))$$, $$SELECT fcfs.call('enroll', jsonb_build_object(repeat('x', 10000000), 1))$$,
    $$SELECT fcfs.reload_pool(repeat('x', 10000000), 1)$$, $$SELECT fcfs.load_catalogue(jsonb_build_object(repeat('x', 10000000), '[]'::jsonb))$$]) AS command;

-- A catalogue of the strangest: told element by element, and shortly.
SELECT is(
    (SELECT string_agg(action, ' ') FROM fcfs.load_catalogue(jsonb_build_object('courses', jsonb_build_array(
        jsonb_build_object('code', repeat('x', 1000000), 'credits', 1), jsonb_build_object('code', 'h1', 'credits', repeat('9', 100000)),
        jsonb_build_object('code', 'h2', 'credits', 1, repeat('k', 1000000), 1), jsonb_build_object('code', 'h3', 'credits', ('1e10000')::jsonb),
        jsonb_build_object('code', 'h4', 'credits', 1, 'title', (repeat('[', 1000) || repeat(']', 1000))::jsonb),
        jsonb_build_object('code', $$'); DROP TABLE fcfs.term; --$$, 'credits', 1), jsonb_build_object('code', E'\u202e"%s%I$1', 'credits', 1),
        jsonb_build_object('code', 'h5', 'credits', 1, 'title', repeat('é', 1000000)))))
     WHERE coalesce(length(code), 0) <= 300 AND coalesce(length(reason), 0) < 2100),
    'refused refused refused refused refused added added added', 'a hostile catalogue');
SELECT is(
    (SELECT string_agg(DISTINCT action, ' ') FROM fcfs.load_catalogue(jsonb_build_object('sections', (SELECT jsonb_agg(jsonb_build_object(
        'term', 'T' || g, 'course', 'none', 'code', g::text, 'meetings', (SELECT jsonb_agg(h) FROM generate_series(1, 20) AS h))) FROM generate_series(1, 300) AS g)))),
    'refused', 'all of it wrong');
SELECT has_table('fcfs'::name, 'term'::name, 'no code of it was executed');

DELETE FROM fcfs.enrollment WHERE section_id >= 1000;
DELETE FROM fcfs.section WHERE id >= 999;    -- whose schedules were written by hand
SELECT is_empty('SELECT * FROM fcfs.verify()', 'nothing is broken');
SELECT * FROM finish();
ROLLBACK;
