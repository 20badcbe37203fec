-- Rows that functions write without a query, and what others have a say in: triggers, rules,
-- policies, keys, constraints, defaults, indexes. What they see is what an INSERT shows them.
\i sql/include/start.sql

INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES
    (1, 'K1', NULL, 2, '-infinity', 'infinity'), (2, 'K2', 3, 2, '-infinity', 'infinity');

-- How the last row of a coupon was written: a query leaves a plan in the session.
CREATE FUNCTION test.way() RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN count(*) = 0 THEN 'straight' ELSE 'by a query' END
    FROM pg_backend_memory_contexts WHERE ident LIKE 'INSERT INTO fcfs.coupon_issue%' $$;
-- Issues a coupon to somebody new by both faces, and tells what came of it and which way it went.
CREATE SEQUENCE test.somebody START 100;
CREATE FUNCTION test.issue(coupon bigint DEFAULT 1) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    code := test.said(format('SELECT code FROM fcfs.issue_coupon(%s, %s) AS i, LATERAL (SELECT i.status) AS s (code)', coupon, nextval('test.somebody')));
    IF code = 'ok 1' THEN
        SELECT o.code INTO code FROM fcfs.try_issue_coupon(coupon, nextval('test.somebody')) AS o;
    END IF;
    RETURN code || ', ' || test.way();
END
$$;
-- The last row.
CREATE FUNCTION test.last() RETURNS jsonb LANGUAGE sql AS $$
    SELECT to_jsonb(i) - ARRAY['id', 'arrived_at', 'arrival', 'user_id'] FROM fcfs.coupon_issue AS i ORDER BY id DESC LIMIT 1 $$;
SELECT test.issue(), test.last();

-- Triggers of an application's: every kind hears of every row, with the rights of the owner, and
-- with the search_path of the functions.
CREATE TABLE test.heard (what text, rows bigint, search_path text);
CREATE FUNCTION test.hear() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row_count bigint := 1;
BEGIN
    IF TG_LEVEL = 'STATEMENT' AND TG_WHEN = 'AFTER' THEN
        SELECT count(*) INTO row_count FROM new_rows;
    END IF;
    INSERT INTO test.heard VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_LEVEL), row_count, current_setting('search_path'));
    RETURN NEW;
END
$$;
CREATE TRIGGER a BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.hear();
SELECT test.issue();
SELECT what, count(*), min(search_path) FROM test.heard GROUP BY 1;
ALTER TABLE fcfs.coupon_issue DISABLE TRIGGER a;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ENABLE REPLICA TRIGGER a;
SELECT test.issue();
SET session_replication_role = replica;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ENABLE TRIGGER a;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ENABLE ALWAYS TRIGGER a;
SELECT test.issue();
RESET session_replication_role;
SELECT test.issue();
SELECT what, count(*) FROM test.heard GROUP BY 1;
DROP TRIGGER a ON fcfs.coupon_issue;
TRUNCATE test.heard;
SELECT test.issue();
CREATE TRIGGER b AFTER INSERT ON fcfs.coupon_issue FOR EACH ROW WHEN (NEW.user_id > 0) EXECUTE FUNCTION test.hear();
CREATE TRIGGER c BEFORE INSERT OR UPDATE ON fcfs.coupon_issue FOR EACH STATEMENT EXECUTE FUNCTION test.hear();
CREATE TRIGGER d AFTER INSERT ON fcfs.coupon_issue REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION test.hear();
CREATE TRIGGER e AFTER UPDATE ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.hear();
SELECT test.issue();
SELECT what, sum(rows), min(search_path) FROM test.heard GROUP BY 1 ORDER BY 1;
DROP TRIGGER b ON fcfs.coupon_issue;
DROP TRIGGER d ON fcfs.coupon_issue;
SELECT test.issue();
DROP TRIGGER c ON fcfs.coupon_issue;
-- One of UPDATE alone has no say in it.
SELECT test.issue();
DROP TRIGGER e ON fcfs.coupon_issue;
TRUNCATE test.heard;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON fcfs.coupon_issue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test.hear();
BEGIN;
SELECT test.issue();
SELECT count(*) FROM test.heard;
COMMIT;
SELECT what, count(*) FROM test.heard GROUP BY 1;
DROP TRIGGER late ON fcfs.coupon_issue;
-- A trigger that claims in its turn, by a scan, while the row that set it off is being written.
CREATE FUNCTION test.another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    IF NEW.coupon_id = 1 THEN
        SELECT o.code INTO code FROM fcfs.try_issue_coupon(2, NEW.user_id) AS o;
        NEW.reference := code || ' ' || current_setting('search_path');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER another BEFORE INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.another();
