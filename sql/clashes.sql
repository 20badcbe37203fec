-- Whatever meets when: of any two sections a student gets both, one after the other, in
-- one change, or in place of a third, exactly if no two of their meetings overlap.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on, cancel_days, max_credits) VALUES
    (1, 'New York', 'America/New_York', '-infinity', 'infinity', '2021-03-01', '2021-03-31', '2021-04-05', 0, 100),
    (2, 'Seoul', 'Asia/Seoul', '-infinity', 'infinity', '2021-03-01', '2021-03-31', '2021-04-05', 0, 100);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 40) AS g;
-- section, term, from, to (NULL: the term's), then what it has: weekday or date, begin, end
CREATE TABLE test.has (section bigint, term bigint, starts_on date, ends_on date, weekday integer, on_date date, begins time, ends time);
INSERT INTO test.has VALUES
    (1, 1, NULL, NULL, 1, NULL, '09:00', '10:00'), -- weekly
    (2, 1, NULL, NULL, 1, NULL, '10:00', '11:00'), -- touches it
    (3, 1, NULL, NULL, 1, NULL, '09:59:59.999999', '10:00:00.000001'), -- both by a microsecond
    (4, 1, NULL, NULL, NULL, '2021-03-08', '09:30', '10:30'), -- dated, on one of its days
    (5, 1, NULL, NULL, NULL, '2021-04-05', '09:30', '10:30'), -- after the classes
    (6, 1, NULL, NULL, NULL, '2021-03-08', '11:00', '24:00'), -- up to midnight
    (7, 1, NULL, NULL, 2, NULL, '00:00', '09:00'), -- from midnight on
    (8, 1, NULL, '2021-03-14', 3, NULL, '09:00', '10:00'), -- first half
    (9, 1, '2021-03-15', NULL, 3, NULL, '09:00', '10:00'), -- second half
    (10, 1, NULL, '2021-03-17', 3, NULL, '09:30', '10:00'), -- a week into the second
    (11, 1, NULL, NULL, 3, NULL, '09:59', '10:01'), -- all of it
    (12, 1, NULL, NULL, NULL, '2021-03-17', '10:00', '12:00'), -- dated, touches it
    (13, 2, NULL, NULL, 1, NULL, '23:00', '24:00'), -- Monday 09:00 in New York up to 13 March, from then on 10:00
    (14, 2, '2021-03-15', NULL, 1, NULL, '22:00', '23:00'), -- 09:00 there
    (15, 2, NULL, '2021-03-13', 2, NULL, '01:00', '02:00'), -- Monday 11:00 there
    (16, 1, NULL, NULL, 7, NULL, '01:30', '02:30'), -- the hour that is not there on 14 March
    (17, 1, NULL, NULL, NULL, '2021-03-14', '03:00', '03:30'),
    (18, 1, NULL, NULL, NULL, '2021-03-14', '03:30', '04:00'),
    (19, 1, NULL, NULL, 1, NULL, '08:00', '08:30'), (19, 1, NULL, NULL, NULL, '2021-03-31', '11:59', '12:01'), -- one of two
    (20, 1, NULL, NULL, 3, NULL, '12:00', '13:00'),
    (21, 1, NULL, NULL, NULL, '2021-03-31', '11:00', '12:00'),
    (22, 1, '2021-03-02', '2021-03-07', 1, NULL, '09:00', '10:00'), -- no Monday in it
    (23, 1, NULL, NULL, NULL, NULL, NULL, NULL); -- never
INSERT INTO fcfs.section (id, term_id, course_id, code, starts_on, ends_on) SELECT DISTINCT section, term, section, 'A', starts_on, ends_on FROM test.has;
INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at) SELECT section, weekday, on_date, begins, ends FROM test.has WHERE begins IS NOT NULL;

-- Each single meeting, found by looking at every day of the year.
CREATE TABLE test.meets AS
SELECT h.section, (d::date + h.begins) AT TIME ZONE t.time_zone AS begins, (d::date + h.begins) AT TIME ZONE t.time_zone + (h.ends - h.begins) AS ends
FROM test.has h JOIN fcfs.term t ON t.id = h.term
JOIN generate_series(timestamp '2021-01-01', timestamp '2021-12-31', interval '1 day') AS d
    ON d::date = h.on_date OR extract(isodow FROM d) = h.weekday AND d::date BETWEEN coalesce(h.starts_on, t.starts_on) AND coalesce(h.ends_on, t.classes_end_on);
CREATE TABLE test.pair AS
SELECT a.section AS a, b.section AS b,
    EXISTS (SELECT FROM test.meets x JOIN test.meets y ON x.begins < y.ends AND x.ends > y.begins WHERE x.section = a.section AND y.section = b.section) AS clash
FROM (SELECT DISTINCT section FROM test.has) a JOIN (SELECT DISTINCT section FROM test.has) b ON a.section <> b.section;
INSERT INTO fcfs.student (id) VALUES (1);
SELECT count(*) AS pairs, count(*) FILTER (WHERE clash) AS clashes FROM test.pair;
SELECT a, b FROM test.pair WHERE clash AND a < b ORDER BY 1, 2;

-- What each way answers, where it is not what it should be.
CREATE FUNCTION test.ways(a bigint, b bigint, OUT way text, OUT code text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM fcfs.enroll(1, a);
        way := 'enroll'; code := (fcfs.try_enroll(1, b)).code; RETURN NEXT;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    END;
    BEGIN
        way := 'change'; code := (fcfs.try_change_schedule(1, '{}', ARRAY[a, b])).code; RETURN NEXT;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    END;
    BEGIN
        PERFORM fcfs.enroll(1, a), fcfs.enroll(1, 100);
        way := 'swap'; code := (fcfs.try_swap_enrollment(1, 100, b)).code; RETURN NEXT;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    END;
    BEGIN
        INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, a), (1, b);
        way := 'raw'; code := 'OK'; RETURN NEXT;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    WHEN exclusion_violation THEN
        way := 'raw'; code := 'SCHEDULE_CONFLICT'; RETURN NEXT;
    END;
    BEGIN
        PERFORM fcfs.enroll(1, a);
        way := 'in its place'; code := (fcfs.try_swap_enrollment(1, a, b)).code; RETURN NEXT;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    END;
END
$$;
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (100, 1, 40, 'A');
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) SELECT 1, id, 'window', 'deadlines are of no concern here' FROM fcfs.section;
SELECT p.*, w.* FROM test.pair p, test.ways(a, b) w
WHERE w.code IS DISTINCT FROM CASE WHEN p.clash AND way <> 'in its place' THEN 'SCHEDULE_CONFLICT' ELSE 'OK' END ORDER BY 1, 2, 4;
SELECT way, code, count(*) FROM test.pair p, test.ways(a, b) w GROUP BY 1, 2 ORDER BY 1, 2;

\i sql/include/finish.sql
