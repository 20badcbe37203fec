-- Lines of sections that share their seats: who lacks which seat, and who therefore is
-- ahead of whom.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'open', '-infinity', 'infinity', '2099-03-01', '2099-06-18', 10);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 60);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
INSERT INTO fcfs.student_group_member (student_group_id, student_id) SELECT 1, generate_series(50, 60);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 4 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.cross_list (id, code, capacity) SELECT g, 'X' || g, 2 FROM generate_series(1, 4) AS g;
-- Two sections a list; 9 is in none.
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id)
SELECT g, 1, g, 'A', 3, 9, (g + 1) / 2 FROM generate_series(1, 8) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (9, 1, 9, 'A');
CREATE FUNCTION test.line(section bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'seated', (SELECT array_agg(e.student_id ORDER BY e.student_id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'enrolled'),
        'waiting', (SELECT array_agg(e.student_id ORDER BY e.arrived_at, e.id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'waitlisted'))
$$;

-- A list that is full: who is ahead lacks a shared seat, who is behind has one and keeps it.
SELECT test.both('enroll(1, 2)'), test.both('enroll(2, 2)');
SELECT detail FROM fcfs.try_join_waitlist(3, 1);
SELECT detail FROM fcfs.try_join_waitlist(2, 1, NULL, 2);
SELECT test.line(1), test.line(2);
-- Who gives up a section of no list has none to keep.
SELECT test.both('enroll(5, 9)');
SELECT detail FROM fcfs.try_join_waitlist(5, 1, NULL, 9);
SELECT detail FROM fcfs.try_join_waitlist(1, 1, NULL, 2);
SELECT test.line(1), test.line(2), test.line(9);
SELECT test.both('cancel_enrollment(2, 1)');
SELECT test.line(1), test.line(9);

-- Who comes new to one section of a list is after those who wait for another and lack
-- nothing but the shared seat. Seats that are reserved are not what they wait for,
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 3, 1, 2);
SELECT test.both('enroll(10, 3)'), test.both('enroll(11, 3)');
SELECT detail FROM fcfs.try_join_waitlist(11, 3);
SELECT test.line(3), test.both('enroll(12, 4)');
-- and whoever has one of those has left them the open ones. 21 has too many credits.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (2, 5, 1, 2);
SELECT test.both('enroll(21, 9)'), test.both('enroll(50, 5)'), test.both('enroll(20, 5)');
SELECT detail FROM fcfs.try_join_waitlist(21, 5);
UPDATE fcfs.student SET max_credits = 4 WHERE id = 21;
UPDATE fcfs.cross_list SET capacity = 3 WHERE id = 3;
SELECT test.line(5), test.both('enroll(22, 6)'), test.both('cancel_enrollment(22, 6)');
UPDATE fcfs.section SET capacity = 4 WHERE id = 5;
SELECT fcfs.pass_waitlists(), test.line(5), test.both('enroll(22, 6)');

-- A place that is taken since the shared seat is for others has no seat yet, reserved or not, and
-- has passed over nothing that it will be judged by then.
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (51, 7, 'credits', 'may');
UPDATE fcfs.student SET max_credits = 0 WHERE id = 51;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (3, 7, 1, 1);
SELECT test.both('enroll(31, 9)');
UPDATE fcfs.section SET capacity = 0 WHERE id = 8;
SELECT detail FROM fcfs.try_join_waitlist(31, 8);
UPDATE fcfs.student SET max_credits = 4 WHERE id = 31;
UPDATE fcfs.section SET capacity = 1 WHERE id = 8;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT detail FROM fcfs.try_join_waitlist(51, 7);
COMMIT;
SELECT student_id, status, reserved_seats_id, override FROM fcfs.enrollment WHERE section_id = 7;
SELECT fcfs.pass_waitlists();
SELECT student_id, status, reserved_seats_id, override FROM fcfs.enrollment WHERE section_id = 7;

\i sql/include/finish.sql
