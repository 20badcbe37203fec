-- Who calls: triggers, PL/pgSQL, prepared statements after a change of the
-- tables, other search_paths, views and generated values.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 30);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 5) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT g, 1, g, 'A', 3 FROM generate_series(1, 5) AS g;
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES (1, 'K1', 3, 10, '-infinity', 'infinity');
INSERT INTO fcfs.item (id, code, stock, price) VALUES (1, 'I1', 3, 5);

-- From a trigger: who signs up is enrolled with it, or neither.
CREATE TABLE test.sign_up (student bigint, section bigint, enrollment bigint);
CREATE FUNCTION test.sign_up() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.enrollment := (fcfs.enroll(NEW.student, NEW.section)).id;
    RETURN NEW;
END
$$;
CREATE TRIGGER sign_up BEFORE INSERT ON test.sign_up FOR EACH ROW EXECUTE FUNCTION test.sign_up();
SELECT test.said('INSERT INTO test.sign_up VALUES (1, 1), (2, 1), (3, 1), (4, 1)');
SELECT test.said('INSERT INTO test.sign_up VALUES (1, 1), (2, 1), (3, 1)');
SELECT count(*), count(e.id) FROM test.sign_up AS s LEFT JOIN fcfs.enrollment AS e ON e.id = s.enrollment;
SELECT test.free('section', 1);
-- From a trigger on a claim: with every seat a coupon; without a coupon no seat.
CREATE FUNCTION test.coupon_too() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fcfs.issue_coupon(1, NEW.student_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER coupon_too AFTER INSERT ON fcfs.enrollment FOR EACH ROW EXECUTE FUNCTION test.coupon_too();
SELECT test.said('SELECT count(fcfs.enroll(g, 2)) FROM generate_series(1, 2) AS g');
SELECT test.said('SELECT fcfs.enroll(3, 2)');
SELECT test.said('SELECT fcfs.enroll(4, 3)');
-- A refusal in the trigger is an error to try_, too: it is not the operation that refuses.
SELECT test.said('SELECT fcfs.try_enroll(4, 3)');
SELECT test.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (4, 3)');
SELECT test.free('coupon', 1);
DROP TRIGGER coupon_too ON fcfs.enrollment;
SELECT test.free('section', 2), test.free('section', 3);
-- A trigger of the application's that drops the row: no row, no claim, and no success either.
CREATE FUNCTION test.never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER never BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.never();
TRUNCATE fcfs.coupon_issue;
SELECT test.said('SELECT fcfs.issue_coupon(1, 1)');
SELECT test.said('SELECT fcfs.try_issue_coupon(1, 1)');
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 1)');
DROP TRIGGER never ON fcfs.coupon_issue;
SELECT test.free('coupon', 1);
CREATE TRIGGER never BEFORE UPDATE ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION test.never();
INSERT INTO fcfs.item (id, code, stock) VALUES (2, 'I2', 3);
WITH r AS (SELECT * FROM fcfs.reserve(1, 2))
SELECT test.said(format('SELECT fcfs.confirm_reservation(%s)', r.id)),
    test.said(format('SELECT fcfs.try_cancel_reservation(%s)', r.id)) FROM r;
DROP TRIGGER never ON fcfs.reservation;
CREATE TRIGGER never BEFORE INSERT ON fcfs.idempotency FOR EACH ROW EXECUTE FUNCTION test.never();
SELECT test.said($$SELECT fcfs.try_reserve(1, 2, 1, 'k')$$);
DROP TRIGGER never ON fcfs.idempotency;
SELECT test.free('item', 2);

