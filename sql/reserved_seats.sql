-- Reserved seats: a pool of their own, cut out of that of their section, whoever writes what.
\i sql/include/start.sql
\i sql/include/seats.sql
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) VALUES
    (1, 1, 1, 'A', 10, 2), (2, 1, 2, 'A', 3, 0), (3, 1, 3, 'A', NULL, NULL);
SELECT test.rooms(1), test.rooms(2), test.rooms(3);

-- Cut out of the section: as much as is free there, and not one more.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 1, 1, 4), (2, 1, 2, 3);
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (1, 3, 4)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (3, 1, 3, 3)'), test.rooms(1);
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = 4 WHERE id = 3'), test.rooms(1);
SELECT test.said('UPDATE fcfs.section SET capacity = 9 WHERE id = 1'), test.rooms(1);
DELETE FROM fcfs.reserved_seats WHERE id = 3;
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (1, 4, -1)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (1, 1, 1)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (99, 1, 1)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (1, 99, 1)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats, capacity) VALUES (1, 4, 1, 5)');
-- Out of a section without a limit there is always enough.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (4, 3, 1, 2147483647), (5, 3, 2, 2);
SELECT test.rooms(3);
SELECT test.said('UPDATE fcfs.section SET capacity = 2147483647 WHERE id = 3');
DELETE FROM fcfs.reserved_seats WHERE id = 4;
SELECT test.said('UPDATE fcfs.section SET capacity = 5 WHERE id = 3'), test.rooms(3);
SELECT test.said('UPDATE fcfs.section SET capacity = 1 WHERE id = 3');
SELECT test.said('UPDATE fcfs.section SET capacity = NULL WHERE id = 3'), test.rooms(3);

-- Claims of both, to the brim; each has its own.
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) SELECT g, 1, 1 FROM generate_series(1, 4) AS g;
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (5, 1, 1)');
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(5, 7) AS g;
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (8, 1)');
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (1, 3, 1)');
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = 3 WHERE id = 1');
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = 5 WHERE id = 1');
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = 2 WHERE id = 2'), test.rooms(1);
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = seats + CASE id WHEN 1 THEN 1 ELSE 0 END WHERE section_id = 1'), test.rooms(1);
-- Given from one to the other in one statement, in either order of their ids.
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = CASE id WHEN 1 THEN 4 ELSE 3 END WHERE section_id = 1'), test.rooms(1);
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = CASE id WHEN 1 THEN 5 ELSE 2 END WHERE section_id = 1');
SELECT * FROM fcfs.verify();

-- A claim of those of another section, of none, of those that were deleted.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (9, 2, 2)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (9, 1, 99)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status, ended_at) VALUES (9, 1, 99, ''cancelled'', now())');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status, ended_at) VALUES (9, 2, 2, ''cancelled'', now())');
SELECT test.said('UPDATE fcfs.enrollment SET section_id = 2, term_id = NULL, course_id = NULL, schedule = NULL WHERE student_id = 1');
SELECT test.said('DELETE FROM fcfs.reserved_seats WHERE id = 1');
SELECT test.said('UPDATE fcfs.reserved_seats SET id = 9 WHERE id = 1');
SELECT test.said('UPDATE fcfs.reserved_seats SET section_id = 3 WHERE id = 1');
SELECT test.said('WITH gone AS (DELETE FROM fcfs.reserved_seats WHERE id = 2 RETURNING id)
    INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) SELECT 9, 1, id FROM gone');
SELECT test.said('WITH made AS (INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (9, 3, 9, 1) RETURNING *)
    INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) SELECT 9, section_id, id FROM made'), test.rooms(3);
SELECT test.said('DELETE FROM fcfs.enrollment WHERE student_id = 9'), test.said('DELETE FROM fcfs.reserved_seats WHERE id = 9');
-- Those that nobody has go where they are sent.
SELECT test.said('UPDATE fcfs.reserved_seats SET section_id = 2 WHERE id = 2'), test.rooms(1), test.rooms(2);
SELECT test.said('UPDATE fcfs.reserved_seats SET seats = 4 WHERE id = 2');
SELECT test.said('UPDATE fcfs.reserved_seats SET section_id = 1, seats = 4 WHERE id = 2');
SELECT test.said('UPDATE fcfs.reserved_seats SET section_id = 1, id = 9 WHERE id = 2'), test.said('UPDATE fcfs.reserved_seats SET id = 2 WHERE id = 9'), test.rooms(1), test.rooms(2);

