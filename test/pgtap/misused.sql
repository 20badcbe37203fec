-- What belongs to the extension does no harm when it is used for what it was not
-- made for, even by a superuser: trigger functions called as functions, or hung on
-- other tables, at other times, with other arguments.
BEGIN;
SET LOCAL search_path = public;
SET LOCAL client_min_messages = warning;
SELECT no_plan();

-- Called as functions.
SELECT throws_ok(format('SELECT %s()', p.oid::regproc), '39P01', NULL, p.proname || ' called as a function')
FROM pg_proc AS p
WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prorettype = 'trigger'::regtype;

-- On other tables: one that has every name with another type, tables of the
-- extension that are not meant, and one that has the name in another schema.
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.odd (id text DEFAULT 'x', section_id text DEFAULT 'x', item_id text DEFAULT 'x', coupon_id text DEFAULT 'x', reservation_id text
    DEFAULT 'x', status integer DEFAULT 1, active text DEFAULT 'x', quantity text DEFAULT 'x', capacity text DEFAULT 'x', stock text DEFAULT 'x', quota
    text DEFAULT 'x', schedule integer DEFAULT 1, expires_at text DEFAULT 'x', credits text DEFAULT 'x');
INSERT INTO elsewhere.odd DEFAULT VALUES;
CREATE TABLE elsewhere.reservation AS TABLE elsewhere.odd;
CREATE TABLE elsewhere.person AS TABLE elsewhere.odd;
CREATE TABLE elsewhere.enrollment AS TABLE elsewhere.odd;
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (901, 'tap', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (901), (902);
INSERT INTO fcfs.course (id, code, credits) VALUES (901, 'tap', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (901, 901, 901, 'A', 5);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (902, 901, 901, 'Z', 5);
INSERT INTO fcfs.item (id, code, stock) VALUES (901, 'tap', 3);
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES (901, 'tap', 10, 9, '-infinity', 'infinity');
INSERT INTO fcfs.meeting (id, section_id, weekday, starts_at, ends_at) VALUES (901, 901, 1, '09:00', '10:00');
SELECT ok((fcfs.try_enroll(901, 901)).ok AND (fcfs.try_reserve(901, 901, 1)).ok AND (fcfs.try_issue_coupon(901, 901)).ok, 'there are claims');

-- Every function × table × time × operation: what the trigger says is either
-- nothing, or that it is not meant for this; and the server stays up.
CREATE FUNCTION pg_temp.fires(function regproc, arguments text, relation regclass, moment text, operation text, level text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER zz_misused %s %s ON %s FOR EACH %s EXECUTE FUNCTION %s(%s)', moment, operation, relation, level, function, arguments);
    EXECUTE CASE operation
        WHEN 'INSERT' THEN CASE relation::text
            WHEN 'fcfs.section' THEN $q$INSERT INTO fcfs.section (term_id, course_id, code) VALUES (901, 901, 'B')$q$
            WHEN 'fcfs.item' THEN $q$INSERT INTO fcfs.item (code) VALUES ('tap 2')$q$
            WHEN 'fcfs.enrollment' THEN 'INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (902, 901)'
            WHEN 'fcfs.coupon_issue' THEN 'INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (901, 902)'
            WHEN 'fcfs.idempotency' THEN $q$INSERT INTO fcfs.idempotency (function, person_id, key, arguments, code) VALUES ('x', 1, 'x', 'x', 'OK')$q$
            ELSE format('INSERT INTO %s TABLE elsewhere.odd', relation) END
        WHEN 'UPDATE' THEN format('UPDATE %s SET %2$I = %2$I', relation, (
            SELECT attname FROM pg_attribute WHERE attrelid = relation AND attnum = 1))
        WHEN 'DELETE' THEN format('DELETE FROM %s', relation)
        ELSE format('TRUNCATE %s CASCADE', relation) END;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || CASE WHEN SQLSTATE ~ '^(UNDO0|39P01|0A000|42P01|42P17|23503|RF)' THEN '' ELSE ' ' || SQLERRM END;
END
$$;
CREATE TEMPORARY TABLE fired AS
SELECT function, relation, moment, operation, level, pg_temp.fires(function, arguments, relation, moment, operation, level) AS said
FROM (
        SELECT p.oid::regproc AS function, a.arguments
        FROM pg_proc AS p
        CROSS JOIN unnest('{"",''meeting'',''truncated'',''odd''}'::text[]) AS a (arguments)
        WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prorettype = 'trigger'::regtype
            AND (a.arguments = '' OR p.proname = 'schedule_changed')) AS f,
    unnest('{elsewhere.odd,elsewhere.reservation,elsewhere.person,elsewhere.enrollment,fcfs.section,fcfs.item,fcfs.enrollment,fcfs.coupon_issue,fcfs.idempotency}'::regclass[]) AS relation,
    unnest('{BEFORE,AFTER}'::text[]) AS moment,
    unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS operation,
    unnest('{ROW,STATEMENT}'::text[]) AS level;
SELECT is_empty('SELECT * FROM fired WHERE length(said) > 5', 'a misplaced trigger says that it is not meant for this');
SELECT cmp_ok(count(*), '>', 1000::bigint, 'all of them were tried') FROM fired;
SELECT is_empty(
    $$SELECT * FROM fired WHERE said = 'UNDO0' AND relation::text LIKE 'elsewhere.%' AND function <> 'fcfs.ids_brought'::regproc$$,
    'of tables elsewhere none is taken for one of the extension');

-- One statement that removes what it claims.
SELECT throws_ok(command, '23503', NULL, command)
FROM unnest(ARRAY[
    'WITH gone AS (DELETE FROM fcfs.section WHERE id = 902 RETURNING id) INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 902, id FROM gone',
    'WITH gone AS (DELETE FROM fcfs.course RETURNING id) INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 902, 902 FROM gone',
    'WITH gone AS (DELETE FROM fcfs.item RETURNING id) INSERT INTO fcfs.reservation_line (reservation_id, item_id, price) SELECT 1, id, 1 FROM gone',
    'WITH gone AS (DELETE FROM fcfs.coupon RETURNING id) INSERT INTO fcfs.coupon_issue (coupon_id, user_id) SELECT id, 1 FROM gone']) AS command;

SELECT is_empty('SELECT * FROM fcfs.verify()', 'nothing is broken');
SELECT * FROM finish();
ROLLBACK;
