-- The world of the tests about what an enrollment claims, and how they ask.
\set ECHO none
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', '2021-03-01', '2021-03-07');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 60);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 20) AS g;
INSERT INTO fcfs.student_group (id, code) SELECT g, 'G' || g FROM generate_series(1, 9) AS g;

-- How many more units of a pool raw SQL gets here and now, 99 at most. All of them are
-- given back.
CREATE FUNCTION test.room(kind text, pool bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    claim text := CASE kind
        WHEN 'section' THEN '(student_id, section_id) VALUES ($1, $2)'
        WHEN 'waitlist' THEN '(student_id, section_id, status) VALUES ($1, $2, ''waitlisted'')'
        WHEN 'reserved_seats' THEN '(student_id, section_id, reserved_seats_id)
            SELECT $1, r.section_id, r.id FROM fcfs.reserved_seats r WHERE r.id = $2'
        WHEN 'cross_list' THEN '(student_id, section_id)
            SELECT $1, max(s.id) FROM fcfs.section s WHERE s.cross_list_id = $2'
    END;
    units integer := 0;
    name text;
BEGIN
    LOOP
        BEGIN
            INSERT INTO fcfs.student (id) VALUES (900000 + units);
            EXECUTE 'INSERT INTO fcfs.enrollment ' || claim USING 900000 + units, pool;
        EXCEPTION WHEN check_violation OR foreign_key_violation THEN
            GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
        END;
        EXIT WHEN name IS NOT NULL OR units = 99;
        units := units + 1;
    END LOOP;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN CASE WHEN name IS NULL THEN 'more' WHEN name <> kind || '_capacity' AND kind <> 'waitlist' THEN units || ' ' || name
        ELSE units::text END;
END
$$;

-- Room in a section, in its line, and in its reserved seats, in order of their id.
CREATE FUNCTION test.rooms(section bigint) RETURNS text
LANGUAGE sql AS $$
SELECT format('open %s, line %s, reserved {%s}', test.room('section', section), test.room('waitlist', section),
    (SELECT string_agg(test.room('reserved_seats', r.id), ', ' ORDER BY r.id) FROM fcfs.reserved_seats r WHERE r.section_id = section))
$$;
\set ECHO all
