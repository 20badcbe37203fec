-- verify() finds each rule that is broken, and nothing where none is. What is
-- broken here was written where triggers do not fire, or without a constraint.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', '2021-03-01', '2021-03-07'), (2, 'T2', '-infinity', 'infinity', '2021-03-01', '2021-03-07');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 20);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 9) AS g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES
    (1, 1, 1, 'A', 2), (2, 1, 2, 'A', NULL), (3, 1, 3, 'A', 0), (4, 1, 1, 'B', 2);
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00'), (2, 1, '10:00', '11:00');
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at) VALUES
    (1, 'K1', 3, 2, '-infinity', 'infinity'), (2, 'K2', NULL, 1, '-infinity', 'infinity');
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES (1, 'E1', '-infinity', 'infinity', 1);
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (1, NULL, 'I1', 5), (2, 1, 'I2', NULL);

-- In a transaction that is rolled back, with triggers off: what verify() finds after the statement.
CREATE FUNCTION test.broken(VARIADIC commands text[]) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    command text;
    found text[];
BEGIN
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOREACH command IN ARRAY commands LOOP
            EXECUTE command;
        END LOOP;
        SET LOCAL session_replication_role = origin;
        SELECT array_agg(DISTINCT format('%s %s %s: %s', v.kind, v.id, v.rule, test.masked(v.detail))) INTO found
        FROM fcfs.verify() AS v;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN QUERY SELECT f FROM unnest(coalesce(found, '{nothing}')) AS f ORDER BY f COLLATE "C";
    END;
END
$$;

-- Healthy: nothing there; everything there is, to the brim; states that policies would refuse.
SELECT * FROM fcfs.verify();
SELECT count(fcfs.enroll(g, 1)) FROM generate_series(1, 2) AS g;
SELECT count(fcfs.enroll(g, 2)) FROM generate_series(1, 5) AS g;
SELECT (fcfs.reserve(1, 1, 3)).status, (fcfs.reserve(2, 1, 2)).status, (fcfs.reserve(3, 2, 1)).status;
SELECT count(fcfs.confirm_reservation(id)) FROM fcfs.reservation WHERE customer_id = 2;
SELECT count(fcfs.issue_coupon(1, u)) FROM unnest('{1,1,2}'::integer[]) AS u;
SELECT (fcfs.issue_coupon(2, 1)).arrival;
INSERT INTO fcfs.enrollment (student_id, section_id, status, ended_at) VALUES (1, 1, 'cancelled', now()), (9, 3, 'cancelled', now());
INSERT INTO fcfs.reservation (id, customer_id, amount, currency, expires_at, status, ended_at) VALUES
    (900, 9, 0, 'USD', '2021-01-01', 'expired', '2021-01-01'), (901, 9, 0, 'USD', '2021-01-01', 'confirmed', NULL);
UPDATE fcfs.student SET max_credits = 0;
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (1, 1, 2, 4);
UPDATE fcfs.event SET max_per_customer = 1, sale_closes_at = now();
UPDATE fcfs.term SET enroll_closes_at = now();
SELECT * FROM fcfs.verify();

-- More claims than the pool has.
SELECT test.broken('UPDATE fcfs.section SET capacity = 1 WHERE id = 1');
SELECT test.broken($$INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule)
    SELECT g, 3, 1, 3, 1, '{}' FROM generate_series(7, 9) AS g$$);
SELECT test.broken('UPDATE fcfs.coupon SET quota = 2 WHERE id = 1');
SELECT test.broken('UPDATE fcfs.item SET stock = 4 WHERE id = 1');
SELECT test.broken('UPDATE fcfs.reservation_line SET quantity = 2147483647 WHERE item_id = 1');
-- As many as it has: nothing is broken.
SELECT test.broken('UPDATE fcfs.reservation_line SET item_id = 2, quantity = 2147483647 WHERE item_id = 2');
-- Claims on a pool that is not there.
SELECT test.broken('DELETE FROM fcfs.section WHERE id = 1', 'DELETE FROM fcfs.meeting WHERE section_id = 1');
SELECT test.broken('DELETE FROM fcfs.coupon WHERE id = 2');
SELECT test.broken('DELETE FROM fcfs.item WHERE id = 2');
-- Claims of nobody: of a student, or in a reservation, that is not there.
SELECT test.broken('DELETE FROM fcfs.student WHERE id = 5') <> 'nothing' AS found;
SELECT test.broken('UPDATE fcfs.reservation_line SET reservation_id = 999 WHERE item_id = 2') <> 'nothing' AS found;
-- One student twice in a course; in two places at once.
SELECT test.broken('DROP INDEX fcfs.enrollment_once_a_course',
    $$INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule) VALUES (1, 4, 1, 1, 1, '{}')$$);
SELECT test.broken('ALTER TABLE fcfs.enrollment DROP CONSTRAINT enrollment_no_overlap',
    $$UPDATE fcfs.meeting SET starts_at = '09:59' WHERE section_id = 2$$,
    $$UPDATE fcfs.section SET schedule = fcfs.section_schedule(id) WHERE id = 2$$,
    $$UPDATE fcfs.enrollment SET schedule = fcfs.section_schedule(2) WHERE section_id = 2$$);
