-- A pool that goes in the same statement that claims of it: the trigger of the deletion has not
-- fired yet, and the claim must find the row gone all the same.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', '2021-09-06', '2021-12-12');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1), (2, repeat('long ', 400), 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5), (2, 1, 2, 'A', 5);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 5);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 5, '-infinity', 'infinity');

-- By a function. What it answers is the last that is known of the pool.
CREATE FUNCTION test.answer(claim text, pool text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM fcfs.%s WHERE id = 1 RETURNING id) SELECT (%s).code FROM gone', pool, claim) INTO answer;
    RETURN answer || ', pools left: ' || (SELECT count(*) FROM fcfs.section) || (SELECT count(*) FROM fcfs.item) || (SELECT count(*) FROM fcfs.coupon);
END
$$;
BEGIN;
SELECT test.answer('fcfs.try_enroll(1, id)', 'section');
SELECT test.answer('fcfs.try_reserve(1, id)', 'item');
UPDATE fcfs.coupon SET title = 'changed by us';
SELECT test.answer('fcfs.try_issue_coupon(id, 1)', 'coupon');
ROLLBACK;

-- By raw SQL, which says what is missing.
SELECT test.said('WITH gone AS (DELETE FROM fcfs.section WHERE id = 1 RETURNING id)
    INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 1, id FROM gone');
SELECT test.said('WITH gone AS (DELETE FROM fcfs.item WHERE id = 1 RETURNING id),
    made AS (INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) VALUES (1, 0, ''USD'', ''infinity'') RETURNING id)
    INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price) SELECT made.id, gone.id, 1, 0 FROM made, gone');
SELECT split_part(test.said('WITH gone AS (DELETE FROM fcfs.coupon WHERE id = 1 RETURNING id)
    INSERT INTO fcfs.coupon_issue (coupon_id, user_id) SELECT id, 1 FROM gone'), ' | ', 1);
SELECT split_part(test.said('UPDATE fcfs.coupon SET title = ''ours'';
    WITH gone AS (DELETE FROM fcfs.coupon WHERE id = 1 RETURNING id)
    INSERT INTO fcfs.coupon_issue (coupon_id, user_id) SELECT id, 1 FROM gone'), ' | ', 1);

-- All is as it was.
SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1);

-- An answer longer than usual.
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00'), (2, 1, '09:00', '10:00');
SELECT code FROM fcfs.try_enroll(2, 2);
SELECT code, length(detail), right(detail, 20) FROM fcfs.try_enroll(2, 1);

-- Kept in a savepoint that is rolled back: a pool that was had alone is anybody's again.
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
SAVEPOINT alone;
UPDATE fcfs.coupon SET per_user_limit = 4;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
ROLLBACK TO SAVEPOINT alone;
SELECT code FROM fcfs.try_issue_coupon(1, 7);
SELECT code FROM fcfs.try_issue_coupon(1, 8);
COMMIT;
SELECT test.free('coupon', 1);
\i sql/include/finish.sql
