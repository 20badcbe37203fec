-- As whom calls in FROM run, who may make them, and which names they see: nothing is to be
-- different from a call of a function that is SECURITY DEFINER and has a search_path.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES
    (1, 'K1', NULL, 1000, '-infinity', 'infinity'), (2, 'K2', 0, 1, '-infinity', 'infinity');
CREATE ROLE regress_caller;
CREATE ROLE regress_other;
SELECT fcfs.grant_app('regress_caller');
GRANT USAGE ON SCHEMA test TO regress_caller, regress_other;
GRANT USAGE ON SCHEMA fcfs TO regress_other;

-- EXECUTE is looked at each time.
PREPARE sold_out AS SELECT code FROM fcfs.try_issue_coupon(2, 1);
PREPARE issue(bigint) AS SELECT code FROM fcfs.try_issue_coupon(1, $1);
EXECUTE sold_out;
SET ROLE regress_other;
EXECUTE sold_out;
EXECUTE issue(1);
SELECT (fcfs.try_issue_coupon(2, 1)).code;
EXPLAIN EXECUTE sold_out;
SELECT code FROM fcfs.try_issue_coupon(2, 1) LIMIT 0;
SET ROLE regress_caller;
EXECUTE sold_out;
EXECUTE issue(1);
RESET ROLE;
SET plan_cache_mode = force_generic_plan;
REVOKE EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) FROM regress_caller;
GRANT EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) TO regress_other;
SET ROLE regress_caller;
EXECUTE issue(1);
SET ROLE regress_other;
EXECUTE issue(1);
EXECUTE issue(1);
RESET ROLE;
REVOKE EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) FROM regress_other;
SET ROLE regress_other;
EXECUTE issue(1);
-- A cursor has been looked at when it was opened, as with the server.
RESET ROLE;
GRANT EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) TO regress_caller;
BEGIN;
SET LOCAL ROLE regress_caller;
DECLARE c CURSOR FOR SELECT code FROM fcfs.try_issue_coupon(1, 1);
RESET ROLE;
REVOKE EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) FROM regress_caller;
SET LOCAL ROLE regress_caller;
FETCH c;
ROLLBACK;
-- Functions in arguments run as the caller, and theirs are looked at first.
CREATE FUNCTION test.me() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'argument as %, %', current_user, current_setting('search_path');
    RETURN 1;
END
$$;
SET client_min_messages = warning;
SET ROLE regress_caller;
SET search_path = test;
SELECT code FROM fcfs.try_issue_coupon(1, test.me());
RESET ROLE;
REVOKE EXECUTE ON FUNCTION test.me() FROM PUBLIC;
SET ROLE regress_other;
SELECT code FROM fcfs.try_issue_coupon(1, test.me());
SELECT (fcfs.try_issue_coupon(1, test.me())).code;
RESET ROLE;
RESET search_path;
-- Nothing of it is forgotten once it has ended, well or not.
GRANT EXECUTE ON FUNCTION test.me() TO regress_caller;
CREATE FUNCTION test.state() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', CASE WHEN current_user = session_user THEN 'owner' ELSE current_user END, current_setting('search_path'), current_setting('lock_timeout'), current_setting('work_mem')) $$;
CREATE FUNCTION test.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'trigger as owner: %, %', current_user = session_user, current_setting('search_path');
    IF NEW.user_id = 13 THEN
        RAISE 'unlucky' USING DETAIL = current_setting('search_path');
    ELSIF NEW.user_id = 14 THEN
        SET LOCAL work_mem = '7MB';
    ELSIF NEW.user_id = 15 THEN
        SET ROLE regress_other;
    ELSIF NEW.user_id = 16 THEN
        SET LOCAL search_path = test;
        RAISE WARNING 'then %', (SELECT o.code FROM fcfs.try_issue_coupon(2, 1) AS o);
        RAISE WARNING 'then %', current_setting('search_path');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fail BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.fail();
SET ROLE regress_caller;
SET search_path = test, pg_temp;
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT test.state();
SELECT code FROM fcfs.try_issue_coupon(1, 13);
SELECT test.state();
SELECT code FROM fcfs.try_issue_coupon(1, 14);
SELECT test.state();
SELECT code FROM fcfs.try_issue_coupon(1, 15);
SELECT test.state();
SELECT code FROM fcfs.try_issue_coupon(1, 16);
SELECT test.state();
BEGIN;
SET LOCAL search_path = test, fcfs;
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT test.state();
SAVEPOINT s;
SET LOCAL search_path = fcfs;
SELECT code FROM fcfs.try_issue_coupon(1, 13);
ROLLBACK TO s;
SELECT test.state();
SELECT code FROM fcfs.try_issue_coupon(1, 14);
SELECT test.state();
COMMIT;
SELECT test.state();
DO $$
DECLARE
    code text;