-- From a trigger that waits for the commit.
CREATE TABLE test.wish (who bigint);
CREATE FUNCTION test.wish() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM fcfs.issue_coupon(1, NEW.who); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER wish AFTER INSERT ON test.wish DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test.wish();
BEGIN;
INSERT INTO test.wish VALUES (1), (2);
SELECT count(*) FROM fcfs.coupon_issue;
COMMIT;
SELECT count(*) FROM fcfs.coupon_issue;
BEGIN;
INSERT INTO test.wish VALUES (3), (4);
COMMIT;
SELECT count(*) FROM fcfs.coupon_issue;
SELECT test.free('coupon', 1);
-- From a cursor that outlives the transaction, which is run to its end at the commit.
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT (fcfs.try_issue_coupon(1, g)).code FROM generate_series(11, 12) AS g;
COMMIT;
FETCH ALL FROM c;
CLOSE c;
SELECT test.free('coupon', 1);
TRUNCATE fcfs.coupon_issue;

-- One that makes another claim of it than was asked for: whatever comes of that, no unit is lost or gained.
CREATE FUNCTION test.another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.user_id = 1 THEN
        NEW.coupon_id := 2;
    ELSE
        NEW.status := 'revoked';
    END IF;
    RETURN NEW;
END
$$;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (2, 'K2', 3, '-infinity', 'infinity');
CREATE TRIGGER a_first BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.another();
SELECT test.said('SELECT fcfs.issue_coupon(1, 1)') <> '', test.said('SELECT fcfs.issue_coupon(1, 2)') <> '';
DROP TRIGGER a_first ON fcfs.coupon_issue;
SELECT c.id, split_part(test.free('coupon', c.id), ' ', 1)::integer + (
    SELECT count(*) FROM fcfs.coupon_issue AS i WHERE i.coupon_id = c.id AND i.status <> 'revoked') AS units
