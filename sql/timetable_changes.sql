-- Changes of meetings, sections and terms carry over to the enrollments, or
-- fail and name the students in conflict.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on) VALUES
    (1, 'T1', 'Asia/Seoul', '-infinity', 'infinity', '2021-03-01', '2021-03-14', '2021-03-20'),
    (2, 'T2', 'UTC', '-infinity', 'infinity', '2021-03-01', NULL, '2021-03-14');
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (1, 1, 1, 'A', 9), (2, 1, 2, 'A', 9), (3, 1, 3, 'A', 9), (4, 2, 4, 'A', 9);
INSERT INTO fcfs.meeting (id, section_id, weekday, starts_at, ends_at) VALUES
    (1, 1, 1, '09:00', '10:00'), (2, 2, 1, '10:00', '11:00'), (4, 4, 1, '09:00', '10:00');

-- Students 1 and 2 are in sections 1 and 2, student 3 in section 1 alone, 4 in 2 alone.
SELECT (fcfs.enroll(student, section)).status
FROM (VALUES (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 2), (5, 3)) AS e (student, section);
-- One of section 1 that was cancelled keeps the calendar it had.
SELECT (fcfs.enroll(6, 1)).status;
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = clock_timestamp() WHERE student_id = 6;

CREATE FUNCTION test.calendars() RETURNS TABLE (section bigint, calendar text, enrolled bigint, cancelled bigint)
LANGUAGE sql AS $$
SELECT e.section_id,
    CASE WHEN e.status = 'enrolled' AND e.schedule = s.schedule THEN 'as of the section: ' ELSE '' END
        || e.schedule::text COLLATE "C",
    count(*) FILTER (WHERE e.status = 'enrolled'), count(*) FILTER (WHERE e.status = 'cancelled')
FROM fcfs.enrollment AS e
JOIN fcfs.section AS s ON s.id = e.section_id
GROUP BY 1, 2 ORDER BY 1, 2
$$;
SELECT * FROM test.calendars();

-- A meeting moved to where nobody is in the way.
UPDATE fcfs.meeting SET weekday = 2 WHERE id = 1;
SELECT * FROM test.calendars();
UPDATE fcfs.meeting SET weekday = 1, starts_at = '08:00', ends_at = '09:00' WHERE id = 1;
SELECT * FROM test.calendars();
-- To where students 1 and 2 are already: refused, they are named, nothing changes.
SELECT test.said($$UPDATE fcfs.meeting SET starts_at = '09:30', ends_at = '10:30' WHERE id = 1$$);
SELECT * FROM test.calendars();
-- A second meeting, at another hour, and in the way.
INSERT INTO fcfs.meeting (id, section_id, on_date, starts_at, ends_at) VALUES (5, 1, '2021-03-20', '09:00', '10:00');
SELECT * FROM test.calendars();
SELECT test.said($$INSERT INTO fcfs.meeting (id, section_id, on_date, starts_at, ends_at) VALUES (6, 1, '2021-03-08', '10:59', '12:00')$$);
-- It is the same for a single one in conflict, and where the conflict is in another term.
SELECT (fcfs.enroll(3, 4)).status;
SELECT test.said($$INSERT INTO fcfs.meeting (id, section_id, on_date, starts_at, ends_at) VALUES (6, 1, '2021-03-08', '18:59', '20:00')$$);
SELECT test.said($$UPDATE fcfs.meeting SET weekday = 7, starts_at = '23:30', ends_at = '24:00' WHERE id = 4$$);
-- A meeting that goes.
DELETE FROM fcfs.meeting WHERE id = 5;
SELECT * FROM test.calendars();

-- Two sections with common students that change places: each is moved for itself, so the second is
-- still in the way of the first, which has the lower id.
SELECT test.said($$UPDATE fcfs.meeting SET starts_at = CASE id WHEN 1 THEN time '10:00' ELSE '08:00' END,
    ends_at = CASE id WHEN 1 THEN time '11:00' ELSE '09:00' END WHERE id IN (1, 2)$$);
-- By way of a third place.
UPDATE fcfs.meeting SET weekday = 6 WHERE id = 1;
UPDATE fcfs.meeting SET starts_at = '08:00', ends_at = '09:00' WHERE id = 2;
UPDATE fcfs.meeting SET weekday = 1, starts_at = '10:00', ends_at = '11:00' WHERE id = 1;
SELECT * FROM test.calendars();
-- A meeting given to another section changes both.
UPDATE fcfs.meeting SET section_id = 3, weekday = 4 WHERE id = 2;
SELECT * FROM test.calendars();
UPDATE fcfs.meeting SET section_id = 2, weekday = 5 WHERE id = 2;
SELECT * FROM test.calendars();

