-- What somebody planted before the extension is installed does not get into what
-- it makes: neither names in a schema that CREATE EXTENSION looks into, nor a schema
-- fcfs of their own, nor default privileges that give everything to everybody.
BEGIN;
SET LOCAL search_path = public;
SET LOCAL client_min_messages = warning;
SELECT no_plan();

DROP EXTENSION pg_fcfs, btree_gist;
DROP SCHEMA fcfs;
CREATE ROLE tap_planter;
-- Up to PostgreSQL 14 public is such a schema. The tests' own words are there.
CREATE SCHEMA everybody;
GRANT USAGE, CREATE ON SCHEMA everybody TO PUBLIC;
CREATE EXTENSION btree_gist SCHEMA everybody;

SET LOCAL ROLE tap_planter;
CREATE FUNCTION everybody.trap() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE SQLSTATE 'TRAP0' USING MESSAGE = 'hijacked';
END
$$;
-- Operators for two types that the server has none for fit better than its own.
DO $$
DECLARE
    types text[] := '{bigint,integer,smallint,text,name,boolean,numeric,date,time,timestamp,timestamptz,interval,oid,tstzmultirange,jsonb,"char"}';
    operators text[] := '{=,<>,<,<=,>,>=,+,-,*,/,%,||,&&,@>,~,~~,->>,?}';
    one record;
BEGIN
    FOR one IN
        SELECT l, r FROM unnest(types) AS l, unnest(types) AS r
    LOOP
        EXECUTE format('CREATE FUNCTION everybody.trap(%s, %s) RETURNS boolean LANGUAGE sql AS %L', one.l, one.r, 'SELECT everybody.trap()');
    END LOOP;
    FOR one IN
        SELECT l, o, r FROM unnest(types) AS l, unnest(operators) AS o, unnest(types) AS r
        WHERE NOT EXISTS (SELECT FROM pg_operator WHERE oprname = o AND oprleft = l::regtype AND oprright = r::regtype)
    LOOP
        EXECUTE format('CREATE OPERATOR everybody.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = everybody.trap)', one.o, one.l, one.r);
    END LOOP;
    FOR one IN
        SELECT unnest('{num_nonnulls(integer;date),format(text;bigint;bigint),format(text;bigint),format(text;text;bigint),concat(text),
            jsonb_build_object(text;boolean),coalesce_all(text),isfinite(integer)}'::text[]) AS f
    LOOP
        EXECUTE format('CREATE FUNCTION everybody.%s RETURNS integer LANGUAGE sql AS %L', replace(one.f, ';', ', '), 'SELECT everybody.trap()::integer');
    END LOOP;
END
$$;
CREATE TYPE everybody.outcome AS (ok boolean);
CREATE DOMAIN everybody.tstzmultirange AS text;
SELECT throws_ok('SELECT 1::numeric OPERATOR(everybody.>=) 0', 'TRAP0', NULL, 'the traps work');
SELECT throws_ok('SELECT everybody.num_nonnulls(1, current_date)', 'TRAP0', NULL, 'traps for functions do too');
RESET ROLE;

-- A schema of that name, from where its owner could rule the extension.
CREATE SCHEMA fcfs AUTHORIZATION tap_planter;
SELECT throws_ok('CREATE EXTENSION pg_fcfs', '42501', NULL, 'a schema fcfs of somebody else is not filled');
ALTER SCHEMA fcfs OWNER TO CURRENT_USER;
-- Everything for everybody.
GRANT ALL ON SCHEMA fcfs TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO PUBLIC;
SELECT lives_ok('CREATE EXTENSION pg_fcfs', 'one that belongs to a superuser, as after a restore, is');

SELECT is_empty(
    $$SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
      FROM pg_depend AS d
      WHERE d.classid <> 'pg_operator'::regclass AND (
              d.refclassid = 'pg_operator'::regclass AND d.refobjid IN (SELECT oid FROM pg_operator WHERE oprowner = 'tap_planter'::regrole)
              OR d.refclassid = 'pg_proc'::regclass AND d.refobjid IN (SELECT oid FROM pg_proc WHERE proowner = 'tap_planter'::regrole)
              OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT oid FROM pg_type WHERE typowner = 'tap_planter'::regrole
                  AND typname <> 'outcome' AND typname <> '_outcome'))
          AND NOT (d.classid = 'pg_type'::regclass AND d.deptype = 'i')
          AND NOT (d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT oid FROM pg_proc WHERE proowner = 'tap_planter'::regrole))$$,
    'nothing of the extension stands on what was planted');
SELECT is_empty(
    $$SELECT c.oid::regclass::text FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.relnamespace = 'fcfs'::regnamespace AND a.grantee = 0
      UNION ALL
      SELECT p.oid::regprocedure::text FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
      WHERE p.pronamespace = 'fcfs'::regnamespace AND a.grantee = 0
      UNION ALL
      SELECT 'schema' FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'fcfs' AND a.grantee = 0$$,
    'whatever the default privileges, nothing is granted to PUBLIC');

-- And it works, with none of the traps met.
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'tap', '-infinity', 'infinity', '2099-01-01', '2099-02-01');
INSERT INTO fcfs.student (id, max_credits) VALUES (1, 20);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'tap', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'tap', 3);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'tap', 1000, '-infinity', 'infinity');
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1);
SELECT is((fcfs.try_enroll(1, 1)).code, 'ALREADY_ENROLLED', 'a call');
SELECT is(fcfs.call('reserve', '{"customer_id": 1, "item_id": 1}') ->> 'success', 'true', 'a call by JSON');
SELECT is((fcfs.issue_coupon(1, 1, 'key')).arrival, 1::bigint, 'a call with a key');
SELECT is(fcfs.expire_reservations() + fcfs.release_reserved_seats() + fcfs.expire_idempotency_keys(), 0, 'the chores');
SELECT is(fcfs.person_id('ann'), 1::bigint, 'a person');
SELECT is_empty('SELECT * FROM fcfs.verify()', 'nothing is broken');
SELECT is(count(*), 4::bigint, 'health') FROM fcfs.health();
SELECT * FROM finish();
ROLLBACK;