-- From the reserved seats to the open ones and back, cancelled and again.
SELECT test.said('UPDATE fcfs.enrollment SET reserved_seats_id = NULL WHERE student_id = 4');
SELECT test.said('UPDATE fcfs.enrollment SET reserved_seats_id = 2 WHERE student_id = 7'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET reserved_seats_id = CASE student_id WHEN 4 THEN NULL ELSE 1 END WHERE student_id IN (4, 7)'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET reserved_seats_id = CASE student_id WHEN 7 THEN NULL ELSE 1 END WHERE student_id IN (4, 7)'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET status = ''cancelled'', ended_at = now() WHERE student_id = 4'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET status = ''enrolled'', ended_at = NULL WHERE student_id = 4'), test.rooms(1);
-- An administrator's override of the capacity takes no seat; one of something else does.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, override) VALUES (20, 1, 1, ''{capacity}'')');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (21, 1, ''{window,capacity}'')'), test.rooms(1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, override) VALUES (22, 1, ''{window}'')');
SELECT test.said('UPDATE fcfs.enrollment SET override = ''{window}'' WHERE student_id = 21');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, override) VALUES (22, 1, 2, ''{window}'')'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET override = ''{window,capacity}'' WHERE student_id = 22'), test.rooms(1);
DELETE FROM fcfs.enrollment WHERE student_id IN (21, 22);
-- The line is a pool beside the seats.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, status) SELECT g, 1, ''waitlisted'' FROM generate_series(30, 32) AS g');
INSERT INTO fcfs.enrollment (student_id, section_id, status) SELECT g, 1, 'waitlisted' FROM generate_series(30, 31) AS g;
SELECT test.rooms(1);
SELECT test.said('UPDATE fcfs.section SET waitlist_capacity = 1 WHERE id = 1');
SELECT test.said('UPDATE fcfs.section SET waitlist_capacity = 3 WHERE id = 1'), test.rooms(1);
SELECT test.said('UPDATE fcfs.section SET waitlist_capacity = NULL WHERE id = 1'), test.rooms(1);
SELECT test.said('UPDATE fcfs.section SET waitlist_capacity = 2 WHERE id = 1'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET status = ''enrolled'', reserved_seats_id = 2 WHERE student_id = 30'), test.rooms(1);
SELECT test.said('UPDATE fcfs.enrollment SET status = ''enrolled'' WHERE student_id = 31');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (33, 2, ''waitlisted'')');
DELETE FROM fcfs.enrollment WHERE student_id >= 30;
SELECT * FROM fcfs.verify();

-- Savepoints and rollbacks.
SELECT test.rooms(1);
BEGIN;
SAVEPOINT a;
UPDATE fcfs.reserved_seats SET seats = 0 WHERE id = 2;
SELECT test.rooms(1);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM generate_series(40, 42) AS g;
SELECT test.rooms(1);
ROLLBACK TO SAVEPOINT a;
SELECT test.rooms(1);
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (40, 1, 2);
SAVEPOINT b;
DELETE FROM fcfs.enrollment WHERE reserved_seats_id = 2;
DELETE FROM fcfs.reserved_seats WHERE id = 2;
SELECT test.rooms(1);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (2, 1, 2, 1);
SELECT test.rooms(1);
RELEASE SAVEPOINT b;
SELECT test.rooms(1);
ROLLBACK;
SELECT test.rooms(1);
SELECT * FROM fcfs.verify();

-- A section made with all it has, in one transaction, in one statement, and gone again.
BEGIN;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (9, 1, 9, 'A', 4);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (91, 9, 1, 1), (92, 9, 2, 2);
SELECT test.rooms(9);
SELECT test.said('INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats) VALUES (9, 3, 2)');
UPDATE fcfs.section SET capacity = 6 WHERE id = 9;
SELECT test.rooms(9);
SELECT test.said('UPDATE fcfs.section SET capacity = 2 WHERE id = 9'), test.rooms(9);
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (50, 9, 92), (51, 9, NULL);
SELECT test.rooms(9);
SAVEPOINT a;
UPDATE fcfs.reserved_seats SET released = true WHERE id = 92;
SELECT test.rooms(9);
ROLLBACK TO SAVEPOINT a;
SELECT test.rooms(9);
COMMIT;
SELECT test.rooms(9);
SELECT test.said('DELETE FROM fcfs.section WHERE id = 9');
DELETE FROM fcfs.enrollment WHERE section_id = 9;
SELECT test.said('DELETE FROM fcfs.section WHERE id = 9'), count(*) FROM fcfs.reserved_seats WHERE section_id = 9;
SELECT test.said('WITH s AS (INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (9, 1, 9, ''A'', 4) RETURNING id)
    INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) SELECT 91, id, 1, 5 FROM s');
SELECT test.said('WITH s AS (INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (9, 1, 9, ''A'', 4) RETURNING id)
    INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) SELECT 91, id, 1, 3 FROM s'), test.rooms(9);
BEGIN;
DELETE FROM fcfs.section WHERE id = 9;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) VALUES (9, 1, 9, 'A', 5, 1);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (91, 9, 1, 2);
SELECT test.rooms(9);
COMMIT;
SELECT test.rooms(9);
SELECT * FROM fcfs.verify();