BEGIN
    PERFORM set_config('search_path', 'fcfs', true);
    FOR who IN 12 .. 14 LOOP
        BEGIN
            SELECT o.code INTO code FROM fcfs.try_issue_coupon(1, who) AS o;
            RAISE WARNING '%: % %', who, code, test.state();
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING '%: % % %', who, SQLSTATE, SQLERRM, test.state();
        END;
    END LOOP;
    SELECT o.code INTO code FROM fcfs.try_issue_coupon(1, 1) AS o;
END
$$;
SELECT test.state();
RESET ROLE;
DROP TRIGGER fail ON fcfs.coupon_issue;
SET search_path = test, pg_temp;
SELECT code FROM fcfs.try_issue_coupon(1, NULL);
SELECT code FROM fcfs.try_issue_coupon(1, 1, '');
SELECT test.state();
RESET search_path;

-- A trigger that claims in its turn, three deep, with an error in the deepest that the middle one catches.
CREATE FUNCTION test.deeper() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    RAISE WARNING '% before: %', NEW.user_id, current_setting('search_path');
    IF NEW.user_id = 103 THEN
        RAISE 'too deep';
    END IF;
    BEGIN
        SELECT o.code INTO code FROM fcfs.try_issue_coupon(1, NEW.user_id + 1) AS o;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING '% caught: % %', NEW.user_id, SQLERRM, current_setting('search_path');
    END;
    SELECT o.code INTO code FROM fcfs.try_issue_coupon(2, 1) AS o;
    RAISE WARNING '% after: % %', NEW.user_id, code, current_setting('search_path');
    RETURN NEW;
END
$$;
CREATE TRIGGER deeper BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.deeper();
SET search_path = test;
SELECT o.code FROM fcfs.try_issue_coupon(1, 101) AS o;
SELECT test.state();
RESET search_path;
DROP TRIGGER deeper ON fcfs.coupon_issue;
SELECT user_id FROM fcfs.coupon_issue WHERE user_id > 100 ORDER BY 1;

