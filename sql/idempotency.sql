-- Idempotency keys: the same call again, another call, refusals, and what a key is.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT g, 1, g, 'A', 5 FROM generate_series(1, 9) AS g;
UPDATE fcfs.section SET capacity = 0 WHERE id = 5;
INSERT INTO fcfs.item (id, code, stock, price) VALUES (1, 'I1', 100, 7), (2, 'I2', 0, 7);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 100, '-infinity', 'infinity');
CREATE FUNCTION test.stored() RETURNS TABLE (function text, person bigint, key text, code text)
LANGUAGE sql AS $$
SELECT i.function, i.person_id, left(i.key, 20), i.code FROM fcfs.idempotency AS i
ORDER BY i.function COLLATE "C", i.person_id, i.key COLLATE "C"
$$;

-- The first call acts, the same again is answered from what was stored, by either face.
SELECT ok, code, replayed FROM fcfs.try_enroll(1, 1, 'a');
SELECT ok, code, http_status, retryable, message, detail, id = (SELECT max(id) FROM fcfs.enrollment) AS id, replayed
FROM fcfs.try_enroll(1, 1, 'a');
SELECT student_id, section_id, status, id = (SELECT max(id) FROM fcfs.enrollment) AS id FROM fcfs.enroll(1, 1, 'a');
SELECT test.both($$enroll(1, 1, 'a')$$);
SELECT student_id, section_id, status FROM fcfs.enroll(1, 2, idempotency_key => 'b');
SELECT test.both($$enroll(1, 2, 'b')$$);
SELECT student_id, count(*) FROM fcfs.enrollment GROUP BY 1;
-- Without a key, or with a NULL one, every call is judged for itself.
SELECT test.both('enroll(1, 1)');
SELECT test.both('enroll(1, 1, NULL)');
SELECT * FROM test.stored();

-- Other arguments under the key of a finished call: before anything else is looked at.
SELECT test.both($$enroll(1, 3, 'a')$$);
SELECT test.both($$enroll(1, 999, 'a')$$);
SELECT ok, code, replayed, id FROM fcfs.try_enroll(1, 3, 'a');
-- It leaves the stored answer as it was.
SELECT test.both($$enroll(1, 1, 'a')$$);
-- The same key in another letter case, or with a blank, is another key.
SELECT test.both($$enroll(1, 3, 'A')$$);
SELECT test.both($$enroll(1, 4, 'a ')$$);

-- Every argument counts; a default that is written out is no other argument.
SELECT test.both($$reserve(1, 1, 1, 'a')$$);
SELECT test.both($$reserve(1, 1, 2, 'a')$$);
SELECT test.both($$reserve(1, 2, 1, 'a')$$);
SELECT test.both($$reserve(1, 1, idempotency_key => 'a')$$);
SELECT test.both($$reserve(idempotency_key => 'a', quantity => 1, item_id => 1, customer_id => 1)$$);

-- What may be left out counts as well: a number by its value, and left out at the end
-- it is as if the function had no such argument.
UPDATE fcfs.section SET min_credits = 1, max_credits = 5 WHERE id = 8;
SELECT test.both($$enroll(8, 8, 'n', 3)$$);
SELECT code, replayed FROM fcfs.try_enroll(8, 8, credits => 3.00, idempotency_key => 'n');
SELECT test.both($$enroll(8, 8, 'n', 3.1)$$);
SELECT test.both($$enroll(8, 8, 'n')$$);
SELECT test.both($$enroll(8, 7, 'o')$$);
SELECT code, replayed FROM fcfs.try_enroll(8, 7, 'o', credits => NULL);
SELECT key, arguments FROM fcfs.idempotency WHERE person_id = 8 ORDER BY key;

-- The scope of a key: the function and the person.
SELECT test.both($$enroll(2, 1, 'a')$$);
SELECT test.both($$issue_coupon(1, 1, 'a')$$);
SELECT test.both($$cancel_enrollment(1, 1, 'a')$$);
SELECT test.both($$cancel_enrollment(1, 1, 'a')$$);
SELECT test.both($$cancel_enrollment(1, 2, 'a')$$);
-- For a reservation the person is its customer.
INSERT INTO fcfs.reservation (id, customer_id, amount, currency, expires_at) VALUES
    (11, 1, 0, 'USD', 'infinity'), (12, 1, 0, 'USD', 'infinity'), (13, 2, 0, 'USD', 'infinity');