-- Released: what is free and what is claimed goes to the section, and nobody loses a seat.
SELECT test.rooms(1);
SELECT e.student_id, e.reserved_seats_id, e.override FROM fcfs.enrollment e WHERE e.section_id = 1 AND e.reserved_seats_id IS NOT NULL ORDER BY 1;
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status, ended_at) VALUES (45, 1, 2, 'cancelled', now());
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (46, 1, 2);
BEGIN;
UPDATE fcfs.reserved_seats SET released = true WHERE id = 2;
SELECT test.rooms(1);
SELECT e.student_id, e.reserved_seats_id FROM fcfs.enrollment e WHERE e.student_id IN (45, 46) ORDER BY 1;
ROLLBACK;
SELECT test.rooms(1);
SELECT e.student_id, e.reserved_seats_id FROM fcfs.enrollment e WHERE e.student_id IN (45, 46) ORDER BY 1;
BEGIN;
SAVEPOINT a;
UPDATE fcfs.reserved_seats SET released = true WHERE section_id = 1;
SELECT test.rooms(1);
ROLLBACK TO SAVEPOINT a;
SELECT test.rooms(1);
COMMIT;
UPDATE fcfs.reserved_seats SET released = true WHERE id = 2;
SELECT test.rooms(1);
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (47, 1, 2)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, override) VALUES (47, 1, 2, ''{capacity}'')');
SELECT test.said('UPDATE fcfs.enrollment SET status = ''enrolled'', ended_at = NULL WHERE student_id = 45');
SELECT test.said('DELETE FROM fcfs.reserved_seats WHERE id = 2');
SELECT * FROM fcfs.verify();
-- And reserved again, as far as the section has them free.
SELECT test.said('UPDATE fcfs.reserved_seats SET released = false WHERE id = 2');
SELECT test.said('UPDATE fcfs.reserved_seats SET released = false, seats = 2 WHERE id = 2'), test.rooms(1);
SELECT test.said('UPDATE fcfs.reserved_seats SET released = true, seats = 100 WHERE id = 2'), test.rooms(1);
-- Released and moved, deleted, changed in one go.
SELECT test.said('UPDATE fcfs.reserved_seats SET released = true, section_id = 3 WHERE id = 1');
SELECT test.said('UPDATE fcfs.reserved_seats SET released = true, seats = 0 WHERE id = 1'), test.rooms(1);
SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = 1 AND e.status = 'enrolled' AND e.reserved_seats_id IS NULL;

-- At their time.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats, release_at) VALUES
    (21, 9, 2, 1, '2021-01-02'), (22, 3, 4, 1, '2021-01-01'), (23, 3, 5, 1, 'infinity'), (24, 3, 6, 1, NULL);
SELECT fcfs.release_reserved_seats(1);
SELECT r.id FROM fcfs.reserved_seats r WHERE r.released AND r.id > 20;
SELECT fcfs.release_reserved_seats();
SELECT r.id FROM fcfs.reserved_seats r WHERE r.released AND r.id > 20 ORDER BY 1;
SELECT fcfs.release_reserved_seats();
SELECT test.said('SELECT fcfs.release_reserved_seats(NULL)');
SELECT test.said('SELECT fcfs.release_reserved_seats(0)');
SHOW fcfs.lock_timeout;
SELECT test.rooms(3), test.rooms(9);

-- COPY.
COPY fcfs.reserved_seats (id, section_id, student_group_id, seats) FROM stdin (DELIMITER ',');
31,3,7,2
\.
COPY fcfs.enrollment (student_id, section_id, reserved_seats_id) FROM stdin (DELIMITER ',');
51,3,31
52,3,31
\.
SELECT test.rooms(3);
COPY fcfs.enrollment (student_id, section_id, reserved_seats_id) FROM stdin (DELIMITER ',');
53,3,31
\.
-- Counted anew.
SELECT fcfs.reload_pool(kind, 3) FROM unnest('{section,waitlist}'::text[]) AS kind;
SELECT fcfs.reload_pool('reserved_seats', 31);
SELECT test.said('SELECT fcfs.reload_pool(''reserved_seats'', 99)');
SELECT test.said('SELECT fcfs.reload_pool(''reserved'', 31)');
SELECT test.rooms(3);
-- TRUNCATE gives all of it back, of every kind, if it is not rolled back.
BEGIN;
TRUNCATE fcfs.enrollment;
SELECT test.rooms(3), test.rooms(1);
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status) VALUES (51, 3, 31, 'enrolled'), (52, 1, NULL, 'waitlisted');
SELECT test.rooms(3), test.rooms(1);
ROLLBACK;
SELECT test.rooms(3), test.rooms(1);
TRUNCATE fcfs.enrollment;
SELECT test.rooms(3), test.rooms(1);
BEGIN;
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (51, 3, 31);
TRUNCATE fcfs.reserved_seats CASCADE;
SELECT count(*) FROM fcfs.enrollment;
COMMIT;
SELECT test.rooms(3), test.rooms(1);
SELECT p.kind, p.id, p.capacity FROM fcfs.stat_pools AS p WHERE p.kind = 'reserved_seats';
\i sql/include/finish.sql
