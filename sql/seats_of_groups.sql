-- Seats of a section by functions: those reserved for groups, the open ones, and those
-- that it shares with others.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60, 100);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 99);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'seniors'), (2, 'athletes');
-- 1 to 19 seniors, 15 to 29 athletes: 15 to 19 both; from 30 on neither.
INSERT INTO fcfs.student_group_member SELECT g, 1 FROM generate_series(1, 19) AS g UNION ALL SELECT g, 2 FROM generate_series(15, 29) AS g;
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT 10 * g, 1, g, 'A', 6 FROM generate_series(1, 9) AS g;
CREATE FUNCTION test.seats(section bigint) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(concat(student_id, ':', coalesce(reserved_seats_id::text, 'open'), nullif(override::text, '{}')), ' ' ORDER BY student_id)
  FROM fcfs.enrollment WHERE section_id = section AND status = 'enrolled'$$;
CREATE FUNCTION test.try(VARIADIC students bigint[]) RETURNS text LANGUAGE sql AS
$$SELECT string_agg((fcfs.try_enroll(s, 10)).code, ' ' ORDER BY n) FROM unnest(students) WITH ORDINALITY AS u (s, n)$$;

-- Six seats, two for seniors, one for athletes. Members have theirs first, then the open ones.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 10, 1, 2), (2, 10, 2, 1);
SELECT test.try(1, 2, 3), test.seats(10);
-- Neither: only open ones, two are left; reserved ones stay free beside a refusal.
SELECT test.try(30, 31, 32), test.seats(10), test.free('section', 10);
-- Who is in both groups takes what there is of either.
SELECT test.try(15, 16), test.seats(10);
SELECT test.both('enroll(4, 10)'), test.both('enroll(33, 10)');
-- What is given up is free for whom it was for.
SELECT test.both('cancel_enrollment(1, 10)'), test.try(33, 20, 4), test.seats(10);
SELECT test.both('cancel_enrollment(30, 10)'), test.try(5, 33), test.seats(10);
SELECT test.both('cancel_enrollment(4, 10)'), test.both('cancel_enrollment(15, 10)'), test.free('section', 10);
SELECT test.both('enroll(17, 10)'), test.both('enroll(18, 10)'), test.both('enroll(19, 10)'), test.seats(10);
-- By the newest word of who is in which group.
INSERT INTO fcfs.student_group_member VALUES (34, 1);
SELECT test.both('cancel_enrollment(17, 10)'), test.try(35, 34), test.seats(10);
DELETE FROM fcfs.student_group_member WHERE student_id = 34;
SELECT test.both('cancel_enrollment(34, 10)'), test.try(34);
-- Released: for everybody, and who has one keeps it.
UPDATE fcfs.reserved_seats SET released = true WHERE id = 1;
SELECT test.try(34), test.seats(10), test.free('section', 10);
-- Without a limit to the section: the reserved ones first all the same.
UPDATE fcfs.section SET capacity = NULL WHERE id = 20;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (3, 20, 1, 1);
SELECT test.both('enroll(1, 20)'), test.both('enroll(2, 20)'), test.both('enroll(30, 20)'), test.seats(20);
-- All of them reserved, and none.
UPDATE fcfs.section SET capacity = 1 WHERE id = 30;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (4, 30, 1, 1), (5, 30, 2, 0);
SELECT test.both('enroll(30, 30)'), test.both('enroll(20, 30)'), test.both('enroll(1, 30)'), test.both('enroll(2, 30)');
-- In strict order.
UPDATE fcfs.section SET strict_order = true WHERE id = 30;
SELECT test.both('cancel_enrollment(1, 30)'), test.both('enroll(30, 30)'), test.both('enroll(3, 30)'), test.seats(30);
-- An override of the capacity: without a seat, open or reserved.
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (4, 30, 'capacity', 'x'), (30, 30, 'capacity', 'x');
SELECT test.both('enroll(4, 30)'), test.both('enroll(30, 30)'), test.seats(30);
SELECT test.both('cancel_enrollment(4, 30)'), test.both('enroll(5, 30)'), test.both('cancel_enrollment(3, 30)'), test.both('enroll(5, 30)'), test.seats(30);

