-- cancel_enrollment(): what there must be, the deadline by the calendar of the
-- term, and the seat that comes back.
\i sql/include/start.sql

-- Where it is now noon, the second half of an evening, and the small hours of the
-- next day: the days of these three are sure for an hour.
SELECT test.zone_at(12) AS noon, test.zone_at(22) AS evening, test.zone_at(22, 3) AS night \gset
INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, ends_on, cancel_days) VALUES
    (1, 'in good time', :'noon', '-infinity', 'infinity', test.today(:'noon') + 30, test.today(:'noon') + 60, DEFAULT),
    (2, 'last day', :'noon', '-infinity', 'infinity', test.today(:'noon') + 3, test.today(:'noon') + 60, DEFAULT),
    (3, 'a day late', :'noon', '-infinity', 'infinity', test.today(:'noon') + 2, test.today(:'noon') + 60, DEFAULT),
    (4, 'under way', :'noon', '-infinity', 'infinity', test.today(:'noon') - 30, test.today(:'noon') + 60, DEFAULT),
    (5, 'until it starts', :'noon', '-infinity', 'infinity', test.today(:'noon'), test.today(:'noon') + 60, 0),
    (6, 'started yesterday', :'noon', '-infinity', 'infinity', test.today(:'noon') - 1, test.today(:'noon') + 60, 0),
    (7, 'ten years', :'noon', '-infinity', 'infinity', test.today(:'noon') + 3660, test.today(:'noon') + 3660, 3660),
    (8, 'ten years, late', :'noon', '-infinity', 'infinity', test.today(:'noon') + 3659, test.today(:'noon') + 3660, 3660),
    -- The same day on the paper: here it is still the last day, there it is already the next.
    (9, 'evening', :'evening', '-infinity', 'infinity', test.today(:'evening') + 3, test.today(:'evening') + 60, 3),
    (10, 'night', :'night', '-infinity', 'infinity', test.today(:'evening') + 3, test.today(:'evening') + 60, 3),
    (11, 'window over', :'noon', '-infinity', now() - interval '1 minute', test.today(:'noon') + 3, test.today(:'noon') + 60, 3);
SELECT test.today(:'night') - test.today(:'evening') AS days;
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 0.5 FROM generate_series(1, 11) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT g, g, g, 'A', 1 FROM generate_series(1, 11) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (12, 1, 1, 'B', 1);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 1, g FROM generate_series(1, 11) AS g;

-- Nobody, nothing, not enrolled, not in this section of the course, not this student.
SELECT test.both('cancel_enrollment(999, 1)');
SELECT test.both('cancel_enrollment(1, 999)');
SELECT test.both('cancel_enrollment(1, 12)');
SELECT test.both('cancel_enrollment(2, 1)');

-- Both sides of the deadline.
SELECT t.code, test.both(format('cancel_enrollment(1, %s)', t.id)) FROM fcfs.term AS t ORDER BY t.id;
-- The zone of the session makes no difference.
UPDATE fcfs.enrollment SET status = 'enrolled', ended_at = NULL WHERE status = 'cancelled';
SET timezone = :'night';
SELECT t.code, test.tried(format('cancel_enrollment(1, %s)', t.id)) FROM fcfs.term AS t ORDER BY t.id;
SET timezone = :'evening';
SELECT t.code, test.tried(format('cancel_enrollment(1, %s)', t.id)) FROM fcfs.term AS t ORDER BY t.id;
SET timezone = 'UTC';
-- The section's own dates make none either.
UPDATE fcfs.section SET starts_on = test.today(:'noon') - 10 WHERE id = 1;
SELECT test.tried('cancel_enrollment(1, 1)');

-- The row and the outcome; a second time there is nothing to cancel.
SELECT student_id, section_id, term_id, course_id, credits, status, ended_at BETWEEN now() AND clock_timestamp() AS now
FROM fcfs.cancel_enrollment(1, 1);
SELECT test.both('cancel_enrollment(1, 1)');
SELECT ok, code, http_status, id = (SELECT e.id FROM fcfs.enrollment AS e WHERE e.section_id = 2) AS id, replayed
FROM fcfs.try_cancel_enrollment(1, 2);
SELECT test.said('SELECT fcfs.cancel_enrollment(1, 3)');
SELECT section_id, status, ended_at IS NOT NULL AS ended FROM fcfs.enrollment ORDER BY section_id;

-- The seat comes back, and goes again.
SELECT test.both('enroll(3, 1)');
SELECT test.both('enroll(4, 1)');
SELECT test.both('cancel_enrollment(3, 1)');
SELECT test.both('enroll(4, 1)');
SELECT test.both('enroll(3, 1)');
SELECT test.free('section', 2), test.free('section', 3);
-- A cancelled row beside a live one: it is the live one that is cancelled.
SELECT test.both('cancel_enrollment(4, 1)');
SELECT test.both('enroll(4, 1)');
SELECT test.both('cancel_enrollment(4, 1)');
SELECT status, count(*) FROM fcfs.enrollment WHERE student_id = 4 GROUP BY status;

\i sql/include/finish.sql
