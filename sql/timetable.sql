-- The exact calendar of a section, and enroll() refusing what overlaps.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on, max_credits) VALUES
    (1, 'seoul', 'Asia/Seoul', '-infinity', 'infinity', '2021-03-02', '2021-03-29', '2021-04-10', 99),
    (2, 'new york', 'America/New_York', '-infinity', 'infinity', '2021-03-01', NULL, '2021-03-28', 99),
    (3, 'autumn', 'America/New_York', '-infinity', 'infinity', '2021-10-25', NULL, '2021-11-21', 99),
    (4, 'utc', 'UTC', '-infinity', 'infinity', '2021-03-01', '2021-03-28', '2021-11-21', 99);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 99) AS g;
INSERT INTO fcfs.student (id) SELECT generate_series(1, 99);

-- A section of its own course, with a meeting each of what it is given.
CREATE FUNCTION test.section(section bigint, term bigint, meetings text, first date DEFAULT NULL, last date DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, starts_on, ends_on)
    VALUES (section, term, section, 'A', 9, first, last);
    INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at)
    SELECT section, CASE WHEN m[1] !~ '-' THEN m[1]::integer END, CASE WHEN m[1] ~ '-' THEN m[1]::date END,
        split_part(m[2], '+', 1)::time, split_part(m[2], '+', 2)::time
    FROM regexp_matches(meetings, '(\S+) (\S+)', 'g') AS m;
END
$$;
-- Whether a student in the first section gets into the others.
CREATE FUNCTION test.beside(first bigint, VARIADIC others bigint[]) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    other bigint;
BEGIN
    FOREACH other IN ARRAY others LOOP
        DELETE FROM fcfs.enrollment;
        PERFORM fcfs.enroll(1, first);
        RETURN NEXT format('%s: %s', other, test.both(format('enroll(1, %s)', other)));
        -- The order in which they are taken makes no difference.
        DELETE FROM fcfs.enrollment;
        PERFORM fcfs.enroll(1, other);
        RETURN NEXT format('%s: %s', first, test.tried(format('enroll(1, %s)', first)));
    END LOOP;
    DELETE FROM fcfs.enrollment;
END
$$;

