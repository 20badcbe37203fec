-- What an administrator may write into the definition tables, and what not.
\i sql/include/start.sql

INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '2021-01-01', '2021-02-01', '2021-03-01', '2021-06-18');
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C1', 3);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 5);
INSERT INTO fcfs.student (id, external_id) VALUES (1, 'one'), (2, 'two');
INSERT INTO fcfs.meeting (id, section_id, weekday, starts_at, ends_at) VALUES (1, 1, 1, '09:00', '10:00');
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (1, 1, 1, 4);
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at) VALUES (1, 'E1', '2021-01-01', '2021-02-01');
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (1, 1, 'I1', 5);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K1', 5, '2021-01-01', '2021-02-01');

-- How it goes to insert a copy of row 1 with the changes; it is undone.
CREATE FUNCTION test.copy(relation text, changes jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    said := test.said(format(
        'INSERT INTO fcfs.%1$I SELECT (jsonb_populate_record(one, %2$L)).* FROM fcfs.%1$I AS one LIMIT 1',
        relation, '{"id": 99, "code": "copy", "external_id": "copy"}' || changes));
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN format('%s %s: %s', relation, changes, said);
END
$$;

-- Term: windows and dates in order, a zone that exists, days and credits that are not negative.
SELECT test.copy('term', changes::jsonb) FROM unnest(ARRAY[
    '{}',
    '{"code": "T1"}', '{"code": ""}', '{"code": null}', '{"id": 1}', '{"id": null}',
    '{"enroll_opens_at": "2021-02-01"}', '{"enroll_opens_at": "2021-02-02"}', '{"enroll_opens_at": "2021-01-31 23:59:59.999999"}',
    '{"enroll_opens_at": null}', '{"enroll_closes_at": null}',
    '{"enroll_opens_at": "-infinity", "enroll_closes_at": "infinity"}', '{"enroll_opens_at": "infinity", "enroll_closes_at": "infinity"}',
    '{"starts_on": "2021-06-18"}', '{"starts_on": "2021-06-19"}', '{"starts_on": null}', '{"ends_on": null}',
    '{"starts_on": "-infinity"}', '{"ends_on": "infinity"}',
    '{"ends_on": "2031-03-09"}', '{"ends_on": "2031-03-10"}', '{"ends_on": "5874897-12-31"}',
    '{"time_zone": "Asia/Seoul"}', '{"time_zone": "Mars/Olympus"}', '{"time_zone": ""}', '{"time_zone": null}',
    '{"cancel_days": 0}', '{"cancel_days": -1}', '{"cancel_days": 3660}', '{"cancel_days": 3661}', '{"cancel_days": 2147483647}', '{"cancel_days": null}',
    '{"max_credits": 0}', '{"max_credits": -0.1}', '{"max_credits": 1000}', '{"max_credits": 1000.1}', '{"max_credits": 10000}', '{"max_credits": null}',
    '{"retake_cutoff": null}', '{"retake_cutoff": -1}']) AS changes;

SELECT test.copy('student', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"external_id": "two"}', '{"external_id": ""}', '{"external_id": null}',
    '{"max_credits": 0}', '{"max_credits": -0.1}']) AS changes;

SELECT test.copy('course', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"code": "C1"}', '{"code": ""}', '{"code": null}', '{"title": null}',
    '{"credits": 0}', '{"credits": -0.1}', '{"credits": 999.9}', '{"credits": 1000}', '{"credits": null}']) AS changes;

-- Section: dates of its own in order, within reason; a term and a course there are.
SELECT test.copy('section', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"code": "A"}', '{"code": ""}', '{"code": null}',
    '{"term_id": 99}', '{"term_id": null}', '{"course_id": 99}', '{"course_id": null}',
    '{"capacity": 0}', '{"capacity": -1}', '{"capacity": null}', '{"capacity": 2147483647}', '{"capacity": -2147483648}',
    '{"starts_on": "2021-04-01", "ends_on": "2021-04-01"}', '{"starts_on": "2021-04-02", "ends_on": "2021-04-01"}',
    '{"starts_on": "infinity"}', '{"ends_on": "infinity"}', '{"starts_on": "-infinity"}',
    '{"starts_on": "2021-01-01", "ends_on": "2031-01-09"}', '{"starts_on": "2021-01-01", "ends_on": "2031-01-10"}',
    '{"starts_on": "2021-06-19"}', '{"ends_on": "2021-02-28"}', '{"ends_on": "5874897-12-31"}']) AS changes;

-- Meeting: weekly or on a date, not both and not neither, ending after it begins.
SELECT test.copy('meeting', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"section_id": 99}', '{"section_id": null}',
    '{"weekday": 7}', '{"weekday": 0}', '{"weekday": 8}', '{"weekday": null}',
    '{"on_date": "2021-04-01"}', '{"weekday": null, "on_date": "2021-04-01"}',
    '{"weekday": null, "on_date": "infinity"}', '{"weekday": null, "on_date": "-infinity"}',
    '{"weekday": null, "on_date": "5874897-12-31"}', '{"weekday": null, "on_date": "4713-01-01 BC"}',
    '{"starts_at": "10:00"}', '{"starts_at": "10:01"}', '{"starts_at": "09:59:59.999999"}', '{"starts_at": null}', '{"ends_at": null}',
    '{"starts_at": "23:00", "ends_at": "24:00"}', '{"starts_at": "23:00", "ends_at": "01:00"}', '{"starts_at": "24:00", "ends_at": "24:00"}'
    ]) AS changes;

