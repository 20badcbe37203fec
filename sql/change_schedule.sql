-- change_schedule(): several sections given up, several added; the timetable that comes
-- of it is judged as a whole, and made at once or not at all.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'open', '-infinity', 'infinity', current_date + 30, current_date + 60, 12),
    (2, 'too late to drop', '-infinity', 'infinity', current_date + 2, current_date + 60, 12),
    (3, 'closed', '-infinity', '2021-01-01', current_date + 30, current_date + 60, 12);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 40);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, 12) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT 10 * g, 1, g, 'A', 5 FROM generate_series(1, 12) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (11, 1, 1, 'B', 5), (21, 1, 2, 'B', 1), (210, 2, 1, 'A', 5), (310, 3, 1, 'A', 5);
-- Sections meet at the hour of their number, but for these.
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
SELECT id, 1, make_time((id % 100 / 10)::integer + 6, 0, 0), make_time((id % 100 / 10)::integer + 7, 0, 0)
FROM fcfs.section WHERE id NOT IN (100, 110, 120, 210, 310);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES
    (100, 1, '07:59', '08:01'), (110, 2, '07:00', '08:00'), (120, 2, '07:59', '09:00');

CREATE FUNCTION test.timetable(student bigint) RETURNS text LANGUAGE sql AS
$$SELECT format('%s: %s', section_ids, credits) FROM fcfs.timetable WHERE id = student$$;
CREATE FUNCTION test.rows() RETURNS text LANGUAGE sql AS
$$SELECT md5(string_agg(concat(e.ctid, e.xmin, e.xmax, e), ';' ORDER BY e.id)) FROM fcfs.enrollment e$$;

-- Only adds, only drops, both; what comes back is the timetable.
SELECT * FROM fcfs.change_schedule(1, '{}', '{30,10,20}');
SELECT * FROM fcfs.change_schedule(1, '{20}', '{}');
SELECT ok, code, http_status, id, replayed FROM fcfs.try_change_schedule(1, '{10,30}', '{40,11,60,50}');
SELECT test.timetable(1);
SELECT section_id, status FROM fcfs.enrollment WHERE student_id = 1 ORDER BY id;
-- What goes ends at the moment at which what comes has arrived.
SELECT count(DISTINCT arrived_at) AS arrived, count(DISTINCT ended_at) AS ended,
    max(ended_at) = max(arrived_at) FILTER (WHERE status = 'enrolled') AS at_once
FROM fcfs.enrollment WHERE student_id = 1;
SELECT * FROM fcfs.change_schedule(1, ARRAY[60,50,40,11], '{}');
SELECT test.free('section', 10), test.free('section', 20), test.free('section', 60);

-- What is added clashes with itself, with what stays, and not with what goes.
SELECT test.both($$change_schedule(2, '{}', '{110,120}')$$);
SELECT test.both($$change_schedule(2, '{}', '{120,110}')$$);
SELECT test.both($$change_schedule(2, '{}', '{10,20}')$$);
SELECT test.both($$change_schedule(2, '{}', '{30,100}')$$);
SELECT test.both($$change_schedule(2, '{10}', '{30,100}')$$);
SELECT test.both($$change_schedule(2, '{20,10}', '{30,100}')$$);
SELECT test.both($$change_schedule(2, '{100}', '{10,20}')$$);
-- The same course twice: two that are added, one that stays, and one that goes.
SELECT test.both($$change_schedule(3, '{}', '{10,11}')$$);
SELECT test.both($$change_schedule(3, '{}', '{10,20}')$$);
SELECT test.both($$change_schedule(3, '{20}', '{30,11}')$$);
SELECT test.both($$change_schedule(3, '{10,20}', '{11,21}')$$);
SELECT test.timetable(3);
-- The credits of the whole: 12 are allowed.
SELECT test.both($$change_schedule(4, '{}', '{10,20,30,40,50}')$$);
SELECT test.both($$change_schedule(4, '{}', '{10,20,30,40}')$$);
SELECT test.both($$change_schedule(4, '{10}', '{50,60}')$$);
SELECT test.both($$change_schedule(4, '{10,20}', '{50,60}')$$);
SELECT test.both($$change_schedule(4, '{}', '{210}')$$);
SELECT test.timetable(4);

