-- A hold is over at its instant, whoever looks first: whether it is confirmed,
-- cancelled, counted against its customer, wanted by another, or reaped.
\i sql/include/start.sql

INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for, max_per_customer) VALUES
    (1, 'concert', '-infinity', 'infinity', '10 minutes', 2);
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (1, 1, 'stalls', 5), (2, NULL, 'shop', 5), (3, NULL, 'shop too', 1);

-- Held by `customer`, of which the time has been up for `since`.
CREATE FUNCTION test.overdue(customer bigint, item bigint, quantity integer, since interval DEFAULT '0', OUT id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    id := (fcfs.reserve(customer, item, quantity)).id;
    UPDATE fcfs.reservation AS r SET expires_at = clock_timestamp() - since WHERE r.id = overdue.id;
END
$$;
CREATE FUNCTION test.reservations() RETURNS TABLE (customer bigint, item bigint, quantity integer, status text, active boolean, ended boolean)
LANGUAGE sql AS $$
SELECT r.customer_id, l.item_id, l.quantity, r.status, l.active, r.ended_at IS NOT NULL
FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id
ORDER BY r.customer_id, r.id
$$;

-- Confirmed or cancelled too late, by a moment or an hour; nothing is changed by the refusal.
SELECT test.both(format('confirm_reservation(%s)', test.overdue(1, 2, 1)));
SELECT test.both(format('cancel_reservation(%s)', id)) FROM fcfs.reservation;
SELECT test.both(format('confirm_reservation(%s)', test.overdue(2, 2, 1, '59 seconds')));
SELECT * FROM test.reservations();
-- Reaped, the answers are the same; it is reaped once.
SELECT fcfs.expire_reservations();
SELECT * FROM test.reservations();
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation ORDER BY id;
SELECT test.both(format('cancel_reservation(%s)', id)) FROM fcfs.reservation ORDER BY id;
SELECT fcfs.expire_reservations();
SELECT test.free('item', 2);
-- Confirmed in time, in a transaction that has been open since before.
TRUNCATE fcfs.reservation, fcfs.reservation_line;
BEGIN;
SELECT (fcfs.reserve(1, 2, 1)).status;
UPDATE fcfs.reservation SET expires_at = clock_timestamp() + interval '1 hour';
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation;
ROLLBACK;
-- It is the clock that counts, not the start of the transaction.
SELECT (fcfs.reserve(1, 2, 1)).status;
SELECT test.edge('UPDATE fcfs.reservation SET expires_at = $1',
    format('confirm_reservation(%s)', id), 'OK', 'RESERVATION_EXPIRED') FROM fcfs.reservation;
SELECT (fcfs.reserve(1, 3, 1)).status;
SELECT test.edge($$UPDATE fcfs.reservation SET expires_at = $1 WHERE status = 'held'$$, 'reserve(2, 3)', 'OUT_OF_STOCK', 'OK');
-- Never too late while it lasts for ever.
UPDATE fcfs.reservation SET expires_at = 'infinity';
SELECT fcfs.expire_reservations();
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation ORDER BY id;
TRUNCATE fcfs.reservation, fcfs.reservation_line;

-- Sold out but for holds of which the time is up: these go to who asks.
SELECT test.overdue(1, 2, 2) IS NOT NULL, test.overdue(2, 2, 2) IS NOT NULL;
SELECT test.both('reserve(3, 2, 1)');
SELECT test.both('reserve(4, 2, 5)');
SELECT test.both('reserve(4, 2, 4)');
SELECT test.both('reserve(5, 2, 1)');
SELECT * FROM test.reservations();
-- Only those: what is held still, or confirmed, is not touched.
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE customer_id = 3;
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation WHERE customer_id = 4;
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE customer_id = 4;
SELECT test.both('reserve(5, 2, 2)');
SELECT test.both('reserve(5, 2, 1)');
SELECT * FROM test.reservations() WHERE customer >= 3;
-- Rolled back, the reaping is undone with what it was for.
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE customer_id = 5;
BEGIN;
SELECT (fcfs.reserve(6, 2, 1)).status;
SELECT * FROM test.reservations() WHERE customer >= 5;
ROLLBACK;
SELECT * FROM test.reservations() WHERE customer >= 5;
BEGIN;
SAVEPOINT s;
SELECT (fcfs.reserve(6, 2, 1)).status;
ROLLBACK TO SAVEPOINT s;
SELECT (fcfs.reserve(7, 2, 1)).status;
COMMIT;
SELECT * FROM test.reservations() WHERE customer >= 5;
SELECT test.free('item', 2);
TRUNCATE fcfs.reservation, fcfs.reservation_line;

-- The customer's own: these do not stand in the way of the maximum.
SELECT test.overdue(1, 1, 2) IS NOT NULL;
SELECT test.both('reserve(1, 1, 2)');
SELECT test.both('reserve(1, 1, 1)');
TRUNCATE fcfs.reservation, fcfs.reservation_line;

-- Reaped in the order in which their time was up, not more than asked for.
SELECT count(test.overdue(g, 2, 1, make_interval(secs => 50 - g))) FROM generate_series(1, 5) AS g;
SELECT test.both('reserve(6, 1, 1)');
SELECT fcfs.expire_reservations(2);
SELECT customer, status FROM test.reservations();
SELECT fcfs.expire_reservations(max_rows => 1);
SELECT customer, status FROM test.reservations();
SELECT fcfs.expire_reservations(2147483647);
SELECT customer, status FROM test.reservations();
SELECT fcfs.expire_reservations();
SELECT test.said('SELECT fcfs.expire_reservations(0)');
SELECT test.said('SELECT fcfs.expire_reservations(-1)');
SELECT test.said('SELECT fcfs.expire_reservations(-2147483648)');
SELECT test.said('SELECT fcfs.expire_reservations(NULL)');
-- Brought back by hand, if there is room.
UPDATE fcfs.reservation SET status = 'held', ended_at = NULL, expires_at = clock_timestamp() + interval '1 hour' WHERE customer_id = 1;
SELECT test.free('item', 2);
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation WHERE customer_id = 1;
-- A hold that is prolonged is not over.
SELECT test.overdue(10, 3, 1) AS id \gset
UPDATE fcfs.reservation SET expires_at = clock_timestamp() + interval '1 hour' WHERE id = :id;
SELECT test.both('reserve(11, 3)');
SELECT fcfs.expire_reservations();
SELECT test.both('confirm_reservation(' || :id || ')');
-- Lowering the stock: what is overdue is free, what is held is not.
INSERT INTO fcfs.item (id, code, stock) VALUES (4, 'less', 5);
SELECT test.overdue(20, 4, 3) IS NOT NULL;
SELECT (fcfs.reserve(21, 4, 2)).status;
SELECT test.said('UPDATE fcfs.item SET stock = 1 WHERE id = 4');
UPDATE fcfs.item SET stock = 2 WHERE id = 4;
SELECT customer_id, status FROM fcfs.reservation WHERE customer_id IN (20, 21) ORDER BY 1;
SELECT test.free('item', 4);

\i sql/include/finish.sql
