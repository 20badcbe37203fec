-- A university in mid-registration, and what enroll is compared with.
--
-- Sections 1 to 5,000 have 21 meetings each, in one of five patterns that do not
-- overlap; section 5,001 is the hot one. Students with even ids, :fresh of them,
-- have no enrollment yet and are the ones to be enrolled; between them, at odd
-- ids, are those who have taken the :present enrollments, five each: there must be
-- as many fresh ones at least.

INSERT INTO fcfs.term (id, code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, classes_end_on, ends_on)
VALUES (1, 'NEXT', 'America/Los_Angeles', now() - interval '1 day', now() + interval '1 day',
    current_date + 30, current_date + 99, current_date + 110);
INSERT INTO fcfs.course (id, code, credits)
SELECT g, 'C' || g, 3 FROM generate_series(1, 5001) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity)
SELECT g, 1, g, 'A', 1000000000 FROM generate_series(1, 5001) g;

-- Two meetings a week and a final, by pattern.
INSERT INTO fcfs.meeting (section_id, weekday, on_date, starts_at, ends_at)
SELECT
    s.id,
    m.weekday,
    CASE WHEN m.weekday IS NULL THEN current_date + 105 + m.pattern END,
    m.starts_at,
    m.starts_at + interval '80 minutes'
FROM fcfs.section s
JOIN (VALUES
    (0, 1, time '09:00'), (0, 3, time '09:00'), (0, NULL, time '08:00'),
    (1, 1, time '11:00'), (1, 3, time '11:00'), (1, NULL, time '08:00'),
    (2, 2, time '09:30'), (2, 4, time '09:30'), (2, NULL, time '08:00'),
    (3, 2, time '14:00'), (3, 4, time '14:00'), (3, NULL, time '08:00'),
    (4, 3, time '15:00'), (4, 5, time '10:00'), (4, NULL, time '08:00')) AS m (pattern, weekday, starts_at)
    ON m.pattern = (s.id - 1) % 5;

INSERT INTO fcfs.student (id)
SELECT 2 * g FROM generate_series(1, :fresh) g;
INSERT INTO fcfs.student (id)
SELECT 2 * (g::bigint * :fresh / (:present / 5)) + 1 FROM generate_series(0, :present / 5 - 1) g;

-- A table that is filled first and indexed then is there much sooner: what it has
-- is noted, dropped, and made again as it was.
CREATE TEMP TABLE dropped AS
SELECT
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS make
FROM pg_constraint
WHERE conrelid = 'fcfs.enrollment'::regclass AND contype IN ('p', 'u', 'x')
UNION ALL
SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
FROM pg_index i
WHERE i.indrelid = 'fcfs.enrollment'::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid);
SELECT drop FROM dropped \gexec

-- Those present come in random order, as they would have. Nobody has touched
-- these pools yet, so the escrow need not be told of them.
SET session_replication_role = replica;
INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule)
SELECT t.id, s.id, s.term_id, s.course_id, 3, s.schedule
FROM (SELECT id, (random() * 999)::integer AS pick FROM fcfs.student WHERE id % 2 = 1 ORDER BY random()) t
JOIN fcfs.section s ON s.id BETWEEN 5 * t.pick + 1 AND 5 * t.pick + 5;
RESET session_replication_role;
SET maintenance_work_mem = '1GB';
SELECT make FROM dropped \gexec
RESET maintenance_work_mem;

-- One more in each section by way of the function, so that every pool has been
-- counted: of 5,000,000 enrollments that takes a while, once.
INSERT INTO fcfs.student (id)
SELECT 2 * (:fresh + 1 + g) FROM generate_series(1, 5001) g;
ANALYZE;
SELECT format(
    'SELECT 1 / bool_and(o.ok)::integer FROM generate_series(%s, %s) g, LATERAL fcfs.try_enroll(2 * (%s + 1 + g), g) o',
    g, least(g + 49, 5001), :fresh)
FROM generate_series(1, 5001, 50) g \gexec

CREATE SCHEMA bench;

-- The yardstick: the same columns, defaults, identity, indexes and exclusion
-- constraint, as full, and no rule beside.
CREATE TABLE bench.bare_enrollment (LIKE fcfs.enrollment INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
INSERT INTO bench.bare_enrollment (student_id, section_id, term_id, course_id, credits, schedule)
SELECT student_id, section_id, term_id, course_id, credits, schedule FROM fcfs.enrollment
WHERE :bare;
