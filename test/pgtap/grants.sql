-- Who may do what: nobody anything without a grant, and each of grant_app,
-- grant_admin and grant_monitor what it says and no more.
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

-- PUBLIC has nothing.
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace
          AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)$$,
    'no function is granted to PUBLIC');
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c
      WHERE c.relnamespace = 'fcfs'::regnamespace
          AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0)$$,
    'no table, view or sequence is granted to PUBLIC');
SELECT is_empty(
    $$SELECT c.oid::regclass, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'fcfs'::regnamespace
          AND EXISTS (SELECT FROM aclexplode(a.attacl) AS x WHERE x.grantee = 0)$$,
    'no column is granted to PUBLIC');
SELECT is_empty(
    $$SELECT a.privilege_type FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'fcfs' AND a.grantee = 0$$,
    'the schema is not granted to PUBLIC');
SELECT is_empty(
    $$SELECT t.oid::regtype FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
      WHERE t.typnamespace = 'fcfs'::regnamespace AND t.typelem = 0 AND coalesce(c.relkind, 'c') = 'c'
          AND EXISTS (SELECT FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a WHERE a.grantee = 0)$$,
    'no type of its own is granted to PUBLIC');
SELECT is_empty(
    $$SELECT d.defaclobjtype FROM pg_default_acl AS d WHERE d.defaclnamespace = 'fcfs'::regnamespace$$,
    'there are no default privileges in the schema');

CREATE ROLE tap_nobody;
CREATE ROLE tap_app;
CREATE ROLE tap_admin;
CREATE ROLE tap_monitor;
CREATE ROLE "Tap ""x""; DROP TABLE fcfs.term; --";
SELECT lives_ok($$SELECT fcfs.grant_app('tap_app')$$, 'grant_app');
SELECT lives_ok($$SELECT fcfs.grant_admin('tap_admin')$$, 'grant_admin');
SELECT lives_ok($$SELECT fcfs.grant_monitor('tap_monitor')$$, 'grant_monitor');
SELECT lives_ok($$SELECT fcfs.grant_app('tap_app')$$, 'a grant can be repeated');
-- Whatever the name of a role is, it is a name.
SELECT lives_ok(format('SELECT fcfs.%s(%L)', f, 'Tap "x"; DROP TABLE fcfs.term; --'), f || ' quotes the name of the role')
FROM unnest('{grant_app,grant_admin,grant_monitor}'::text[]) AS f;
SELECT has_table('fcfs'::name, 'term'::name, 'nothing in the name was executed');
SELECT throws_ok(format('SELECT fcfs.%s(%L)', f, 'tap_missing'), '42704', NULL, f || ' of a role that is not there')
FROM unnest('{grant_app,grant_admin,grant_monitor}'::text[]) AS f;
SELECT throws_ok(format('SELECT fcfs.%s(NULL)', f), '22004', NULL, f || ' of no role')
FROM unnest('{grant_app,grant_admin,grant_monitor}'::text[]) AS f;
SELECT throws_ok(format('SELECT fcfs.%s(%L)', f, ''), NULL, NULL, f || ' of an empty name')
FROM unnest('{grant_app,grant_admin,grant_monitor}'::text[]) AS f;

-- Functions, one by one.
CREATE TEMPORARY TABLE may (role name, function text);
INSERT INTO may
SELECT role, face || function
FROM unnest('{tap_app,tap_admin}'::name[]) AS role, unnest('{"",try_}'::text[]) AS face,
    unnest('{enroll,cancel_enrollment,swap_enrollment,change_schedule,join_waitlist,leave_waitlist,reserve,confirm_reservation,cancel_reservation,issue_coupon}'::text[]) AS function
UNION ALL
SELECT role, unnest('{call,person_id,waitlist_position}'::text[]) FROM unnest('{tap_app,tap_admin}'::name[]) AS role
UNION ALL
SELECT role, 'refusals' FROM unnest('{tap_app,tap_admin,tap_monitor}'::name[]) AS role
UNION ALL
SELECT role, unnest('{verify,health,pools,is_preloaded,escrow_differences}'::text[])
FROM unnest('{tap_admin,tap_monitor}'::name[]) AS role
UNION ALL
SELECT 'tap_admin', unnest('{expire_reservations,release_reserved_seats,pass_waitlists,expire_idempotency_keys,reload_pool,section_schedule,load_catalogue,cancel_section}'::text[]);
SELECT set_eq(
    format($$SELECT p.proname::text FROM pg_proc AS p
        WHERE p.pronamespace = 'fcfs'::regnamespace AND has_function_privilege(%L, p.oid, 'EXECUTE')$$, role),
    format('SELECT function FROM may WHERE role = %L', role),
    'functions of ' || role)
FROM unnest('{tap_nobody,tap_app,tap_admin,tap_monitor}'::name[]) AS role;
SELECT is_empty(
    $$SELECT p.oid::regprocedure, a.grantee::regrole FROM pg_proc AS p, aclexplode(p.proacl) AS a
      WHERE p.pronamespace = 'fcfs'::regnamespace AND a.is_grantable AND a.grantee <> p.proowner$$,
    'what is granted cannot be granted on');