SELECT test.issue(), test.last();
SELECT test.issue(), test.last();
DROP TRIGGER another ON fcfs.coupon_issue;
SELECT test.free('coupon', 2);
-- Rules.
CREATE RULE told AS ON INSERT TO fcfs.coupon_issue DO ALSO INSERT INTO test.heard VALUES ('rule', NEW.coupon_id);
SELECT test.issue();
SELECT what, count(*) FROM test.heard WHERE what = 'rule' GROUP BY 1;
DROP RULE told ON fcfs.coupon_issue;
SELECT test.issue();

-- Row security: the owner is above it unless it is forced, and a superuser in any case.
ALTER TABLE fcfs.coupon_issue ENABLE ROW LEVEL SECURITY;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue FORCE ROW LEVEL SECURITY;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
SELECT test.issue();

-- A foreign key to a table of the application's.
CREATE TABLE test.customer (id bigint PRIMARY KEY);
INSERT INTO test.customer SELECT DISTINCT user_id FROM fcfs.coupon_issue;
ALTER TABLE fcfs.coupon_issue ADD CONSTRAINT customer FOREIGN KEY (user_id) REFERENCES test.customer;
SELECT test.issue();
INSERT INTO test.customer SELECT g FROM generate_series(1, 1000) AS g ON CONFLICT DO NOTHING;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER CONSTRAINT customer DEFERRABLE INITIALLY DEFERRED;
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(1, 1001);
COMMIT;
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(1, 1001);
INSERT INTO test.customer VALUES (1001);
COMMIT;
SELECT count(*) FROM fcfs.coupon_issue WHERE user_id = 1001;
ALTER TABLE fcfs.coupon_issue DROP CONSTRAINT customer;
SELECT test.issue();

