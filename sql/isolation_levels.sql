-- The functions at each isolation level, in one session. What concurrent sessions
-- see of each other is a matter of the isolation specs.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id, max_credits) SELECT g, 2 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 5) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) SELECT g, 1, g, 'A', 2 FROM generate_series(1, 5) AS g;
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (4, 1, '09:00', '10:00'), (5, 1, '09:30', '10:30');
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 2);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 2, '-infinity', 'infinity');

-- The same at all levels: what was done in the transaction counts in it.
CREATE FUNCTION test.story() RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    call text;
BEGIN
    FOREACH call IN ARRAY ARRAY[
        'enroll(1, 1)', 'enroll(1, 1)', 'enroll(2, 1)', 'enroll(3, 1)',
        'enroll(1, 4)', 'enroll(1, 2)', 'cancel_enrollment(1, 1)', 'enroll(1, 5)', 'enroll(1, 2)', 'enroll(3, 1)',
        'reserve(1, 1, 3)', 'reserve(1, 1, 2)', 'reserve(1, 1, 1)',
        'issue_coupon(1, 1)', 'issue_coupon(1, 1)', 'issue_coupon(1, 2)', 'issue_coupon(1, 3)',
        $q$enroll(4, 2, 'k')$q$, $q$enroll(4, 2, 'k')$q$, $q$enroll(4, 3, 'k')$q$]
    LOOP
        RETURN NEXT call || ' ' || split_part(test.both(call), ' |', 1);
    END LOOP;
    UPDATE fcfs.reservation SET expires_at = clock_timestamp();
    RETURN NEXT test.both('reserve(2, 1, 1)');
    UPDATE fcfs.section SET capacity = 3 WHERE id = 1;
    RETURN NEXT test.free('section', 1);
END
$$;
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT string_agg(said, E'\n') AS story FROM test.story() AS said \gset
ROLLBACK;
\echo :story
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT string_agg(said, E'\n') = :'story' FROM test.story() AS said;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT string_agg(said, E'\n') = :'story' FROM test.story() AS said;
ROLLBACK;
-- Nothing of it was kept, and all pools are as they were.
SELECT count(*) FROM fcfs.enrollment;
SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT string_agg(said, E'\n') = :'story' FROM test.story() AS said;
COMMIT;
SELECT test.free('section', 1), test.free('item', 1), test.free('coupon', 1);

-- By plain SQL.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM fcfs.coupon_issue;
TRUNCATE fcfs.coupon_issue;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 1), (1, 2);
SELECT test.said('INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 3)');
SELECT test.said('UPDATE fcfs.coupon SET quota = 1');
SELECT test.said('UPDATE fcfs.coupon SET quota = 3');
SELECT test.free('coupon', 1);
COMMIT;
SELECT test.free('coupon', 1);
-- verify() at each.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM fcfs.verify();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT count(*) FROM fcfs.verify();
COMMIT;

\i sql/include/finish.sql
