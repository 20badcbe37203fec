-- swap_enrollment(): one section for another, at once or not at all.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'open', '-infinity', 'infinity', current_date + 30, current_date + 60, 12),
    (2, 'not yet', now() + interval '1 day', 'infinity', current_date + 30, current_date + 60, 12),
    (3, 'too late to drop', '-infinity', 'infinity', current_date + 2, current_date + 60, 12);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 30);
INSERT INTO fcfs.course (id, code, credits) VALUES
    (1, 'C1', 4), (2, 'C2', 4), (3, 'C3', 4), (4, 'C4', 5), (5, 'C5', 4), (6, 'C6', 0), (7, 'C7', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (10, 1, 1, 'A', 2), (11, 1, 1, 'B', 1), (20, 1, 2, 'A', 1), (30, 1, 3, 'A', 3), (40, 1, 4, 'A', 3),
    (50, 1, 5, 'A', 3), (60, 1, 6, 'A', 3), (70, 1, 7, 'A', 3),
    (210, 2, 1, 'A', 9), (310, 3, 1, 'A', 9), (320, 3, 2, 'A', 9);
-- 10 and 30 overlap, and so do 10 and 11; 20 clashes with nothing, 50 with 30.
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES
    (10, 1, '09:00', '10:00'), (11, 1, '09:30', '10:30'), (20, 2, '09:00', '10:00'),
    (30, 1, '09:59', '11:00'), (50, 1, '10:30', '12:00'), (40, 3, '09:00', '10:00');

CREATE FUNCTION test.timetable(student bigint) RETURNS text LANGUAGE sql AS
$$SELECT format('%s: %s', section_ids, credits) FROM fcfs.timetable WHERE id = student$$;
-- Everything that a call could leave behind.
CREATE FUNCTION test.traces() RETURNS text LANGUAGE sql AS
$$SELECT md5(concat(
    (SELECT string_agg(concat(e.ctid, e.xmin, e.xmax, e), ';' ORDER BY e.id) FROM fcfs.enrollment e),
    (SELECT string_agg(p::text, ';' ORDER BY p.kind, p.id) FROM fcfs.stat_pools p)))$$;

-- What comes back is the new enrollment; the old one is over.
SELECT test.both('enroll(1, 10)');
SELECT student_id, section_id, course_id, credits, status, override, ended_at FROM fcfs.swap_enrollment(1, 10, 20);
SELECT section_id, status, ended_at IS NOT NULL AS ended FROM fcfs.enrollment WHERE student_id = 1 ORDER BY id;
SELECT test.free('section', 10), test.free('section', 20), test.timetable(1);
SELECT test.both('swap_enrollment(1, 20, 10)');
SELECT test.free('section', 10), test.free('section', 20), test.timetable(1);

-- Another section of the same course, which overlaps with the one that is given up.
SELECT test.both('swap_enrollment(1, 10, 11)');
-- What is given up does not clash; what stays does.
SELECT test.both('enroll(2, 10)');
SELECT test.both('swap_enrollment(2, 10, 30)');
SELECT test.both('enroll(2, 20)');
SELECT test.both('swap_enrollment(2, 20, 50)');
SELECT test.timetable(2);
-- Its credits do not count, those of what stays do: 12 are allowed.
SELECT test.both('enroll(2, 60)');
SELECT test.both('swap_enrollment(2, 60, 40)');
SELECT test.both('swap_enrollment(2, 20, 40)');
SELECT test.timetable(2);
SELECT test.both('enroll(2, 70)');
SELECT test.both('swap_enrollment(2, 40, 20)');
SELECT test.both('enroll(2, 310)');
SELECT test.both('swap_enrollment(2, 70, 11)');
UPDATE fcfs.student SET max_credits = 9 WHERE id = 2;
SELECT test.both('swap_enrollment(2, 70, 40)');
SELECT test.timetable(2);

-- A full target: nothing happens, and nothing can be told afterwards.
SELECT test.both('enroll(3, 10)');
SELECT test.free('section', 20), test.free('section', 10), test.tried('enroll(3, 210)');
SELECT test.traces() AS before \gset
SELECT test.both('swap_enrollment(3, 10, 20)');
SELECT test.traces() = :'before';
BEGIN;
SELECT code FROM fcfs.try_swap_enrollment(3, 10, 20);
SELECT pg_current_xact_id_if_assigned();
SELECT coalesce(sum(taken_in_flight), 0) FROM fcfs.stat_pools;
COMMIT;
SELECT test.traces() = :'before';
-- Nor is anything to be told of other refusals.
SELECT test.both('swap_enrollment(3, 10, 210)');
SELECT test.both('swap_enrollment(3, 20, 10)');
SELECT test.both('swap_enrollment(3, 10, 99)');
SELECT test.both('swap_enrollment(3, 99, 10)');
SELECT test.both('swap_enrollment(99, 10, 20)');
SELECT test.traces() = :'before';

-- The deadline of the one that is given up; the window of the one that is added.
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 310), (5, 210), (6, 10)');
SELECT test.both('swap_enrollment(4, 310, 320)');
SELECT test.both('swap_enrollment(4, 310, 30)');
SELECT test.both('swap_enrollment(6, 10, 320)');
SELECT test.both('swap_enrollment(5, 210, 30)');
SELECT test.both('swap_enrollment(6, 320, 210)');
SELECT test.timetable(4), test.timetable(5), test.timetable(6);

