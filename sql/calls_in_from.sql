-- Calls in FROM, which the extension scans itself, against the same statements where
-- the server does it, as it has to once a function has a setting that is not from us.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES
    (1, 'K1', 3, 2, '-infinity', 'infinity'), (2, 'K2', 0, 1, '-infinity', 'infinity'), (3, 'K3', 3, 1, '2999-01-01', 'infinity'),
    (4, 'K4', NULL, 1, '-infinity', 'infinity');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 3);
CREATE TABLE test.number (n bigint UNIQUE);
INSERT INTO test.number VALUES (1), (2), (3);

-- The rows of a statement, or its error, and how many coupons there are afterwards. It is undone.
CREATE FUNCTION test.outcome_of(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    row record;
    said text := '';
    detail text;
    hint text;
BEGIN
    IF statement ~ '^(SELECT|WITH|TABLE|VALUES)' THEN
        FOR row IN EXECUTE statement LOOP
            said := said || row::text;
        END LOOP;
    ELSE
        EXECUTE statement;
    END IF;
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = format('%s made %s', said, (SELECT count(*) FROM fcfs.coupon_issue));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN CASE WHEN SQLSTATE = 'UNDO0' THEN SQLERRM ELSE concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, '')) END;
END
$$;
-- The same with the server's scan.
CREATE FUNCTION test.outcome_by_server(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET work_mem = '5MB';
    ALTER FUNCTION fcfs.try_reserve(bigint, bigint, integer, text) SET work_mem = '5MB';
    said := test.outcome_of(statement);
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = said;
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN SQLERRM;
END
$$;
-- Whose scan it is.
CREATE FUNCTION test.scans(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        IF line LIKE '%fcfs call%' THEN
            RETURN 'ours';
        END IF;
    END LOOP;
    RETURN 'server';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
CREATE FUNCTION test.alike(statement text, OUT scan text, OUT said text)
LANGUAGE plpgsql AS $$
DECLARE
    by_server text := test.outcome_by_server(statement);
BEGIN
    scan := test.scans(statement);
    said := test.outcome_of(statement);
    IF said <> by_server THEN
        said := format('DIFFERS: %s BUT %s', said, by_server);
    END IF;
END
$$;
-- The oracle is one: there the server scans.
BEGIN;
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET work_mem = '5MB';
SELECT test.scans('SELECT code FROM fcfs.try_issue_coupon(1, 1)');
ROLLBACK;
SELECT test.scans('SELECT code FROM fcfs.try_issue_coupon(1, 1)');

-- A function whose calls are counted, as an argument.
CREATE SEQUENCE test.calls;
CREATE FUNCTION test.counted(n bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM nextval('test.calls');
    RETURN n;
END
$$;
CREATE FUNCTION test.in_sql(coupon bigint, who bigint) RETURNS text
LANGUAGE sql AS 'SELECT o.code FROM fcfs.try_issue_coupon($1, $2) o';
CREATE FUNCTION test.rows_in_sql(coupon bigint, who bigint) RETURNS SETOF text
LANGUAGE sql AS 'SELECT o.code FROM fcfs.try_issue_coupon($1, $2) o UNION ALL SELECT ''end''';
CREATE FUNCTION test.inlined(coupon bigint, who bigint) RETURNS TABLE (said text)
LANGUAGE sql VOLATILE AS 'SELECT o.code FROM fcfs.try_issue_coupon($1, $2) o';
CREATE FUNCTION test.in_plpgsql(coupon bigint, who bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    row record;
    code text;
    ok boolean;
    outcome fcfs.outcome;
    said text := '';
BEGIN
    FOR row IN SELECT o.code, o.ok FROM fcfs.try_issue_coupon(coupon, who) o LOOP
        said := said || row;
    END LOOP;
    SELECT o.code, o.ok INTO STRICT code, ok FROM fcfs.try_issue_coupon(coupon, who) o;
    said := said || code || ok;
    SELECT o.* INTO outcome FROM fcfs.try_issue_coupon(coupon, who + 1) o;
    said := said || outcome.code || (outcome.id IS NULL) || FOUND;
    PERFORM FROM fcfs.try_issue_coupon(coupon, who + 1) o;
    RETURN said || FOUND || (SELECT o.code FROM fcfs.try_issue_coupon(coupon, who + 2) o);
END
$$;
CREATE VIEW test.view AS SELECT o.code, o.http_status FROM fcfs.try_issue_coupon(1, 1) AS o;

SELECT n, scan, said FROM unnest(ARRAY[
    'SELECT ok, code, http_status, retryable, message, detail, id IS NULL, replayed FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT ok, code, http_status, retryable, message, detail, id, replayed FROM fcfs.try_issue_coupon(2, 1)',
    'SELECT * FROM fcfs.try_issue_coupon(3, 1)',
    'SELECT * FROM fcfs.try_issue_coupon(5, 1)',
    'SELECT detail, detail, code || detail, upper(code) FROM fcfs.try_issue_coupon(2, 1) AS o',
    'SELECT 1 FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT count(*) FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT a, b, c FROM fcfs.try_issue_coupon(2, 1) AS t (a, b, c)',
    'SELECT t.code FROM (SELECT * FROM fcfs.try_issue_coupon(2, 1)) AS t (a, code, b)',
    'SELECT o FROM fcfs.try_issue_coupon(2, 1) AS o',
    'SELECT (o).code FROM fcfs.try_issue_coupon(2, 1) AS o',
    'SELECT row_to_json(o)::jsonb -> ''code'', o.code FROM fcfs.try_issue_coupon(2, 1) AS o',
    'SELECT o.code, o FROM fcfs.try_issue_coupon(2, 1) AS o WHERE o.code IS NOT NULL',
    'SELECT (fcfs.try_issue_coupon(2, 1)).*',
    'SELECT code FROM fcfs.try_issue_coupon(2, 1) WHERE NOT ok',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) WHERE NOT ok',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) WHERE true',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) WHERE false',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) WHERE 1 = (SELECT n FROM test.number WHERE n = 2)',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) LIMIT 0',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) LIMIT 1',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) OFFSET 1',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) ORDER BY message, 1 LIMIT 5',
    'SELECT DISTINCT code FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT code, row_number() OVER (ORDER BY code) FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT code, count(*) FROM fcfs.try_issue_coupon(1, 1) GROUP BY 1 HAVING count(*) = 1',
    'SELECT code, generate_series(1, 2) FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) FOR UPDATE',
    'SELECT n, code FROM test.number, LATERAL fcfs.try_issue_coupon(1, n) ORDER BY n',
    'SELECT n, code FROM test.number LEFT JOIN LATERAL fcfs.try_issue_coupon(1, n) ON n < 3 ORDER BY n',
    'SELECT n, code FROM test.number, fcfs.try_issue_coupon(1, 1) ORDER BY n',
    'SELECT a.code, b.code FROM fcfs.try_issue_coupon(1, 1) AS a, fcfs.try_issue_coupon(1, 1) AS b',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) LEFT JOIN test.number ON n = http_status',
    'SELECT code, n FROM fcfs.try_issue_coupon(1, 1) LEFT JOIN test.number ON n = http_status',
    'SELECT code, x FROM fcfs.try_issue_coupon(1, 1) LEFT JOIN (SELECT 7 AS x) AS s ON true',
    'SELECT code, x FROM fcfs.try_issue_coupon(1, 1) AS o LEFT JOIN LATERAL (SELECT o.code || 7 AS x) AS s ON true',
    'SELECT code, x FROM (SELECT 7 AS x) AS s LEFT JOIN LATERAL fcfs.try_issue_coupon(1, x) ON true',
    'SELECT code, x FROM (SELECT 7 AS x) AS s JOIN LATERAL fcfs.try_issue_coupon(1, x) ON x = 7',
    'SELECT code, x FROM fcfs.try_issue_coupon(1, 1) FULL JOIN (SELECT 7 AS x) AS s ON false',
    'SELECT x FROM (VALUES (1), (1)) AS v (n), LATERAL (SELECT code AS x FROM fcfs.try_issue_coupon(1, n)) AS s',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) UNION ALL SELECT code FROM fcfs.try_issue_coupon(2, 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) UNION SELECT code FROM fcfs.try_issue_coupon(1, 2)',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1) EXCEPT SELECT ''OK''',
    'WITH c AS (SELECT code FROM fcfs.try_issue_coupon(1, 1)) SELECT * FROM c',
    'WITH c AS MATERIALIZED (SELECT code FROM fcfs.try_issue_coupon(1, 1)) SELECT * FROM c AS a, c AS b',
    'WITH c AS NOT MATERIALIZED (SELECT code FROM fcfs.try_issue_coupon(1, 1)) SELECT * FROM c AS a, c AS b',
    'WITH c AS (SELECT code FROM fcfs.try_issue_coupon(1, 1)) SELECT 1',
    'WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c, LATERAL fcfs.try_issue_coupon(1, n) WHERE n < 3) SELECT n FROM c',
    'WITH i AS (INSERT INTO test.number SELECT http_status FROM fcfs.try_issue_coupon(1, 1) RETURNING n) SELECT n FROM i',
    'SELECT (SELECT code FROM fcfs.try_issue_coupon(1, n)) FROM test.number',
    'SELECT EXISTS (SELECT FROM fcfs.try_issue_coupon(1, 1))',
    'SELECT n FROM test.number WHERE EXISTS (SELECT FROM fcfs.try_issue_coupon(1, 1) WHERE ok) ORDER BY 1',
    'SELECT n FROM test.number WHERE n IN (SELECT http_status - 199 FROM fcfs.try_issue_coupon(1, 1))',
    'SELECT code, ordinality FROM fcfs.try_issue_coupon(1, 1) WITH ORDINALITY',
    'SELECT * FROM ROWS FROM (fcfs.try_issue_coupon(2, 1), fcfs.try_issue_coupon(2, 2))',
    'SELECT code FROM ROWS FROM (fcfs.try_issue_coupon(2, 1))',
    'INSERT INTO test.number SELECT http_status FROM fcfs.try_issue_coupon(1, 1)',
    'INSERT INTO test.number SELECT http_status - 199 FROM fcfs.try_issue_coupon(1, 1)',
    'INSERT INTO test.number SELECT http_status - 199 FROM fcfs.try_issue_coupon(1, 1) ON CONFLICT DO NOTHING',
    'UPDATE test.number SET n = http_status FROM fcfs.try_issue_coupon(1, 1) WHERE n = 1',
    'DELETE FROM test.number USING fcfs.try_issue_coupon(1, 1) WHERE ok',
    'UPDATE test.number SET (n) = (SELECT http_status FROM fcfs.try_issue_coupon(1, 1)) WHERE n = 1',
    'CREATE TABLE test.made AS SELECT * FROM fcfs.try_issue_coupon(1, 1)',
    'CREATE MATERIALIZED VIEW test.made AS SELECT * FROM fcfs.try_issue_coupon(1, 1)',
    'SELECT * FROM test.view',
    'SELECT a.code, b.code FROM test.view AS a, test.view AS b',
    'TABLE test.view',
    'SELECT test.in_sql(1, 1), test.in_sql(2, 1)',
    'SELECT test.rows_in_sql(1, 1)',
    'SELECT * FROM test.rows_in_sql(1, 1) LIMIT 1',
    'SELECT said FROM test.inlined(1, 1)',
    'SELECT test.in_plpgsql(1, 1)',
    'SELECT code, id IS NULL FROM fcfs.try_issue_coupon(user_id => 1, coupon_id => 2)',
    'SELECT code, replayed FROM fcfs.try_issue_coupon(1, idempotency_key => ''k'', user_id => 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1::smallint, 1::integer)',
    'SELECT code FROM fcfs.try_issue_coupon(1.0, 1)',
    'SELECT code FROM fcfs.try_issue_coupon(NULL, 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1, NULL, ''k'')',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1, NULL)',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1, '''')',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1, repeat(''k'', 256))',
    'SELECT code FROM fcfs.try_issue_coupon(1, 1 / 0)',
    'SELECT code FROM fcfs.try_issue_coupon((SELECT max(n) FROM test.number), (SELECT n FROM test.number WHERE n = 1))',
    'SELECT code FROM fcfs.try_issue_coupon((SELECT n FROM test.number), 1)',
    'SELECT code FROM fcfs.try_issue_coupon((SELECT n FROM test.number WHERE n = 7), 1)',
    'SELECT code FROM fcfs.try_issue_coupon(CASE WHEN 5 IN (SELECT n FROM test.number) THEN 1 ELSE 2 END, 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1, (SELECT count(*) FROM test.number WHERE n <> ALL (SELECT n FROM test.number)))',
    'SELECT code FROM fcfs.try_issue_coupon((SELECT o.http_status - 408 FROM fcfs.try_issue_coupon(2, 1) AS o), 1)',
    'SELECT code FROM fcfs.try_issue_coupon(1, test.counted(1), test.counted(2)::text)',
    'SELECT code FROM fcfs.try_reserve(1, 1)',
    'SELECT code FROM fcfs.try_reserve(1, 1, 4)',
    'SELECT code FROM fcfs.try_reserve(1, 1, 0)',
    'SELECT code FROM fcfs.try_reserve(1, 1, quantity => NULL)',
    'SELECT code FROM fcfs.try_reserve(1, 1, idempotency_key => ''k'')',
    'SELECT status FROM fcfs.issue_coupon(1, 1)'
]) WITH ORDINALITY AS s (statement, n), LATERAL test.alike(statement) ORDER BY n;
-- Arguments were evaluated once a call: two in the statement above, by us and by the server.
SELECT nextval('test.calls');

-- EXPLAIN calls nothing; EXPLAIN ANALYZE does.
EXPLAIN (COSTS OFF) SELECT code FROM fcfs.try_issue_coupon(1, 1);
EXPLAIN (COSTS OFF, VERBOSE) SELECT upper(o.code), 1 FROM fcfs.try_issue_coupon(1, 1) AS o ORDER BY o.message;
EXPLAIN (COSTS OFF, FORMAT json) SELECT 1 FROM fcfs.try_issue_coupon(1, 1);
SELECT count(*) FROM fcfs.coupon_issue;
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF) SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT count(*) FROM fcfs.coupon_issue;

-- Cursors, forwards and backwards, are called once whatever is fetched.
CREATE FUNCTION test.cursor(kind text, moves text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    c refcursor;
    move text;
    code text;
    said text := '';
BEGIN
    IF kind LIKE '%SCROLL' THEN
        EXECUTE format('DECLARE test_cursor %s CURSOR FOR SELECT code FROM fcfs.try_issue_coupon(4, 1)', kind);
    ELSE
        EXECUTE 'DECLARE test_cursor CURSOR FOR SELECT code FROM fcfs.try_issue_coupon(4, 1)';
    END IF;
    c := 'test_cursor';
    FOREACH move IN ARRAY string_to_array(moves, ',') LOOP
        CASE move
            WHEN 'next' THEN FETCH NEXT FROM c INTO code;
            WHEN 'prior' THEN FETCH PRIOR FROM c INTO code;
            WHEN 'first' THEN FETCH FIRST FROM c INTO code;
            WHEN 'last' THEN FETCH LAST FROM c INTO code;
            WHEN 'absolute' THEN FETCH ABSOLUTE 1 FROM c INTO code;
            WHEN 'end' THEN FETCH ABSOLUTE 2 FROM c INTO code;
            WHEN 'relative' THEN FETCH RELATIVE 0 FROM c INTO code;
            WHEN 'start' THEN MOVE BACKWARD ALL FROM c;
        END CASE;
        said := said || move || ' ' || coalesce(code, '-') || ' ';
    END LOOP;
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = format('%smade %s', said, (SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = 4));
EXCEPTION WHEN OTHERS THEN
    RETURN concat_ws(' ', nullif(SQLSTATE, 'UNDO0'), SQLERRM);
END
$$;
CREATE FUNCTION test.cursor_by_server(kind text, moves text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET work_mem = '5MB';
    said := test.cursor(kind, moves);
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = said;
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN SQLERRM;
END
$$;
SELECT kind, moves, test.cursor(kind, moves),
    CASE WHEN test.cursor(kind, moves) <> test.cursor_by_server(kind, moves) THEN 'DIFFERS: ' || test.cursor_by_server(kind, moves) END
FROM unnest('{SCROLL,NO SCROLL,either}'::text[]) AS k (kind),
    unnest('{next,next\,next\,next,"next,prior,next,prior,prior,next","next,next,prior,prior","first,last,first","last,prior",
        "absolute,end,absolute","next,start,next","end,prior","prior,next","relative,next,relative","end,start,start,next,first"}'::text[])
        WITH ORDINALITY AS m (moves, n)
ORDER BY kind, n;
-- WITH HOLD: read once by the commit, wherever it was.
BEGIN;
DECLARE a SCROLL CURSOR WITH HOLD FOR SELECT code FROM fcfs.try_issue_coupon(4, 1);
DECLARE b SCROLL CURSOR WITH HOLD FOR SELECT code FROM fcfs.try_issue_coupon(4, 2);
DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT code FROM fcfs.try_issue_coupon(4, 3);
FETCH b;
FETCH c;
COMMIT;
FETCH a;
FETCH FIRST FROM b;
FETCH c;
SELECT user_id FROM fcfs.coupon_issue WHERE coupon_id = 4 ORDER BY 1;
CLOSE ALL;
-- A holdable cursor whose call fails takes the transaction with it.
BEGIN;
DECLARE a CURSOR WITH HOLD FOR SELECT code FROM fcfs.try_issue_coupon(4, NULL);
COMMIT;
-- Read in two parts, with a savepoint between them that is rolled back.
BEGIN;
DECLARE a CURSOR FOR SELECT code, n FROM fcfs.try_issue_coupon(4, 9), test.number;
SAVEPOINT s;
FETCH 1 FROM a;
ROLLBACK TO s;
FETCH 1 FROM a;
ROLLBACK;
SELECT test.free('coupon', 1);

-- Counted, as the server counts functions.
CREATE FUNCTION test.count_of_calls() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_function_calls('fcfs.try_issue_coupon(bigint, bigint, text)'::regprocedure) $$;
BEGIN;
SET LOCAL track_functions = 'all';
SELECT code FROM fcfs.try_issue_coupon(2, 1);
SELECT code FROM fcfs.try_issue_coupon(2, 1);
SELECT (fcfs.try_issue_coupon(2, 1)).code;
SELECT test.count_of_calls();
SET LOCAL track_functions = 'pl';
SELECT code FROM fcfs.try_issue_coupon(2, 1);
SELECT test.count_of_calls();
ROLLBACK;

-- An administrator may add attributes to the outcome; those that are there have their types.
PREPARE sold_out AS SELECT code, id FROM fcfs.try_issue_coupon(2, 1);
EXECUTE sold_out;
ALTER TYPE fcfs.outcome ADD ATTRIBUTE note text;
EXECUTE sold_out;
SELECT * FROM fcfs.try_issue_coupon(2, 1);
SELECT (fcfs.try_issue_coupon(2, 1)).*;
ALTER TYPE fcfs.outcome DROP ATTRIBUTE note;
SELECT * FROM fcfs.try_issue_coupon(2, 1);
SELECT (fcfs.try_issue_coupon(2, 1)).*;
BEGIN;
ALTER TYPE fcfs.outcome DROP ATTRIBUTE message CASCADE;
SELECT * FROM fcfs.try_issue_coupon(2, 1);
SELECT (fcfs.try_issue_coupon(2, 1)).*;
ROLLBACK;
DROP VIEW test.view;
ALTER TYPE fcfs.outcome ALTER ATTRIBUTE http_status TYPE text;
SELECT test.said('SELECT code, http_status FROM fcfs.try_issue_coupon(2, 1)');
SELECT test.said('SELECT fcfs.try_issue_coupon(2, 1)');
ALTER TYPE fcfs.outcome ALTER ATTRIBUTE http_status TYPE integer;
SELECT test.said('SELECT code, http_status FROM fcfs.try_issue_coupon(2, 1)');
SELECT test.said('SELECT fcfs.try_issue_coupon(2, 1)');
SELECT * FROM fcfs.verify();
