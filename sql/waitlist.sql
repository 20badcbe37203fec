-- Lines of sections: joining, leaving, and how a free seat finds its way to the first
-- who passes every rule.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'open', now() - interval '1 day', now() + interval '1 day', '2099-03-01', '2099-06-18', 10);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 60);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 4 FROM generate_series(1, 20) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) VALUES
    (1, 1, 1, 'A', 2, 3), (2, 1, 1, 'B', 1, 0), (3, 1, 2, 'A', 1, NULL), (4, 1, 3, 'A', 5, 5),
    (5, 1, 4, 'A', 1, 5), (6, 1, 5, 'A', 5, 0);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES
    (5, 1, '09:00', '10:00'), (6, 1, '09:30', '10:30');

-- The line of a section, and who sits in it.
CREATE FUNCTION test.line(section bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'seated', (SELECT array_agg(e.student_id ORDER BY e.student_id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'enrolled'),
        'waiting', (SELECT array_agg(e.student_id ORDER BY e.arrived_at, e.id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'waitlisted'))
$$;

-- Full: then there is a line, in the order of arrival.
SELECT test.both('enroll(1, 1)');
SELECT test.both('enroll(2, 1)');
SELECT test.both('enroll(3, 1)');
SELECT student_id, section_id, term_id, course_id, credits, status, ended_at FROM fcfs.join_waitlist(3, 1);
SELECT ok, code, detail FROM fcfs.try_join_waitlist(4, 1);
SELECT test.both('join_waitlist(5, 1)');
SELECT test.both('join_waitlist(6, 1)');
SELECT test.line(1);
SELECT s, fcfs.waitlist_position(s, 1) FROM generate_series(2, 6) AS s;
SELECT student_id, status, schedule = '{}' AS no_schedule, credits FROM fcfs.enrollment WHERE section_id = 1 ORDER BY id;

-- Twice, or already in the course.
SELECT test.both('join_waitlist(3, 1)');
SELECT test.both('enroll(3, 1)');
SELECT test.both('join_waitlist(1, 1)');
SELECT test.both('join_waitlist(1, 2)');
-- No wait list; nobody and nothing; on itself.
UPDATE fcfs.section SET capacity = 0 WHERE id = 2;
SELECT test.both('join_waitlist(7, 2)');
UPDATE fcfs.section SET capacity = 1 WHERE id = 2;
SELECT test.both('join_waitlist(999, 1)');
SELECT test.both('join_waitlist(1, 999)');
SELECT test.both('leave_waitlist(999, 1)');
SELECT test.both('leave_waitlist(1, 999)');
SELECT test.both('leave_waitlist(1, 1)');
SELECT test.both('join_waitlist(7, 3, NULL, 3)');
SELECT test.both('join_waitlist(7, 3, NULL, 1)');

-- A seat that is given up goes to the first, in the same transaction.
SELECT test.both('cancel_enrollment(1, 1)');
SELECT test.line(1);
-- One leaves: the others move up, and there is room.
SELECT test.both('leave_waitlist(4, 1)');
SELECT test.line(1);
SELECT fcfs.waitlist_position(5, 1), fcfs.waitlist_position(4, 1);
SELECT test.both('join_waitlist(4, 1)');
SELECT test.line(1);

-- A free seat is for the line, not for who comes new: the line is raised by hand.
UPDATE fcfs.section SET capacity = 4 WHERE id = 1;
SELECT test.both('enroll(9, 1)');
SELECT test.line(1);
SELECT fcfs.pass_waitlists(1);
SELECT test.line(1);
SELECT fcfs.pass_waitlists();
SELECT test.line(1);
SELECT fcfs.pass_waitlists();

-- With a seat free and nobody waiting, who joins has it.
UPDATE fcfs.section SET capacity = 5 WHERE id = 1;
SELECT status FROM fcfs.join_waitlist(10, 1);
SELECT test.line(1);

-- Nor does who could have no seat line up where there is one: it would keep it from others.
SELECT test.both('enroll(11, 6)');
SELECT test.both('join_waitlist(11, 5)');
SELECT test.line(5);
SELECT detail FROM fcfs.try_join_waitlist(12, 5);
SELECT test.both('cancel_enrollment(12, 5)');

-- Who does not pass the rules keeps the place and is passed over.
SELECT test.both('enroll(20, 5)');
SELECT test.both('enroll(21, 6)');
SELECT status FROM fcfs.join_waitlist(21, 5);
SELECT status FROM fcfs.join_waitlist(22, 5);
SELECT test.both('cancel_enrollment(20, 5)');
SELECT test.line(5);
-- Nobody behind: the seat stays free, and is for the line.
SELECT test.both('cancel_enrollment(22, 5)');
SELECT test.line(5);
SELECT test.both('enroll(23, 5)');
-- Nor is it a reason to refuse a place: it is not the joiner's.
SELECT status FROM fcfs.join_waitlist(11, 5);
SELECT test.both('leave_waitlist(11, 5)');
-- Who joins behind the one who is barred is passed on to at once.
SELECT status FROM fcfs.join_waitlist(23, 5);
SELECT test.line(5);
SELECT test.both('cancel_enrollment(23, 5)');
-- Once nothing is in the way the first has it.
SELECT test.both('cancel_enrollment(21, 6)');
SELECT fcfs.pass_waitlists();
SELECT test.line(5);

-- What is given up for the seat is kept until there is one.
SELECT test.both('enroll(30, 2)');
SELECT test.both('enroll(31, 3)');
SELECT test.both('enroll(32, 4)');
SELECT status FROM fcfs.join_waitlist(32, 3, NULL, 4);
SELECT status FROM fcfs.join_waitlist(30, 1, NULL, 2);
SELECT test.line(1), test.line(2), test.line(3), test.line(4);
SELECT test.both('cancel_enrollment(31, 3)');
SELECT test.line(3), test.line(4);
SELECT test.both('cancel_enrollment(10, 1)');
SELECT test.line(1), test.line(2);
-- What is gone already needs not be given up.
SELECT test.both('enroll(33, 4)');
SELECT status FROM fcfs.join_waitlist(33, 3, NULL, 4);
SELECT test.both('cancel_enrollment(33, 4)');
SELECT test.both('cancel_enrollment(32, 3)');
SELECT test.line(3);

-- Nothing of it stays where it is rolled back.
SELECT status FROM fcfs.join_waitlist(40, 3);
BEGIN;
SELECT test.both('cancel_enrollment(33, 3)');
SELECT test.line(3);
ROLLBACK;
SELECT test.line(3);
BEGIN;
SAVEPOINT s;
SELECT status FROM fcfs.join_waitlist(41, 3);
ROLLBACK TO s;
SELECT test.both('cancel_enrollment(33, 3)');
COMMIT;
SELECT test.line(3);
-- At a higher level the seat is left for later.
SELECT status FROM fcfs.join_waitlist(42, 3);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.both('cancel_enrollment(40, 3)');
COMMIT;
SELECT test.line(3);
SELECT test.both('enroll(43, 3)');
SELECT fcfs.pass_waitlists();
SELECT test.line(3);

-- A key answers with the same place.
SELECT id FROM fcfs.join_waitlist(44, 3, 'k') \gset
SELECT id = :id AS same, replayed FROM fcfs.try_join_waitlist(44, 3, 'k');
SELECT test.both('join_waitlist(44, 3, ''k'', 4)');

-- Bad input.
SELECT fcfs.pass_waitlists(0);
SELECT fcfs.pass_waitlists(NULL);
SELECT test.both('join_waitlist(NULL, 3)');
SELECT test.both('join_waitlist(45, 3, NULL, NULL, 3.25)');

\i sql/include/finish.sql