-- A calendar that is not that of the meetings; that is not that of the section.
SELECT test.broken($$UPDATE fcfs.meeting SET starts_at = '08:00' WHERE section_id = 1$$);
SELECT test.broken('TRUNCATE fcfs.meeting');
SELECT test.broken($$UPDATE fcfs.enrollment SET schedule = '{}' WHERE student_id = 1 AND section_id = 1 AND status = 'enrolled'$$);
SELECT test.broken($$UPDATE fcfs.enrollment SET course_id = 5 WHERE student_id = 3$$);
SELECT test.broken($$UPDATE fcfs.enrollment SET term_id = 2 WHERE student_id = 3$$);
-- Of a cancelled one it does not matter.
SELECT test.broken($$UPDATE fcfs.enrollment SET schedule = '{}', course_id = 5, term_id = 2 WHERE status = 'cancelled'$$);
-- A coupon more than a user may have; one that has a number above the limit.
SELECT test.broken('UPDATE fcfs.coupon SET per_user_limit = 1 WHERE id = 1');
SELECT test.broken('UPDATE fcfs.coupon_issue SET user_ordinal = 3 WHERE coupon_id = 1 AND user_ordinal = 2') <> 'nothing' AS found;
-- Lines that do not follow their reservation, either way.
SELECT test.broken($$UPDATE fcfs.reservation SET status = 'cancelled', ended_at = now() WHERE customer_id = 1$$);
SELECT test.broken('UPDATE fcfs.reservation_line SET active = false WHERE item_id = 1');
-- A hold past its time, still counted, is somebody's to reap; after a minute that nobody did it is broken.
SELECT test.broken($$UPDATE fcfs.reservation SET expires_at = clock_timestamp() - interval '50 seconds' WHERE status = 'held'$$);
SELECT test.broken($$UPDATE fcfs.reservation SET expires_at = clock_timestamp() - interval '61 seconds' WHERE status = 'held'$$);
-- Reserved seats, cross lists and lines: more than they have, more than the section has, not there, of another section.
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G1');
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (51, 'X1', 2);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id) VALUES (51, 1, 7, 'A', 3, 1, 51), (52, 1, 8, 'A', 0, 0, 51);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (51, 51, 1, 1);
INSERT INTO fcfs.enrollment (id, student_id, section_id, reserved_seats_id, status, override) VALUES
    (51, 11, 51, 51, 'enrolled', '{}'), (52, 12, 51, NULL, 'enrolled', '{}'), (53, 13, 51, NULL, 'waitlisted', '{}'),
    (54, 14, 52, NULL, 'enrolled', '{capacity}'), (55, 15, 51, 51, 'enrolled', '{capacity}');
SELECT * FROM fcfs.verify();
SELECT test.broken('UPDATE fcfs.reserved_seats SET seats = 0');
SELECT test.broken('UPDATE fcfs.reserved_seats SET released = true');
SELECT test.broken('UPDATE fcfs.reserved_seats SET seats = 3');
SELECT test.broken('UPDATE fcfs.section SET waitlist_capacity = 0 WHERE id = 51');
SELECT test.broken('UPDATE fcfs.cross_list SET capacity = 1');
SELECT test.broken($$UPDATE fcfs.enrollment SET override = '{}' WHERE id IN (54, 55)$$);
SELECT test.broken('DELETE FROM fcfs.reserved_seats');
SELECT test.broken('DELETE FROM fcfs.cross_list');
SELECT test.broken('UPDATE fcfs.reserved_seats SET section_id = 2');
SELECT test.broken('UPDATE fcfs.enrollment SET cross_list_id = NULL WHERE id IN (52, 53)', 'UPDATE fcfs.enrollment SET cross_list_id = 51 WHERE id = 1');
-- An override of the timetable is two places at once, and no damage.
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (53, 1, 9, 'A');
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (53, 1, '09:30', '10:30');
INSERT INTO fcfs.enrollment (id, student_id, section_id, override) VALUES (56, 1, 53, '{conflict}');
SELECT * FROM fcfs.verify();
SELECT test.broken('ALTER TABLE fcfs.enrollment DROP CONSTRAINT enrollment_no_overlap', $$UPDATE fcfs.enrollment SET override = '{}' WHERE id = 56$$);
-- Several at once are several rows.
SELECT test.broken('UPDATE fcfs.section SET capacity = 1 WHERE id = 1', 'UPDATE fcfs.coupon SET quota = 2, per_user_limit = 1 WHERE id = 1',
    'UPDATE fcfs.item SET stock = 4 WHERE id = 1');

-- A claim on a pool that is not there can be taken away.
SET session_replication_role = replica;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (77, 1);
RESET session_replication_role;
SELECT rule, kind FROM fcfs.verify();
SELECT test.said('DELETE FROM fcfs.coupon_issue WHERE coupon_id = 77');
SET session_replication_role = replica;
DELETE FROM fcfs.coupon_issue WHERE coupon_id = 77;
RESET session_replication_role;
SELECT * FROM fcfs.verify();
-- Committed, it is seen by anybody at any level; mended, it is gone.
SET session_replication_role = replica;
DELETE FROM fcfs.coupon WHERE id = 2;
RESET session_replication_role;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT rule, kind, id FROM fcfs.verify() WHERE rule <> 'escrow_differs';
COMMIT;
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (2, 'K2', NULL, '-infinity', 'infinity');

\i sql/include/finish.sql