-- CHECK constraints, built in and with functions that change.
ALTER TABLE fcfs.coupon_issue ADD CONSTRAINT not_13 CHECK (user_id <> 13);
SELECT test.issue();
SELECT test.said('SELECT fcfs.issue_coupon(1, 13)'), test.said('SELECT code FROM fcfs.try_issue_coupon(1, 13)');
SELECT test.issue();
CREATE FUNCTION test.welcome(who bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
ALTER TABLE fcfs.coupon_issue ADD CONSTRAINT welcome CHECK (test.welcome(user_id));
SELECT test.issue();
CREATE OR REPLACE FUNCTION test.welcome(who bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN false; END';
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue DROP CONSTRAINT welcome, DROP CONSTRAINT not_13;
SELECT test.issue();
-- Domains: one of ours, and one of the application's that changes.
ALTER DOMAIN fcfs.coupon_issue_status ADD CONSTRAINT never CHECK (VALUE <> 'issued') NOT VALID;
SELECT test.issue();
ALTER DOMAIN fcfs.coupon_issue_status DROP CONSTRAINT never;
SELECT test.issue();
CREATE DOMAIN test.note AS text DEFAULT 'a' CHECK (VALUE <> 'b');
ALTER TABLE fcfs.coupon_issue ADD COLUMN note test.note;
SELECT test.issue(), test.last() -> 'note';
ALTER DOMAIN test.note SET DEFAULT 'b';
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN note SET DEFAULT 'c';
SELECT test.issue(), test.last() -> 'note';
ALTER DOMAIN test.note ADD CONSTRAINT short CHECK (length(VALUE) < 1) NOT VALID;
SELECT test.issue();
ALTER DOMAIN test.note DROP CONSTRAINT short;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN note DROP DEFAULT, ALTER COLUMN note SET DEFAULT NULL;
UPDATE fcfs.coupon_issue SET note = 'd';
ALTER DOMAIN test.note SET NOT NULL;
SELECT test.issue();
ALTER DOMAIN test.note DROP NOT NULL;
SELECT test.issue();
CREATE FUNCTION test.good(note text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN current_setting('search_path') = 'pg_catalog, pg_temp'; END$$;
ALTER DOMAIN test.note ADD CONSTRAINT good CHECK (test.good(VALUE)) NOT VALID;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue DROP COLUMN note;
SELECT test.issue();
-- NOT NULL.
ALTER TABLE fcfs.coupon_issue ADD COLUMN needed integer;
UPDATE fcfs.coupon_issue SET needed = 1;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN needed SET NOT NULL;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN needed SET DEFAULT 3;
SELECT test.issue(), test.last();
ALTER TABLE fcfs.coupon_issue DROP COLUMN needed;

-- Defaults.
CREATE FUNCTION test.path() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN current_setting('search_path') || ' ' || (current_user = session_user); END$$;
SET search_path = test, public;
ALTER TABLE fcfs.coupon_issue ADD COLUMN a text DEFAULT 'constant', ADD COLUMN b text DEFAULT repeat('x', 3),
    ADD COLUMN c uuid DEFAULT gen_random_uuid(), ADD COLUMN d timestamptz DEFAULT now();
SELECT test.issue(), test.last() -> 'a', test.last() -> 'b';
SELECT count(DISTINCT c) >= 2, bool_and(d <= clock_timestamp()) FROM fcfs.coupon_issue;
ALTER TABLE fcfs.coupon_issue DROP COLUMN a, DROP COLUMN c, DROP COLUMN d, ALTER COLUMN b SET DEFAULT test.path();
SELECT test.issue(), test.last() -> 'b';
SELECT (SELECT o.code FROM fcfs.try_issue_coupon(1, 5001) AS o);
SELECT o.code FROM fcfs.try_issue_coupon(1, 5002) AS o;
SELECT user_id, b FROM fcfs.coupon_issue WHERE user_id > 5000 ORDER BY 1;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN b SET DEFAULT current_schema();
SELECT o.code FROM fcfs.try_issue_coupon(1, 5003) AS o;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN b SET DEFAULT CURRENT_SCHEMA;
SELECT o.code FROM fcfs.try_issue_coupon(1, 5004) AS o;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN b SET DEFAULT current_setting('search_path');
SELECT o.code FROM fcfs.try_issue_coupon(1, 5005) AS o;
SELECT user_id, b FROM fcfs.coupon_issue WHERE user_id > 5002 ORDER BY 1;
RESET search_path;
ALTER TABLE fcfs.coupon_issue DROP COLUMN b, ADD COLUMN twice bigint GENERATED ALWAYS AS (user_ordinal * 2) STORED;
SELECT test.issue(), test.last() -> 'twice';
ALTER TABLE fcfs.coupon_issue DROP COLUMN twice, ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY (START 7000 INCREMENT 10);
SELECT test.issue(), (test.last() -> 'number')::bigint > 7000;
ALTER TABLE fcfs.coupon_issue DROP COLUMN number, ALTER COLUMN id SET GENERATED ALWAYS;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN id SET GENERATED BY DEFAULT;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN status SET DEFAULT 'redeemed';
SELECT test.issue(), test.last() -> 'status';
ALTER TABLE fcfs.coupon_issue ALTER COLUMN status SET DEFAULT 'lost';
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN status SET DEFAULT 'issued';
ALTER TABLE fcfs.coupon_issue ADD COLUMN wide text DEFAULT repeat('wide', 100000), ADD COLUMN bits text;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN wide SET STORAGE EXTERNAL;
SELECT test.issue();
SELECT length(wide) FROM fcfs.coupon_issue ORDER BY id DESC LIMIT 1;
ALTER TABLE fcfs.coupon_issue DROP COLUMN wide, DROP COLUMN bits;
-- One that fails as soon as it is looked at, and goes on doing so.
ALTER TABLE fcfs.coupon_issue ADD COLUMN bad integer;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN bad SET DEFAULT 1 / 0;
SELECT test.issue();
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN bad SET DEFAULT 1 / 1;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue DROP COLUMN bad;
-- Types.
ALTER TABLE fcfs.coupon_issue ALTER COLUMN arrived_at TYPE timestamptz(0);
SELECT test.issue();
SELECT bool_and(arrived_at = date_trunc('second', arrived_at)) FROM fcfs.coupon_issue;
ALTER TABLE fcfs.coupon_issue ALTER COLUMN arrived_at TYPE text;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN arrived_at DROP DEFAULT, ALTER COLUMN arrived_at TYPE timestamptz USING arrived_at::timestamptz;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue ALTER COLUMN arrived_at SET DEFAULT clock_timestamp();

-- Indexes: added, used by the row, violated, renamed, built again, dropped.
CREATE INDEX by_time ON fcfs.coupon_issue (arrived_at);
CREATE INDEX by_words ON fcfs.coupon_issue USING gin (to_tsvector('simple', coalesce(reference, 'nothing')));
CREATE INDEX by_block ON fcfs.coupon_issue USING brin (id);
CREATE INDEX by_hash ON fcfs.coupon_issue USING hash (user_id);
CREATE INDEX by_gist ON fcfs.coupon_issue USING gist (user_id);
SELECT test.issue();
SELECT test.issue();
ALTER INDEX fcfs.by_gist SET (fillfactor = 60);
ALTER INDEX fcfs.by_hash SET (fillfactor = 60);
SELECT test.issue();
CREATE FUNCTION test.indexed(who bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN who; END';
CREATE INDEX by_function ON fcfs.coupon_issue (test.indexed(user_id));
SELECT test.issue();
ALTER INDEX fcfs.by_time RENAME TO by_hour;
REINDEX TABLE fcfs.coupon_issue;
REINDEX TABLE CONCURRENTLY fcfs.coupon_issue;
SELECT test.issue();
DROP INDEX fcfs.by_function, fcfs.by_hour;
SELECT test.issue();
SET enable_seqscan = off;
SELECT count(*) = (SELECT sum(1) FROM fcfs.coupon_issue WHERE to_tsvector('simple', coalesce(reference, 'nothing')) @@ 'nothing'), count(*) > 1
    FROM fcfs.coupon_issue WHERE coalesce(reference, 'nothing') = 'nothing';
RESET enable_seqscan;
DROP INDEX fcfs.by_words, fcfs.by_block, fcfs.by_hash, fcfs.by_gist;
TRUNCATE fcfs.coupon_issue;
CREATE UNIQUE INDEX one_at_all ON fcfs.coupon_issue (user_id) WHERE coupon_id = 2;
UPDATE fcfs.coupon SET quota = 5 WHERE id = 2;
SELECT code FROM fcfs.try_issue_coupon(2, 1);
SELECT test.said('SELECT code FROM fcfs.try_issue_coupon(2, 1)'), test.way();
SELECT test.free('coupon', 2);
SELECT code FROM fcfs.try_issue_coupon(2, 2);
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(2, 3);
SAVEPOINT s;
SELECT code FROM fcfs.try_issue_coupon(2, 3);
ROLLBACK TO s;
SELECT code FROM fcfs.try_issue_coupon(2, 4);
SELECT code FROM fcfs.try_issue_coupon(1, 4);
COMMIT;
SELECT test.free('coupon', 2), count(*) FROM fcfs.coupon_issue;
DROP INDEX fcfs.one_at_all;
-- One that is looked at when the transaction ends.
ALTER TABLE fcfs.coupon_issue ADD CONSTRAINT one_in_the_end UNIQUE (coupon_id, user_id) DEFERRABLE INITIALLY DEFERRED;
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(1, 4);
SELECT test.way();
COMMIT;
SELECT count(*) FROM fcfs.coupon_issue WHERE user_id = 4 AND coupon_id = 1;
ALTER TABLE fcfs.coupon_issue DROP CONSTRAINT one_in_the_end;
-- The index that calls look at themselves.
DROP INDEX fcfs.coupon_issue_once_a_user;
SELECT code FROM fcfs.try_issue_coupon(1, 4);
SELECT code FROM fcfs.try_issue_coupon(1, 4);
CREATE UNIQUE INDEX coupon_issue_once_a_user ON fcfs.coupon_issue (coupon_id, user_id, (CASE WHEN status <> 'revoked' THEN user_ordinal END));
SELECT code FROM fcfs.try_issue_coupon(1, 4);
SELECT test.issue();

-- The table moves, is emptied, renamed, and goes.
VACUUM FULL fcfs.coupon_issue;
SELECT test.issue();
CLUSTER fcfs.coupon_issue USING coupon_issue_pkey;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue SET (fillfactor = 50);
ALTER TABLE fcfs.coupon_issue SET UNLOGGED;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue SET LOGGED, REPLICA IDENTITY FULL;
SELECT test.issue();
BEGIN;
SELECT test.issue();
TRUNCATE fcfs.coupon_issue;
SELECT test.issue();
SELECT count(*) FROM fcfs.coupon_issue;
SAVEPOINT s;
TRUNCATE fcfs.coupon_issue;
SELECT test.issue();
ROLLBACK TO s;
SELECT test.issue();
SELECT count(*) FROM fcfs.coupon_issue;
COMMIT;
ALTER TABLE fcfs.coupon_issue RENAME TO coupon_issued;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issued RENAME TO coupon_issue;
ALTER TABLE fcfs.coupon_issue RENAME COLUMN arrived_at TO came_at;
SELECT test.issue();
ALTER TABLE fcfs.coupon_issue RENAME COLUMN came_at TO arrived_at;
SELECT test.issue();
BEGIN;
ALTER TABLE fcfs.coupon_issue ADD COLUMN gone text DEFAULT 'gone';
SELECT test.issue(), test.last() -> 'gone';
ROLLBACK;
SELECT test.issue(), test.last();
-- Rights: an owner's that were taken away, and a caller's where a function runs as its caller.
CREATE ROLE regress_straight;
GRANT USAGE ON SCHEMA fcfs, test TO regress_straight;
GRANT EXECUTE ON FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) TO regress_straight;
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SECURITY INVOKER;
SET ROLE regress_straight;
\set VERBOSITY sqlstate
SELECT code FROM fcfs.try_issue_coupon(1, 6001);
\set VERBOSITY default
RESET ROLE;
ALTER FUNCTION fcfs.try_issue_coupon(bigint, bigint, text) SECURITY DEFINER;
SET ROLE regress_straight;
SELECT code FROM fcfs.try_issue_coupon(1, 6001);
RESET ROLE;
DROP OWNED BY regress_straight;
DROP ROLE regress_straight;

-- One that makes a writer anew in the middle.
CREATE FUNCTION test.alter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.coupon_id = 1 THEN
        EXECUTE format('COMMENT ON TABLE fcfs.coupon IS %L', NEW.user_id);
        ANALYZE fcfs.coupon_issue;
        PERFORM fcfs.try_issue_coupon(2, NEW.user_id);
        PERFORM fcfs.try_issue_coupon(2, NEW.user_id + 1);
    END IF;
    RETURN NULL;
END
$$;
TRUNCATE fcfs.coupon_issue;
CREATE TRIGGER alter AFTER INSERT ON fcfs.coupon_issue FOR EACH ROW EXECUTE FUNCTION test.alter();
SELECT test.said('SELECT code FROM fcfs.try_issue_coupon(1, 1)'), test.said('SELECT code FROM fcfs.try_issue_coupon(1, 3)');
DROP TRIGGER alter ON fcfs.coupon_issue;
SELECT coupon_id, count(*) FROM fcfs.coupon_issue GROUP BY 1 ORDER BY 1;

SELECT * FROM fcfs.verify();
DROP EXTENSION pg_fcfs CASCADE;
CREATE EXTENSION pg_fcfs;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 10, '-infinity', 'infinity');
SELECT code FROM fcfs.try_issue_coupon(1, 1);
SELECT test.last();
BEGIN;
DROP EXTENSION pg_fcfs CASCADE;
CREATE EXTENSION pg_fcfs;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 10, '-infinity', 'infinity');
SELECT code FROM fcfs.try_issue_coupon(1, 2);
ROLLBACK;
SELECT code FROM fcfs.try_issue_coupon(1, 2);
SELECT * FROM fcfs.verify();
