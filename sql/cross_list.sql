-- Cross lists: sections that share one capacity, each within its own too, whoever writes what.
\i sql/include/start.sql
\i sql/include/seats.sql
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X1', 5), (2, 'X2', 2), (3, 'X3', NULL);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, cross_list_id) VALUES
    (1, 1, 1, 'A', 3, 1), (2, 1, 2, 'A', NULL, 1), (3, 1, 3, 'A', 9, 2), (4, 1, 4, 'A', 9, NULL);
SELECT test.rooms(1), test.rooms(2), test.rooms(3), test.rooms(4);

-- What enrollments copy.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1), (2, 2), (1, 4);
INSERT INTO fcfs.enrollment (student_id, section_id, cross_list_id) VALUES (3, 2, 1);
INSERT INTO fcfs.enrollment (student_id, section_id, status, ended_at) VALUES (9, 1, 'cancelled', now());
SELECT e.student_id, e.section_id, e.cross_list_id, e.status FROM fcfs.enrollment e ORDER BY e.id;
SELECT test.rooms(1), test.rooms(2);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, cross_list_id) VALUES (4, 2, 2)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, cross_list_id) VALUES (4, 4, 1)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, cross_list_id) VALUES (4, 2, 99)');
SELECT test.said('UPDATE fcfs.enrollment SET cross_list_id = 2 WHERE student_id = 2');
SELECT test.said('UPDATE fcfs.enrollment SET cross_list_id = NULL WHERE student_id = 2');
SELECT e.cross_list_id FROM fcfs.enrollment e WHERE e.student_id = 2;

-- Full together before either is full alone.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (5, 2), (6, 1);
SELECT test.rooms(1), test.rooms(2);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (7, 1)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (7, 1, ''{capacity}'')'), test.rooms(2);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (8, 1, ''waitlisted'')');
UPDATE fcfs.section SET waitlist_capacity = 1;
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (8, 1, ''waitlisted'')');
SELECT test.said('UPDATE fcfs.enrollment SET status = ''enrolled'' WHERE student_id = 8');
-- From one section to the other: no seat of the list is needed for that.
SELECT test.said('UPDATE fcfs.enrollment SET section_id = 1, term_id = NULL, course_id = NULL, schedule = NULL WHERE student_id = 5'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET section_id = 2, term_id = NULL, course_id = NULL, schedule = NULL WHERE student_id = 5'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET section_id = 4, term_id = NULL, course_id = NULL, schedule = NULL, cross_list_id = NULL WHERE student_id = 5'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET section_id = 2, term_id = NULL, course_id = NULL, schedule = NULL WHERE student_id = 5'), test.rooms(1);
-- Reserved seats are of the list as well.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 1, 1, 1);
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (10, 1, 1)');
DELETE FROM fcfs.reserved_seats;

-- Up and down.
SELECT test.said('UPDATE fcfs.cross_list SET capacity = 4 WHERE id = 1');
SELECT test.said('UPDATE fcfs.cross_list SET capacity = 6 WHERE id = 1'), test.rooms(1), test.rooms(2);
SELECT test.said('UPDATE fcfs.cross_list SET capacity = NULL WHERE id = 1'), test.rooms(1), test.rooms(2);
SELECT test.said('UPDATE fcfs.cross_list SET capacity = 5 WHERE id = 1'), test.rooms(1), test.rooms(2);
SELECT test.said('UPDATE fcfs.cross_list SET capacity = -1 WHERE id = 1');
SELECT test.said('DELETE FROM fcfs.cross_list WHERE id = 1');
SELECT test.said('UPDATE fcfs.cross_list SET id = 9 WHERE id = 1');

