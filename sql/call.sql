-- call(name, args): the operations for clients that speak JSON.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (1), (2), (3), (4);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1), (2, 'C2', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 1), (2, 1, 2, 'A', 5);
INSERT INTO fcfs.item (id, code, stock, price) VALUES (1, 'I1', 2, 4611686018427387904);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 1, '-infinity', 'infinity');

-- The answer without the moments in it, which are there.
CREATE FUNCTION test.call(name text, args text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
BEGIN
    answer := fcfs.call(name, args::jsonb);
    IF answer ? 'data' AND jsonb_typeof(answer -> 'data') = 'object' THEN
        answer := jsonb_set(answer, '{data}', (
            SELECT jsonb_object_agg(key, CASE WHEN key ~ '_at$' AND value <> 'null' THEN '"then"' ELSE value END)
            FROM jsonb_each(answer -> 'data')));
    END IF;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM);
END
$$;

-- Each operation: done, with its row; refused, with its code.
SELECT test.call('enroll', '{"student_id": 1, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 2, "section_id": 1}');
SELECT test.call('cancel_enrollment', '{"student_id": 1, "section_id": 1}');
SELECT test.call('cancel_enrollment', '{"student_id": 1, "section_id": 1}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": 1}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": 2}');
UPDATE fcfs.item SET price = 9007199254740993;
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": 2}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1}');
SELECT test.call('confirm_reservation', format('{"reservation_id": %s}', min(id))) FROM fcfs.reservation;
SELECT test.call('confirm_reservation', format('{"reservation_id": %s}', min(id))) FROM fcfs.reservation;
SELECT test.call('cancel_reservation', format('{"reservation_id": %s}', min(id))) FROM fcfs.reservation;
SELECT test.call('cancel_reservation', format('{"reservation_id": %s}', min(id))) FROM fcfs.reservation;
SELECT test.call('issue_coupon', '{"coupon_id": 1, "user_id": 1}');
SELECT test.call('issue_coupon', '{"coupon_id": 1, "user_id": 2}');
-- Each as it is.
SELECT fcfs.call('issue_coupon', '{"coupon_id": 1, "user_id": 1}');
SELECT jsonb_pretty(fcfs.call('enroll', '{"student_id": 2, "section_id": 99}'));
-- The row is that of the table, moments and all.
SELECT fcfs.call('enroll', '{"student_id": 3, "section_id": 2}') AS answer \gset
SELECT :'answer'::jsonb -> 'data' = to_jsonb(e) FROM fcfs.enrollment_summary AS e WHERE student_id = 3;

-- Idempotency keys work as ever; a refusal is stored like that of try_.
SELECT test.call('enroll', '{"student_id": 4, "section_id": 2, "idempotency_key": "k"}');
SELECT test.call('enroll', '{"student_id": 4, "section_id": 2, "idempotency_key": "k"}');
SELECT test.call('enroll', '{"student_id": 4, "section_id": 1, "idempotency_key": "k"}');
SELECT test.call('enroll', '{"student_id": 2, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 4, "section_id": 1, "idempotency_key": "full"}');
UPDATE fcfs.section SET capacity = 9 WHERE id = 1;
SELECT test.call('enroll', '{"student_id": 4, "section_id": 1, "idempotency_key": "full"}');
SELECT test.call('enroll', '{"student_id": 4, "section_id": 1, "idempotency_key": null}');

-- Numbers as large as they get, written as a number or in quotes.
SELECT test.call('issue_coupon', '{"coupon_id": 9223372036854775807, "user_id": 1}');
SELECT test.call('issue_coupon', '{"coupon_id": "1", "user_id": "1"}');

-- Bad input is an error with a standard SQLSTATE, like that of the functions.
SELECT test.call('no_such_thing', '{}');
SELECT test.call(NULL, '{}');
SELECT test.call('', '{}');
SELECT test.call('enroll', NULL);
SELECT test.call('enroll', '[]');
SELECT test.call('enroll', '[1, 1]');
SELECT test.call('enroll', '1');
SELECT test.call('enroll', '"x"');
SELECT test.call('enroll', 'null');
-- Whoever leaves an argument out reads of the function that was called.
SELECT left(said, 5) IN ('22004', '22023', '42883') AS standard, said ~ 'try_' AS "of another function"
FROM (VALUES (test.call('enroll', '{}')), (test.call('enroll', '{"student_id": 1}'))) AS c (said);
SELECT test.call('enroll', '{"student_id": null, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 1, "section_id": 1, "sektion_id": 1}');
SELECT test.call('enroll', '{"student_id": "one", "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 1.5, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": true, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": [1], "section_id": 1}');
SELECT test.call('enroll', '{"student_id": {"id": 1}, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 9223372036854775808, "section_id": 1}');
SELECT test.call('enroll', '{"student_id": 1, "section_id": 1, "idempotency_key": ""}');
SELECT test.call('enroll', '{"student_id": 1, "section_id": 1, "credits": "NaN"}');
SELECT test.call('enroll', '{"student_id": 1, "section_id": 1, "credits": [1]}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": 0}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": null}');
SELECT test.call('reserve', '{"customer_id": 1, "item_id": 1, "quantity": 2147483648}');
-- Nothing but the operations can be called, whatever the name.
SELECT name, test.call(name, '{}')
FROM unnest(ARRAY['try_enroll', 'fcfs.enroll', 'ENROLL', 'call', 'verify', 'grant_app', 'pg_sleep',
    'enroll; DROP TABLE fcfs.enrollment', 'enroll(1, 1); --', 'enroll"']) AS name;

\i sql/include/finish.sql