-- Names of the caller's, in front of all and among temporary ones, get neither into queries nor into
-- what triggers, defaults and checks of the application call.
CREATE SCHEMA hidden;
GRANT ALL ON SCHEMA hidden TO regress_caller;
GRANT EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) TO regress_caller;
SET ROLE regress_caller;
CREATE FUNCTION hidden.trap() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'hijacked as %', current_user; END$$;
CREATE FUNCTION hidden.eq(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT hidden.trap()';
CREATE FUNCTION hidden.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT hidden.trap()';
CREATE OPERATOR hidden.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hidden.eq);
CREATE OPERATOR hidden.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hidden.eq);
CREATE FUNCTION hidden.length(text) RETURNS integer LANGUAGE sql AS 'SELECT hidden.trap()::integer';
CREATE FUNCTION hidden.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN hidden.trap() THEN 'now' END; END$$;
CREATE TABLE hidden.coupon_issue (id bigint);
CREATE TEMPORARY TABLE coupon (id bigint);
CREATE TEMPORARY TABLE coupon_issue (id bigint);
RESET ROLE;
CREATE FUNCTION test.look(who bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN length('four') = 4 AND who = who; END$$;
CREATE FUNCTION test.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.user_id = NEW.user_id AND length('four') = 4 AND clock_timestamp() > 'epoch' THEN
        RETURN NEW;
    END IF;
END
$$;
SET ROLE regress_caller;
SET search_path = hidden, pg_temp, pg_catalog, fcfs;
SELECT length('four');
SELECT code FROM fcfs.try_issue_coupon(1, 201);
SELECT code FROM try_issue_coupon(1, 201, 'key');
RESET ROLE;
RESET search_path;
ALTER TABLE fcfs.coupon_issue ADD CONSTRAINT look CHECK (test.look(user_id));
SET ROLE regress_caller;
SET search_path = hidden, pg_temp, pg_catalog;
SELECT code FROM fcfs.try_issue_coupon(1, 202);
RESET ROLE;
RESET search_path;
ALTER TABLE fcfs.coupon_issue DROP CONSTRAINT look;
CREATE TRIGGER look BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.look();
SET ROLE regress_caller;
SET search_path = hidden, pg_temp, pg_catalog;
SELECT code FROM fcfs.try_issue_coupon(1, 203);
RESET ROLE;
RESET search_path;
DROP TRIGGER look ON fcfs.coupon_issue;
CREATE INDEX look ON fcfs.coupon_issue (user_id) WHERE user_id > 0;
ALTER DOMAIN fcfs.coupon_issue_status ADD CONSTRAINT look CHECK (test.look(length(VALUE)));
SET ROLE regress_caller;
SET search_path = hidden, pg_temp, pg_catalog;
SELECT code FROM fcfs.try_issue_coupon(1, 204);
RESET ROLE;
RESET search_path;
ALTER DOMAIN fcfs.coupon_issue_status DROP CONSTRAINT look;
DROP TABLE pg_temp.coupon, pg_temp.coupon_issue;
SELECT user_id FROM fcfs.coupon_issue WHERE user_id > 200 ORDER BY 1;

-- An administrator alters the function: the plan is made anew, and does what the function does.
CREATE FUNCTION test.scan() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE issue(1)' LOOP
        IF line LIKE '%Scan%' THEN
            RETURN line;
        END IF;
    END LOOP;
END
$$;
CREATE FUNCTION test.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.reference := concat_ws(' ', CASE WHEN current_user = session_user THEN 'owner' ELSE current_user END, current_setting('search_path'), current_setting('work_mem'));
    RETURN NEW;
END
$$;
CREATE TRIGGER note BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.note();
CREATE FUNCTION test.noted() RETURNS text LANGUAGE sql AS $$
    SELECT reference FROM fcfs.coupon_issue ORDER BY id DESC LIMIT 1 $$;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET work_mem = '9MB';
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) RESET work_mem;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET search_path = fcfs, pg_temp;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) RESET ALL;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SET search_path = pg_catalog, pg_temp;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SECURITY INVOKER;
EXECUTE issue(1);
SELECT test.scan();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SECURITY DEFINER;
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) STRICT;
SELECT test.scan();
EXECUTE issue(1);
EXECUTE issue(NULL);
PREPARE keyed(bigint) AS SELECT code FROM fcfs.try_issue_coupon(1, $1, 'k');
EXECUTE keyed(NULL);
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) CALLED ON NULL INPUT;
EXECUTE issue(NULL);
EXECUTE keyed(NULL);
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) COST 100000 PARALLEL SAFE STABLE;
SELECT test.scan();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) COST 1 PARALLEL UNSAFE VOLATILE;
GRANT ALL ON ALL TABLES IN SCHEMA fcfs TO regress_other;
GRANT ALL ON ALL SEQUENCES IN SCHEMA fcfs TO regress_other;
GRANT CREATE ON SCHEMA fcfs TO regress_other;
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) OWNER TO regress_other;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
REVOKE INSERT ON fcfs.coupon_issue FROM regress_other;
EXECUTE issue(1);
DO $$ BEGIN EXECUTE 'ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) OWNER TO ' || quote_ident(session_user); END $$;
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) RENAME TO try_another;
EXECUTE issue(1);
SELECT code FROM fcfs.try_another(2, 1);
EXPLAIN (COSTS OFF) SELECT code FROM fcfs.try_another(2, 1);
ALTER FUNCTION fcfs.try_another(bigint, bigint, text) RENAME TO try_issue_coupon;
ALTER EXTENSION pg_fcfs DROP FUNCTION fcfs.try_issue_coupon(bigint, bigint, text);
EXECUTE issue(1);
SELECT test.scan(), test.noted();
ALTER EXTENSION pg_fcfs ADD FUNCTION fcfs.try_issue_coupon(bigint, bigint, text);
EXECUTE issue(1);
SELECT test.scan(), test.noted();
DROP TRIGGER note ON fcfs.coupon_issue;

-- Where nothing may be written, in the same words. (Parallel workers: parallel.sql.)
BEGIN READ ONLY;
SELECT code FROM fcfs.try_issue_coupon(2, 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT (fcfs.try_issue_coupon(2, 1)).code;
ROLLBACK;

-- The extension is dropped and made again under a prepared statement.
SELECT * FROM fcfs.verify();
DROP OWNED BY regress_other, regress_caller;
DROP EXTENSION pg_fcfs CASCADE;
EXECUTE issue(1);
CREATE EXTENSION pg_fcfs;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 10, '-infinity', 'infinity');
EXECUTE issue(1);
EXECUTE issue(1);
SELECT test.scan();
DEALLOCATE ALL;
PREPARE issue(bigint) AS SELECT code FROM fcfs.try_issue_coupon(1, $1);
EXECUTE issue(2);
SELECT test.scan();
DROP ROLE regress_caller, regress_other;