-- Classes from Tuesday to Monday: four Mondays, Tuesdays, Sundays each.
SELECT test.section(1, 1, '1 09:00+10:30');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 1;
SELECT test.section(2, 1, '2 09:00+10:30');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 2;
SELECT test.section(3, 1, '7 23:00+24:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 3;
-- From midnight to midnight, every day of the week: one stretch without a gap.
SELECT test.section(4, 1, '1 00:00+24:00 2 00:00+24:00 3 00:00+24:00 4 00:00+24:00 5 00:00+24:00 6 00:00+24:00 7 00:00+24:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 4;
-- On dates, also after the classes: an exam on the last day of the term, say. Not in any meeting: empty.
SELECT test.section(5, 1, '2021-03-06 08:00+11:00 2021-04-10 08:00+11:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 5;
SELECT test.section(6, 1, '');
SELECT schedule FROM fcfs.section WHERE id = 6;
-- Its own dates instead of the term's: the first half, the second, a single day, a day without a Monday.
SELECT test.section(7, 1, '1 09:00+10:30', '2021-03-02', '2021-03-15');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 7;
SELECT test.section(8, 1, '1 09:00+10:30', '2021-03-16', NULL);
SELECT unnest(schedule) FROM fcfs.section WHERE id = 8;
SELECT test.section(9, 1, '1 09:00+10:30', '2021-03-08', '2021-03-08');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 9;
SELECT test.section(10, 1, '1 09:00+10:30', '2021-03-09', '2021-03-14');
SELECT schedule FROM fcfs.section WHERE id = 10;
-- Two meetings of one section that touch or overlap are one.
SELECT test.section(11, 1, '2021-03-06 08:00+09:00 2021-03-06 09:00+10:00 2021-03-06 09:30+11:00');
SELECT schedule FROM fcfs.section WHERE id = 11;

-- Over the days on which clocks change, a meeting keeps its time on the wall and its length:
-- Sunday 14 March 2021 begins an hour nearer to Saturday.
SELECT test.section(12, 2, '7 09:00+10:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 12;
SELECT test.section(13, 2, '7 01:30+02:30');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 13;
-- 02:30 is not on any clock that Sunday: the hour after.
SELECT test.section(14, 2, '2021-03-14 02:30+03:30');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 14;
-- Sunday 7 November 2021 has 01:30 twice.
SELECT test.section(15, 3, '7 00:30+03:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 15;
SELECT test.section(16, 3, '2021-11-07 01:00+02:00');
SELECT unnest(schedule) FROM fcfs.section WHERE id = 16;
-- The session's own zone and date style make no difference.
CREATE TABLE test.before AS SELECT id, schedule FROM fcfs.section;
SET timezone = 'Pacific/Chatham';
SET datestyle = 'German';
UPDATE fcfs.meeting SET room = 'aula';
UPDATE fcfs.meeting SET room = NULL, starts_at = starts_at + interval '1 minute';
UPDATE fcfs.meeting SET starts_at = starts_at - interval '1 minute';
RESET timezone;
RESET datestyle;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT id, schedule FROM fcfs.section EXCEPT TABLE test.before;

-- Monday 09:00 to 10:30. Touching on either side: no conflict. A minute over, on either side: conflict.
SELECT test.section(20, 1, '1 10:30+12:00');
SELECT test.section(21, 1, '1 07:30+09:00');
SELECT test.section(22, 1, '1 10:29+12:00');
SELECT test.section(23, 1, '1 07:30+09:01');
SELECT test.beside(1, 20, 21, 22, 23);
-- Within, around, the very same; the same hours on another day.
SELECT test.section(24, 1, '1 09:30+10:00');
SELECT test.section(25, 1, '1 08:00+12:00');
SELECT test.section(26, 1, '1 09:00+10:30');
SELECT test.section(27, 1, '2 09:00+10:30 3 09:00+10:30 4 09:00+10:30 5 09:00+10:30 6 09:00+10:30 7 09:00+10:30');
SELECT test.beside(1, 24, 25, 26, 27);
-- A microsecond is enough.
SELECT test.section(28, 1, '1 10:29:59.999999+12:00');
SELECT test.beside(1, 20, 28);
-- Of several meetings one is enough.
SELECT test.section(29, 1, '3 09:00+10:30 5 08:00+09:00 1 10:00+11:00');
SELECT test.beside(1, 29);
-- Past midnight: Sunday until 24:00 and Monday from 00:00 touch.
SELECT test.section(30, 1, '1 00:00+09:00');
SELECT test.beside(3, 30);
-- Weekly and dated: an exam on a Monday of the term, on a Monday after it, on that Monday beside it.
SELECT test.section(31, 1, '2021-03-15 10:00+12:00');
SELECT test.section(32, 1, '2021-04-05 09:00+12:00');
SELECT test.section(33, 1, '2021-03-15 10:30+12:00');
SELECT test.beside(1, 31, 32, 33);
-- Dated and dated.
SELECT test.section(34, 1, '2021-03-15 11:59+13:00');
SELECT test.section(35, 1, '2021-03-15 12:00+13:00');
SELECT test.beside(31, 34, 35);
-- Halves of a term at the same hour of the week; the whole term beside each.
SELECT test.section(36, 1, '1 09:00+10:30', '2021-03-02', '2021-03-16');
SELECT test.beside(7, 8);
SELECT test.beside(8, 36, 9);
SELECT test.beside(1, 7, 8);
-- They overlap by a week in which none of them meets: no conflict.
SELECT test.section(37, 1, '1 09:00+10:30', '2021-03-02', '2021-03-21');
SELECT test.section(38, 1, '1 09:00+10:30', '2021-03-16', '2021-03-29');
SELECT test.beside(37, 38);
-- ... and by a day on which both meet.
SELECT test.section(42, 1, '1 09:00+10:30', '2021-03-15', '2021-03-29');
SELECT test.beside(36, 42);
-- Alternating weeks at the same hour.
SELECT test.section(39, 1, '2021-03-08 09:00+10:30 2021-03-22 09:00+10:30');
SELECT test.section(40, 1, '2021-03-15 09:00+10:30 2021-03-29 09:00+10:30');
SELECT test.beside(39, 40);
SELECT test.section(41, 1, '2021-03-15 09:00+10:30 2021-03-22 09:00+10:30');
SELECT test.beside(39, 41);
-- No meetings: beside everything.
SELECT test.beside(6, 4, 1);

-- Terms in different zones are compared as they really are: 09:00 in Seoul is 00:00 UTC.
SELECT test.section(50, 4, '1 00:00+01:30');
SELECT test.section(51, 4, '1 01:30+03:00');
SELECT test.section(52, 4, '1 09:00+10:30');
SELECT test.section(53, 4, '1 01:29+03:00');
SELECT test.beside(1, 50, 51, 52, 53);
-- Sunday evening in New York is Monday morning in Seoul, from 14 March on an hour earlier:
-- 20:30 is then 09:30, and before it 10:30.
SELECT test.section(54, 2, '2021-03-07 20:30+21:00');
SELECT test.section(55, 2, '2021-03-14 20:30+21:00');
SELECT test.section(56, 2, '2021-03-14 21:30+22:00');
SELECT test.beside(1, 54, 55, 56);
-- The hour that is not there, and the hour that is there twice.
SELECT test.section(57, 4, '2021-03-14 06:30+07:30');
SELECT test.section(58, 4, '2021-03-14 07:30+08:30');
SELECT test.beside(13, 57, 58);
SELECT test.section(59, 4, '2021-11-07 05:00+06:00');
SELECT test.section(60, 4, '2021-11-07 06:00+07:00');
SELECT test.beside(16, 59, 60);

-- The refusal names the course in the way.
SELECT (fcfs.enroll(2, 1)).status;
SELECT ok, code, detail FROM fcfs.try_enroll(2, 22);
-- One that was cancelled is not in the way.
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = clock_timestamp() WHERE student_id = 2;
SELECT test.both('enroll(2, 22)');
-- Another student's is not.
SELECT test.both('enroll(3, 1)');

-- Raw SQL cannot pass over it, nor can bringing a cancelled one back.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (2, 1)');
SELECT test.said('UPDATE fcfs.enrollment SET student_id = 3 WHERE student_id = 2 AND section_id = 22');
SELECT test.said($$UPDATE fcfs.enrollment SET status = 'enrolled', ended_at = NULL WHERE status = 'cancelled'$$);

\i sql/include/finish.sql
