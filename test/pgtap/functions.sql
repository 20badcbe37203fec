-- The functions: names, signatures, results, and how they run.
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

CREATE TEMPORARY TABLE operation (name text, arguments text, result text, identity text);
INSERT INTO operation (name, arguments, result) VALUES
    ('enroll', 'student_id bigint, section_id bigint, KEY, credits numeric DEFAULT NULL::numeric', 'fcfs.enrollment_summary'),
    ('cancel_enrollment', 'student_id bigint, section_id bigint, KEY', 'fcfs.enrollment_summary'),
    ('swap_enrollment', 'student_id bigint, from_section_id bigint, to_section_id bigint, KEY, credits numeric DEFAULT NULL::numeric', 'fcfs.enrollment_summary'),
    ('change_schedule', 'student_id bigint, drop_ids bigint[], add_ids bigint[], KEY, credits numeric[] DEFAULT NULL::numeric[]', 'fcfs.timetable'),
    ('join_waitlist', 'student_id bigint, section_id bigint, KEY, swap_from_section_id bigint DEFAULT NULL::bigint, credits numeric DEFAULT NULL::numeric', 'fcfs.enrollment_summary'),
    ('leave_waitlist', 'student_id bigint, section_id bigint, KEY', 'fcfs.enrollment_summary'),
    ('reserve', 'customer_id bigint, item_id bigint, quantity integer DEFAULT 1, KEY', 'fcfs.reservation'),
    ('confirm_reservation', 'reservation_id bigint, KEY', 'fcfs.reservation'),
    ('cancel_reservation', 'reservation_id bigint, KEY', 'fcfs.reservation'),
    ('issue_coupon', 'coupon_id bigint, user_id bigint, KEY', 'fcfs.coupon_issue');
UPDATE operation SET arguments = replace(arguments, 'KEY', 'idempotency_key text DEFAULT NULL::text');

-- Each operation has two faces of the same arguments.
CREATE TEMPORARY TABLE wanted AS
SELECT name, arguments, result FROM operation
UNION ALL
SELECT 'try_' || name, arguments, 'fcfs.outcome' FROM operation
UNION ALL VALUES
    ('call', 'name text, args jsonb DEFAULT ''{}''::jsonb', 'jsonb'),
    ('person_id', 'external text', 'bigint'),
    ('waitlist_position', 'student_id bigint, section_id bigint', 'bigint'),
    ('pass_waitlists', 'max_rows integer DEFAULT 100', 'integer'),
    ('expire_reservations', 'max_rows integer DEFAULT 1000', 'integer'),
    ('release_reserved_seats', 'max_rows integer DEFAULT 100', 'integer'),
    ('expire_idempotency_keys', 'max_rows integer DEFAULT 1000', 'integer'),
    ('refusals',
        'OUT code text, OUT sqlstate text, OUT http_status integer, OUT return_code integer, OUT retryable boolean, OUT message text',
        'SETOF record'),
    ('verify', 'OUT rule text, OUT kind text, OUT id bigint, OUT detail text', 'SETOF record'),
    ('health', 'OUT item text, OUT ok boolean, OUT detail text', 'SETOF record'),
    ('reload_pool', 'kind text, id bigint', 'void'),
    ('load_catalogue', 'catalogue jsonb, report_unchanged boolean DEFAULT false', 'TABLE(kind text, code text, id bigint, action text, reason text)'),
    ('cancel_section', 'section_id bigint, reason text DEFAULT NULL::text', 'TABLE(student_id bigint, enrollment_id bigint, status text)'),
    ('section_schedule', 'section_id bigint', 'tstzmultirange'),
    ('grant_app', 'role name', 'void'),
    ('grant_admin', 'role name', 'void'),
    ('grant_monitor', 'role name', 'void');

SELECT is(
    (SELECT format('%s(%s) -> %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
     FROM pg_proc AS p WHERE p.pronamespace = 'fcfs'::regnamespace AND p.proname = w.name),
    format('%s(%s) -> %s', w.name, w.arguments, w.result), 'signature of ' || w.name)
FROM wanted AS w ORDER BY w.name;

-- What is there beside them are triggers and what verify() and the views are made of.
SELECT set_eq(
    $$SELECT p.proname::text FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prorettype <> 'trigger'::regtype$$,
    $$SELECT name FROM wanted UNION ALL SELECT unnest('{pools,is_preloaded,worker_state,escrow_differences,catalogue_columns,catalogue_part,catalogue_type_problem}'::text[])$$,
    'no function is missing, none is undocumented');
SELECT is_empty(
    $$SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'fcfs'::regnamespace GROUP BY 1 HAVING count(*) > 1$$,
    'no function has two signatures');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend AS d
          JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_fcfs'
          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')$$,
    'every function belongs to the extension');
