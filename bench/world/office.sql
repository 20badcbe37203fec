-- What an office does to many at once. Each call of bench.section() makes a section of
-- its own with two meetings a week and a final, in which all students sit or wait.

CREATE SCHEMA bench;
INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on)
VALUES (1, 'NEXT', 'America/Los_Angeles', now() - interval '1 day', now() + interval '1 day',
    current_date + 30, current_date + 99, current_date + 110);
INSERT INTO fcfs.student (id)
SELECT generate_series(1, :students);
CREATE SEQUENCE bench.number;

-- Makes the next section, with as many seats and that many of them reserved, and the
-- students in it with that status. Those of the last one give way: they have one timetable.
CREATE FUNCTION bench.section(seats bigint, reserved bigint, status text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    number bigint := nextval('bench.number');
BEGIN
    UPDATE fcfs.enrollment e SET status = 'cancelled', ended_at = now() WHERE e.status <> 'cancelled';
    INSERT INTO fcfs.course (id, code, credits) VALUES (number, 'C' || number, 3);
    INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity)
    VALUES (number, 1, number, 'A', seats, NULL);
    INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at)
    VALUES (number, 1, NULL, '09:00', '10:20'), (number, 3, NULL, '09:00', '10:20'), (number, NULL, current_date + 105, '08:00', '10:59');
    INSERT INTO fcfs.student_group (id, code) VALUES (number, 'G' || number);
    INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats, release_at)
    SELECT number, number, reserved, now() WHERE reserved > 0;
    INSERT INTO fcfs.enrollment (student_id, section_id, status)
    SELECT s.id, number, $3 FROM fcfs.student s WHERE $3 <> '' ORDER BY s.id;
END
$$;

CREATE FUNCTION bench.number() RETURNS bigint LANGUAGE sql VOLATILE RETURN (SELECT last_value FROM bench.number);
