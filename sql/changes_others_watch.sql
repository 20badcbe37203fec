-- What functions change of enrollments is the same when others have a say in the table: triggers,
-- foreign keys, policies. Then it is written by queries; what fails there leaves nothing behind.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 40);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
INSERT INTO fcfs.student_group_member VALUES (2, 1), (3, 1);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, cross_list_id)
SELECT 10 * g, 1, g, 'A', 1, CASE WHEN g IN (6, 7) THEN 1 END FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 50, 1, 1);
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (4, 10, 'capacity', 'x');
CREATE FUNCTION test.free() RETURNS text LANGUAGE sql AS
$$SELECT string_agg(id / 10 || ':' || split_part(test.free('section', id), ' ', 1), ' ' ORDER BY id) FROM fcfs.section$$;
CREATE FUNCTION test.enrolled() RETURNS text LANGUAGE sql AS
$$SELECT string_agg(concat(student_id, ':', section_id, '/', reserved_seats_id, nullif(override::text, '{}')), ' ' ORDER BY student_id, section_id) FROM fcfs.enrollment WHERE status = 'enrolled'$$;
-- Each operation, one after the other; what it answers, and what there is and is free after it.
CREATE FUNCTION test.all_of_it(OUT call text, OUT code text, OUT enrolled text, OUT free text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    FOREACH call IN ARRAY ARRAY[
        'enroll(1, 10)', 'enroll(4, 10)', 'swap_enrollment(1, 10, 20)', 'swap_enrollment(4, 10, 20)', 'swap_enrollment(4, 10, 30)',
        'enroll(2, 50)', 'swap_enrollment(2, 50, 10)', 'enroll(1, 50)', 'swap_enrollment(2, 10, 50)',
        'enroll(3, 60)', 'enroll(1, 70)', 'swap_enrollment(3, 60, 70)', 'change_schedule(3, ''{70}'', ''{60,80}'')', 'change_schedule(3, ''{60,80}'', ''{70,40}'')', 'change_schedule(3, ''{70,40}'', ''{60}'')',
        'change_schedule(1, ''{20}'', ''{90,80,40}'')', 'change_schedule(1, ''{}'', ''{10,20}'')', 'change_schedule(1, ''{10,20,40}'', ''{30}'')',
        'cancel_enrollment(2, 50)', 'cancel_enrollment(3, 60)', 'change_schedule(1, ''{90}'', ''{20}'')', 'cancel_enrollment(1, 20)', 'cancel_enrollment(4, 30)', 'cancel_enrollment(4, 30)'] LOOP
        EXECUTE 'SELECT code FROM fcfs.try_' || call INTO code;
        enrolled := test.enrolled();
        free := test.free();
        RETURN NEXT;
    END LOOP;
    TRUNCATE fcfs.enrollment;
END
$$;
CREATE TABLE test.straight AS SELECT row_number() OVER () AS n, a.* FROM test.all_of_it() a;
SELECT * FROM test.straight ORDER BY n;
-- What differs from that.
CREATE FUNCTION test.differs() RETURNS SETOF text LANGUAGE sql AS
$$SELECT concat_ws(' | ', s.call, s.code, a.code, s.enrolled, a.enrolled, s.free, a.free) FROM (SELECT row_number() OVER () AS n, t.* FROM test.all_of_it() t) a
  JOIN test.straight s USING (n) WHERE (a.call, a.code, a.enrolled, a.free) IS DISTINCT FROM (s.call, s.code, s.enrolled, s.free)$$;
SELECT test.differs();

-- A trigger on INSERT, on UPDATE, on both; before and after.
CREATE TABLE test.seen (what text);
CREATE FUNCTION test.see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO test.seen VALUES (TG_WHEN || ' ' || TG_OP); RETURN NEW; END$$;
CREATE TRIGGER see_insert AFTER INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.see();
SELECT test.differs();
CREATE TRIGGER see_update BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.see();
SELECT test.differs();
DROP TRIGGER see_insert ON fcfs.enrollment;
SELECT test.differs();
SELECT what FROM test.seen GROUP BY what ORDER BY what;
DROP TRIGGER see_update ON fcfs.enrollment;
-- A foreign key of theirs, from it and to it.
CREATE TABLE test.note (enrollment bigint REFERENCES fcfs.enrollment (id) ON DELETE CASCADE);
CREATE TABLE test.kind (status text PRIMARY KEY);
INSERT INTO test.kind VALUES ('enrolled'), ('cancelled'), ('waitlisted');
ALTER TABLE fcfs.enrollment ADD CONSTRAINT kind FOREIGN KEY (status) REFERENCES test.kind;
ALTER TABLE test.note DROP CONSTRAINT note_enrollment_fkey;
SELECT test.differs();
DELETE FROM test.kind WHERE status = 'cancelled';
SELECT test.both('enroll(1, 10)'), test.said('SELECT fcfs.try_cancel_enrollment(1, 10)'), test.said('SELECT fcfs.try_swap_enrollment(1, 10, 20)'), test.enrolled(), test.free();
ALTER TABLE fcfs.enrollment DROP CONSTRAINT kind;
TRUNCATE fcfs.enrollment;
-- Row security for all but the owner, an index of theirs, a CHECK with a function.
ALTER TABLE fcfs.enrollment ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON fcfs.enrollment USING (true);
SELECT test.differs();
ALTER TABLE fcfs.enrollment DISABLE ROW LEVEL SECURITY;
DROP POLICY all_rows ON fcfs.enrollment;
CREATE FUNCTION test.fine(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
ALTER TABLE fcfs.enrollment ADD CONSTRAINT fine CHECK (test.fine(status));
CREATE INDEX theirs ON fcfs.enrollment (status, ended_at);
SELECT test.differs();
ALTER TABLE fcfs.enrollment DROP CONSTRAINT fine;
SELECT test.differs();
DROP INDEX fcfs.theirs;
-- An index gone that is read by.
DROP INDEX fcfs.enrollment_once_a_course;
SELECT test.differs();
CREATE UNIQUE INDEX enrollment_once_a_course ON fcfs.enrollment (student_id, term_id, course_id) WHERE status = 'enrolled';
SELECT test.differs();

-- A trigger that suppresses the row: no success, and nothing happened.
SELECT test.both('enroll(1, 10)'), test.both('enroll(3, 60)');
CREATE FUNCTION test.never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER never BEFORE UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.never();
SELECT test.said('SELECT fcfs.try_cancel_enrollment(1, 10)'), test.said('SELECT fcfs.swap_enrollment(1, 10, 20)'), test.said('SELECT fcfs.try_swap_enrollment(3, 60, 70)');
SELECT test.said($$SELECT fcfs.change_schedule(1, '{10}', '{20,30}')$$), test.enrolled(), test.free();
DROP TRIGGER never ON fcfs.enrollment;
CREATE TRIGGER never BEFORE INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.never();
SELECT test.said('SELECT fcfs.try_swap_enrollment(1, 10, 20)'), test.said('SELECT fcfs.try_swap_enrollment(3, 60, 70)'), test.said($$SELECT fcfs.change_schedule(1, '{10}', '{20,30}')$$);
DROP TRIGGER never ON fcfs.enrollment;
SELECT test.enrolled(), test.free();
-- One that fails between what is given up and what is added, or at the third of it.
CREATE FUNCTION test.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.section_id = 40 THEN RAISE 'not 40'; END IF; RETURN NEW; END$$;
CREATE TRIGGER fail AFTER INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.fail();
SELECT test.said('SELECT fcfs.try_swap_enrollment(1, 10, 40)'), test.said($$SELECT fcfs.try_change_schedule(1, '{10}', '{20,30,40}')$$), test.enrolled();
BEGIN;
SAVEPOINT a;
\set VERBOSITY terse
SELECT fcfs.try_change_schedule(1, '{10}', '{20,30,40}');
ROLLBACK TO a;
SELECT code FROM fcfs.try_enroll(5, 20);
SELECT code FROM fcfs.try_enroll(6, 10);
SELECT code FROM fcfs.try_change_schedule(1, '{10}', '{30}');
SELECT code FROM fcfs.try_enroll(6, 10);
COMMIT;
DROP TRIGGER fail ON fcfs.enrollment;
SELECT test.enrolled(), test.free();
TRUNCATE fcfs.enrollment;
-- One that sends somebody to another section, or takes the enrollment back at once: no unit is lost.
CREATE FUNCTION test.elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.section_id = 20 THEN
        NEW.section_id := 30; NEW.course_id := 3;
    ELSIF NEW.section_id = 70 THEN
        NEW.status := 'cancelled'; NEW.ended_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER a_first BEFORE INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.elsewhere();
SELECT test.both('enroll(1, 10)'), test.both('swap_enrollment(1, 10, 20)'), test.both('enroll(3, 60)'), test.both('swap_enrollment(3, 60, 70)');
DROP TRIGGER a_first ON fcfs.enrollment;
SELECT test.enrolled(), test.free();
-- One that calls another of them meanwhile.
TRUNCATE fcfs.enrollment;
CREATE FUNCTION test.too() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.section_id = 20 AND NEW.status = 'enrolled' THEN PERFORM fcfs.swap_enrollment(NEW.student_id, 30, 40); END IF; RETURN NULL; END$$;
CREATE TRIGGER too AFTER INSERT OR UPDATE ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.too();
SELECT test.both($$change_schedule(1, '{}', '{10,30}')$$), test.both('swap_enrollment(1, 10, 20)'), test.enrolled(), test.free();
SELECT test.said('SELECT fcfs.try_swap_enrollment(1, 40, 20)'), test.both('enroll(2, 10)'), test.said('SELECT fcfs.try_swap_enrollment(2, 10, 20)'), test.enrolled(), test.free();
DROP TRIGGER too ON fcfs.enrollment;

\i sql/include/finish.sql