-- The order of refusals is that of the rules, and for one rule that of the arrays. Each
-- statement breaks one rule less than the one before it.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (5, 210), (5, 10), (5, 110)');
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (5, 4, 2, 4);
INSERT INTO fcfs.course (id, code, credits) VALUES (13, 'C13', 11), (14, 'C14', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (130, 1, 13, 'A', 5), (140, 1, 14, 'A', 0);
INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (5, 7);
SELECT test.both($$change_schedule(77, '{999,60,210}', '{998,310,11,40,50,130,120,21}')$$);
SELECT test.both($$change_schedule(5, '{999,60,210}', '{998,310,11,40,50,130,120,21}')$$);
SELECT test.both($$change_schedule(5, '{60,70,210}', '{310,11,40,50,130,120,21}')$$);
SELECT test.both($$change_schedule(5, '{70,60,210}', '{310,11,40,50,130,120,21}')$$);
SELECT test.both($$change_schedule(5, '{210}', '{310,11,40,50,130,120,140}')$$);
SELECT test.both($$change_schedule(5, '{}', '{310,11,40,50,130,120,140}')$$);
SELECT test.both($$change_schedule(5, '{}', '{40,50,11,130,120,140}')$$);
SELECT test.both($$change_schedule(5, '{}', '{50,40,130,120,140}')$$);
SELECT test.both($$change_schedule(5, '{}', '{140,50,130,120}')$$);
SELECT test.both($$change_schedule(5, '{}', '{120,140,130}')$$);
SELECT test.both($$change_schedule(5, '{}', '{140,120}')$$);
SELECT test.both($$change_schedule(5, '{}', '{140,30}')$$);
SELECT test.both($$change_schedule(5, '{}', '{30}')$$);
-- Of two refusals by one rule, that of the first in the array.
SELECT test.both($$change_schedule(6, '{70,60}', '{}')$$);
SELECT test.both($$change_schedule(5, '{}', '{11,30}')$$);
SELECT test.both($$change_schedule(5, '{}', '{30,11}')$$);

-- Input that is none.
SELECT test.both($$change_schedule(6, '{}', '{}')$$);
SELECT test.both($$change_schedule(6, '{10,20,10}', '{}')$$);
SELECT test.both($$change_schedule(6, '{}', '{20,10,20}')$$);
SELECT test.both($$change_schedule(6, '{10,20}', '{30,20}')$$);
SELECT test.both($$change_schedule(6, '{10,NULL}', '{30}')$$);
SELECT test.both($$change_schedule(6, '{}', '{NULL}')$$);
SELECT test.both($$change_schedule(6, NULL, '{30}')$$);
SELECT test.both($$change_schedule(6, '{}', NULL)$$);
SELECT test.both($$change_schedule(NULL, '{}', '{30}')$$);
SELECT test.both($$change_schedule(6, '{}', '{{10,20},{30,40}}')$$);
SELECT test.both($$change_schedule(6, '{{10},{20}}', '{}')$$);
SELECT test.both($$change_schedule(6, '{}', '[5:6]={10,20}')$$);
SELECT test.both($$change_schedule(6, '[-1:0]={10,20}', '{}')$$);
SELECT test.both('change_schedule(6, ARRAY(SELECT generate_series(1, 501)), ''{}'')');
SELECT test.both('change_schedule(6, ''{}'', ARRAY(SELECT generate_series(1, 501)))');
SELECT test.both($$change_schedule(6, '{}', '{10,20}', NULL, '{3}')$$);
SELECT test.both($$change_schedule(6, '{}', '{10}', NULL, '{3,3}')$$);
SELECT test.both($$change_schedule(6, '{10}', '{}', NULL, '{3}')$$);
SELECT test.both($$change_schedule(6, '{}', '{10}', NULL, '{NaN}')$$);
SELECT test.both($$change_schedule(6, '{}', '{10}', NULL, '{3.01}')$$);
SELECT test.both($$change_schedule(6, '{}', '{10}', NULL, '{{3}}')$$);
SELECT test.both($$change_schedule(6, '{}', '{10}', NULL, '{2}')$$);
SELECT test.both($$change_schedule(6, '{}', '{20,10}', NULL, '{NULL,3.0}')$$);
SELECT test.both($$change_schedule(6, '{20,10}', '{}', NULL, '{}')$$);
SELECT test.timetable(6);

-- One of them is full: what was taken of the others is free again, also while the
-- transaction goes on, whichever comes first.
DELETE FROM fcfs.prerequisite;
SELECT test.both($$change_schedule(4, '{30,40,50,60,210}', '{}')$$);
UPDATE fcfs.term SET starts_on = starts_on + 30 WHERE id = 2;
SELECT test.both($$change_schedule(4, '{30,40,50,60,210}', '{}')$$);
SELECT test.free('section', 21);
SELECT test.both('enroll(8, 10)');
UPDATE fcfs.section SET capacity = 1 WHERE id IN (40, 50);
SELECT test.rows() AS before \gset
SELECT test.both($$change_schedule(8, '{10}', '{21,40,50}')$$);
SELECT test.both($$change_schedule(8, '{10}', '{40,50,21}')$$);
SELECT test.rows() = :'before', test.free('section', 40), test.free('section', 50);
BEGIN;
SELECT code FROM fcfs.try_change_schedule(8, '{10}', '{40,50,21}');
SELECT pg_current_xact_id_if_assigned();
SELECT coalesce(sum(taken_in_flight), 0) FROM fcfs.stat_pools;
SELECT code FROM fcfs.try_enroll(9, 40);
SELECT code FROM fcfs.try_change_schedule(8, '{10}', '{40,50}');
SELECT code FROM fcfs.try_change_schedule(8, '{10}', '{30,50}');
SELECT code FROM fcfs.try_enroll(9, 50);
COMMIT;
SELECT test.timetable(8), test.timetable(9), test.free('section', 10), test.free('section', 50);
-- In a block that catches the refusal, and goes on.
DO $$
DECLARE
    refused text;
BEGIN
    BEGIN
        PERFORM fcfs.change_schedule(9, '{40}', '{10,50,60}');
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
    END;
    ASSERT refused = 'COURSE_FULL', refused;
    BEGIN
        PERFORM fcfs.change_schedule(8, '{50}', '{40}');
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
    END;
    ASSERT refused = 'COURSE_FULL', refused;
    BEGIN
        PERFORM fcfs.change_schedule(9, '{40}', '{10,60}');
        PERFORM fcfs.change_schedule(8, '{50}', '{40}');
        RAISE 'undo';
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
    PERFORM fcfs.change_schedule(9, '{40}', '{60}');
    PERFORM fcfs.change_schedule(8, '{50}', '{40}');
END
$$;
SELECT test.timetable(8), test.timetable(9), test.free('section', 40), test.free('section', 50), test.free('section', 10);
-- Rolled back to savepoints.
BEGIN;
SELECT code FROM fcfs.try_change_schedule(8, '{40,30}', '{10,50}');
SAVEPOINT a;
SELECT code FROM fcfs.try_change_schedule(9, '{60}', '{40,30}');
SAVEPOINT b;
SELECT code FROM fcfs.try_change_schedule(9, '{40}', '{50}');
SELECT code FROM fcfs.try_change_schedule(9, '{40}', '{60}');
ROLLBACK TO a;
SELECT code FROM fcfs.try_enroll(10, 40);
COMMIT;
SELECT test.timetable(8), test.timetable(9), test.timetable(10), test.free('section', 50);

-- Under a key, whose arguments are the arrays as they are written.
SELECT code, id, replayed FROM fcfs.try_change_schedule(9, '{60}', '{10,30}', 'k');
SELECT code, id, replayed FROM fcfs.try_change_schedule(9, '{60}', '{10,30}', 'k');
SELECT section_ids FROM fcfs.change_schedule(9, '{60}', '{10,30}', 'k');
SELECT code, replayed FROM fcfs.try_change_schedule(9, '{60}', '{30,10}', 'k');
SELECT code, replayed FROM fcfs.try_change_schedule(9, '{60}', '{10,30}', 'k', '{3,3}');
SELECT code, replayed FROM fcfs.try_change_schedule(9, '{}', '{60,50}', 'full');
SELECT code, replayed FROM fcfs.try_change_schedule(8, '{50}', '{}');
SELECT code, replayed FROM fcfs.try_change_schedule(9, '{}', '{60,50}', 'full');
SELECT test.timetable(9);

-- Five hundred of each, at once.
INSERT INTO fcfs.student (id, max_credits) VALUES (100, 1000);
INSERT INTO fcfs.course (id, code, credits) SELECT 1000 + g, 'M' || g, 1 FROM generate_series(1, 1000) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT 1000 + g, 1, 1000 + g, 'A', 1 FROM generate_series(1, 1000) AS g;
SELECT cardinality(section_ids), credits
FROM fcfs.change_schedule(100, '{}', ARRAY(SELECT 1000 + g FROM generate_series(1, 500) AS g));
SELECT code FROM fcfs.try_enroll(11, 2000);
SELECT test.rows() AS before \gset
SELECT code, detail FROM fcfs.try_change_schedule(100, ARRAY(SELECT 1500 - g FROM generate_series(0, 499) AS g), ARRAY(SELECT 1500 + g FROM generate_series(1, 500) AS g));
SELECT test.rows() = :'before', (SELECT count(*) FROM fcfs.stat_pools WHERE kind = 'section' AND id BETWEEN 1501 AND 1999 AND remaining <> 1);
SELECT code FROM fcfs.try_cancel_enrollment(11, 2000);
SELECT cardinality(section_ids), section_ids[1], section_ids[500], credits
FROM fcfs.change_schedule(100, ARRAY(SELECT 1500 - g FROM generate_series(0, 499) AS g), ARRAY(SELECT 1500 + g FROM generate_series(1, 500) AS g));
SELECT test.free('section', 1001), test.free('section', 1500), test.free('section', 1501), test.free('section', 2000);

-- At the other isolation levels.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.timetable(10);
SELECT code FROM fcfs.try_change_schedule(10, '{40}', '{10,20}');
SELECT code FROM fcfs.try_change_schedule(10, '{20}', '{40,60}');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT code FROM fcfs.try_change_schedule(10, '{40}', '{20}');
SELECT code FROM fcfs.try_change_schedule(10, '{10}', '{21}');
SELECT code FROM fcfs.try_change_schedule(10, '{20}', '{21}');
COMMIT;
SELECT test.timetable(10), test.free('section', 40);

\i sql/include/finish.sql
