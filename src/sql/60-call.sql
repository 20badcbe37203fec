-- One entry for clients that speak JSON.

CREATE FUNCTION fcfs.call(name text, args jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operation record;
    unknown text;
    missing text;
    no_array text;
    answer fcfs.outcome;
    made jsonb;
BEGIN
    IF name IS NULL OR args IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'name and args must not be null';
    END IF;
    IF jsonb_typeof(args) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'args must be a JSON object';
    END IF;

    -- An operation is a function that has a try_ twin which answers an outcome.
    SELECT t.proname AS try_name, t.proargnames AS names, t.proargtypes AS types,
        t.pronargs - t.pronargdefaults AS required, f.prorettype::regtype AS row_type
    INTO operation
    FROM pg_proc f
    JOIN pg_proc t ON t.pronamespace = f.pronamespace AND t.proname = 'try_' || f.proname AND t.proargtypes = f.proargtypes
    WHERE f.pronamespace = 'fcfs'::regnamespace AND f.proname = call.name
        AND t.prorettype = 'fcfs.outcome'::regtype
        -- We run as their owner. What somebody else has made is nothing to run.
        AND pg_get_userbyid(f.proowner) = current_user AND pg_get_userbyid(t.proowner) = current_user;
    IF NOT FOUND THEN
        RAISE undefined_function USING MESSAGE = format('there is no operation "%s"', left(name, 63));
    END IF;

    SELECT min(a.key) INTO unknown FROM jsonb_object_keys(args) AS a (key) WHERE a.key <> ALL (operation.names);
    IF unknown IS NOT NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s() has no argument "%s"', name, left(unknown, 63)),
            HINT = format('Its arguments are %s.', array_to_string(operation.names, ', '));
    END IF;

    SELECT a.argument INTO missing
    FROM unnest(operation.names) WITH ORDINALITY AS a (argument, number)
    WHERE a.number <= operation.required AND NOT args ? a.argument
    ORDER BY a.number
    LIMIT 1;
    IF FOUND THEN
        RAISE null_value_not_allowed USING MESSAGE = format('%s() needs the argument "%s"', name, missing);
    END IF;

    SELECT a.argument INTO no_array
    FROM unnest(operation.names, operation.types::oid[]) WITH ORDINALITY AS a (argument, type, number)
    JOIN pg_type t ON t.oid = a.type AND t.typcategory = 'A'
    WHERE jsonb_typeof(args -> a.argument) NOT IN ('array', 'null')
    ORDER BY a.number
    LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING MESSAGE = format('the argument "%s" of %s() must be a JSON array', no_array, name);
    END IF;

    -- The values stay out of the statement, which an error shows to the log.
    EXECUTE format('SELECT * FROM fcfs.%I(%s)', operation.try_name, (
        SELECT string_agg(format(
            CASE t.typcategory
                WHEN 'A' THEN '%1$I => (SELECT a.%1$I FROM jsonb_to_record($1) AS a (%1$I %3$s))'
                ELSE '%1$I => ($1 ->> %2$L)::%3$s'
            END, a.argument, a.argument, format_type(a.type, NULL)), ', ')
        FROM unnest(operation.names, operation.types::oid[]) AS a (argument, type)
        JOIN pg_type t ON t.oid = a.type
        WHERE args ? a.argument))
    INTO answer USING args;

    IF NOT answer.ok THEN
        RETURN jsonb_build_object('success', false, 'error', jsonb_build_object(
            'code', answer.code, 'message', answer.message, 'detail', answer.detail,
            'http_status', answer.http_status, 'retryable', answer.retryable));
    END IF;
    EXECUTE format('SELECT to_jsonb(r) FROM %s AS r WHERE r.id = $1', operation.row_type) INTO made USING answer.id;
    IF made IS NULL THEN
        -- Stored under the key by somebody who committed after our snapshot.
        RAISE serialization_failure USING
            MESSAGE = 'could not serialize access: the answer is newer than the transaction',
            HINT = 'Try the transaction again.';
    END IF;
    RETURN jsonb_build_object('success', true, 'replayed', answer.replayed, 'data', made);
END
$$;
COMMENT ON FUNCTION fcfs.call(text, jsonb) IS
    'Calls an operation by name with arguments as a JSON object; answers {"success": true, "data": the row} or {"success": false, "error": {"code", "message", ...}}. Bad input is an error.';
