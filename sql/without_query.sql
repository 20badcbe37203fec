-- reserve() and confirm_reservation() write their rows without a query. Whatever
-- else has a say in it still has: triggers, rules, policies, foreign keys and
-- checks of the application's, and whatever an administrator has changed.
\i sql/include/start.sql

INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES
    (1, 'E1', '-infinity', 'infinity', 50), (2, 'E2', '-infinity', 'infinity', 1);
INSERT INTO fcfs.item (id, event_id, code, stock, price) VALUES (1, 1, 'I1', 50, 100), (2, NULL, 'I2', 50, 7);

CREATE TABLE test.heard (number bigint GENERATED ALWAYS AS IDENTITY, what text);
-- What was heard since the last time.
CREATE FUNCTION test.heard() RETURNS SETOF text LANGUAGE sql AS
    $$WITH gone AS (DELETE FROM test.heard RETURNING *) SELECT what FROM gone ORDER BY number$$;
-- How often triggers of the extension fire for a call that is undone: never, where no query writes.
SET track_functions = 'all';
CREATE FUNCTION test.fired(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before bigint := coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname IN ('claim_changed', 'reservation_changed');
    fired bigint;
BEGIN
    EXECUTE 'SELECT fcfs.' || call;
    SELECT sum(calls) - before INTO fired FROM pg_stat_xact_user_functions WHERE funcname IN ('claim_changed', 'reservation_changed');
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN coalesce(fired, 0);
END
$$;
CREATE FUNCTION test.held() RETURNS bigint LANGUAGE sql AS
    $$SELECT max(id) FROM fcfs.reservation WHERE customer_id = 1 AND status = 'held'$$;

-- Nobody listens: no trigger fires. The rows are found by all their indexes, and have their defaults.
SELECT customer_id, event_id, status, amount, currency, ended_at FROM fcfs.reserve(1, 1, 2);
SELECT customer_id, event_id, status, amount, currency, ended_at FROM fcfs.reserve(1, 2);
SELECT test.fired('reserve(1, 1, 2)') AS reserve, test.fired(format('confirm_reservation(%s)', test.held())) AS confirm;
SET enable_seqscan = off;
SELECT item_id, quantity, price, active FROM fcfs.reservation_line WHERE reservation_id = test.held();
SELECT count(*) FROM fcfs.reservation_line WHERE id IN (SELECT max(id) FROM fcfs.reservation_line);
SELECT count(*) FROM fcfs.reservation_line WHERE item_id = 1 AND active;
SELECT count(*) FROM fcfs.reservation WHERE status = 'held' AND expires_at < 'infinity';
SELECT status, amount FROM fcfs.confirm_reservation(test.held());
SELECT status FROM fcfs.reservation WHERE id = (SELECT max(id) FROM fcfs.reservation);
SELECT status, amount FROM fcfs.reservation WHERE customer_id = 1 ORDER BY id;
SELECT count(*) FROM fcfs.reservation WHERE status = 'held' AND expires_at < 'infinity';
RESET enable_seqscan;

-- Triggers of the application's hear of both rows, and not before both are there.
CREATE FUNCTION test.hears() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO test.heard (what) VALUES (format('%s %s of %s: %s reservations, %s lines', TG_WHEN, TG_OP, TG_TABLE_NAME,
        (SELECT count(*) FROM fcfs.reservation WHERE customer_id = 2), (SELECT count(*) FROM fcfs.reservation_line WHERE item_id = 2)));
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER hears AFTER INSERT ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION test.hears();
SELECT test.fired('reserve(2, 2)');
SELECT test.both('reserve(2, 2)');
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation;
CREATE TRIGGER hears AFTER INSERT ON fcfs.reservation_line FOR EACH STATEMENT EXECUTE FUNCTION test.hears();
SELECT test.both('reserve(2, 2)');
SELECT test.heard();
ALTER TABLE fcfs.reservation_line DISABLE TRIGGER hears;
SELECT test.fired('reserve(2, 2)');
SELECT test.both('reserve(2, 2)');
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation_line;
CREATE TRIGGER hears BEFORE INSERT ON fcfs.reservation_line FOR EACH ROW EXECUTE FUNCTION test.hears();
SELECT test.both('reserve(2, 2)');
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation_line;
-- They hear of a confirmation, too; one that listens to another event does not matter.
CREATE TRIGGER hears BEFORE UPDATE OF status ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION test.hears();
SELECT test.fired(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(2, 2);
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(2, 2);
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation;
CREATE TRIGGER hears AFTER UPDATE ON fcfs.reservation FOR EACH STATEMENT EXECUTE FUNCTION test.hears();
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(2, 2);
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation;
CREATE TRIGGER hears AFTER DELETE ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION test.hears();
SELECT test.fired('reserve(2, 2)'), test.fired(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(2, 2);
SELECT test.heard();
DROP TRIGGER hears ON fcfs.reservation;
-- One that changes what is confirmed.
CREATE FUNCTION test.discount() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := 1; RETURN NEW; END';
CREATE TRIGGER discount BEFORE UPDATE ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION test.discount();
SELECT status, amount FROM fcfs.confirm_reservation((fcfs.reserve(3, 2)).id);
DROP TRIGGER discount ON fcfs.reservation;
SELECT status, amount FROM fcfs.confirm_reservation((fcfs.reserve(3, 2)).id);

-- Rules and policies.
CREATE RULE heard AS ON UPDATE TO fcfs.reservation DO ALSO INSERT INTO test.heard (what) VALUES ('an update');
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(4, 2);
SELECT test.heard();
DROP RULE heard ON fcfs.reservation;
ALTER TABLE fcfs.reservation ENABLE ROW LEVEL SECURITY;
SELECT test.fired('reserve(4, 2)'), test.fired(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(4, 2);
ALTER TABLE fcfs.reservation DISABLE ROW LEVEL SECURITY;

-- Foreign keys of the application's, to and from the tables, on columns that are written and on others.
CREATE TABLE test.customer (id bigint PRIMARY KEY);
INSERT INTO test.customer SELECT DISTINCT customer_id FROM fcfs.reservation;
ALTER TABLE fcfs.reservation ADD CONSTRAINT known FOREIGN KEY (customer_id) REFERENCES test.customer;
SELECT test.said('SELECT fcfs.try_reserve(99, 2)'), test.said('SELECT fcfs.try_reserve(4, 2)');
SELECT test.fired(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(4, 2);
ALTER TABLE fcfs.reservation DROP CONSTRAINT known;
CREATE TABLE test.status (status text PRIMARY KEY);
INSERT INTO test.status VALUES ('held'), ('confirmed');
ALTER TABLE fcfs.reservation ADD CONSTRAINT known FOREIGN KEY (status) REFERENCES test.status;
SELECT test.said(format('SELECT fcfs.try_confirm_reservation(%s)', id)) FROM fcfs.reserve(4, 2);
ALTER TABLE fcfs.reservation DROP CONSTRAINT known;
DELETE FROM test.status WHERE status = 'confirmed';
ALTER TABLE fcfs.reservation ADD CONSTRAINT known FOREIGN KEY (status) REFERENCES test.status NOT VALID;
SELECT test.said(format('SELECT fcfs.try_confirm_reservation(%s)', id)) FROM fcfs.reserve(4, 2);
ALTER TABLE fcfs.reservation DROP CONSTRAINT known;
CREATE TABLE test.ticket (reservation_id bigint REFERENCES fcfs.reservation);
INSERT INTO test.ticket SELECT id FROM fcfs.reserve(4, 2);
SELECT test.fired(format('confirm_reservation(%s)', reservation_id)),
    test.said(format('SELECT fcfs.try_confirm_reservation(%s)', reservation_id)) FROM test.ticket;
DROP TABLE test.ticket;
-- The keys of the extension's own hold: nothing that a reservation refers to goes.
SELECT test.said('DELETE FROM fcfs.event WHERE id = 1'), test.said('UPDATE fcfs.event SET id = 9 WHERE id = 1');
SELECT test.said('DELETE FROM fcfs.reservation WHERE id = test.held()');
UPDATE fcfs.item SET event_id = 2 WHERE id = 1;
SELECT test.said('DELETE FROM fcfs.event WHERE id = 1');
-- With its item in another event, the terms are those of that one.
SELECT test.both('reserve(5, 1, 2)'), test.both('reserve(5, 1, 1)');
UPDATE fcfs.item SET event_id = NULL WHERE id = 1;
SELECT test.both('reserve(5, 1, 2)');
SELECT event_id FROM fcfs.reservation WHERE customer_id = 5 ORDER BY id;
UPDATE fcfs.item SET event_id = 1 WHERE id = 1;

-- Indexes and checks of the application's are kept.
CREATE UNIQUE INDEX once ON fcfs.reservation (customer_id) WHERE status = 'confirmed' AND customer_id > 5;
SELECT test.both(format('confirm_reservation(%s)', a.id)), test.both(format('confirm_reservation(%s)', b.id))
FROM fcfs.reserve(6, 2) AS a, fcfs.reserve(6, 2) AS b;
DROP INDEX fcfs.once;
ALTER TABLE fcfs.reservation_line ADD CONSTRAINT few CHECK (quantity < 3);
SELECT test.both('reserve(7, 2, 3)'), test.both('reserve(7, 2, 2)');
ALTER TABLE fcfs.reservation_line DROP CONSTRAINT few;
ALTER TABLE fcfs.reservation ADD CONSTRAINT cheap CHECK (status <> 'confirmed' OR amount < 100) NOT VALID;
SELECT test.both(format('confirm_reservation(%s)', a.id)), test.both(format('confirm_reservation(%s)', b.id))
FROM fcfs.reserve(7, 2, 1) AS a, fcfs.reserve(7, 1, 1) AS b;
ALTER TABLE fcfs.reservation DROP CONSTRAINT cheap;
-- By a function that is replaced meanwhile, which nobody tells the table.
CREATE FUNCTION test.allows(amount bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT amount < 100';
ALTER TABLE fcfs.reservation ADD CONSTRAINT allowed CHECK (test.allows(amount)) NOT VALID;
SELECT test.both('reserve(8, 1)'), test.both('reserve(8, 2)');
CREATE OR REPLACE FUNCTION test.allows(amount bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT amount >= 100';
SELECT test.both('reserve(8, 1)'), test.both('reserve(8, 2)');
ALTER TABLE fcfs.reservation DROP CONSTRAINT allowed;
-- Columns that are worked out, and those that an administrator has added.
ALTER TABLE fcfs.reservation ADD COLUMN double bigint GENERATED ALWAYS AS (2 * amount) STORED;
SELECT status, double FROM fcfs.confirm_reservation((fcfs.reserve(9, 2)).id);
ALTER TABLE fcfs.reservation DROP COLUMN double;
ALTER TABLE fcfs.reservation ADD COLUMN note text DEFAULT 'a note', ADD COLUMN seen timestamptz DEFAULT now();
SELECT test.fired('reserve(9, 2)');
SELECT status, note, seen = now() AS seen FROM fcfs.confirm_reservation((fcfs.reserve(9, 2)).id);
SELECT status FROM fcfs.reserve(1, 2);
UPDATE fcfs.reservation SET note = repeat('long ', 1000000) WHERE id = test.held();
SELECT status, length(note) FROM fcfs.confirm_reservation(test.held());
ALTER TABLE fcfs.reservation DROP COLUMN note, DROP COLUMN seen;

-- What the transaction itself has done: reserved, changed, confirmed, undone, cancelled, deleted.
SELECT test.fired(format('confirm_reservation(%s)', id)) FROM fcfs.reserve(10, 2);
WITH r AS (SELECT * FROM fcfs.reserve(10, 2))
SELECT (a).code, (b).code FROM (
    SELECT fcfs.try_confirm_reservation(r.id) AS a, fcfs.try_confirm_reservation(r.id) AS b FROM r OFFSET 0) AS both_of;
CREATE FUNCTION test.state(mine bigint) RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', r.status, r.amount, l.active) FROM fcfs.reservation AS r
    JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id WHERE r.id = mine$$;
BEGIN;
SELECT id AS mine FROM fcfs.reserve(10, 2) \gset
UPDATE fcfs.reservation SET amount = 8 WHERE id = :mine;
SAVEPOINT s;
SELECT code FROM fcfs.try_confirm_reservation(:mine);
SELECT test.state(:mine);
ROLLBACK TO s;
SELECT test.state(:mine);
SELECT code FROM fcfs.try_confirm_reservation(:mine);
SELECT code FROM fcfs.try_confirm_reservation(:mine);
SAVEPOINT s;
SELECT code FROM fcfs.try_cancel_reservation(:mine);
SELECT code FROM fcfs.try_confirm_reservation(:mine);
SELECT test.state(:mine);
ROLLBACK TO s;
SELECT test.state(:mine);
COMMIT;
SELECT test.state(:mine);
BEGIN;
SELECT id AS mine FROM fcfs.reserve(10, 2) \gset
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE id = :mine;
SELECT code FROM fcfs.try_confirm_reservation(:mine);
DELETE FROM fcfs.reservation_line WHERE reservation_id = :mine;
DELETE FROM fcfs.reservation WHERE id = :mine;
SELECT code FROM fcfs.try_confirm_reservation(:mine);
COMMIT;
-- In one statement with the change of the same row: the server does not allow it, as of any function.
SELECT test.said('UPDATE fcfs.reservation SET amount = 9 WHERE id = ' || id || ' AND (fcfs.try_confirm_reservation(id)).ok')
FROM fcfs.reserve(10, 2);

\i sql/include/finish.sql