-- Relations and sequences, one by one.
CREATE TEMPORARY VIEW can AS
SELECT r.rolname AS role, c.relname AS relation, a.privilege_type AS privilege
FROM pg_class AS c, aclexplode(c.relacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.relnamespace = 'fcfs'::regnamespace AND r.rolname LIKE 'tap%';
SELECT is_empty($$SELECT * FROM can WHERE role IN ('tap_nobody', 'tap_app')$$, 'an application reads and writes no table');
SELECT set_eq(
    $$SELECT relation::text, privilege FROM can WHERE role = 'tap_monitor'$$,
    $$VALUES ('stat_pools', 'SELECT')$$, 'a monitor reads the views of operation');
SELECT set_eq(
    $$SELECT relation::text, privilege FROM can WHERE role = 'tap_admin'$$,
    $$SELECT c.relname::text, 'SELECT' FROM pg_class AS c WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'v')
      UNION ALL
      SELECT definition, privilege
      FROM unnest('{term,student,course,prerequisite,student_group,student_group_member,enrollment_wave,cross_list,section,reserved_seats,meeting,grade,permission_override,event,item,coupon}'::text[]) AS definition,
          unnest('{INSERT,UPDATE,DELETE}'::text[]) AS privilege$$,
    'an administrator reads everything and writes definitions');
SELECT is_empty(
    $$SELECT c.oid::regclass, role FROM pg_class AS c, unnest('{tap_app,tap_admin,tap_monitor}'::name[]) AS role
      WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind = 'r' AND has_table_privilege(role, c.oid, 'TRUNCATE, TRIGGER, REFERENCES')$$,
    'nobody may hang anything on a table, nor empty one');
SELECT ok(NOT has_schema_privilege(role, 'fcfs', 'CREATE'), role || ' creates nothing in the schema')
FROM unnest('{tap_nobody,tap_app,tap_admin,tap_monitor}'::name[]) AS role;
SELECT is(has_schema_privilege(role, 'fcfs', 'USAGE'), role <> 'tap_nobody', role || ' and the schema')
FROM unnest('{tap_nobody,tap_app,tap_admin,tap_monitor}'::name[]) AS role;