-- A section that gets another one takes its enrollments with it, or stays.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (20, 3);
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 2 WHERE id = 1');
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 99 WHERE id = 1');
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 1 WHERE id = 3');
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 1 WHERE id = 4');
SELECT e.student_id, e.section_id, e.cross_list_id, e.status FROM fcfs.enrollment e ORDER BY e.id;
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 3 WHERE id = 1'), test.rooms(1), test.rooms(2);
SELECT e.student_id, e.section_id, e.cross_list_id, e.status FROM fcfs.enrollment e WHERE e.section_id = 1 ORDER BY e.id;
SELECT test.said('UPDATE fcfs.section SET cross_list_id = NULL WHERE id = 1'), test.rooms(1), test.rooms(2);
SELECT e.student_id, e.section_id, e.cross_list_id, e.status FROM fcfs.enrollment e WHERE e.section_id = 1 ORDER BY e.id;
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 1 WHERE id = 1'), test.rooms(1), test.rooms(2);
-- Two of them change places.
SELECT test.said('UPDATE fcfs.section SET cross_list_id = CASE id WHEN 1 THEN 2 ELSE 1 END WHERE id IN (1, 3)');
SELECT test.said('UPDATE fcfs.cross_list SET capacity = 9 WHERE id = 2');
SELECT test.said('UPDATE fcfs.section SET cross_list_id = CASE id WHEN 1 THEN 2 ELSE 1 END WHERE id IN (1, 3)'), test.rooms(1), test.rooms(3);
BEGIN;
SAVEPOINT a;
UPDATE fcfs.section SET cross_list_id = 3 WHERE cross_list_id = 1;
SELECT test.rooms(2), test.rooms(3);
SELECT test.said('DELETE FROM fcfs.cross_list WHERE id = 1');
ROLLBACK TO SAVEPOINT a;
SELECT test.rooms(2), test.rooms(3);
UPDATE fcfs.cross_list SET capacity = 6 WHERE id = 1;
SELECT test.rooms(2), test.rooms(3);
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (21, 3);
ROLLBACK;
SELECT test.rooms(2), test.rooms(3);
SELECT * FROM fcfs.verify();

-- Made with all that is in it, gone and there again.
BEGIN;
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (9, 'X9', 1);
UPDATE fcfs.section SET cross_list_id = 9 WHERE id = 4;
SELECT test.rooms(4);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (30, 4)');
SELECT test.said('UPDATE fcfs.cross_list SET capacity = 2 WHERE id = 9'), test.rooms(4);
COMMIT;
SELECT test.rooms(4);
SELECT test.said('WITH gone AS (DELETE FROM fcfs.cross_list WHERE id = 9 RETURNING id)
    UPDATE fcfs.section s SET cross_list_id = 3 FROM gone WHERE s.cross_list_id = gone.id'), test.rooms(4);
BEGIN;
UPDATE fcfs.section SET cross_list_id = 3 WHERE id = 4;
DELETE FROM fcfs.cross_list WHERE id = 9;
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (9, 'X9', 3);
SELECT test.said('UPDATE fcfs.section SET cross_list_id = 9 WHERE id = 4'), test.rooms(4);
COMMIT;
SELECT test.rooms(4);
SELECT * FROM fcfs.verify();

-- COPY, and counted anew.
COPY fcfs.enrollment (student_id, section_id) FROM stdin (DELIMITER ',');
31,4
32,4
\.
SELECT test.rooms(4);
COPY fcfs.enrollment (student_id, section_id, cross_list_id) FROM stdin (DELIMITER ',');
33,4,9
\.
SELECT fcfs.reload_pool('cross_list', 9);
SELECT test.rooms(4);
-- TRUNCATE.
BEGIN;
TRUNCATE fcfs.enrollment;
SELECT test.rooms(4), test.rooms(2);
ROLLBACK;
SELECT test.rooms(4), test.rooms(2);
TRUNCATE fcfs.enrollment;
SELECT test.rooms(4), test.rooms(2);

-- By functions: who gives up a seat of the list may have it again, in another section of it.
UPDATE fcfs.term SET starts_on = '2099-03-01', ends_on = '2099-03-07';
UPDATE fcfs.cross_list SET capacity = 1 WHERE id = 1;
SELECT test.both('enroll(40, 1)');
SELECT test.both('enroll(41, 2)');
SELECT test.both('swap_enrollment(40, 1, 2)');
SELECT test.both('enroll(41, 1)');
SELECT test.both('cancel_enrollment(40, 2)');
SELECT test.both('enroll(41, 1)');
SELECT e.student_id, e.section_id, e.cross_list_id, e.status FROM fcfs.enrollment e WHERE e.student_id >= 40 ORDER BY e.id;
-- In strict order as well, up and down.
UPDATE fcfs.section SET strict_order = true;
SELECT test.both('swap_enrollment(41, 1, 2)');
SELECT test.both('swap_enrollment(41, 2, 1)');
SELECT test.both('enroll(42, 4)');
SELECT test.both('swap_enrollment(42, 4, 3)');
SELECT test.both('swap_enrollment(42, 3, 4)');
SELECT test.both('swap_enrollment(42, 4, 2)');
\i sql/include/finish.sql
