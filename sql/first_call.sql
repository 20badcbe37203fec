-- Each function and view as the first thing that a session does: where the library
-- is not preloaded, nothing of it is there yet.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '-infinity', 'infinity', current_date + 30, current_date + 60);
INSERT INTO fcfs.student (id) VALUES (1), (2);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 1);
INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I1', 1);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 1, '-infinity', 'infinity');

\c -
SELECT status FROM fcfs.enroll(1, 1);
\c -
SELECT code FROM fcfs.try_enroll(2, 1);
\c -
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (2, 1);
\c -
UPDATE fcfs.section SET capacity = 0;
\c -
DELETE FROM fcfs.section;
\c -
SELECT status FROM fcfs.cancel_enrollment(1, 1);
\c -
SELECT test.free('section', 1);
\c -
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES (1, 1, '09:00', '10:00');
\c -
TRUNCATE fcfs.enrollment;
\c -
SELECT status FROM fcfs.reserve(1, 1);
\c -
SELECT code FROM fcfs.try_reserve(2, 1);
\c -
SELECT count(fcfs.confirm_reservation(id)) FROM fcfs.reservation;
\c -
SELECT count(fcfs.cancel_reservation(id)) FROM fcfs.reservation;
\c -
SELECT arrival FROM fcfs.issue_coupon(1, 1);
\c -
SELECT code FROM fcfs.try_issue_coupon(1, 2);
\c -
UPDATE fcfs.coupon_issue SET status = 'revoked';
\c -
-- Not lower than the last, although nothing is left of it in memory.
SELECT arrival > 1 AS later FROM fcfs.issue_coupon(1, 2);
\c -
SELECT fcfs.expire_reservations();
\c -
SELECT fcfs.expire_idempotency_keys();
\c -
SELECT fcfs.person_id('one') IS NOT NULL;
\c -
SELECT fcfs.call('issue_coupon', '{"coupon_id": 1, "user_id": 2}') -> 'success';
\c -
SELECT count(*) > 0 FROM fcfs.refusals();
\c -
SELECT * FROM fcfs.verify();
\c -
SELECT count(*) > 0 FROM fcfs.health();
\c -
SELECT count(*) >= 0 FROM fcfs.stat_pools;
\c -
SET fcfs.hold_for = '1min';
SHOW fcfs.hold_for;
\c -
-- What only a superuser may set, nobody else sets before the server knows of it.
SELECT code FROM fcfs.try_issue_coupon(1, 2, 'key');
CREATE ROLE regress_first_caller;
SELECT fcfs.grant_admin('regress_first_caller');
\c -
SET client_min_messages = error;
SET ROLE regress_first_caller;
DO $$BEGIN SET fcfs.idempotency_keep = '0'; EXCEPTION WHEN insufficient_privilege THEN NULL; END$$;
SELECT fcfs.expire_idempotency_keys();
SHOW fcfs.idempotency_keep;
RESET ROLE;
DROP OWNED BY regress_first_caller;
DROP ROLE regress_first_caller;
\c -
SET client_min_messages = warning;
DROP EXTENSION pg_fcfs;
CREATE EXTENSION pg_fcfs;
\c -

\i sql/include/finish.sql
