-- The office cancels a section: everybody is dropped and named, and nobody comes in any more.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60),
    (2, 'T2', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'seniors');
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'both', 9);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id) VALUES
    (1, 1, 1, 'A', 4, 5, 1), (2, 1, 2, 'A', 4, 5, 1), (3, 1, 3, 'A', 4, 5, NULL);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00'), (2, 2, '09:00', '10:00');
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 1, 1, 1);
-- Three seats, one that is reserved, one beyond the capacity, two in line; not in the order of who they are.
INSERT INTO fcfs.enrollment (student_id, section_id, status, reserved_seats_id, override, arrived_at) VALUES
    (5, 1, 'enrolled', NULL, '{}', '2021-01-01'), (3, 1, 'enrolled', NULL, '{}', '2021-01-02'), (4, 1, 'enrolled', NULL, '{}', '2021-01-02'),
    (6, 1, 'enrolled', 1, '{}', '2021-01-04'), (7, 1, 'enrolled', NULL, '{capacity,conflict}', '2021-01-03'),
    (2, 1, 'waitlisted', NULL, '{}', '2021-01-06'), (1, 1, 'waitlisted', NULL, '{}', '2021-01-05');
INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (8, 1, '{capacity}') RETURNING id;
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = '2021-01-07' WHERE student_id = 8;
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT s, 2 FROM generate_series(5, 7) AS s;

CREATE FUNCTION test.rows() RETURNS SETOF text
LANGUAGE sql AS $$
SELECT format('student %s in section %s: %s%s', e.student_id, e.section_id, e.status,
    CASE WHEN e.ended_at > now() - interval '1 hour' THEN ' just now' WHEN e.ended_at IS NOT NULL THEN ' then' END)
FROM fcfs.enrollment AS e ORDER BY e.section_id, e.student_id
$$;
SELECT test.rows();

SELECT * FROM fcfs.cancel_section(1, 'the roof leaks');
SELECT test.rows();
SELECT id, cancelled_by = session_user, cancel_reason, cancelled_at BETWEEN now() - interval '1 hour' AND clock_timestamp() FROM fcfs.section ORDER BY id;
-- A second time there is nobody, and nothing changes.
CREATE TABLE test.cancelled AS SELECT id, cancelled_at, cancelled_by, cancel_reason FROM fcfs.section;
SELECT * FROM fcfs.cancel_section(1, 'the lecturer is ill');
SELECT id, cancelled_at, cancelled_by, cancel_reason FROM fcfs.section EXCEPT TABLE test.cancelled;
-- Nobody comes in: by a function, by hand, back from the dead, from another section. Those that are over may be noted.
SELECT test.both('enroll(9, 1)');
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (9, 1)$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (9, 1, '{capacity}')$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (9, 1, 'waitlisted')$$);
SELECT test.said($$UPDATE fcfs.enrollment SET status = 'enrolled', ended_at = NULL WHERE (student_id, section_id) = (5, 1)$$);
SELECT test.said($$UPDATE fcfs.enrollment SET section_id = 1, term_id = 1, course_id = 1, cross_list_id = 1 WHERE (student_id, section_id) = (5, 2)$$);
SELECT test.said($$INSERT INTO fcfs.enrollment (student_id, section_id, status, ended_at) VALUES (9, 1, 'cancelled', now())$$);
SELECT test.both('cancel_enrollment(5, 1)');
-- What they had is free: for them elsewhere, and here once it is opened again, empty. Section 2 had three of the nine seats of both.
SELECT test.free('section', 2);
UPDATE fcfs.section SET cancelled_at = NULL WHERE id = 1;
SELECT test.rows() WHERE true LIMIT 3;
SELECT test.free('section', 1);
SELECT test.both('enroll(9, 1)');
-- By whom and why it was the last time is known until the next. Without a reason there is none.
SELECT cancelled_at, cancelled_by = session_user, cancel_reason FROM fcfs.section WHERE id = 1;
SELECT * FROM fcfs.cancel_section(1);
SELECT cancelled_at IS NOT NULL, cancelled_by = session_user, cancel_reason FROM fcfs.section WHERE id = 1;

-- By UPDATE, of several, with what else changes of them.
INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (1, 2, 'waitlisted'), (1, 3, 'enrolled');
UPDATE fcfs.section SET cancelled_at = '2021-02-01', term_id = 2, cross_list_id = NULL, capacity = 0 WHERE id > 1;
SELECT student_id, section_id, term_id, cross_list_id, status FROM fcfs.enrollment WHERE section_id > 1 ORDER BY 2, 1;
UPDATE fcfs.section SET cancelled_at = '2021-02-02' WHERE id > 1;
-- A cancelled section changes like any other.
UPDATE fcfs.meeting SET weekday = 3 WHERE section_id = 2;
UPDATE fcfs.section SET term_id = 1 WHERE id = 2;
-- One that never had anybody; one with nobody in it any more.
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, cancelled_at) VALUES (4, 1, 4, 'A', 4, NULL), (5, 1, 5, 'A', 4, now());
SELECT * FROM fcfs.cancel_section(4);
SELECT * FROM fcfs.cancel_section(5);
SELECT test.both('enroll(9, 4)');
SELECT test.both('enroll(9, 5)');
-- Cancelled and taken back in one transaction.
UPDATE fcfs.section SET cancelled_at = NULL WHERE id = 3;
UPDATE fcfs.section SET capacity = 2 WHERE id = 3;
SELECT test.both('enroll(9, 3)');
BEGIN;
SELECT * FROM fcfs.cancel_section(3);
SELECT test.both('enroll(8, 3)');
ROLLBACK;
SELECT test.rows() WHERE true ORDER BY 1 DESC LIMIT 1;
SELECT test.free('section', 3);

-- What is no section.
SELECT test.said('SELECT * FROM fcfs.cancel_section(99)');
SELECT test.said('SELECT * FROM fcfs.cancel_section(NULL)');
SELECT test.said('SELECT * FROM fcfs.cancel_section(-9223372036854775808)');
SELECT test.said($$SELECT * FROM fcfs.cancel_section(1, '')$$);
BEGIN;
SELECT test.said($$SELECT * FROM fcfs.cancel_section(3, repeat('why ', 100000))$$);
SELECT length(cancel_reason) FROM fcfs.section WHERE id = 3;
ROLLBACK;
BEGIN READ ONLY;
SELECT test.said('SELECT * FROM fcfs.cancel_section(3)');
ROLLBACK;

-- verify() sees who is in a cancelled section, meetings outside, and courses that require themselves.
SET session_replication_role = replica;
UPDATE fcfs.section SET cancelled_at = '2021-02-01' WHERE id = 3;
INSERT INTO fcfs.meeting (id, section_id, on_date, starts_at, ends_at) VALUES (99, 4, '2021-01-01', '09:00', '10:00');
INSERT INTO fcfs.prerequisite (course_id, required_course_id, concurrent) VALUES (1, 2, false), (2, 3, true), (3, 1, true), (4, 5, true), (5, 4, true), (6, 7, false);
RESET session_replication_role;
SELECT rule, kind, detail FROM fcfs.verify() WHERE rule <> 'schedule_differs' ORDER BY 1, 2, 3;
DELETE FROM fcfs.meeting WHERE id = 99;
DELETE FROM fcfs.prerequisite;
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE section_id = 3 AND status = 'enrolled';

\i sql/include/finish.sql