-- And so it goes when they do it.
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (901, 'tap', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (901);
INSERT INTO fcfs.course (id, code, credits) VALUES (901, 'tap', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (901, 901, 901, 'A', 1);
INSERT INTO fcfs.item (id, code, stock) VALUES (901, 'tap', 3);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (901, 'tap', 1, '-infinity', 'infinity');

SET LOCAL ROLE tap_nobody;
SELECT throws_ok(command, '42501', NULL, 'nobody: ' || command)
FROM unnest(ARRAY[
    'SELECT fcfs.enroll(901, 901)', 'SELECT fcfs.try_enroll(901, 901)', 'SELECT fcfs.reserve(1, 901)', 'SELECT fcfs.issue_coupon(901, 1)',
    $$SELECT fcfs.call('enroll', '{"student_id": 901, "section_id": 901}')$$, $$SELECT fcfs.person_id('x')$$,
    'SELECT * FROM fcfs.refusals()', 'SELECT * FROM fcfs.verify()', 'SELECT * FROM fcfs.stat_pools', 'SELECT fcfs.expire_reservations()',
    $$SELECT fcfs.grant_app('tap_nobody')$$, 'SELECT * FROM fcfs.enrollment', 'INSERT INTO fcfs.student DEFAULT VALUES',
    'TRUNCATE fcfs.enrollment', 'CREATE TABLE fcfs.mine ()']) AS command;

SET LOCAL ROLE tap_app;
SELECT lives_ok(command, 'app: ' || command)
FROM unnest(ARRAY[
    'SELECT * FROM fcfs.enroll(901, 901)', 'SELECT * FROM fcfs.try_cancel_enrollment(901, 901)',
    'SELECT * FROM fcfs.reserve(1, 901)', 'SELECT * FROM fcfs.try_reserve(1, 901, 1)', 'SELECT * FROM fcfs.try_confirm_reservation(0)',
    $$SELECT * FROM fcfs.issue_coupon(901, 1, 'key')$$, $$SELECT * FROM fcfs.issue_coupon(901, 1, 'key')$$,
    $$SELECT fcfs.call('issue_coupon', '{"coupon_id": 901, "user_id": 1}')$$, $$SELECT fcfs.person_id('x')$$,
    'SELECT * FROM fcfs.refusals()']) AS command;
SELECT ok((fcfs.try_enroll(901, 901)).ok, 'app: an enrollment');
SELECT is((fcfs.try_issue_coupon(901, 2)).code, 'COUPON_EXHAUSTED', 'app: a refusal');
SELECT throws_ok('SELECT fcfs.issue_coupon(901, 2)', 'RF099', NULL, 'app: a refusal raised');
SELECT throws_ok(command, '42501', NULL, 'app: ' || command)
FROM unnest(ARRAY[
    'SELECT * FROM fcfs.enrollment', 'SELECT * FROM fcfs.enrollment_summary', 'SELECT * FROM fcfs.idempotency', 'SELECT * FROM fcfs.person',
    'SELECT * FROM fcfs.stat_pools', 'SELECT * FROM fcfs.verify()', 'SELECT * FROM fcfs.health()',
    'INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (901, 901)', 'UPDATE fcfs.section SET capacity = 9', 'DELETE FROM fcfs.enrollment',
    'TRUNCATE fcfs.enrollment', 'LOCK TABLE fcfs.enrollment', $$SELECT nextval('fcfs.enrollment_id_seq')$$,
    'SELECT fcfs.expire_reservations()', 'SELECT fcfs.expire_idempotency_keys()', $$SELECT fcfs.reload_pool('item', 901)$$,
    'SELECT * FROM fcfs.pools()', 'SELECT fcfs.section_schedule(901)', $$SELECT * FROM fcfs.load_catalogue('{}')$$, 'SELECT * FROM fcfs.cancel_section(901)', $$SELECT fcfs.grant_admin('tap_app')$$, $$SELECT fcfs.grant_app('tap_nobody')$$]) AS command;
-- call() is no way round.
SELECT throws_ok(format('SELECT fcfs.call(%L, %L)', name, '{}'), '42883', NULL, 'app: call of ' || name)
FROM unnest('{verify,expire_reservations,grant_admin,grant_app,reload_pool,call}'::text[]) AS name;

SET LOCAL ROLE tap_monitor;
SELECT lives_ok(command, 'monitor: ' || command)
FROM unnest(ARRAY['SELECT * FROM fcfs.stat_pools', 'SELECT * FROM fcfs.verify()', 'SELECT * FROM fcfs.health()', 'SELECT * FROM fcfs.refusals()']) AS command;
SELECT throws_ok(command, '42501', NULL, 'monitor: ' || command)
FROM unnest(ARRAY['SELECT * FROM fcfs.enrollment', 'SELECT * FROM fcfs.person', 'SELECT fcfs.enroll(901, 901)', 'SELECT fcfs.try_reserve(1, 901)',
    'SELECT fcfs.expire_reservations()', $$SELECT fcfs.reload_pool('item', 901)$$, $$SELECT fcfs.grant_monitor('tap_nobody')$$]) AS command;

SET LOCAL ROLE tap_admin;
SELECT lives_ok(command, 'admin: ' || command)
FROM unnest(ARRAY[
    $$INSERT INTO fcfs.term (code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES ('tap 2', '-infinity', 'infinity', '2021-03-01', '2021-03-07')$$,
    'INSERT INTO fcfs.student DEFAULT VALUES', $$INSERT INTO fcfs.course (code, credits) VALUES ('tap 2', 1)$$,
    $$INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (902, 901, 901, 'B')$$,
    $$INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (901, 1, '09:00', '10:00')$$,
    'UPDATE fcfs.section SET capacity = 9 WHERE id = 901', 'DELETE FROM fcfs.section WHERE id = 902',
    $$INSERT INTO fcfs.event (code, sale_opens_at, sale_closes_at) VALUES ('tap', '-infinity', 'infinity')$$,
    'UPDATE fcfs.item SET stock = 9 WHERE id = 901', 'UPDATE fcfs.coupon SET quota = 9 WHERE id = 901',
    'INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (901, 901, 901, 4)',
    'SELECT * FROM fcfs.enrollment', 'SELECT * FROM fcfs.stat_pools', 'SELECT * FROM fcfs.verify()', 'SELECT fcfs.expire_reservations()',
    'SELECT fcfs.expire_idempotency_keys()', $$SELECT fcfs.reload_pool('item', 901)$$, 'SELECT fcfs.section_schedule(901)',
    $$SELECT * FROM fcfs.load_catalogue('{"courses": [{"code": "tap 3", "credits": 1}]}')$$, 'SELECT * FROM fcfs.cancel_section(901)',
    'SELECT * FROM fcfs.issue_coupon(901, 3)']) AS command;
SELECT throws_ok('UPDATE fcfs.item SET stock = 1 WHERE id = 901', '23514', NULL, 'admin: an invariant holds');
SELECT throws_ok('DELETE FROM fcfs.section WHERE id = 901', '23503', NULL, 'admin: a section with students stays');
SELECT throws_ok(command, '42501', NULL, 'admin: ' || command)
FROM unnest(ARRAY['INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (901, 901)', 'DELETE FROM fcfs.coupon_issue', 'TRUNCATE fcfs.term',
    'UPDATE fcfs.reservation SET status = status', 'ALTER TABLE fcfs.section DISABLE TRIGGER ALL', 'DROP TABLE fcfs.term',
    'SET session_replication_role = replica', $$SELECT fcfs.grant_admin('tap_nobody')$$, 'DROP EXTENSION pg_fcfs']) AS command;

RESET ROLE;
SELECT is_empty('SELECT * FROM fcfs.verify()', 'nothing is broken');
SELECT * FROM finish();
ROLLBACK;
