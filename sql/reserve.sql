-- reserve(), confirm_reservation(), cancel_reservation(): sale window, maximum a
-- customer, stock, quantities and amounts.
\i sql/include/start.sql

INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for, max_per_customer) VALUES
    (1, 'on sale', '-infinity', 'infinity', '5 minutes', 4),
    (2, 'later', now() + interval '1 hour', 'infinity', DEFAULT, NULL),
    (3, 'over', '-infinity', now() - interval '1 second', DEFAULT, NULL),
    (4, 'edge', '-infinity', 'infinity', DEFAULT, NULL),
    (5, 'no maximum', '-infinity', 'infinity', DEFAULT, NULL);
INSERT INTO fcfs.item (id, event_id, code, stock, price, currency) VALUES
    (1, 1, 'stalls', 100, 1000, 'KRW'), (2, 1, 'balcony', 100, 500, 'KRW'), (3, 2, 'any', 10, 1, 'EUR'),
    (4, 3, 'any', 10, 1, 'EUR'), (5, 4, 'any', 10, 1, 'EUR'), (6, 5, 'any', 10, 1, 'EUR'),
    (10, NULL, 'shop', 3, 999, 'USD'), (11, NULL, 'sold out', 0, 1, 'USD'), (12, NULL, 'unlimited', NULL, 0, 'USD'),
    (13, NULL, 'most', 1000000000000000, 4294967298, 'USD'), (14, NULL, 'dear', NULL, 4294967299, 'USD'),
    (15, NULL, 'dearest', NULL, 9223372036854775807, 'USD'), (16, NULL, 'int4', 2147483647, 1, 'USD');

-- How long a hold is: exactly, give or take that it begins when the call has its units.
CREATE FUNCTION test.hold(r fcfs.reservation) RETURNS interval
LANGUAGE sql RETURN date_trunc('minute', (r).expires_at - (r).arrived_at);
-- The row it makes, its line, and the row it returns. With an event the hold is the event's,
-- without one that of the setting.
SELECT customer_id, event_id, status, amount, currency, ended_at, test.hold(r), arrived_at BETWEEN now() AND clock_timestamp() AS arrived
FROM fcfs.reserve(1, 1, 3) AS r;
SELECT customer_id, event_id, status, amount, currency, ended_at, test.hold(r) FROM fcfs.reserve(1, 10) AS r;
SET fcfs.hold_for = '120s';
SELECT test.hold(r) FROM fcfs.reserve(2, 10) AS r;
SELECT test.hold(r) FROM fcfs.reserve(2, 1) AS r;
RESET fcfs.hold_for;
SELECT r.customer_id, r.status, r.amount, l.item_id, l.quantity, l.price, l.active
FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id ORDER BY r.id;
SELECT ok, code, http_status, retryable, message, detail IS NULL AS no_detail, id, replayed
FROM fcfs.try_reserve(customer_id => 3, item_id => 10, quantity => 1) \gset
SELECT :'ok', :'code', :http_status, :'retryable', :'message', :'no_detail', :'replayed', id = :id AS id
FROM fcfs.reservation WHERE customer_id = 3;
SELECT ok, code, http_status, retryable, message, id, replayed FROM fcfs.try_reserve(3, 10);

-- Not there; not on sale yet; not any more. An item without an event is always on sale.
SELECT test.both('reserve(1, 999)');
SELECT test.both('reserve(1, -1, 1)');
SELECT test.both('reserve(1, 3)');
SELECT test.both('reserve(1, 4)');
SELECT test.edge('UPDATE fcfs.event SET sale_opens_at = $1 WHERE id = 4', 'reserve(1, 5)', 'SALE_NOT_STARTED', 'OK');
UPDATE fcfs.event SET sale_opens_at = '-infinity' WHERE id = 4;
SELECT test.edge('UPDATE fcfs.event SET sale_closes_at = $1 WHERE id = 4', 'reserve(1, 5)', 'OK', 'SALE_CLOSED');
-- What is held can be confirmed, and cancelled, when the sale is over.
SELECT test.both('reserve(7, 6, 1)'), test.both('reserve(8, 6, 1)');
UPDATE fcfs.event SET sale_closes_at = now() WHERE id = 5;
SELECT test.both('reserve(7, 6, 1)');
SELECT test.both(format('confirm_reservation(%s)', id)) FROM fcfs.reservation WHERE customer_id = 7;
SELECT test.both(format('cancel_reservation(%s)', id)) FROM fcfs.reservation WHERE customer_id = 8;