SELECT is_empty(
    $$SELECT p.proname FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.proname LIKE 'try\_%'
          AND NOT EXISTS (SELECT FROM pg_proc AS f
              WHERE f.pronamespace = p.pronamespace AND f.proname = substr(p.proname, 5)
                  AND pg_get_function_arguments(f.oid) = pg_get_function_arguments(p.oid))$$,
    'every try_ function is the twin of one that raises');
SELECT is_empty(
    $$SELECT p.proname FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND 'idempotency_key' = ANY (p.proargnames)
          AND p.proname NOT LIKE 'try\_%'
          AND to_regprocedure(format('fcfs.try_%s(%s)', p.proname, oidvectortypes(p.proargtypes))) IS NULL$$,
    'every function with an idempotency key has its try_ twin');

-- How they run.
SELECT volatility_is('fcfs', name, 'volatile', name || ' is volatile') FROM operation;
SELECT volatility_is('fcfs', 'try_' || name, 'volatile', 'try_' || name || ' is volatile') FROM operation;
SELECT volatility_is('fcfs', name, 'volatile', name || ' is volatile')
FROM unnest('{call,person_id,expire_reservations,release_reserved_seats,expire_idempotency_keys,reload_pool,load_catalogue,cancel_section,grant_app,grant_admin,grant_monitor}'::name[]) AS name;
SELECT is_definer('fcfs', name, name || ' runs with the rights of its owner')
FROM (SELECT name FROM operation UNION ALL SELECT 'try_' || name FROM operation
    UNION ALL SELECT unnest('{call,person_id,expire_reservations,release_reserved_seats,expire_idempotency_keys,verify,health,reload_pool,load_catalogue,cancel_section}'::text[])) AS f (name);
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.provolatile = 'v' AND p.proparallel = 's'$$,
    'nothing volatile is parallel safe');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p JOIN wanted AS w ON w.name = p.proname
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.provolatile = 'v' AND p.proparallel <> 'u'$$,
    'what changes anything is parallel unsafe');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace
          AND coalesce(NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting
              WHERE setting ~ '^search_path=' AND setting ~ '\mpg_temp"?$'), true)$$,
    'every function pins its search_path and has pg_temp last in it');
SELECT is_empty(
    $$SELECT p.oid::regprocedure, part FROM pg_proc AS p, unnest(p.proconfig) AS setting,
          regexp_split_to_table(substr(setting, 13), ', *') AS part
      WHERE p.pronamespace = 'fcfs'::regnamespace AND setting ~ '^search_path='
          AND btrim(part, '"') NOT IN ('pg_catalog', 'fcfs', 'pg_temp')$$,
    'no function looks into a schema where others may create objects');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')
          AND p.probin <> '$libdir/pg_fcfs'$$,
    'functions in C are in the library of the extension');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.proowner <> (SELECT e.extowner FROM pg_extension AS e WHERE e.extname = 'pg_fcfs')$$,
    'the owner of the extension owns its functions');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.proisstrict$$,
    'no function passes over NULL in silence');

-- What they say of themselves.
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND coalesce(length(obj_description(p.oid, 'pg_proc')), 0) < 20$$,
    'every function has a comment');
SELECT is_empty(
    $$SELECT array_agg(p.proname) FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace GROUP BY obj_description(p.oid, 'pg_proc') HAVING count(*) > 1$$,
    'no two functions have the same comment');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM pg_proc AS p
      WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prorettype <> 'trigger'::regtype
          AND p.pronargs > 0 AND (p.proargnames IS NULL OR '' = ANY (p.proargnames))$$,
    'every argument has a name');

-- The type of an answer.
SELECT is(
    (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
     FROM pg_attribute AS a JOIN pg_type AS t ON t.typrelid = a.attrelid
     WHERE t.oid = 'fcfs.outcome'::regtype AND a.attnum > 0 AND NOT a.attisdropped),
    'ok boolean, code text, http_status integer, retryable boolean, message text, detail text, id bigint, replayed boolean',
    'the parts of an outcome');

SELECT * FROM finish();
ROLLBACK;
