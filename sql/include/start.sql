-- The start of every regression test: the extension made anew, and the words
-- the tests ask with.
--
-- The calendar of the tests lies in 2021; windows are relative to the present.
-- Times of the present are masked in what the words answer, and so are numbers
-- of reservations, which depend on how often something was tried, rows that failed a
-- check, and expressions, which servers write in different ways.
\set ECHO none
SET client_min_messages = warning;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET intervalstyle = postgres;
\pset format unaligned
\pset tuples_only on
\pset null (null)

DROP SCHEMA IF EXISTS test CASCADE;
DROP EXTENSION IF EXISTS pg_fcfs CASCADE;
CREATE EXTENSION pg_fcfs CASCADE;
CREATE SCHEMA test;

CREATE FUNCTION test.masked(said text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN regexp_replace(regexp_replace(regexp_replace(regexp_replace(said,
    '20(2[2-9]|[3-9]\d)-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d(:?\d\d)?| UTC)?)?', '(then)', 'g'),
    'reservation \d+', 'reservation (id)', 'g'),
    ' \| Failing row contains .*', ''),
    '\(\s*CASE.*END\s*\)', '(CASE ...)');

-- What a statement ends with: ok and the number of its rows, or all of the error.
-- A statement that fails leaves nothing behind.
CREATE FUNCTION test.said(command text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
    state text;
    name text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN 'ok ' || rows;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        state = RETURNED_SQLSTATE, name = CONSTRAINT_NAME,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN test.masked(concat_ws(' | ', state, nullif(name, ''), message, nullif(detail, ''), nullif(hint, '')));
END
$$;

-- What both faces of an operation answer to the same call in the same state.
-- What the raising face does is undone, so that the other one meets the same
-- state; what try_ does stays.
CREATE FUNCTION test.both(call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer fcfs.outcome;
    made bigint;
    raised record;
BEGIN
    raised := test.raised(call);
    BEGIN
        EXECUTE 'SELECT * FROM fcfs.try_' || call INTO answer;
    EXCEPTION WHEN OTHERS THEN
        IF (SQLSTATE, SQLERRM) IS NOT DISTINCT FROM (raised.state, raised.message) THEN
            RETURN concat_ws(' | ', SQLSTATE, SQLERRM);
        END IF;
        RETURN format('FACES DIFFER: %s, try_: %s %s', raised, SQLSTATE, SQLERRM);
    END;
    IF raised.state = '00000' THEN
        IF (answer.ok, answer.code, answer.http_status, answer.retryable, answer.message, answer.detail)
            IS NOT DISTINCT FROM (true, 'OK', 200, false, 'ok', NULL::text)
            AND answer.id IS NOT NULL AND raised.id IS NOT NULL
        THEN
            RETURN CASE WHEN answer.replayed THEN 'OK, replayed' ELSE 'OK' END;
        END IF;
    ELSIF (answer.ok, answer.code, answer.message, coalesce(answer.detail, ''), answer.id)
        IS NOT DISTINCT FROM (false, raised.name, raised.message, raised.detail, NULL::bigint)
        AND (raised.name, raised.state, answer.http_status, answer.retryable, raised.message) IN (
            SELECT r.code, r.sqlstate, r.http_status, r.retryable, r.message
            FROM fcfs.refusals() r)
    THEN
        RETURN test.masked(concat_ws(' | ', answer.code || CASE WHEN answer.replayed THEN ', replayed' ELSE '' END,
            raised.state, answer.http_status, answer.detail, nullif(raised.hint, '')));
    END IF;
    RETURN format('FACES DIFFER: %s, try_: %s', raised, answer);
END
$$;

CREATE FUNCTION test.raised(
    call text,
    OUT state text,
    OUT name text,
    OUT message text,
    OUT detail text,
    OUT hint text,
    OUT id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT made.id FROM fcfs.%s AS made', call) INTO id;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN
        state := '00000';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS
            state = RETURNED_SQLSTATE, name = CONSTRAINT_NAME,
            message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;

-- How many units of a pool the functions give out here and now, 99 at most.
-- All of them are taken and given back again.
CREATE FUNCTION test.free(kind text, pool bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer fcfs.outcome;
    units integer := 0;
BEGIN
    LOOP
        IF kind = 'section' THEN
            INSERT INTO fcfs.student (id, max_credits) VALUES (900000 + units, 1000);
            answer := fcfs.try_enroll(900000 + units, pool);
        ELSIF kind = 'item' THEN
            answer := fcfs.try_reserve(900000 + units, pool);
        ELSE
            answer := fcfs.try_issue_coupon(pool, 900000 + units);
        END IF;
        EXIT WHEN NOT answer.ok OR units = 99;
        units := units + 1;
    END LOOP;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    IF answer.ok OR answer.code IN ('COURSE_FULL', 'OUT_OF_STOCK', 'COUPON_EXHAUSTED') THEN
        RETURN format('%s free%s', units, CASE WHEN answer.ok THEN ' and more' ELSE '' END);
    END IF;
    RETURN format('%s after %s', answer.code, units);
END
$$;

-- Moves an edge of a window to a moment just ahead and calls until the answer
-- changes. Before the edge the answer must be that of `before`, from the edge
-- on that of `after`; calls that were under way at the edge may have either.
CREATE FUNCTION test.edge(move_edge text, call text, before text, after text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    ahead interval := '50 ms';
    edge timestamptz;
    called_at timestamptz;
    code text;
    seen_before boolean := false;
BEGIN
    -- Were the machine so slow that the edge passed before the first call,
    -- the next round has more time.
    WHILE NOT seen_before LOOP
        edge := clock_timestamp() + ahead;
        EXECUTE move_edge USING edge;
        LOOP
            called_at := clock_timestamp();
            code := test.tried(call);
            IF code NOT IN (before, after) THEN
                RETURN 'unexpected ' || code;
            ELSIF code = before AND called_at >= edge THEN
                RETURN before || ' although the edge has passed';
            ELSIF code = after AND clock_timestamp() < edge THEN
                RETURN after || ' although the edge lies ahead';
            END IF;
            seen_before := seen_before OR code = before;
            EXIT WHEN code = after;
        END LOOP;
        ahead := ahead * 2;
    END LOOP;
    RETURN format('%s until the edge, %s from then on', before, after);
END
$$;

-- The code with which try_ answers; what it does is undone.
CREATE FUNCTION test.tried(call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer fcfs.outcome;
BEGIN
    EXECUTE 'SELECT * FROM fcfs.try_' || call INTO answer;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN answer.code;
END
$$;

-- A time zone of whole hours in which it is now the given hour of a day, so
-- that a test of days never runs over a midnight; and another to the east of it.
CREATE FUNCTION test.zone_at(wanted integer, east integer DEFAULT 0) RETURNS text
LANGUAGE sql VOLATILE
RETURN (
    SELECT 'Etc/GMT' || to_char(-((wanted - at_utc.hour + 36) % 24 - 12 + east), 'FMSG90')
    FROM (SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::integer) AS at_utc (hour));

CREATE FUNCTION test.today(zone text) RETURNS date
LANGUAGE sql VOLATILE
RETURN (clock_timestamp() AT TIME ZONE zone)::date;

\set ECHO all