-- Input that is none.
SELECT test.both('swap_enrollment(3, 10, 10)');
SELECT test.both('swap_enrollment(3, 99, 99)');
SELECT test.both('swap_enrollment(3, NULL, 10)');
SELECT test.both('swap_enrollment(3, 10, NULL)');
SELECT test.both('swap_enrollment(NULL, 10, 20)');

-- Under a key it happens once; with other arguments the key is another's.
SELECT replayed, id = (SELECT max(id) FROM fcfs.enrollment) FROM fcfs.try_swap_enrollment(3, 10, 30, 'k');
SELECT replayed, id = (SELECT max(id) FROM fcfs.enrollment) FROM fcfs.try_swap_enrollment(3, 10, 30, 'k');
SELECT section_id, status FROM fcfs.swap_enrollment(3, 10, 30, 'k');
SELECT test.both($$swap_enrollment(3, 30, 10, 'k')$$);
SELECT test.both($$swap_enrollment(3, 10, 30)$$);
-- A refusal is kept too, though there is a seat by now; one that no such enrollment is there is not.
SELECT code, replayed FROM fcfs.try_swap_enrollment(3, 30, 11, 'full');
SELECT test.both('cancel_enrollment(1, 11)');
SELECT code, replayed FROM fcfs.try_swap_enrollment(3, 30, 11, 'full');
SELECT code, replayed FROM fcfs.try_swap_enrollment(3, 50, 11, 'none');
SELECT code, replayed FROM fcfs.try_swap_enrollment(3, 50, 11, 'none');
SELECT test.timetable(3);

-- Rolled back, in whole and to savepoints; there and back again in a full section.
UPDATE fcfs.section SET capacity = 1 WHERE id = 11;
SELECT test.free('section', 30), test.free('section', 11);
BEGIN;
SELECT code FROM fcfs.try_swap_enrollment(3, 30, 11);
SELECT code FROM fcfs.try_enroll(7, 30);
SELECT test.timetable(3), test.timetable(7);
ROLLBACK;
SELECT test.timetable(3), test.free('section', 30), test.free('section', 11);
BEGIN;
SAVEPOINT a;
SELECT code FROM fcfs.try_swap_enrollment(3, 30, 11);
SAVEPOINT b;
SELECT code FROM fcfs.try_swap_enrollment(3, 11, 30);
ROLLBACK TO b;
SELECT code FROM fcfs.try_enroll(7, 11);
SELECT code FROM fcfs.try_swap_enrollment(3, 11, 30);
SELECT code FROM fcfs.try_enroll(7, 11);
ROLLBACK TO a;
SELECT code FROM fcfs.try_enroll(7, 11);
SELECT code FROM fcfs.try_enroll(8, 30);
COMMIT;
SELECT test.timetable(3), test.timetable(7), test.timetable(8), test.free('section', 30), test.free('section', 11);

-- At the other isolation levels, alone and after the snapshot was taken.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT code FROM fcfs.try_swap_enrollment(3, 30, 10);
SELECT test.timetable(3);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT test.timetable(3);
SELECT code FROM fcfs.try_swap_enrollment(3, 10, 30);
SELECT code FROM fcfs.try_swap_enrollment(3, 30, 10);
SELECT code FROM fcfs.try_swap_enrollment(3, 10, 11);
COMMIT;
SELECT test.timetable(3), test.free('section', 10), test.free('section', 30), test.free('section', 11);

-- Sections in strict order, whichever id comes first.
UPDATE fcfs.section SET strict_order = true, capacity = 1 WHERE id IN (40, 50);
INSERT INTO fcfs.student (id) VALUES (31);
SELECT test.both('enroll(31, 50)'), test.both('swap_enrollment(31, 50, 40)'), test.both('swap_enrollment(31, 40, 50)'), test.both('swap_enrollment(31, 50, 60)');
SELECT test.free('section', 40), test.free('section', 50);

\i sql/include/finish.sql