SELECT test.copy('grade', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"student_id": 2}', '{"student_id": 99}', '{"student_id": 2, "course_id": 99}', '{"student_id": 2, "term_id": 99}',
    '{"student_id": 2, "points": null}', '{"student_id": 2, "points": -1}']) AS changes;

SELECT test.copy('event', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"code": "E1"}', '{"code": ""}', '{"code": null}',
    '{"sale_opens_at": "2021-02-01"}', '{"sale_opens_at": "2021-02-02"}', '{"sale_opens_at": null}', '{"sale_closes_at": null}',
    '{"sale_opens_at": "-infinity", "sale_closes_at": "infinity"}', '{"time_zone": "Mars/Olympus"}', '{"time_zone": null}',
    '{"hold_for": "0"}', '{"hold_for": "-1 minute"}', '{"hold_for": "1 microsecond"}', '{"hold_for": null}', '{"hold_for": "100000000 years"}',
    '{"max_per_customer": 1}', '{"max_per_customer": 0}', '{"max_per_customer": -1}', '{"max_per_customer": null}']) AS changes;

SELECT test.copy('item', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"code": "I1"}', '{"code": ""}', '{"code": null}', '{"event_id": 99}', '{"event_id": null}',
    '{"stock": 0}', '{"stock": -1}', '{"stock": null}', '{"stock": 1000000000000000}', '{"stock": 1000000000000001}', '{"stock": 9223372036854775807}',
    '{"price": 0}', '{"price": -1}', '{"price": 9223372036854775807}', '{"price": null}',
    '{"currency": "KRW"}', '{"currency": "krw"}', '{"currency": "KRWX"}', '{"currency": ""}', '{"currency": null}']) AS changes;
-- Two articles of one code, with no event.
SELECT test.said($$INSERT INTO fcfs.item (id, code, stock) VALUES (98, 'twice', 1), (99, 'twice', 1)$$);

SELECT test.copy('coupon', changes::jsonb) FROM unnest(ARRAY[
    '{}', '{"code": "K1"}', '{"code": ""}', '{"code": null}',
    '{"quota": 0}', '{"quota": -1}', '{"quota": null}', '{"quota": 1000000000000000}', '{"quota": 1000000000000001}', '{"quota": 9223372036854775807}',
    '{"per_user_limit": 1}', '{"per_user_limit": 0}', '{"per_user_limit": -1}', '{"per_user_limit": null}', '{"per_user_limit": 2147483647}',
    '{"opens_at": "2021-02-01"}', '{"opens_at": "2021-02-02"}', '{"opens_at": null}', '{"closes_at": null}',
    '{"opens_at": "-infinity", "closes_at": "infinity"}',
    '{"valid_until": "2021-01-01"}', '{"valid_until": "2021-01-01 00:00:00.000001"}', '{"valid_until": "infinity"}']) AS changes;

-- What is not a number is no limit, no credits, no grade.
SELECT relation, changes, left(split_part(test.copy(relation, changes::jsonb), '}: ', 2), 5)
FROM (VALUES ('term', '{"max_credits": "NaN"}'), ('term', '{"retake_cutoff": "NaN"}'), ('student', '{"max_credits": "NaN"}'),
    ('course', '{"credits": "NaN"}'), ('grade', '{"student_id": 2, "points": "NaN"}')) AS c (relation, changes);

-- A hold that would end after the last day of the calendar, and one that is over at once.
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for) VALUES (2, 'E2', '-infinity', 'infinity', '100000000 years');
INSERT INTO fcfs.item (id, event_id, code, stock) VALUES (3, 2, 'I3', 5);
SELECT test.both('reserve(1, 3)');
UPDATE fcfs.event SET hold_for = '1 microsecond' WHERE id = 2;
SELECT test.both('reserve(1, 3)');

-- A definition that something refers to stays; one that nothing refers to goes.
INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (1, 1);
INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 1);
SELECT test.both('reserve(1, 3)');
SELECT relation, test.said(format('DELETE FROM fcfs.%I WHERE id = 1', relation))
FROM unnest('{term,student,course,section,event,coupon}'::text[]) AS relation;
SELECT test.said('DELETE FROM fcfs.item WHERE id = 3');
SELECT test.said('DELETE FROM fcfs.event WHERE id = 2');
SELECT test.said('DELETE FROM fcfs.item WHERE id = 1');
SELECT test.said('DELETE FROM fcfs.event WHERE id = 1');
SELECT test.said('DELETE FROM fcfs.student WHERE id = 2');
-- Nor does it change its number under what refers to it.
SELECT test.said('UPDATE fcfs.section SET id = 77 WHERE id = 1');
SELECT test.said('UPDATE fcfs.coupon SET id = 77 WHERE id = 1');
SELECT test.said('UPDATE fcfs.item SET id = 77 WHERE id = 3');
SELECT test.said('TRUNCATE fcfs.section');
SELECT test.said('TRUNCATE fcfs.coupon');
SELECT test.said('TRUNCATE fcfs.item');
SELECT test.said('UPDATE fcfs.student SET id = 77 WHERE id = 1');
-- A calendar without end, through a date of one's own or of the term.
SELECT test.said($$UPDATE fcfs.section SET starts_on = '1990-01-01', ends_on = NULL WHERE id = 1$$);
SELECT test.said($$UPDATE fcfs.section SET starts_on = NULL, ends_on = '2990-01-01' WHERE id = 1$$);

\i sql/include/finish.sql