SELECT test.both($$confirm_reservation(11, 'a')$$);
SELECT test.both($$confirm_reservation(11, 'a')$$);
SELECT test.both($$confirm_reservation(12, 'a')$$);
SELECT test.both($$confirm_reservation(13, 'a')$$);
SELECT test.both($$cancel_reservation(11, 'a')$$);
SELECT test.both($$cancel_reservation(11, 'a')$$);
SELECT test.both($$cancel_reservation(12, 'a')$$);
SELECT id, status FROM fcfs.reservation WHERE id IN (11, 12, 13) ORDER BY id;

-- The answer is the stored one, whatever has happened since: the enrollment was cancelled.
SELECT ok, code, replayed FROM fcfs.try_enroll(1, 1, 'a');
SELECT student_id, section_id FROM fcfs.enroll(1, 1, 'a');
SELECT section_id, status FROM fcfs.enrollment WHERE student_id = 1 ORDER BY section_id;

-- Of a row that is gone there is the number, but no row.
SELECT test.both($$issue_coupon(1, 9, 'gone')$$);
DELETE FROM fcfs.coupon_issue WHERE user_id = 9;
SELECT code, id IS NOT NULL AS id, replayed FROM fcfs.try_issue_coupon(1, 9, 'gone');
SELECT regexp_replace(test.said($$SELECT fcfs.issue_coupon(1, 9, 'gone')$$), 'row \d+', 'row (id)');

-- A refusal that try_ gave is stored, and answered by both faces, even when the state has changed.
SELECT ok, code, replayed, detail FROM fcfs.try_enroll(3, 5, 'full');
UPDATE fcfs.section SET capacity = 5 WHERE id = 5;
SELECT test.both($$enroll(3, 5, 'full')$$);
SELECT replayed FROM fcfs.try_enroll(3, 5, 'full');
SELECT test.both($$enroll(3, 6, 'full')$$);
SELECT test.both($$enroll(3, 5, 'another')$$);
SELECT ok, code FROM fcfs.try_reserve(3, 2, 1, 'none left');
UPDATE fcfs.item SET stock = 10 WHERE id = 2;
SELECT test.both($$reserve(3, 2, 1, 'none left')$$);
-- One that was raised is not.
SELECT test.said($$SELECT fcfs.enroll(3, 5, 'raised')$$);
UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = now() WHERE student_id = 3;
SELECT test.both($$enroll(3, 5, 'raised')$$);
-- Not found is not.
SELECT code FROM fcfs.try_enroll(77, 6, 'found later');
SELECT code FROM fcfs.try_enroll(4, 66, 'found later');
SELECT code FROM fcfs.try_reserve(4, 66, 1, 'found later');
SELECT code FROM fcfs.try_issue_coupon(66, 4, 'found later');
SELECT code FROM fcfs.try_confirm_reservation(66, 'found later');
SELECT code FROM fcfs.try_cancel_enrollment(4, 6, 'found later');
SELECT * FROM test.stored() WHERE key = 'found later';
INSERT INTO fcfs.student (id) VALUES (77);
SELECT test.both($$enroll(77, 6, 'found later')$$);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (66, 1, 9, 'B', 5);
SELECT test.both($$enroll(4, 66, 'found later')$$);
-- Bad input is not.
SELECT test.both($$reserve(5, 1, 0, 'bad')$$);
SELECT test.both($$reserve(5, NULL, 1, 'bad')$$);
SELECT test.both($$reserve(5, 1, 1, 'bad')$$);
SELECT * FROM test.stored() WHERE person IN (3, 4, 5, 77);

-- Rolled back, a call was not: the next is the first, whatever its arguments.
BEGIN;
SELECT ok, replayed FROM fcfs.try_enroll(6, 1, 'undone');
SELECT ok, replayed FROM fcfs.try_enroll(6, 1, 'undone');
ROLLBACK;
SELECT ok, replayed FROM fcfs.try_enroll(6, 2, 'undone');
BEGIN;
SAVEPOINT s;
SELECT ok, replayed FROM fcfs.try_enroll(6, 3, 'undone too');
ROLLBACK TO SAVEPOINT s;
SELECT ok, replayed FROM fcfs.try_enroll(6, 4, 'undone too');
SAVEPOINT s;
SELECT ok, replayed FROM fcfs.try_enroll(6, 4, 'undone too');
RELEASE SAVEPOINT s;
SELECT code FROM fcfs.try_enroll(6, 3, 'undone too');
COMMIT;
SELECT code, replayed FROM fcfs.try_enroll(6, 4, 'undone too');
SELECT section_id FROM fcfs.enrollment WHERE student_id = 6 ORDER BY 1;

