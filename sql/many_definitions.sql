-- A session that has to do with more sections than it keeps: what it has forgotten it reads
-- again, within a transaction and after it. The calendar of one here is some 60 kB.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'T1', '-infinity', 'infinity', '2021-01-01', '2030-12-31', 1000);
INSERT INTO fcfs.course (id, code, credits) SELECT n, 'C' || n, 0.5 FROM generate_series(1, 80) n;
INSERT INTO fcfs.student (id) SELECT generate_series(1, 80);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT n, 1, n, 'A', 5 FROM generate_series(1, 80) n;
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
SELECT n, weekday, time '08:00' + n * interval '1 minute', time '08:01' + n * interval '1 minute'
FROM generate_series(1, 80) n, generate_series(1, 7) weekday;

-- How much the session keeps now.
CREATE FUNCTION test.kept() RETURNS text LANGUAGE sql VOLATILE RETURN (
    SELECT CASE WHEN sum(total_bytes) < 4.5 * 1024 * 1024 THEN 'at most 4 MB' ELSE pg_size_pretty(sum(total_bytes)) END
    FROM pg_backend_memory_contexts WHERE name = 'pg_fcfs definitions' AND parent <> 'TopTransactionContext');

-- Each section twice in one transaction, then all over again.
BEGIN;
SELECT code, count(*) FROM generate_series(1, 80) n, LATERAL fcfs.try_enroll(n, n) GROUP BY 1;
SELECT code, count(*) FROM generate_series(1, 80) n, LATERAL fcfs.try_cancel_enrollment(n, n) GROUP BY 1;
SELECT code, count(*) FROM generate_series(80, 1, -1) n, LATERAL fcfs.try_enroll(n, n) GROUP BY 1;
SELECT coalesce(test.kept(), 'nothing') = CASE WHEN fcfs.is_preloaded() THEN 'at most 4 MB' ELSE 'nothing' END;
COMMIT;
SELECT code, count(*) FROM generate_series(1, 80) n, LATERAL fcfs.try_enroll(n, 1 + n % 80) GROUP BY 1;
SELECT coalesce(test.kept(), 'nothing') = CASE WHEN fcfs.is_preloaded() THEN 'at most 4 MB' ELSE 'nothing' END;
SELECT s.id, e.status FROM fcfs.section s JOIN fcfs.enrollment e ON e.section_id = s.id WHERE e.schedule <> s.schedule;

-- Calendars like these take long to verify.
DELETE FROM fcfs.enrollment;
DELETE FROM fcfs.section;
\i sql/include/finish.sql