FROM fcfs.coupon AS c ORDER BY c.id;
TRUNCATE fcfs.coupon_issue;
-- PL/pgSQL that tries one thing and then another.
CREATE FUNCTION test.either(student bigint, VARIADIC sections bigint[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    section bigint;
    refused text := '';
BEGIN
    FOREACH section IN ARRAY sections LOOP
        BEGIN
            PERFORM fcfs.enroll(student, section);
            RETURN refused || 'in ' || section;
        EXCEPTION WHEN OTHERS THEN
            DECLARE
                code text;
            BEGIN
                GET STACKED DIAGNOSTICS code = CONSTRAINT_NAME;
                refused := refused || code || ', ';
            END;
        END;
    END LOOP;
    RETURN refused || 'nowhere';
END
$$;
SELECT test.either(10, 1, 2);
SELECT test.either(11, 1, 2, 3);
SELECT test.either(11, 1, 3);
SELECT test.free('section', 2), test.free('section', 3);
-- The outcome as a value of its type.
DO $$
DECLARE
    o fcfs.outcome;
    e fcfs.enrollment_summary;
BEGIN
    o := fcfs.try_enroll(12, 1);
    ASSERT NOT o.ok AND o.code = 'COURSE_FULL' AND o.http_status = 409, o::text;
    SELECT * INTO o FROM fcfs.try_enroll(12, 4);
    ASSERT o.ok AND NOT o.replayed, o::text;
    SELECT * INTO e FROM fcfs.enroll(13, 4);
    ASSERT e.student_id = 13 AND e.status = 'enrolled', e::text;
END
$$;
-- In places of a query where a function may be called more than once or not at all.
SELECT test.said('SELECT 1 FROM fcfs.section WHERE id = 5 AND (fcfs.try_enroll(14, id)).ok');
SELECT test.said('SELECT 1 WHERE false AND (fcfs.try_enroll(15, 5)).ok');
SELECT test.said('WITH e AS (SELECT * FROM fcfs.enroll(16, 5)) SELECT * FROM e AS a, e AS b');
SELECT student_id FROM fcfs.enrollment WHERE section_id = 5 ORDER BY 1;

-- Prepared statements, before and after the tables have changed under them.
PREPARE enroll(bigint, bigint) AS SELECT code FROM fcfs.try_enroll($1, $2);
PREPARE row(bigint, bigint) AS SELECT * FROM fcfs.enroll($1, $2);
PREPARE reserve(bigint, bigint) AS SELECT status FROM fcfs.reserve($1, $2);
PREPARE coupon(bigint, bigint) AS SELECT status FROM fcfs.issue_coupon($1, $2);
EXECUTE enroll(17, 4);
EXECUTE reserve(1, 1);
EXECUTE coupon(1, 1);
ALTER TABLE fcfs.section ADD COLUMN room text;
ALTER TABLE fcfs.student ADD COLUMN name text DEFAULT 'nobody';
ALTER TABLE fcfs.enrollment ADD COLUMN note text DEFAULT 'none';
ALTER TABLE fcfs.item ADD COLUMN colour text;
ALTER TABLE fcfs.coupon ADD COLUMN colour text;
EXECUTE enroll(18, 4);
EXECUTE enroll(18, 5);
EXECUTE reserve(1, 1);
EXECUTE coupon(1, 1);
CREATE INDEX another ON fcfs.enrollment (arrived_at);
ALTER TABLE fcfs.course ALTER COLUMN credits TYPE numeric(6, 2);
ANALYZE fcfs.enrollment;
EXECUTE enroll(19, 3);
EXECUTE enroll(19, 3);
DROP INDEX fcfs.another;
ALTER TABLE fcfs.enrollment DROP COLUMN note;
ALTER TABLE fcfs.section DROP COLUMN room;
EXECUTE enroll(20, 3);
EXECUTE enroll(21, 3);
DISCARD PLANS;
EXECUTE enroll(21, 3);
ALTER TABLE fcfs.reservation ADD COLUMN note text DEFAULT 'a note';
EXECUTE reserve(1, 1);
SELECT note FROM fcfs.reservation GROUP BY 1;
ALTER TABLE fcfs.reservation DROP COLUMN note;
ALTER TABLE fcfs.coupon_issue ADD COLUMN note text DEFAULT 'a note';
SELECT status, note FROM fcfs.issue_coupon(1, 2);
ALTER TABLE fcfs.coupon_issue DROP COLUMN note;
EXECUTE coupon(1, 3);
SELECT code FROM fcfs.try_issue_coupon(1, 3);
DEALLOCATE ALL;

-- Names of the caller's that hide those of the functions: in a schema in front, and among temporary ones.
CREATE SCHEMA hidden;
SET search_path = hidden, fcfs, public;
CREATE TABLE hidden.enrollment (student_id bigint);
CREATE FUNCTION hidden.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '1999-01-01'$$;
CREATE FUNCTION hidden.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '1999-01-01'$$;
CREATE FUNCTION hidden.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'hijacked'; END$$;
CREATE OPERATOR hidden.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hidden.eq);
CREATE TEMPORARY TABLE coupon (id bigint);
CREATE TEMPORARY TABLE coupon_issue (id bigint);
CREATE TEMPORARY TABLE section (id bigint, capacity integer);
TRUNCATE fcfs.enrollment, fcfs.coupon_issue;
SELECT code FROM try_enroll(1, 1);
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT code FROM fcfs.try_cancel_enrollment(1, 1);
SELECT code FROM fcfs.try_reserve(1, 1);
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT g, 1 FROM pg_catalog.generate_series(1, 4) AS g;
UPDATE fcfs.section SET capacity = 1 WHERE code OPERATOR(pg_catalog.=) 'A';
SELECT count(*) FROM fcfs.enrollment;
SELECT fcfs.expire_reservations(), fcfs.expire_idempotency_keys();
SELECT fcfs.person_id('someone') IS NOT NULL;
SELECT fcfs.call('issue_coupon', '{"coupon_id": 1, "user_id": 2}') -> 'success';
SELECT * FROM fcfs.verify();
-- No search_path at all.
SET search_path = '';
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT code FROM fcfs.try_issue_coupon(1, 4);
RESET search_path;
DROP TABLE pg_temp.coupon, pg_temp.coupon_issue, pg_temp.section;
DROP SCHEMA hidden CASCADE;

\i sql/include/finish.sql
