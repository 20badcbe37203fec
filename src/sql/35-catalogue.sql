-- Loading a catalogue: definitions of a registration as one JSON document.

CREATE FUNCTION fcfs.catalogue_columns(relation text)
RETURNS TABLE (n integer, name text, category text, needed boolean, otherwise text, keys text[], looked_up text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
-- A column x_id is given as x, the code of what it refers to, and is looked up; the
-- section of reserved seats by the three codes that it is known by.
SELECT a.attnum, a.attname, y.typcategory, a.attnotnull OR a.attname = 'external_id', pg_get_expr(d.adbin, d.adrelid),
    CASE WHEN r.reference = 'section' THEN ARRAY['term', 'course', 'section'] ELSE ARRAY[coalesce(r.reference, a.attname)] END,
    CASE
        WHEN r.reference = 'section' THEN
            '(SELECT s.id FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id JOIN fcfs.course c ON c.id = s.course_id'
            ' WHERE (t.code, c.code, s.code) = (e.element ->> ''term'', e.element ->> ''course'', e.element ->> ''section''))'
        WHEN r.reference = 'student' THEN '(SELECT s.id FROM fcfs.student s WHERE s.external_id = e.element ->> ''student'')'
        WHEN r.reference IS NOT NULL THEN
            format('(SELECT x.id FROM fcfs.%I x WHERE x.code = e.element ->> %L)', regexp_replace(r.reference, '^required_', ''), r.reference)
    END
FROM pg_attribute a
JOIN pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (SELECT substring(nullif(a.attname::text, 'external_id') FROM '^(.*)_id$')) AS r (reference)
WHERE a.attrelid = format('fcfs.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attidentity = '' AND a.attgenerated = '' AND a.attname <> 'schedule';
END;
COMMENT ON FUNCTION fcfs.catalogue_columns(text) IS
    'The columns of a table that a catalogue gives: by which keys, which must be there where they are in the key, what holds where they are not, and how a reference is looked up.';

CREATE FUNCTION fcfs.catalogue_part(
    part text,
    OUT relation text,
    OUT natural_key text[],
    OUT types jsonb,
    OUT must text[],
    OUT missing text,
    OUT apply text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    key_columns text[];
    row_id text;
    all_columns text;
    value_columns text;   -- which are not in the key
    defaults text;
    ids text;             -- what is looked up
    same_key text;        -- t is the row that g is about
    meeting_columns text;
BEGIN
    SELECT p.relation, p.key_columns INTO relation, key_columns
    FROM (VALUES
        ('terms', 'term', ARRAY['code']),
        ('courses', 'course', ARRAY['code']),
        ('prerequisites', 'prerequisite', ARRAY['course_id', 'required_course_id']),
        ('student_groups', 'student_group', ARRAY['code']),
        ('students', 'student', ARRAY['external_id']),
        ('student_group_members', 'student_group_member', ARRAY['student_id', 'student_group_id']),
        ('enrollment_waves', 'enrollment_wave', ARRAY['term_id', 'student_group_id', 'opens_at']),
        ('cross_lists', 'cross_list', ARRAY['code']),
        ('sections', 'section', ARRAY['term_id', 'course_id', 'code']),
        ('reserved_seats', 'reserved_seats', ARRAY['section_id', 'student_group_id'])) AS p (part, relation, key_columns)
    WHERE p.part = catalogue_part.part;

    -- The keys of an element.
    SELECT array_agg(k.key ORDER BY c.n, k.n) FILTER (WHERE c.name = ANY (key_columns)),
        array_agg(k.key ORDER BY c.n, k.n) FILTER (WHERE c.name = ANY (key_columns) AND c.needed),
        jsonb_object_agg(k.key, CASE WHEN c.looked_up IS NULL THEN c.category ELSE 'S' END)
    INTO natural_key, must, types
    FROM fcfs.catalogue_columns(relation) c
    CROSS JOIN LATERAL unnest(c.keys) WITH ORDINALITY AS k (key, n);

    -- What an element refers to: which of it is not there, and the ids of what is.
    SELECT
        string_agg(format($sql$CASE WHEN e.element ->> %1$L IS NOT NULL AND %2$s IS NULL THEN %3$L || concat_ws(' ', %4$s) END$sql$,
            k.last, c.looked_up, format('there is no %s ', replace(regexp_replace(k.last, '^required_', ''), '_', ' ')), k.given), ', ' ORDER BY c.n),
        string_agg(format($sql$ || CASE WHEN e.element ? %L THEN jsonb_build_object(%L, %s) ELSE '{}' END$sql$, k.last, c.name, c.looked_up), '' ORDER BY c.n)
    INTO missing, ids
    FROM fcfs.catalogue_columns(relation) c
    CROSS JOIN LATERAL (
        SELECT c.keys[cardinality(c.keys)], string_agg(format('e.element ->> %L', k.key), ', ' ORDER BY k.n)
        FROM unnest(c.keys) WITH ORDINALITY AS k (key, n)) AS k (last, given)
    WHERE c.looked_up IS NOT NULL;

    -- The columns of the row.
    SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.n),
        string_agg(quote_ident(c.name), ', ' ORDER BY c.n) FILTER (WHERE c.name <> ALL (key_columns)),
        coalesce(string_agg(format('%L, %s', c.name, c.otherwise), ', ' ORDER BY c.n) FILTER (WHERE c.otherwise IS NOT NULL), ''),
        string_agg(format(CASE WHEN c.needed THEN 't.%1$I = (g.wanted).%1$I' ELSE 't.%1$I IS NOT DISTINCT FROM (g.wanted).%1$I' END, c.name), ' AND ' ORDER BY c.n)
            FILTER (WHERE c.name = ANY (key_columns))
    INTO all_columns, value_columns, defaults, same_key
    FROM fcfs.catalogue_columns(relation) c;
    row_id := CASE
        WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('fcfs.%I', relation)::regclass AND a.attname = 'id') THEN 't.id'
        ELSE 'NULL::bigint'
    END;

    -- The rows of all elements at once. What an element does not name stays as it was, or
    -- is what it is by default.
    apply := format($sql$
WITH given AS MATERIALIZED (
    SELECT e.n, e.element, e.element%2$s AS named
    FROM unnest($1) WITH ORDINALITY AS e (element, n)),
read AS MATERIALIZED (
    SELECT g.*, jsonb_populate_record(NULL::fcfs.%1$I, g.named) AS wanted
    FROM given g),
found AS MATERIALIZED (
    SELECT g.*, t.ctid IS NOT NULL AS is_there, %3$s AS found_id
    FROM read g
    LEFT JOIN fcfs.%1$I t ON %4$s),
added AS (
    INSERT INTO fcfs.%1$I AS t (%5$s)
    SELECT %5$s
    FROM (
        SELECT g.n AS place, r.*
        FROM found g
        CROSS JOIN jsonb_populate_record(NULL::fcfs.%1$I, jsonb_build_object(%6$s) || g.named) AS r
        WHERE NOT g.is_there) AS r
    ORDER BY place
    RETURNING t.*)$sql$,
        relation, ids, row_id, same_key, all_columns, defaults);
    apply := apply || CASE
        WHEN value_columns IS NULL THEN ', changed AS (SELECT NULL::bigint AS n WHERE false)'
        ELSE format($sql$,
changed AS (
    UPDATE fcfs.%1$I t
    SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(t, g.named))
    FROM found g
    WHERE g.is_there AND %3$s AND jsonb_populate_record(t, g.named) IS DISTINCT FROM t
    RETURNING g.n)$sql$, relation, value_columns, same_key)
    END;

    -- Meetings are written by the same statement: what triggers make of dates and
    -- calendars they see when all is there.
    IF relation <> 'section' THEN
        apply := apply || ', differing AS (SELECT NULL::bigint AS n WHERE false)';
    ELSE
        types := types || '{"meetings": "A"}';
        SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.n) INTO meeting_columns FROM fcfs.catalogue_columns('meeting') c;
        apply := apply || format($sql$,
places AS MATERIALIZED (
    SELECT g.n, g.element -> 'meetings' AS meetings, coalesce(g.found_id, t.id) AS section_id
    FROM found g
    LEFT JOIN added t ON %1$s
    WHERE g.element ? 'meetings'),
wanted AS MATERIALIZED (
    SELECT p.n, m.number, r AS meeting -- whose id is NULL
    FROM places p
    CROSS JOIN jsonb_array_elements(p.meetings) WITH ORDINALITY AS m (meeting, number)
    CROSS JOIN jsonb_populate_record(NULL::fcfs.meeting, m.meeting || jsonb_build_object('section_id', p.section_id)) AS r),
differing AS MATERIALIZED (
    SELECT p.n, p.section_id
    FROM places p
    LEFT JOIN (
        SELECT w.n, array_agg(w.meeting::text ORDER BY w.meeting::text)
        FROM wanted w
        GROUP BY w.n) AS w (n, meetings) ON w.n = p.n
    LEFT JOIN (
        SELECT m.section_id, array_agg(r::text ORDER BY r::text)
        FROM fcfs.meeting m
        CROSS JOIN jsonb_populate_record(m, '{"id": null}') AS r
        WHERE m.section_id IN (SELECT p.section_id FROM places p)
        GROUP BY m.section_id) AS o (section_id, meetings) ON o.section_id = p.section_id
    WHERE w.meetings IS DISTINCT FROM o.meetings),
removed AS (
    DELETE FROM fcfs.meeting m USING differing d WHERE m.section_id = d.section_id),
placed AS (
    INSERT INTO fcfs.meeting (%2$s)
    SELECT %2$s
    FROM (SELECT w.n AS place, w.number, (w.meeting).* FROM wanted w JOIN differing d ON d.n = w.n) AS r
    ORDER BY place, number)$sql$, same_key, meeting_columns);
    END IF;
    apply := apply || format($sql$
SELECT array_agg(coalesce(g.found_id, %1$s) ORDER BY g.n),
    array_agg(CASE
        WHEN NOT g.is_there THEN 'added'
        WHEN c.n IS NOT NULL OR d.n IS NOT NULL THEN 'changed'
        ELSE 'unchanged'
    END ORDER BY g.n)
FROM found g
LEFT JOIN added t ON %2$s
LEFT JOIN changed c ON c.n = g.n
LEFT JOIN differing d ON d.n = g.n$sql$, row_id, same_key);
END
$$;
COMMENT ON FUNCTION fcfs.catalogue_part(text) IS
    'How load_catalogue() writes one part of a catalogue: its table, the keys that its elements are known by, all keys with the category of their type, those that must be there, what says which reference is to nothing, and the statement that writes.';