-- A key has 1 to 255 characters, of any kind.
SELECT test.both(format('enroll(7, 1, %L)', repeat('x', 255)));
SELECT test.both(format('enroll(7, 1, %L)', repeat('x', 255)));
SELECT test.both(format('enroll(7, 2, %L)', repeat('x', 254)));
SELECT test.both(format('enroll(7, 3, %L)', repeat('x', 256)));
SELECT test.both(format('enroll(7, 3, %L)', repeat('x', 100000)));
SELECT test.both(format('enroll(7, 3, %L)', repeat('é', 255)));
SELECT test.both(format('enroll(7, 3, %L)', repeat('é', 255)));
SELECT test.both(format('enroll(7, 4, %L)', repeat('𝄞', 255)));
SELECT test.both(format('enroll(7, 5, %L)', repeat('𝄞', 256)));
SELECT test.both($$enroll(7, 5, '')$$);
SELECT test.both($$enroll(7, 6, ' ')$$);
SELECT test.both($$enroll(7, 7, E'''";\\ --\n%')$$);
SELECT test.both($$enroll(7, 7, E'''";\\ --\n%')$$);
SELECT section_id FROM fcfs.enrollment WHERE student_id = 7 ORDER BY 1;
-- For each function.
SELECT call, test.both(format(call, ''''''))
FROM unnest('{"cancel_enrollment(1, 1, %s)","reserve(1, 1, 1, %s)","confirm_reservation(1, %s)","cancel_reservation(1, %s)","issue_coupon(1, 1, %s)"}'::text[]) AS call;
SELECT call, test.both(format(call, quote_literal(repeat('x', 256))))
FROM unnest('{"cancel_enrollment(1, 1, %s)","reserve(1, 1, 1, %s)","confirm_reservation(1, %s)","cancel_reservation(1, %s)","issue_coupon(1, 1, %s)"}'::text[]) AS call;

-- Kept for 24 hours, removed in batches, oldest first; what is removed was never.
SHOW fcfs.idempotency_keep;
SELECT fcfs.expire_idempotency_keys();
DELETE FROM fcfs.idempotency;
SELECT (fcfs.try_issue_coupon(1, 100 + g, 'k')).ok FROM generate_series(1, 4) AS g;
UPDATE fcfs.idempotency SET created_at = now() - interval '24 hours' - make_interval(mins => 10 - person_id::integer % 10)
WHERE person_id < 104;
UPDATE fcfs.idempotency SET created_at = now() - interval '23 hours 50 minutes' WHERE person_id = 104;
SELECT fcfs.expire_idempotency_keys(2);
SELECT * FROM test.stored();
SELECT fcfs.expire_idempotency_keys(max_rows => 2);
SELECT * FROM test.stored();
SELECT fcfs.expire_idempotency_keys();
SELECT test.both($$issue_coupon(1, 104, 'k')$$);
SELECT test.both($$issue_coupon(1, 101, 'k')$$);
-- Not shorter than a day; longer if wanted.
SELECT test.said($$SET fcfs.idempotency_keep = '86399s'$$);
SET fcfs.idempotency_keep = '86400s';
UPDATE fcfs.idempotency SET created_at = now() - interval '25 hours';
SET fcfs.idempotency_keep = '2d';
SELECT fcfs.expire_idempotency_keys();
RESET fcfs.idempotency_keep;
SELECT fcfs.expire_idempotency_keys();
SELECT test.said('SELECT fcfs.expire_idempotency_keys(0)');
SELECT test.said('SELECT fcfs.expire_idempotency_keys(-2147483648)');
SELECT test.said('SELECT fcfs.expire_idempotency_keys(NULL)');

-- An id that was brought can be any number, 0 too: it is in the answer, and in the one that is kept.
INSERT INTO fcfs.item (id, code, stock) VALUES (7, 'I7', 3);
INSERT INTO fcfs.reservation (id, customer_id, amount, currency, expires_at) VALUES (0, 7, 0, 'USD', 'infinity');
SELECT ok, id, replayed FROM fcfs.try_confirm_reservation(0, 'zero');
SELECT ok, id, replayed FROM fcfs.try_confirm_reservation(0, 'zero');

\i sql/include/finish.sql