-- The dates of a section, and of its term.
UPDATE fcfs.section SET starts_on = '2021-03-08', ends_on = '2021-03-21' WHERE id = 1;
SELECT * FROM test.calendars() WHERE section = 1;
UPDATE fcfs.term SET starts_on = '2021-03-08', ends_on = '2021-03-14' WHERE id = 1;
SELECT * FROM test.calendars();
UPDATE fcfs.section SET starts_on = NULL, ends_on = NULL WHERE id = 1;
SELECT * FROM test.calendars() WHERE section = 1;
-- A term goes on after its last day of classes.
UPDATE fcfs.term SET classes_end_on = '2021-03-14', ends_on = '2021-03-20' WHERE id = 1;
SELECT * FROM test.calendars() WHERE section = 1;
UPDATE fcfs.term SET classes_end_on = NULL WHERE id = 1;
SELECT * FROM test.calendars() WHERE section = 1;
UPDATE fcfs.term SET ends_on = '2021-03-14' WHERE id = 1;
-- The time zone of the term: what was 10:00 in Seoul is 10:00 in New York.
UPDATE fcfs.term SET time_zone = 'America/New_York' WHERE id = 1;
SELECT * FROM test.calendars();
-- Student 3, on Monday at 09:00 UTC elsewhere, is in the way of Monday 10:00 in Stockholm.
SELECT test.said($$UPDATE fcfs.term SET time_zone = 'Europe/Stockholm' WHERE id = 1$$);
-- A change of what is no matter of the calendar leaves it alone.
CREATE TABLE test.before AS SELECT id, schedule FROM fcfs.enrollment;
UPDATE fcfs.meeting SET room = 'aula';
UPDATE fcfs.section SET code = 'renamed', capacity = 10 WHERE id = 1;
UPDATE fcfs.term SET enroll_opens_at = '2021-01-01', cancel_days = 5 WHERE id = 1;
SELECT id, schedule FROM fcfs.enrollment EXCEPT TABLE test.before;

-- A calendar written by hand comes to nothing: it is that of the meetings, whoever says otherwise.
DO $$
BEGIN
    PERFORM test.said($q$UPDATE fcfs.section SET schedule = '{[2021-01-01,2021-01-02)}' WHERE id = 1$q$);
END
$$;
SELECT * FROM test.calendars() WHERE section = 1;
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (9, 1, 9, 'A');
SELECT test.said($$UPDATE fcfs.enrollment SET schedule = '{}' WHERE student_id = 1 AND section_id = 1$$);

-- Another course or term for a section goes over to its enrollments ...
UPDATE fcfs.section SET course_id = 8 WHERE id = 1;
UPDATE fcfs.section SET term_id = 2 WHERE id = 3;
SELECT section_id, course_id, term_id, status, count(*) FROM fcfs.enrollment GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
-- ... or fails where it would put a student twice into one course.
SELECT test.said('UPDATE fcfs.section SET course_id = 2 WHERE id = 1');
-- All meetings of a section together with the section: only while nobody is in it.
SELECT test.said('DELETE FROM fcfs.section WHERE id = 9');
SELECT test.said('DELETE FROM fcfs.section WHERE id = 1');

-- In a transaction that is rolled back nothing is carried over.
BEGIN;
UPDATE fcfs.meeting SET weekday = 6 WHERE id = 1;
SELECT * FROM test.calendars() WHERE section = 1;
ROLLBACK;
SELECT * FROM test.calendars() WHERE section = 1;
BEGIN;
SAVEPOINT s;
UPDATE fcfs.meeting SET weekday = 6 WHERE id = 1;
ROLLBACK TO SAVEPOINT s;
COMMIT;
SELECT * FROM test.calendars() WHERE section = 1;
-- Enrolled and moved within one transaction.
BEGIN;
SELECT (fcfs.enroll(7, 1)).status;
UPDATE fcfs.meeting SET weekday = 6 WHERE id = 1;
SELECT (fcfs.enroll(8, 1)).status;
COMMIT;
SELECT * FROM test.calendars() WHERE section = 1;
TRUNCATE fcfs.meeting;
SELECT * FROM test.calendars() WHERE section = 1;

-- A dated meeting is within the dates of its section: those of the term, or its own. On their first and last
-- day, and the day before and after, whatever of meeting, section and term changes.
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on) VALUES
    (3, 'T3', '-infinity', 'infinity', '2021-09-01', '2021-09-20', '2021-09-30'),
    (4, 'T4', '-infinity', 'infinity', '2021-10-01', NULL, '2021-10-31');
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, starts_on, ends_on) VALUES
    (31, 3, 1, 'A', 9, NULL, NULL), (32, 3, 2, 'A', 9, '2021-09-10', NULL), (33, 3, 3, 'A', 9, NULL, '2021-09-15'),
    (34, 3, 4, 'A', 9, '2021-08-20', '2021-10-05');
CREATE FUNCTION test.dated(section bigint, VARIADIC days date[]) RETURNS SETOF text
LANGUAGE sql AS $$
SELECT format('%s: %s', day, test.said(format(
    'INSERT INTO fcfs.meeting (id, section_id, on_date, starts_at, ends_at) VALUES (%s, %s, %L, ''09:00'', ''10:00'')',
    section * 100 + n, section, day)))