CREATE FUNCTION fcfs.catalogue_type_problem(object jsonb, types jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
-- A string is right for every type: whether it can be read is seen when it is.
SELECT format('key "%s" must be %s, not of type %s', v.key, CASE t.category
    WHEN 'A' THEN 'an array'
    WHEN 'N' THEN 'a number'
    WHEN 'B' THEN 'true or false'
    ELSE 'a string'
END, jsonb_typeof(v.value))
FROM jsonb_each(object) AS v (key, value)
CROSS JOIN LATERAL (SELECT types ->> v.key) AS t (category)
WHERE CASE t.category
    WHEN 'A' THEN jsonb_typeof(v.value) <> 'array'
    WHEN 'N' THEN jsonb_typeof(v.value) NOT IN ('number', 'string', 'null')
    WHEN 'B' THEN jsonb_typeof(v.value) NOT IN ('boolean', 'string', 'null')
    ELSE jsonb_typeof(v.value) NOT IN ('string', 'null')
END
ORDER BY v.key
LIMIT 1;
END;
COMMENT ON FUNCTION fcfs.catalogue_type_problem(jsonb, jsonb) IS
    'What is wrong with the types of the values of an element of a catalogue; NULL: nothing.';

CREATE FUNCTION fcfs.load_catalogue(catalogue jsonb, report_unchanged boolean DEFAULT false)
RETURNS TABLE (kind text, code text, id bigint, action text, reason text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
AS $$
#variable_conflict use_variable
DECLARE
    parts CONSTANT text[] := ARRAY[
        'terms', 'courses', 'prerequisites', 'student_groups', 'students', 'student_group_members', 'enrollment_waves', 'cross_lists',
        'sections', 'reserved_seats'];
    at_once CONSTANT integer := 1000;
    part text;
    plan record;
    meeting_types jsonb;
    codes text[];       -- of all elements of a part, as the report has them
    ids bigint[];
    actions text[];
    reasons text[];
    elements jsonb[];   -- those that can be tried, and
    positions bigint[]; -- where they are in the document
    first integer;      -- the next to be tried, and
    size integer;       -- with how many others
    some_ids bigint[];
    some_actions text[];
    state text;
    message text;
    detail text;
    key text;
    culprit text;       -- the key of a value that cannot be read
    told_at timestamptz := clock_timestamp();
BEGIN
    IF catalogue IS NULL OR report_unchanged IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = format('%s must not be null', CASE WHEN catalogue IS NULL THEN 'catalogue' ELSE 'report_unchanged' END);
    ELSIF jsonb_typeof(catalogue) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'catalogue must be an object of arrays', DETAIL = format('It is of type %s.', jsonb_typeof(catalogue));
    END IF;
    FOR part IN SELECT k.key FROM jsonb_object_keys(catalogue) AS k (key) LOOP
        IF part <> ALL (parts) THEN
            RAISE invalid_parameter_value USING MESSAGE = format('catalogue has no part "%s"', left(part, 100)), HINT = format('Its parts are %s.', array_to_string(parts, ', '));
        ELSIF jsonb_typeof(catalogue -> part) <> 'array' THEN
            RAISE invalid_parameter_value USING MESSAGE = format('%s of a catalogue must be an array', part),
                DETAIL = format('It is of type %s.', jsonb_typeof(catalogue -> part));
        END IF;
    END LOOP;
    -- One at a time: two that add the same would be in each other's way.
    LOCK TABLE fcfs.term IN SHARE UPDATE EXCLUSIVE MODE;
    SELECT jsonb_object_agg(a.attname, y.typcategory) INTO meeting_types
    FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
    WHERE a.attrelid = 'fcfs.meeting'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('id', 'section_id');

    FOREACH part IN ARRAY parts LOOP
        CONTINUE WHEN coalesce(jsonb_array_length(catalogue -> part), 0) = 0;
        SELECT p.relation, p.natural_key, p.types, p.must, p.missing, p.apply INTO plan FROM fcfs.catalogue_part(part) AS p;

        -- What can be said of an element without touching a table.
        WITH element AS MATERIALIZED (
            SELECT x.n, x.element, jsonb_typeof(x.element) AS type, CASE jsonb_typeof(x.element) WHEN 'object' THEN x.element ELSE '{}' END AS object
            FROM jsonb_array_elements(catalogue -> part) WITH ORDINALITY AS x (element, n)),
        known AS MATERIALIZED (
            SELECT x.n, x.element, (SELECT array_agg(x.object ->> k.key ORDER BY k.n) FROM unnest(plan.natural_key) WITH ORDINALITY AS k (key, n)) AS known_by,
                coalesce(
                    CASE WHEN x.type <> 'object' THEN format('must be an object, not of type %s', x.type) END,
                    (SELECT format('unknown key "%s"', left(k.key, 100)) FROM jsonb_object_keys(x.object) AS k (key) WHERE NOT plan.types ? k.key ORDER BY k.key LIMIT 1),
                    (SELECT format('key "%s" is missing', k.key) FROM unnest(plan.must) WITH ORDINALITY AS k (key, n)
                     WHERE x.object ->> k.key IS NULL ORDER BY k.n LIMIT 1),
                    fcfs.catalogue_type_problem(x.object, plan.types),
                    (SELECT format('meetings[%s]: %s', m.n - 1, m.problem)
                     FROM (
                        SELECT m.n, CASE
                            WHEN jsonb_typeof(m.meeting) <> 'object' THEN format('must be an object, not of type %s', jsonb_typeof(m.meeting))
                            ELSE coalesce(
                                (SELECT format('unknown key "%s"', left(k.key, 100)) FROM jsonb_object_keys(m.meeting) AS k (key)
                                 WHERE NOT meeting_types ? k.key ORDER BY k.key LIMIT 1),
                                fcfs.catalogue_type_problem(m.meeting, meeting_types))
                            END AS problem
                        FROM jsonb_array_elements(CASE jsonb_typeof(x.object -> 'meetings') WHEN 'array' THEN x.object -> 'meetings' ELSE '[]' END)
                            WITH ORDINALITY AS m (meeting, n)) AS m
                     WHERE m.problem IS NOT NULL ORDER BY m.n LIMIT 1)) AS problem
            FROM element x),
        judged AS MATERIALIZED (
            SELECT k.n, k.element, k.known_by, coalesce(k.problem, CASE
                WHEN row_number() OVER same > 1 THEN format('is there before, as %s[%s]', part, first_value(k.n) OVER same - 1)
            END) AS problem
            FROM known k
            WINDOW same AS (PARTITION BY k.problem IS NULL, CASE WHEN k.problem IS NULL THEN k.known_by END ORDER BY k.n))
        SELECT array_agg(left(array_to_string(j.known_by, ' '), 300) ORDER BY j.n),
            array_agg(CASE WHEN j.problem IS NOT NULL THEN 'refused' END ORDER BY j.n),
            array_agg(format('%s[%s]: %s', part, j.n - 1, j.problem) ORDER BY j.n),
            array_agg(j.element ORDER BY j.n) FILTER (WHERE j.problem IS NULL),
            array_agg(j.n ORDER BY j.n) FILTER (WHERE j.problem IS NULL)
        INTO codes, actions, reasons, elements, positions
        FROM judged j;
        ids := array_fill(NULL::bigint, ARRAY[cardinality(codes)]);
        first := 1;
        size := at_once;

        -- As many at once as it goes well with; alone, an element is told what is
        -- wrong with it.
        WHILE first <= coalesce(cardinality(elements), 0) LOOP
            size := least(size, cardinality(elements) - first + 1);
            message := NULL;
            BEGIN
                IF plan.missing IS NOT NULL THEN
                    EXECUTE format('SELECT coalesce(%s) AS problem FROM unnest($1) AS e (element) ORDER BY 1 LIMIT 1', plan.missing)
                    INTO message USING elements[first : first + size - 1];
                    IF message IS NOT NULL THEN
                        RAISE foreign_key_violation USING MESSAGE = message;
                    END IF;
                END IF;
                EXECUTE plan.apply INTO some_ids, some_actions USING elements[first : first + size - 1];
                message := NULL;
            EXCEPTION WHEN OTHERS THEN
                -- Of the element, and not of the server or the whole transaction.
                IF left(SQLSTATE, 2) NOT IN ('21', '22', '23', '27', '44', '54', '55', 'P0', 'RF') THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            END;
            IF message IS NULL THEN
                FOR i IN 1 .. size LOOP
                    ids[positions[first + i - 1]] := some_ids[i];
                    actions[positions[first + i - 1]] := some_actions[i];
                    reasons[positions[first + i - 1]] := NULL;
                END LOOP;
                first := first + size;
                size := least(size * 2, at_once);
            ELSIF size > 1 THEN
                size := size / 2;
            ELSE
                culprit := NULL;
                FOR key IN SELECT k.key FROM jsonb_object_keys(elements[first] - 'meetings') AS k (key) WHERE state LIKE '22%' LOOP
                    BEGIN
                        EXECUTE format('SELECT jsonb_populate_record(NULL::fcfs.%I, $1)', plan.relation) USING jsonb_build_object(key, elements[first] -> key);
                    EXCEPTION WHEN data_exception THEN
                        culprit := format('key "%s": ', key);
                    END;
                END LOOP;
                actions[positions[first]] := 'refused';
                reasons[positions[first]] := format('%s[%s]: %s%s', part, positions[first] - 1, culprit, left(
                    concat_ws('. ', message, CASE WHEN detail NOT LIKE 'Failing row contains %' THEN nullif(detail, '') END), 2000));
                first := first + 1;
            END IF;
            IF clock_timestamp() > told_at + interval '2 seconds' THEN
                told_at := clock_timestamp();
                RAISE NOTICE '% of % %', first - 1, cardinality(elements), part;
            END IF;
        END LOOP;
        RETURN QUERY
            SELECT plan.relation, codes[n.n], ids[n.n], actions[n.n], CASE actions[n.n] WHEN 'refused' THEN reasons[n.n] END
            FROM generate_subscripts(codes, 1) AS n (n)
            WHERE report_unchanged OR actions[n.n] <> 'unchanged';
    END LOOP;
END
$$;
COMMENT ON FUNCTION fcfs.load_catalogue(jsonb, boolean) IS
    'Adds and changes the definitions of a registration as a document says, and reports what became of each of its elements: added, changed or refused with the reason (and unchanged, if wanted).';
