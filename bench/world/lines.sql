-- A registration where sections are full and have lines.
--
-- Sections 1 to :clients have one seat, taken, and :waiting people in line, who are in
-- the order of their ids: bench.turn(c) says who has the seat of section c + 1 next.
-- 1001 to 1050 and 2000 have no seat, and a line without end; 3001 to 3050 have seats
-- enough. Students with even ids up to :fresh * 2 have nothing yet.

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on)
VALUES (1, 'NEXT', 'America/Los_Angeles', now() - interval '1 day', now() + interval '1 day',
    current_date + 30, current_date + 99, current_date + 110);
CREATE TEMP TABLE wanted (id bigint, capacity integer);
INSERT INTO wanted
SELECT g, 1 FROM generate_series(1, :clients) g
UNION ALL
SELECT g, 0 FROM generate_series(1001, 1050) g
UNION ALL
SELECT 2000, 0
UNION ALL
SELECT g, 1000000000 FROM generate_series(3001, 3050) g;
INSERT INTO fcfs.course (id, code, credits)
SELECT id, 'C' || id, 3 FROM wanted;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity)
SELECT id, 1, id, 'A', capacity, NULL FROM wanted;
INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at)
SELECT s.id, m.weekday, CASE WHEN m.weekday IS NULL THEN current_date + 105 END, m.starts_at, m.starts_at + interval '80 minutes'
FROM fcfs.section s
CROSS JOIN (VALUES (1, time '09:00'), (3, time '09:00'), (NULL, time '08:00')) AS m (weekday, starts_at);

INSERT INTO fcfs.student (id)
SELECT 2 * g FROM generate_series(1, :fresh) g;
INSERT INTO fcfs.student (id)
SELECT 1000000001 + 1000000 * s + 2 * g FROM generate_series(1, :clients) s, generate_series(0, :waiting) g;

-- Nobody has touched these pools yet, so the escrow need not be told of them.
SET session_replication_role = replica;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule, status, arrived_at)
SELECT
    1000000001 + 1000000 * s.id + 2 * g,
    s.id,
    1,
    s.course_id,
    3,
    s.schedule,
    CASE WHEN g = 0 THEN 'enrolled' ELSE 'waitlisted' END,
    now() - interval '1 hour' + g * interval '1 millisecond'
FROM generate_series(0, :waiting) g
JOIN fcfs.section s ON s.id <= :clients;
RESET session_replication_role;

-- One more in each, by way of the functions, so that every pool has been counted.
INSERT INTO fcfs.student (id)
SELECT 2 * (:fresh + id) FROM wanted;
ANALYZE;
SELECT 1 / (o.detail = 'waitlisted')::integer
FROM wanted w
CROSS JOIN LATERAL fcfs.try_join_waitlist(2 * (:fresh + w.id), w.id) o
WHERE w.capacity < 2;
SELECT 1 / o.ok::integer
FROM wanted w
CROSS JOIN LATERAL fcfs.try_enroll(2 * (:fresh + w.id), w.id) o
WHERE w.capacity > 1;

CREATE SCHEMA bench;
SELECT format('CREATE SEQUENCE bench.turn_%s MINVALUE 0', g - 1) FROM generate_series(1, :clients) g \gexec
CREATE FUNCTION bench.turn(client integer) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN 1000000001 + 1000000 * (client + 1)::bigint + 2 * nextval(('bench.turn_' || client)::regclass);
