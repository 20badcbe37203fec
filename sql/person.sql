-- person_id(): a stable number for whom the application knows by another name.
\i sql/include/start.sql

SELECT fcfs.person_id('5f0c7f1e-1111-4222-8333-444455556666') AS one, fcfs.person_id('ann') AS two \gset
SELECT :one <> :two;
SELECT fcfs.person_id('5f0c7f1e-1111-4222-8333-444455556666') = :one, fcfs.person_id('ann') = :two;
SELECT count(*) FROM fcfs.person;
-- Letter case and blanks tell names apart.
SELECT count(DISTINCT fcfs.person_id(name)) FROM unnest(ARRAY['ann', 'Ann', 'ann ', ' ann', 'ånn']) AS name;
-- 1 to 255 characters of any kind.
SELECT test.said(format('SELECT fcfs.person_id(%L)', name)) FROM unnest(ARRAY[repeat('x', 255), repeat('𝄞', 255), E'''"\\;--\n']) AS name;
SELECT test.said(format('SELECT fcfs.person_id(%L)', name)) FROM unnest(ARRAY['', repeat('x', 256), repeat('𝄞', 256)]) AS name;
SELECT test.said('SELECT fcfs.person_id(NULL)');
-- Rolled back, there is no such person; one that is there costs no number.
BEGIN;
SELECT fcfs.person_id('bob') > :two;
ROLLBACK;
SELECT count(*) FROM fcfs.person WHERE external_id = 'bob';
SELECT fcfs.person_id('ann') FROM generate_series(1, 100) GROUP BY 1 HAVING fcfs.person_id('ann') <> :two;
-- At every isolation level.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT fcfs.person_id('ann') = :two, fcfs.person_id('carl') = fcfs.person_id('carl');
COMMIT;
-- A number that an administrator brought along is not given to another.
INSERT INTO fcfs.person (id, external_id) VALUES (1000, 'dora');
SELECT fcfs.person_id('dora');
SELECT test.said($$INSERT INTO fcfs.person (external_id) VALUES ('dora')$$);
-- It is a person to all functions.
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 1, '-infinity', 'infinity');
SELECT user_id = :two FROM fcfs.issue_coupon(1, fcfs.person_id('ann'));
-- A trigger of the application's that drops the row: no person, and no waiting for one.
CREATE FUNCTION test.never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER never BEFORE INSERT ON fcfs.person FOR EACH ROW EXECUTE FUNCTION test.never();
SELECT test.said($$SELECT fcfs.person_id('erin')$$);
SELECT fcfs.person_id('dora');
DROP TRIGGER never ON fcfs.person;

\i sql/include/finish.sql
