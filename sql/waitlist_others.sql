-- Lines where others have a say in the rows: triggers, rules, policies. What goes wrong for
-- one in line is theirs alone: who gave the seat up is served, and so is the next.
-- And many lines at once, in whatever order.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits) VALUES
    (1, 'open', now() - interval '1 day', now() + interval '1 day', '2099-03-01', '2099-06-18', 30);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 400);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 4 FROM generate_series(1, 100) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity)
SELECT g, 1, g, 'A', 1, 5 FROM generate_series(1, 100) AS g;

CREATE FUNCTION test.line(section bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'seated', (SELECT array_agg(e.student_id ORDER BY e.student_id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'enrolled'),
        'waiting', (SELECT array_agg(e.student_id ORDER BY e.arrived_at, e.id) FROM fcfs.enrollment e
            WHERE e.section_id = $1 AND e.status = 'waitlisted'))
$$;
-- Fills a section with a student, and lines others up.
CREATE FUNCTION test.fill(section bigint, student bigint, VARIADIC waiting bigint[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fcfs.enroll(student, section);
    PERFORM fcfs.join_waitlist(w, section) FROM unnest(waiting) AS w;
    RETURN test.line(section);
END
$$;

-- Many lines in one call, each with seats of its own; a batch goes on where the last one stopped.
SELECT count(test.fill(g, g, 100 + g, 200 + g)) FROM generate_series(1, 80) AS g;
-- Of lines where nobody gets anything it keeps nothing.
BEGIN;
SELECT fcfs.pass_waitlists(), (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
    (SELECT count(*) FROM fcfs.stat_pools WHERE pinned_by > 0);
COMMIT;
UPDATE fcfs.section SET capacity = 2 WHERE id <= 80;
SELECT fcfs.pass_waitlists(30);
SELECT min(section_id), max(section_id), count(*) FROM fcfs.enrollment WHERE status = 'enrolled' AND student_id BETWEEN 101 AND 200;
SELECT fcfs.pass_waitlists(30);
SELECT min(section_id), max(section_id), count(*) FROM fcfs.enrollment WHERE status = 'enrolled' AND student_id BETWEEN 101 AND 200;
UPDATE fcfs.section SET capacity = 3 WHERE id <= 80;
SELECT fcfs.pass_waitlists(50);
SELECT count(*) FILTER (WHERE student_id BETWEEN 101 AND 200), count(*) FILTER (WHERE student_id > 200), min(section_id) FILTER (WHERE student_id > 200)
FROM fcfs.enrollment WHERE status = 'enrolled';
SELECT fcfs.pass_waitlists(1000), fcfs.pass_waitlists(1000);
SELECT count(*) FROM fcfs.enrollment WHERE status = 'waitlisted';
TRUNCATE fcfs.enrollment;
UPDATE fcfs.section SET capacity = 1;

-- What is given up for a seat of a section, and what comes of that, in whatever order of the sections.
SELECT test.fill(9, 1, 2), test.fill(8, 2, 3), test.fill(7, 3, 4);
SELECT test.both('leave_waitlist(2, 9)'), test.both('leave_waitlist(3, 8)');
SELECT status FROM fcfs.join_waitlist(2, 9, NULL, 8);
SELECT status FROM fcfs.join_waitlist(3, 8, NULL, 7);
SELECT test.both('cancel_enrollment(1, 9)');
SELECT test.line(9), test.line(8), test.line(7);
-- Who joins where a seat is free gives up a section with a line of its own.
SELECT test.fill(5, 20, 21, 22);
SELECT test.both('enroll(20, 4)'), detail FROM fcfs.try_join_waitlist(20, 6, NULL, 5);
SELECT test.line(5), test.line(6);
-- Within a cross list that is full one's own seat of it goes along.
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X', 2);
UPDATE fcfs.section SET cross_list_id = 1 WHERE id IN (90, 91, 92);
SELECT test.both('enroll(40, 90)'), test.both('enroll(41, 91)');
SELECT status FROM fcfs.join_waitlist(40, 91, NULL, 90);
SELECT test.both('swap_enrollment(41, 91, 92)');
SELECT test.line(90), test.line(91), test.line(92);
-- A circle of wishes is not turned: nothing is free.
SELECT test.both('enroll(30, 10)'), test.both('enroll(31, 11)');
SELECT status FROM fcfs.join_waitlist(30, 11, NULL, 10);
SELECT status FROM fcfs.join_waitlist(31, 10, NULL, 11);
SELECT fcfs.pass_waitlists(), test.line(10), test.line(11);
TRUNCATE fcfs.enrollment;

-- Rules and triggers of an application's. Rows then go by queries; units are the same.
CREATE FUNCTION test.object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.student_id = 13 AND TG_ARGV[0] = 'raise' THEN
        RAISE unique_violation USING MESSAGE = 'not 13';
    ELSIF NEW.student_id = 13 AND TG_ARGV[0] = 'suppress' THEN
        RETURN NULL;
    ELSIF NEW.student_id = 13 AND TG_ARGV[0] = 'refuse' THEN
        PERFORM fcfs.enroll(13, 1);
    ELSIF NEW.student_id = 13 AND TG_ARGV[0] = 'retry' THEN
        RAISE serialization_failure USING MESSAGE = 'not now';
    ELSIF NEW.student_id = 13 AND TG_ARGV[0] = 'want' THEN
        RAISE out_of_memory USING MESSAGE = 'no memory';
    ELSIF NEW.student_id = 13 AND TG_ARGV[0] = 'stop' THEN
        RAISE query_canceled USING MESSAGE = 'stop';
    END IF;
    RETURN NEW;
END
$$;
SELECT test.fill(1, 12, 13, 14);
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('raise');
SELECT test.both('cancel_enrollment(12, 1)'), test.line(1);
SELECT fcfs.pass_waitlists(), test.both('cancel_enrollment(14, 1)'), test.line(1);
BEGIN;
SELECT fcfs.pass_waitlists(), (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
    (SELECT count(*) FROM fcfs.stat_pools WHERE pinned_by > 0);
COMMIT;
SELECT test.both('leave_waitlist(13, 1)'), test.line(1);
DROP TRIGGER a ON fcfs.enrollment;
SELECT test.both('leave_waitlist(13, 1)'), test.line(1);
-- After the row is there.
SELECT test.fill(2, 12, 13, 14);
CREATE TRIGGER a AFTER UPDATE ON fcfs.enrollment FOR EACH ROW WHEN (NEW.status = 'enrolled') EXECUTE FUNCTION test.object('raise');
SELECT test.both('cancel_enrollment(12, 2)'), test.line(2);
DROP TRIGGER a ON fcfs.enrollment;
-- One that keeps the row as it is.
SELECT test.fill(3, 12, 13, 15);
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('suppress');
SELECT test.both('cancel_enrollment(12, 3)'), test.line(3);
SELECT test.both('leave_waitlist(13, 3)'), test.line(3);
DROP TRIGGER a ON fcfs.enrollment;
-- A refusal of our own is an error of the trigger's.
SELECT test.fill(4, 12, 13, 14);
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('refuse');
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (13, 1, 'capacity', 'why not');
SELECT test.both('enroll(13, 1)');
SELECT test.both('cancel_enrollment(12, 4)'), test.line(4);
DROP TRIGGER a ON fcfs.enrollment;
-- One that may not come again, and want of memory, leave the seat where it is.
SELECT test.fill(5, 12, 13, 16);
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('retry');
SELECT test.both('cancel_enrollment(12, 5)'), test.line(5);
DROP TRIGGER a ON fcfs.enrollment;
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('want');
SELECT fcfs.pass_waitlists(), test.line(5), test.both('enroll(17, 5)');
DROP TRIGGER a ON fcfs.enrollment;
-- A cancel is for the whole call.
SELECT test.fill(6, 12, 13, 17);
CREATE TRIGGER a BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.object('stop');
SELECT test.both('cancel_enrollment(12, 6)'), test.line(6);
DROP TRIGGER a ON fcfs.enrollment;
SELECT fcfs.pass_waitlists(), test.line(5), test.line(6);

-- A trigger that changes what is claimed.
CREATE FUNCTION test.turn_away() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'enrolled' AND NEW.student_id = 18 THEN
        NEW.status := 'cancelled';
        NEW.ended_at := clock_timestamp();
    ELSIF NEW.status = 'waitlisted' AND NEW.student_id = 19 THEN
        NEW.status := 'cancelled';
        NEW.ended_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.turn_away();
SELECT test.fill(20, 12, 18, 21);
SELECT detail FROM fcfs.try_join_waitlist(19, 20);
SELECT test.both('cancel_enrollment(12, 20)'), test.line(20);
SELECT fcfs.pass_waitlists(), test.line(20);
DROP TRIGGER a ON fcfs.enrollment;

-- Row security, where the functions are of a role that it applies to: who may not be seated is
-- passed over.
CREATE ROLE fcfs_test_line;
GRANT USAGE ON SCHEMA fcfs, test TO fcfs_test_line;
GRANT ALL ON ALL TABLES IN SCHEMA fcfs TO fcfs_test_line;
GRANT ALL ON ALL SEQUENCES IN SCHEMA fcfs TO fcfs_test_line;
SELECT test.fill(30, 12, 22, 23);
ALTER FUNCTION fcfs.cancel_enrollment(bigint, bigint, text) OWNER TO fcfs_test_line;
ALTER FUNCTION fcfs.try_cancel_enrollment(bigint, bigint, text) OWNER TO fcfs_test_line;
ALTER TABLE fcfs.enrollment ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_22 ON fcfs.enrollment TO fcfs_test_line USING (true) WITH CHECK (student_id <> 22 OR status <> 'enrolled');
SELECT test.both('cancel_enrollment(12, 30)'), test.line(30);
DROP POLICY not_22 ON fcfs.enrollment;
-- So is whose row is hidden; by themselves they are told.
CREATE POLICY not_22 ON fcfs.enrollment TO fcfs_test_line USING (student_id NOT IN (22, 28));
SELECT test.fill(32, 12, 22, 24), test.both('enroll(28, 33)');
SELECT test.both('cancel_enrollment(12, 32)'), test.line(32);
SELECT test.both('cancel_enrollment(28, 33)');
DROP POLICY not_22 ON fcfs.enrollment;
ALTER TABLE fcfs.enrollment DISABLE ROW LEVEL SECURITY;
ALTER FUNCTION fcfs.cancel_enrollment(bigint, bigint, text) OWNER TO CURRENT_USER;
ALTER FUNCTION fcfs.try_cancel_enrollment(bigint, bigint, text) OWNER TO CURRENT_USER;
DROP OWNED BY fcfs_test_line;
DROP ROLE fcfs_test_line;

-- Rules.
CREATE TABLE test.heard (student_id bigint, status text);
CREATE RULE r AS ON INSERT TO fcfs.enrollment DO ALSO INSERT INTO test.heard VALUES (NEW.student_id, NEW.status);
CREATE RULE u AS ON UPDATE TO fcfs.enrollment DO ALSO INSERT INTO test.heard VALUES (NEW.student_id, NEW.status);
SELECT test.fill(31, 12, 24, 25);
SELECT test.both('cancel_enrollment(12, 31)'), test.line(31), test.both('leave_waitlist(25, 31)');
SELECT * FROM test.heard ORDER BY 1, 2;
DROP RULE r ON fcfs.enrollment;
DROP RULE u ON fcfs.enrollment;

-- A section that is closed, or cancelled: nobody is looked at, but for whom an administrator lets in.
SELECT test.fill(40, 12, 26, 27);
UPDATE fcfs.term SET enroll_closes_at = now() - interval '1 hour';
SELECT test.both('cancel_enrollment(12, 40)'), fcfs.pass_waitlists(), test.line(40);
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (27, 40, 'window', 'was ill');
SELECT fcfs.pass_waitlists(), test.line(40);
UPDATE fcfs.term SET enroll_closes_at = now() + interval '1 hour';

-- Without the index the order is the same, also where more are in line than a call looks at.
UPDATE fcfs.section SET waitlist_capacity = NULL WHERE id = 41;
SELECT test.both('enroll(12, 41)');
SELECT count(fcfs.join_waitlist(g, 41)) FROM generate_series(301, 325) AS g;
DROP INDEX fcfs.enrollment_line;
UPDATE fcfs.enrollment SET arrived_at = arrived_at - interval '1 day' WHERE student_id = 325 AND section_id = 41;
SELECT test.both('cancel_enrollment(12, 41)');
SELECT student_id FROM fcfs.enrollment WHERE section_id = 41 AND status = 'enrolled';

\i sql/include/finish.sql
