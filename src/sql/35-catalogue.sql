-- Loading a catalogue: definitions of a registration as one JSON document.

CREATE FUNCTION fcfs.catalogue_part(
    part text,
    OUT relation text,
    OUT natural_key text[],
    OUT types jsonb,
    OUT must text[],
    OUT own text,
    OUT missing text,
    OUT apply text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    key_columns text[];
    chosen text;        -- what an element has, columns and references
    same_key text;      -- t is the row that g is about
    old_values text;
    new_values text;
    value_columns text;
    all_columns text;
    first_values text;  -- of a row that is added
    has_id boolean;
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

    -- A column x_id is given as x, the code of what it refers to; the section of
    -- reserved seats by the three codes that it is known by.
    WITH columns AS MATERIALIZED (
        SELECT a.attnum, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, y.typcategory AS category,
            a.attnotnull AS not_null, coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') AS otherwise,
            a.attname = ANY (key_columns) AS in_key, r.key, r.refers_to,
            CASE
                WHEN r.key IS NULL THEN format('r.%I', a.attname)
                WHEN r.key = 'section' THEN
                    '(SELECT x.id FROM fcfs.section x JOIN fcfs.term y ON y.id = x.term_id JOIN fcfs.course z ON z.id = x.course_id'
                    ' WHERE (y.code, z.code, x.code) = (e.element ->> ''term'', e.element ->> ''course'', e.element ->> ''section''))'
                ELSE format('(SELECT x.id FROM fcfs.%I x WHERE x.%I = e.element ->> %L)', r.refers_to,
                    CASE r.refers_to WHEN 'student' THEN 'external_id' ELSE 'code' END, r.key)
            END AS looked_up
        FROM pg_attribute a
        JOIN pg_type y ON y.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN LATERAL (
            SELECT x.key, regexp_replace(x.key, '^required_', '') AS refers_to
            FROM regexp_replace(a.attname::text, '_id$', '') AS x (key)
            WHERE a.attname LIKE '%\_id' AND a.attname <> 'external_id') AS r ON true
        WHERE a.attrelid = format('fcfs.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attidentity = '' AND a.attgenerated = '' AND a.attname <> 'schedule'),
    keys AS (
        SELECT c.attnum, n.n, n.key, c.in_key, c.not_null, CASE WHEN c.key IS NULL THEN c.category ELSE 'S' END AS category
        FROM columns c
        CROSS JOIN LATERAL unnest(CASE c.key WHEN 'section' THEN ARRAY['term', 'course', 'section'] ELSE ARRAY[coalesce(c.key, c.name)] END)
            WITH ORDINALITY AS n (key, n))
    SELECT
        (SELECT array_agg(k.key ORDER BY k.attnum, k.n) FROM keys k WHERE k.in_key),
        (SELECT jsonb_object_agg(k.key, k.category) FROM keys k),
        (SELECT array_agg(k.key ORDER BY k.attnum, k.n) FROM keys k WHERE k.in_key AND (k.not_null OR k.key = 'external_id')),
        string_agg(
            format('CASE WHEN %s IS NULL AND e.element ->> %L IS NOT NULL THEN format(''there is no %s %%s'', %s) END', c.looked_up, c.key,
                replace(c.refers_to, '_', ' '),
                CASE c.key
                    WHEN 'section' THEN 'concat_ws('' '', e.element ->> ''term'', e.element ->> ''course'', e.element ->> ''section'')'
                    ELSE format('e.element ->> %L', c.key)
                END), ', ' ORDER BY c.attnum) FILTER (WHERE c.key IS NOT NULL),
        string_agg(format('%I %s', c.name, c.type), ', ' ORDER BY c.attnum) FILTER (WHERE c.key IS NULL),
        string_agg(format('%s AS %I', c.looked_up, c.name), ', ' ORDER BY c.attnum),
        string_agg(
            format(CASE WHEN c.not_null OR c.name = 'external_id' THEN 't.%1$I = g.%1$I' ELSE 't.%1$I IS NOT DISTINCT FROM g.%1$I' END, c.name),
            ' AND ' ORDER BY c.attnum) FILTER (WHERE c.in_key),
        string_agg(format('t.%I', c.name), ', ' ORDER BY c.attnum) FILTER (WHERE NOT c.in_key),
        string_agg(format('CASE WHEN g.element ? %1$L THEN g.%2$I ELSE t.%2$I END', coalesce(c.key, c.name), c.name), ', ' ORDER BY c.attnum)
            FILTER (WHERE NOT c.in_key),
        string_agg(quote_ident(c.name), ', ' ORDER BY c.attnum) FILTER (WHERE NOT c.in_key),
        string_agg(quote_ident(c.name), ', ' ORDER BY c.attnum),
        string_agg(format('CASE WHEN g.element ? %L THEN g.%I ELSE %s END', coalesce(c.key, c.name), c.name, c.otherwise), ', ' ORDER BY c.attnum)
    INTO natural_key, types, must, missing, own, chosen, same_key, old_values, new_values, value_columns, all_columns, first_values
    FROM columns c;

    has_id := EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = format('fcfs.%I', relation)::regclass AND a.attname = 'id' AND a.attidentity <> '');
    -- The rows of all elements at once. Meetings are written by the same statement:
    -- what triggers make of dates and calendars they see when all is there.
    apply := format(
        'WITH given AS MATERIALIZED (SELECT e.n, e.element, %1$s FROM unnest($1) WITH ORDINALITY AS e (element, n)%2$s),'
        ' found AS MATERIALIZED (SELECT g.*, t.ctid IS NOT NULL AS is_there, %3$s AS found_id FROM given g LEFT JOIN fcfs.%4$I t ON %5$s),'
        ' added AS (INSERT INTO fcfs.%4$I AS t (%6$s) SELECT %7$s FROM found g WHERE NOT g.is_there ORDER BY g.n RETURNING t.*),',
        chosen, ', jsonb_to_record(e.element) AS r (' || own || ')', CASE WHEN has_id THEN 't.id' ELSE 'NULL::bigint' END,
        relation, same_key, all_columns, first_values);
    apply := apply || CASE
        WHEN value_columns IS NULL THEN ' changed (n) AS (SELECT NULL::bigint WHERE false)'
        ELSE format(
            ' changed AS (UPDATE fcfs.%1$I t SET (%2$s) = ROW(%3$s) FROM found g WHERE g.is_there AND %4$s'
            ' AND ROW(%3$s) IS DISTINCT FROM ROW(%5$s) RETURNING g.n)',
            relation, value_columns, new_values, same_key, old_values)
    END;
    IF relation = 'section' THEN
        SELECT types || '{"meetings": "A"}',
            apply || format(
                ', places AS MATERIALIZED (SELECT g.n, coalesce(g.found_id, t.id) AS section_id, g.element FROM found g LEFT JOIN added t ON %1$s'
                ' WHERE g.element ? ''meetings''),'
                ' wanted AS MATERIALIZED (SELECT p.n, p.section_id, m.number, r.* FROM places p,'
                ' jsonb_array_elements(p.element -> ''meetings'') WITH ORDINALITY AS m (meeting, number), jsonb_to_record(m.meeting) AS r (%2$s)),'
                ' differing AS MATERIALIZED (SELECT p.n, p.section_id FROM places p'
                ' LEFT JOIN (SELECT m.n, array_agg(ROW(%3$s)::text ORDER BY ROW(%3$s)::text) AS meetings FROM wanted m GROUP BY m.n) w ON w.n = p.n'
                ' LEFT JOIN (SELECT m.section_id, array_agg(ROW(%3$s)::text ORDER BY ROW(%3$s)::text) AS meetings FROM fcfs.meeting m'
                ' WHERE m.section_id IN (SELECT p.section_id FROM places p) GROUP BY m.section_id) o ON o.section_id = p.section_id'
                ' WHERE w.meetings IS DISTINCT FROM o.meetings),'
                ' removed AS (DELETE FROM fcfs.meeting m USING differing d WHERE m.section_id = d.section_id),'
                ' placed AS (INSERT INTO fcfs.meeting (section_id, %4$s) SELECT m.section_id, %3$s FROM wanted m JOIN differing d ON d.n = m.n'
                ' ORDER BY m.n, m.number)',
                same_key, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum),
                string_agg(format('m.%I', a.attname), ', ' ORDER BY a.attnum), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
        INTO types, apply
        FROM pg_attribute a
        WHERE a.attrelid = 'fcfs.meeting'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('id', 'section_id');
    END IF;
    apply := apply || format(
        ' SELECT array_agg(coalesce(g.found_id, %s) ORDER BY g.n), array_agg(CASE WHEN NOT g.is_there THEN ''added'' WHEN c.n IS NOT NULL %s'
        ' THEN ''changed'' ELSE ''unchanged'' END ORDER BY g.n) FROM found g LEFT JOIN changed c ON c.n = g.n LEFT JOIN added t ON %s%s',
        CASE WHEN has_id THEN 't.id' ELSE 'NULL::bigint' END, CASE WHEN relation = 'section' THEN 'OR d.n IS NOT NULL' ELSE '' END, same_key,
        CASE WHEN relation = 'section' THEN ' LEFT JOIN differing d ON d.n = g.n' ELSE '' END);
END
$$;
COMMENT ON FUNCTION fcfs.catalogue_part(text) IS
    'How load_catalogue() writes one part of a catalogue: its table, the keys that its elements are known by, all keys with the category of their type, those that must be there, the columns that are no references, and what says which reference is to nothing, and the statement that writes.';

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
        SELECT p.relation, p.natural_key, p.types, p.must, p.own, p.missing, p.apply INTO plan FROM fcfs.catalogue_part(part) AS p;

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
                        EXECUTE format('SELECT FROM jsonb_to_record($1) AS r (%s)', plan.own) USING jsonb_build_object(key, elements[first] -> key);
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