FROM unnest(days) WITH ORDINALITY AS d (day, n)
$$;
SELECT test.dated(31, '2021-08-31', '2021-09-01', '2021-09-30', '2021-10-01');
SELECT test.dated(32, '2021-09-09', '2021-09-10', '2021-09-30', '2021-10-01');
SELECT test.dated(33, '2021-08-31', '2021-09-01', '2021-09-15', '2021-09-16');
SELECT test.dated(34, '2021-08-19', '2021-08-20', '2021-10-05', '2021-10-06');
SELECT section_id, id, on_date FROM fcfs.meeting WHERE section_id > 30 ORDER BY id;
SELECT test.said($$UPDATE fcfs.meeting SET on_date = '2021-10-01' WHERE id = 3103$$);
SELECT test.said($$UPDATE fcfs.meeting SET section_id = 33 WHERE id = 3103$$);
SELECT test.said($$UPDATE fcfs.meeting SET section_id = 34 WHERE id = 3103$$);
SELECT test.said($$UPDATE fcfs.meeting SET section_id = 31 WHERE id = 3103$$);
SELECT test.said($$UPDATE fcfs.section SET ends_on = '2021-09-14' WHERE id = 33$$);
SELECT test.said($$UPDATE fcfs.section SET starts_on = '2021-09-11' WHERE id = 32$$);
SELECT test.said($$UPDATE fcfs.section SET starts_on = NULL WHERE id = 34$$);
SELECT test.said($$UPDATE fcfs.section SET term_id = 4 WHERE id = 32$$);
SELECT test.said($$UPDATE fcfs.section SET term_id = 4 WHERE id = 34$$);
SELECT test.said($$UPDATE fcfs.term SET starts_on = '2021-09-02' WHERE id = 3$$);
SELECT test.said($$UPDATE fcfs.term SET ends_on = '2021-09-29' WHERE id = 3$$);
SELECT test.said($$UPDATE fcfs.term SET starts_on = '2021-08-31', ends_on = '2021-10-01' WHERE id = 3$$);
-- Of several, the one of the lowest section, and of that the first day.
SELECT test.said($$UPDATE fcfs.term SET starts_on = '2021-09-12', ends_on = '2021-09-20' WHERE id = 3$$);
-- The last day of classes is one of the term.
SELECT test.said($$UPDATE fcfs.term SET classes_end_on = '2021-10-02' WHERE id = 3$$);
SELECT test.said($$UPDATE fcfs.term SET classes_end_on = '2021-08-30' WHERE id = 3$$);

-- Who is there in spite of a conflict is in nobody's way, is not named, and goes along.
SELECT test.said('DELETE FROM fcfs.enrollment');
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (41, 3, 5, 'A', 9), (42, 3, 6, 'A', 9);
INSERT INTO fcfs.meeting (id, section_id, weekday, starts_at, ends_at) VALUES (201, 41, 3, '09:00', '10:00'), (202, 42, 4, '09:00', '10:00');
INSERT INTO fcfs.enrollment (student_id, section_id, override)
VALUES (1, 41, '{}'), (1, 42, '{conflict}'), (2, 41, '{conflict}'), (2, 42, '{}'), (3, 41, '{}'), (3, 42, '{}');
SELECT test.said('UPDATE fcfs.meeting SET weekday = 3 WHERE id = 202');
DELETE FROM fcfs.enrollment WHERE student_id = 3;
SELECT test.said('UPDATE fcfs.meeting SET weekday = 3 WHERE id = 202');
SELECT e.student_id, e.section_id, e.override, e.schedule = s.schedule AS of_the_section
FROM fcfs.enrollment AS e JOIN fcfs.section AS s ON s.id = e.section_id ORDER BY 1, 2;

-- A trigger of the application's changes meetings when a calendar changes: here and in a section whose turn comes later.
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (51, 3, 5, 'B', 9), (52, 3, 6, 'B', 9);
CREATE FUNCTION test.more_meetings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
    SELECT s, 5, '14:00', '15:00' FROM unnest('{51,52}'::bigint[]) AS s
    WHERE NOT EXISTS (SELECT FROM fcfs.meeting m WHERE m.section_id = s AND m.weekday = 5);
    RETURN NULL;
END
$$;
CREATE TRIGGER more AFTER UPDATE OF schedule ON fcfs.section FOR EACH ROW WHEN (NEW.id = 51) EXECUTE FUNCTION test.more_meetings();
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (51, 1, '09:00', '10:00'), (52, 2, '09:00', '10:00');
SELECT id, schedule = fcfs.section_schedule(id) AS is_kept FROM fcfs.section WHERE id IN (51, 52) ORDER BY id;
SELECT section_id, count(*) FROM fcfs.meeting WHERE section_id IN (51, 52) GROUP BY 1 ORDER BY 1;
DROP TRIGGER more ON fcfs.section;

\i sql/include/finish.sql