-- The maximum of an event, over all its items: customer 1 has 3 of 4, customer 2 has 1.
SELECT test.both('reserve(1, 2, 2)');
SELECT test.both('reserve(1, 2, 1)');
SELECT test.both('reserve(1, 1, 1)');
SELECT test.both('reserve(2, 1, 4)');
SELECT test.both('reserve(2, 1, 3)');
SELECT test.both('reserve(3, 1, 5)');
SELECT test.both('reserve(3, 1, 2147483647)');
SELECT test.both('reserve(3, 1, 4)');
-- Confirmed ones count on; cancelled ones do not; those of which the time is up do not, reaped or not.
SELECT test.both(format('confirm_reservation(%s)', r.id))
FROM fcfs.reservation AS r WHERE customer_id = 3 AND event_id = 1;
SELECT test.both('reserve(3, 1)');
SELECT test.both(format('cancel_reservation(%s)', r.id))
FROM fcfs.reservation AS r WHERE customer_id = 3 AND event_id = 1;
SELECT test.both('reserve(3, 1, 4)');
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE customer_id = 3 AND event_id = 1 AND status = 'held';
SELECT test.both('reserve(3, 2, 4)');
SELECT test.both('reserve(3, 2, 1)');
-- Lowered under what somebody has: they keep it, and get no more.
UPDATE fcfs.event SET max_per_customer = 1 WHERE id = 1;
SELECT test.both('reserve(3, 1)');
SELECT test.both('reserve(4, 1)');
SELECT test.both('reserve(4, 1)');
-- An event without a maximum, and articles without an event, have none.
UPDATE fcfs.event SET max_per_customer = NULL WHERE id = 1;
SELECT test.both('reserve(4, 1, 50)');
SELECT test.both('reserve(4, 12, 1000000)');

-- Stock: the rest, one more than the rest, all at once, none.
SELECT test.free('item', 10);
SELECT test.both(format('cancel_reservation(%s)', r.id))
FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id WHERE l.item_id = 10;
SELECT test.both('reserve(5, 10, 4)');
SELECT test.both('reserve(5, 10, 2)');
SELECT test.both('reserve(6, 10, 2)');
SELECT test.both('reserve(6, 10, 1)');
SELECT test.both('reserve(6, 10, 1)');
SELECT test.both('reserve(6, 11)');

-- The greatest quantity, again and again; the greatest stock; the greatest amount, and one beyond it.
SELECT test.both('reserve(1, 12, 2147483647)'), test.both('reserve(1, 12, 2147483647)'), test.both('reserve(2, 12, 2147483647)');
SELECT test.both('reserve(1, 16, 2147483647)'), test.both('reserve(1, 16, 1)');
SELECT test.both('reserve(1, 13, 2147483647)'), test.both('reserve(1, 13, 2147483647)');
SELECT amount FROM fcfs.reservation ORDER BY id DESC LIMIT 1;
SELECT test.both('reserve(1, 14, 2147483647)');
SELECT test.both('reserve(1, 14, 2147483646)');
SELECT test.both('reserve(1, 15, 1)'), test.both('reserve(1, 15, 2)');
-- The price is that of the moment.
UPDATE fcfs.item SET price = 1, currency = 'EUR' WHERE id = 12;
SELECT amount, currency FROM fcfs.reserve(1, 12, 7);
-- Customers are whoever the application says, whatever their number.
SELECT test.both(format('reserve(%s, 12)', id)) FROM (VALUES ('0'), ('-1'), ('9223372036854775807'), ('-9223372036854775808')) AS c (id);

-- Confirm: not there, held, confirmed already, cancelled.
SELECT test.both('confirm_reservation(999999)');
SELECT test.both('cancel_reservation(999999)');
CREATE TABLE test.mine AS SELECT * FROM fcfs.reserve(50, 12);
SELECT id AS mine FROM test.mine \gset
SELECT c.id = m.id AS id, c.customer_id, c.status, c.amount, c.ended_at, c.expires_at = m.expires_at AS expires_at
FROM test.mine AS m, fcfs.confirm_reservation(m.id) AS c;
SELECT code, detail IS NOT NULL AS detail FROM fcfs.try_confirm_reservation(:mine);
SELECT test.tried('confirm_reservation(' || :mine || ')');
-- Confirmed is final, whenever the hold would have ended.
UPDATE fcfs.reservation SET expires_at = clock_timestamp() - interval '1 hour' WHERE id = :mine;
SELECT fcfs.expire_reservations();
SELECT test.tried('confirm_reservation(' || :mine || ')');
SELECT status, active FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id WHERE r.id = :mine;
-- Cancel: what is confirmed, what is held, what is cancelled already.
SELECT c.id = m.id AS id, c.customer_id, c.status, c.amount, c.ended_at BETWEEN now() AND clock_timestamp() AS ended
FROM test.mine AS m, fcfs.cancel_reservation(m.id) AS c;
SELECT status, active FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id WHERE r.id = :mine;
SELECT test.tried('cancel_reservation(' || :mine || ')');
SELECT test.tried('confirm_reservation(' || :mine || ')');
CREATE TABLE test.held AS SELECT * FROM fcfs.reserve(51, 12);
SELECT test.both(format('cancel_reservation(%s)', id)) FROM test.held;
SELECT test.tried(format('cancel_reservation(%s)', id)) FROM test.held;
-- What was cancelled is sold again.
SELECT test.both(format('cancel_reservation(%s)', r.id))
FROM fcfs.reservation AS r JOIN fcfs.reservation_line AS l ON l.reservation_id = r.id
WHERE l.item_id = 10 AND l.active ORDER BY r.id;
SELECT test.free('item', 10);

\i sql/include/finish.sql
