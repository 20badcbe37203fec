-- Operations that take arrays: what is none, where arrays come from, and how they compare.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60, 100);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, min_credits, max_credits)
SELECT g, 1, g, 'A', 9, 1, 5 FROM generate_series(1, 9) AS g;
CREATE FUNCTION test.sections(student_id bigint) RETURNS text
LANGUAGE sql AS $$
SELECT string_agg(format('%s (%s)', e.section_id, e.credits), ', ' ORDER BY e.section_id)
FROM fcfs.enrollment AS e WHERE e.student_id = $1 AND e.status = 'enrolled'
$$;

-- NULL, in them too; dimensions; lengths; the same twice; numbers that are none.
SELECT call, test.both(call)
FROM unnest(ARRAY[
    $$change_schedule(1, NULL, '{1}')$$, $$change_schedule(1, '{1}', NULL)$$, $$change_schedule(NULL, '{}', '{1}')$$,
    $$change_schedule(1, '{1,NULL}', '{}')$$, $$change_schedule(1, '{}', '{NULL}')$$,
    $$change_schedule(1, '{{1},{2}}', '{}')$$, $$change_schedule(1, '{}', '{{1}}')$$,
    $$change_schedule(1, '{}', array_fill(1::bigint, '{501}'))$$, $$change_schedule(1, array_fill(1::bigint, '{1000000}'), '{}')$$,
    $$change_schedule(1, array_fill(1::bigint, '{500}'), '{}')$$,
    $$change_schedule(1, '{1,2,9,2,1}', '{}')$$, $$change_schedule(1, '{}', '{3,3}')$$,
    $$change_schedule(1, '{}', '{1}', NULL, '{{1}}')$$, $$change_schedule(1, '{}', '{1}', NULL, array_fill(1.0, '{501}'))$$,
    $$change_schedule(1, '{}', '{1}', NULL, '{NaN}')$$, $$change_schedule(1, '{}', '{1}', NULL, '{-infinity}')$$]) AS call;
SELECT test.said($$SELECT fcfs.change_schedule(1, '{1,x}', '{}')$$);
SELECT * FROM fcfs.change_schedule(1, '{}', '{7,3,7}');
SELECT count(*) FROM fcfs.enrollment;

-- From constants, tables, variables, subqueries, parameters; whatever their lower bound.
SELECT code FROM fcfs.try_change_schedule(1, '{}', '[5:6]={1,2}', credits => '{2,3.5}');
SELECT test.sections(1);
CREATE TABLE test.wish AS SELECT 2::bigint AS student_id, ARRAY[3, 4]::bigint[] AS add_ids, ARRAY[1.0, 2.5] AS credits;
SELECT o.code FROM test.wish AS w, fcfs.try_change_schedule(w.student_id, '{}', w.add_ids, NULL, w.credits) AS o;
SELECT test.sections(2);
DO $$
DECLARE
    ids bigint[] := '{}';
    credits numeric[];
BEGIN
    FOR n IN 5..8 LOOP
        ids := ids || n::bigint;
        credits[n - 4] := n / 2.0;
    END LOOP;
    PERFORM code FROM fcfs.try_change_schedule(3, '{}', ids, NULL, credits);
    ids[1] := 1;
    PERFORM fcfs.change_schedule(3, '{5,6,7}', ids[1:1], NULL, credits[3:3]);
END
$$;
SELECT test.sections(3);
SELECT code FROM fcfs.try_change_schedule(4, '{}', ARRAY(SELECT s.id FROM fcfs.section AS s WHERE s.id > 7 ORDER BY 1), credits => '{1,1}');
PREPARE change (bigint[], bigint[], numeric[]) AS SELECT code, replayed FROM fcfs.try_change_schedule(4, $1, $2, 'p', $3);
EXECUTE change ('{8,9}', '{7}', '{1}');
EXECUTE change ('{8,9}', '{7}', '{1.00}');
SELECT test.sections(4);

-- Under a key they compare element by element, in their order, numbers by their value.
SELECT test.both($$change_schedule(5, '{}', '{1,2}', 'k', '{3,2.50}')$$);
SELECT test.both($$change_schedule(5, '{}', '{1,2}', 'k', '{3.0,2.5}')$$);
SELECT test.both($$change_schedule(5, '{}', '{2,1}', 'k', '{3,2.5}')$$);
SELECT test.both($$change_schedule(5, '{}', '{1,2}', 'k', '{3,2.4}')$$);
SELECT test.both($$change_schedule(5, '{1,2}', '{}', 'k')$$);
SELECT test.both($$change_schedule(5, '{}', '{12}', 'k', '{3}')$$);
SELECT arguments FROM fcfs.idempotency WHERE person_id = 5;

-- In JSON.
SELECT fcfs.call('change_schedule', '{"student_id": 6, "drop_ids": [], "add_ids": [1, "2"], "credits": [1, 2.5]}') ->> 'success', test.sections(6);
SELECT fcfs.call('change_schedule', '{"student_id": 6, "drop_ids": [1], "add_ids": [], "credits": null}') -> 'data' ->> 'id';
SELECT test.sections(6);
SELECT args, test.said(format('SELECT fcfs.call(''change_schedule'', %L)', args))
FROM unnest(ARRAY[
    '{"student_id": 1, "add_ids": []}', '{"student_id": 1, "drop_ids": null, "add_ids": []}', '{"student_id": 1, "drop_ids": [null], "add_ids": []}',
    '{"student_id": 1, "drop_ids": 1, "add_ids": []}', '{"student_id": 1, "drop_ids": "{1}", "add_ids": []}',
    '{"student_id": 1, "drop_ids": {"0": 1}, "add_ids": []}', '{"student_id": 1, "drop_ids": [], "add_ids": [1], "credits": 3}',
    '{"student_id": 1, "drop_ids": [1.5], "add_ids": []}', '{"student_id": 1, "drop_ids": [true], "add_ids": []}',
    '{"student_id": 1, "drop_ids": ["one"], "add_ids": []}', '{"student_id": 1, "drop_ids": [{"id": 1}], "add_ids": []}',
    '{"student_id": 1, "drop_ids": [[1]], "add_ids": []}', '{"student_id": 1, "drop_ids": [1, [1]], "add_ids": []}',
    '{"student_id": 1, "drop_ids": [9223372036854775808], "add_ids": []}',
    '{"student_id": 1, "drop_ids": [], "add_ids": [1], "credits": ["NaN"]}']) AS args;

-- In any order, some of them served strictly one after the other.
UPDATE fcfs.section SET strict_order = true WHERE id IN (2, 4);
SELECT code FROM fcfs.try_change_schedule(8, '{}', '{5,4,2,3}');
SELECT code FROM fcfs.try_change_schedule(8, '{4,5}', '{6,1}');
SELECT code FROM fcfs.try_swap_enrollment(8, 6, 4);
SELECT test.sections(8);

-- The row that is the answer, as it is now.
SELECT id FROM fcfs.change_schedule(7, '{}', '{1}', 'gone', '{1}');
SELECT id FROM fcfs.change_schedule(7, '{}', '{1}', 'gone', '{1}');
DELETE FROM fcfs.enrollment WHERE student_id = 7;
DELETE FROM fcfs.student WHERE id = 7;
SELECT code, id, replayed FROM fcfs.try_change_schedule(7, '{}', '{1}', 'gone', '{1}');
SELECT fcfs.change_schedule(7, '{}', '{1}', 'gone', '{1}');

\i sql/include/finish.sql