-- A swap and a change give up a reserved seat, and take one.
UPDATE fcfs.section SET capacity = 1 WHERE id IN (40, 50);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (6, 40, 1, 1), (7, 50, 2, 1);
SELECT test.both('enroll(18, 40)'), test.both('swap_enrollment(18, 40, 50)'), test.seats(40), test.seats(50);
SELECT test.both('swap_enrollment(18, 50, 40)'), test.both('enroll(20, 50)'), test.both('swap_enrollment(18, 40, 50)'), test.seats(40);
SELECT test.both($$change_schedule(18, '{40}', '{60,50,70}')$$), test.free('section', 60), test.free('section', 70), test.seats(40);
SELECT test.both('cancel_enrollment(20, 50)'), test.both($$change_schedule(18, '{40}', '{60,50,70}')$$), test.seats(50), test.both('enroll(1, 40)');
-- Rolled back to a savepoint.
BEGIN;
SELECT code FROM fcfs.try_cancel_enrollment(18, 50);
SAVEPOINT a;
SELECT code FROM fcfs.try_enroll(19, 50);
ROLLBACK TO a;
SELECT code FROM fcfs.try_enroll(21, 50);
COMMIT;
SELECT test.seats(50);

-- Cross lists: full together before either is full alone; refused, nothing stays taken of the section.
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X1', 3), (2, 'X2', 1);
UPDATE fcfs.section SET cross_list_id = 1 WHERE id IN (60, 70, 80);
UPDATE fcfs.section SET cross_list_id = 2 WHERE id = 90;
SELECT test.both('cancel_enrollment(18, 60)'), test.both('cancel_enrollment(18, 70)');
SELECT test.both('enroll(40, 60)'), test.both('enroll(41, 70)'), test.both('enroll(42, 80)'), test.both('enroll(43, 80)');
UPDATE fcfs.cross_list SET capacity = 10 WHERE id = 1;
SELECT test.free('section', 60), test.free('section', 80);
UPDATE fcfs.cross_list SET capacity = 3 WHERE id = 1;
-- One's own shared seat is exempt: into another of them, also where all are taken.
SELECT test.both('swap_enrollment(40, 60, 80)'), test.both('enroll(43, 60)');
-- One given, two taken, and one too many; two given, one taken.
SELECT test.both($$change_schedule(41, '{70}', '{60,80}')$$);
SELECT test.both('cancel_enrollment(42, 80)'), test.both($$change_schedule(41, '{70}', '{80,60}')$$), test.both('enroll(43, 70)');
SELECT test.both($$change_schedule(41, '{60,80}', '{70}')$$), test.both('enroll(43, 70)'), test.both('enroll(44, 70)');
-- From one list into another, and out of all.
SELECT test.both('swap_enrollment(41, 70, 90)'), test.both('swap_enrollment(43, 70, 90)'), test.both('enroll(44, 70)'), test.both('enroll(45, 70)');
SELECT test.both('swap_enrollment(41, 90, 20)'), test.both('swap_enrollment(43, 70, 90)'), test.both('enroll(45, 70)');
SELECT section_id, cross_list_id, student_id FROM fcfs.enrollment WHERE status = 'enrolled' AND cross_list_id IS NOT NULL ORDER BY 1, 3;
-- Each section's own capacity besides, of the list too; with an override in neither.
UPDATE fcfs.cross_list SET capacity = 4 WHERE id = 1;
UPDATE fcfs.section SET capacity = 2 WHERE id = 70;
SELECT test.both('enroll(46, 70)'), test.both('enroll(46, 60)'), test.both('enroll(47, 60)');
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (47, 60, 'capacity', 'x'), (46, 70, 'capacity', 'x');
SELECT test.both('enroll(47, 60)'), test.both('swap_enrollment(46, 60, 70)'), test.both('enroll(48, 60)'), test.both('enroll(49, 60)');
SELECT test.both('swap_enrollment(47, 60, 80)'), test.both('swap_enrollment(46, 70, 80)'), test.seats(60), test.seats(70), test.seats(80);
-- Reserved seats of a section in a list are of the list as well.
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (8, 80, 1, 2);
SELECT test.both('enroll(1, 80)'), test.both('cancel_enrollment(48, 60)'), test.both('enroll(1, 80)'), test.both('enroll(50, 80)'), test.seats(80);
SELECT test.both('cancel_enrollment(1, 80)'), test.both('enroll(50, 80)');
-- A list without a limit.
UPDATE fcfs.cross_list SET capacity = NULL WHERE id = 1;
SELECT test.both('enroll(51, 80)'), test.both('enroll(52, 80)');

\i sql/include/finish.sql
