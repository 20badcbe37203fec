-- A catalogue as one document: what is added, what is changed, what is refused and why.
\i sql/include/start.sql

CREATE TABLE test.document (wanted jsonb);
INSERT INTO test.document VALUES ('{
"terms": [
    {"code": "SPRING", "time_zone": "America/Chicago", "enroll_opens_at": "2021-01-01 09:00+00", "enroll_closes_at": "2021-02-01 09:00+00",
     "starts_on": "2021-03-01", "classes_end_on": "2021-03-14", "ends_on": "2021-03-20", "max_credits": 20, "retake_cutoff": null}],
"courses": [
    {"code": "CS 1", "title": "Programming", "credits": 4},
    {"code": "CS 1L", "credits": "1.5", "max_attempts": 2},
    {"code": "CS 2", "credits": 4, "retake_cutoff": 3.0}],
"prerequisites": [
    {"course": "CS 2", "required_course": "CS 1", "min_points": 2},
    {"course": "CS 1", "required_course": "CS 1L", "concurrent": true},
    {"course": "CS 1L", "required_course": "CS 1", "concurrent": true}],
"student_groups": [{"code": "seniors", "title": "Fourth year"}, {"code": "majors"}],
"students": [{"external_id": "ada", "max_credits": 22}, {"external_id": "grace"}],
"student_group_members": [{"student": "ada", "student_group": "seniors"}],
"enrollment_waves": [
    {"term": "SPRING", "student_group": "seniors", "opens_at": "2021-01-01 09:00+00", "closes_at": "2021-01-02 09:00+00"},
    {"term": "SPRING", "opens_at": "2021-01-02 09:00+00", "closes_at": "2021-02-01 09:00+00"}],
"cross_lists": [{"code": "both", "capacity": 40}],
"sections": [
    {"term": "SPRING", "course": "CS 1", "code": "A", "capacity": 30, "cross_list": "both", "meetings": [
        {"weekday": 1, "starts_at": "09:00", "ends_at": "10:00", "room": "Hall 1"},
        {"on_date": "2021-03-18", "starts_at": "09:00", "ends_at": "12:00"}]},
    {"term": "SPRING", "course": "CS 1L", "code": "A", "waitlist_capacity": null, "meetings": []},
    {"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 5, "starts_on": "2021-03-02", "strict_order": true}],
"reserved_seats": [
    {"term": "SPRING", "course": "CS 1", "section": "A", "student_group": "majors", "seats": 10, "release_at": "2021-01-20"}]
}');
-- What became of it; then of the same with a change, which goes into the document for good.
CREATE FUNCTION test.load(changes jsonb DEFAULT '{}', unchanged boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE test.document SET wanted = wanted || changes;
    RETURN QUERY SELECT concat_ws(' | ', r.kind, r.code, r.id, r.action, r.reason)
    FROM test.document AS d, fcfs.load_catalogue(d.wanted, unchanged) WITH ORDINALITY AS r (kind, code, id, action, reason, n) ORDER BY r.n;
END
$$;
SELECT test.load();
SELECT test.load();
SELECT test.load('{}', true);
SELECT * FROM fcfs.term;
SELECT * FROM fcfs.course ORDER BY id;
SELECT * FROM fcfs.prerequisite;
SELECT * FROM fcfs.student_group;
SELECT * FROM fcfs.student;
SELECT * FROM fcfs.student_group_member;
SELECT * FROM fcfs.enrollment_wave;
SELECT * FROM fcfs.cross_list;
SELECT id, term_id, course_id, code, capacity, cross_list_id, waitlist_capacity, starts_on, strict_order, schedule FROM fcfs.section;
SELECT * FROM fcfs.meeting;
SELECT * FROM fcfs.reserved_seats;

-- A document of a part, and of elements that have only what they are known by and what changes: the rest stays.
CREATE FUNCTION test.some(part text, VARIADIC elements text[]) RETURNS SETOF text
LANGUAGE sql AS $$
SELECT concat_ws(' | ', r.kind, r.code, r.id, r.action, r.reason)
FROM fcfs.load_catalogue(jsonb_build_object(part, (SELECT jsonb_agg(e::jsonb) FROM unnest(elements) AS e)))
    WITH ORDINALITY AS r (kind, code, id, action, reason, n) ORDER BY r.n
$$;
SELECT test.some('terms', '{"code": "SPRING", "max_credits": 21}');
SELECT test.some('courses', '{"code": "CS 1"}', '{"code": "CS 1L", "max_attempts": null}', '{"code": "CS 3", "credits": 2}');
SELECT test.some('prerequisites', '{"course": "CS 2", "required_course": "CS 1", "min_points": null}');
SELECT test.some('enrollment_waves', '{"term": "SPRING", "student_group": null, "opens_at": "2021-01-02 10:00+01", "closes_at": "2021-01-31"}');
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "A", "capacity": null, "cross_list": null}',
    '{"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 6}');
SELECT test.some('reserved_seats', '{"term": "SPRING", "course": "CS 1", "section": "A", "student_group": "majors", "released": true}');
SELECT id, max_credits, retake_cutoff FROM fcfs.term;
SELECT * FROM fcfs.course ORDER BY id;
SELECT * FROM fcfs.prerequisite WHERE course_id = 3;
SELECT * FROM fcfs.enrollment_wave;
SELECT id, capacity, cross_list_id, strict_order FROM fcfs.section;
SELECT * FROM fcfs.reserved_seats;

-- Meetings are replaced together, if they differ in anything but their order; none are taken away by an empty array.
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "A", "meetings": [
    {"on_date": "2021-03-18", "starts_at": "9:00", "ends_at": "12:00"}, {"weekday": "1", "starts_at": "09:00:00", "ends_at": "10:00", "room": "Hall 1"}]}');
SELECT * FROM fcfs.meeting;
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "A", "meetings": [
    {"on_date": "2021-03-18", "starts_at": "9:00", "ends_at": "12:00"}, {"weekday": 1, "starts_at": "09:00:00", "ends_at": "10:00", "room": "Hall 2"}]}',
    '{"term": "SPRING", "course": "CS 1L", "code": "A", "meetings": [{"weekday": 1, "starts_at": "10:00", "ends_at": "11:00"}, {"weekday": 1, "starts_at": "10:00", "ends_at": "11:00"}]}');
SELECT * FROM fcfs.meeting;
-- Dates and meetings that are right only together.
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "A", "ends_on": "2021-03-10", "meetings": [
    {"on_date": "2021-03-10", "starts_at": "9:00", "ends_at": "12:00"}]}');
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "A", "ends_on": null, "meetings": [
    {"on_date": "2021-03-20", "starts_at": "9:00", "ends_at": "12:00"}]}');
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1L", "code": "A", "meetings": []}');
SELECT * FROM fcfs.meeting;

-- What does not go is refused with the reason, alone, and leaves nothing; all else is applied, before it and behind it.
SELECT test.some('courses', '{"code": "X1", "credits": 1}', '{"code": "X2"}', '{"code": "X3", "credits": 1}', '{"code": "X4", "credits": -1}',
    '{"code": "X5", "credits": 1}', '{"code": "X6", "credits": 1}', '{"code": "X7", "credits": 10000}', '{"code": "X8", "credits": 1}');
-- No object; unknown keys; keys that are missing; types; values that cannot be read.
SELECT test.some('courses', '5', 'null', '"CS 1"', '[]', 'true', '{}', '{"code": null, "credits": 1}', '{"code": "", "credits": 1}', '{"credits": 1}',
    '{"code": "Y1", "credits": 1, "colour": "red"}', '{"code": "Y2", "credits": 1, "id": 7}', '{"code": 5, "credits": 1}', '{"code": {"a": 1}, "credits": 1}',
    '{"code": "Y3", "credits": [1]}', '{"code": "Y4", "credits": true}', '{"code": "Y5", "credits": ""}', '{"code": "Y6", "credits": "four"}',
    '{"code": "Y7", "credits": "NaN"}', '{"code": "Y8", "credits": 1e300}', '{"code": "Y9", "credits": 1, "max_attempts": 1.5}',
    '{"code": "Y10", "credits": 1, "max_attempts": 99999999999}', '{"code": "Y11", "credits": 1, "title": null}', '{"code": "Y12", "credits": 1, "title": ["a"]}');
SELECT test.some('terms', '{"code": "AUTUMN 1"}', '{"code": "AUTUMN 2", "time_zone": "Mars/Olympus", "enroll_opens_at": "2021-01-01", "enroll_closes_at": "2021-02-01", "starts_on": "2021-03-01", "ends_on": "2021-03-20"}',
    '{"code": "AUTUMN 3", "enroll_opens_at": "soon", "enroll_closes_at": "2021-02-01", "starts_on": "2021-03-01", "ends_on": "2021-03-20"}',
    '{"code": "AUTUMN 4", "enroll_opens_at": "2021-01-01", "enroll_closes_at": "2021-02-01", "starts_on": "2021-02-30", "ends_on": "2021-03-20"}',
    '{"code": "AUTUMN 5", "enroll_opens_at": "2021-01-01", "enroll_closes_at": "2021-02-01", "starts_on": "2021-03-21", "ends_on": "2021-03-20"}',
    '{"code": "SPRING", "ends_on": "2021-03-19"}', '{"code": "AUTUMN 6"}');
SELECT test.some('terms', '{"code": "SPRING", "time_zone": null}');
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1", "code": "B1", "capacity": -1}', '{"term": "NEVER", "course": "CS 1", "code": "B2"}',
    '{"term": "SPRING", "course": "NONE", "code": "B3"}', '{"term": "SPRING", "course": "CS 1", "code": "B4", "cross_list": "none"}',
    '{"term": "SPRING", "course": "CS 1"}', '{"term": "SPRING", "course": "CS 1", "code": "B5", "schedule": "{}"}',
    '{"term": "SPRING", "course": "CS 1", "code": "B6", "meetings": null}', '{"term": "SPRING", "course": "CS 1", "code": "B7", "meetings": {}}',
    '{"term": "SPRING", "course": "CS 1", "code": "B8", "meetings": [1]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B9", "meetings": [{"weekday": 1, "starts_at": "09:00", "ends_at": "10:00"}, {"day": 2}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B10", "meetings": [{"weekday": true, "starts_at": "09:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B11", "meetings": [{"weekday": 1, "starts_at": "25:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B12", "meetings": [{"weekday": 8, "starts_at": "09:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B13", "meetings": [{"starts_at": "09:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B14", "meetings": [{"on_date": "2021-03-21", "starts_at": "09:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 1", "code": "B15"}');
SELECT test.some('prerequisites', '{"course": "X1", "required_course": "X1"}', '{"course": "X1", "required_course": "X3"}', '{"course": "X3", "required_course": "X1"}',
    '{"course": "X3", "required_course": "Z"}', '{"course": "X5", "required_course": "X3"}', '{"course": "X5"}', '{"course": "X5", "required_course": null}',
    '{"course": "X1", "required_course": "X5"}', '{"course": "X6", "required_course": "X5", "concurrent": 1}');
SELECT test.some('enrollment_waves', '{"term": "SPRING", "student_group": "seniors", "opens_at": "2021-01-01 10:00+00", "closes_at": "2021-01-03"}',
    '{"term": "SPRING", "student_group": "freshmen", "opens_at": "2021-01-01 10:00+00", "closes_at": "2021-01-03"}', '{"term": "SPRING", "opens_at": "2021-03-01"}');
SELECT test.some('reserved_seats', '{"term": "SPRING", "course": "CS 1", "section": "Z", "student_group": "majors", "seats": 1}',
    '{"term": "SPRING", "course": "CS 1", "section": "A", "student_group": "majors", "seats": -1}', '{"term": "SPRING", "course": "CS 1", "section": "A", "seats": 1}',
    '{"term": "SPRING", "course": "CS 1", "section": "A", "student_group": "majors", "capacity": 1}');
SELECT test.some('student_group_members', '{"student": "nobody", "student_group": "majors"}', '{"student": "ada", "student_group": "none"}', '{"student": "grace", "student_group": "majors"}');
-- The same twice: the first counts.
SELECT test.some('courses', '{"code": "W", "credits": 1}', '{"code": "V", "credits": 1}', '{"code": "W", "credits": 2}', '{"code": "W", "credits": 1}', '{"code": "W"}');
SELECT code, credits FROM fcfs.course ORDER BY code;
SELECT code, capacity FROM fcfs.section ORDER BY course_id, code;
SELECT course_id, required_course_id FROM fcfs.prerequisite ORDER BY 1, 2;

-- What is claimed, and what students have meanwhile, stands in the way as it does for anybody.
UPDATE fcfs.term SET enroll_opens_at = '-infinity', enroll_closes_at = 'infinity';
DELETE FROM fcfs.enrollment_wave;
DELETE FROM fcfs.prerequisite;
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 1L", "code": "A", "meetings": [{"weekday": 5, "starts_at": "09:00", "ends_at": "10:00"}]}',
    '{"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 2, "meetings": [{"weekday": 4, "starts_at": "09:00", "ends_at": "10:00"}]}');
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT s.id, c.id FROM fcfs.student AS s, fcfs.section AS c WHERE c.id IN (2, 3) ORDER BY 1, 2;
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 1}',
    '{"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 2}');
SELECT test.some('sections', '{"term": "SPRING", "course": "CS 2", "code": "A", "capacity": 4, "meetings": [{"weekday": 5, "starts_at": "09:30", "ends_at": "10:30"}]}',
    '{"term": "SPRING", "course": "CS 1L", "code": "A", "capacity": 9}');
SELECT id, capacity, schedule FROM fcfs.section WHERE id IN (2, 3);
SELECT student_id, section_id, schedule FROM fcfs.enrollment ORDER BY 1, 2;

-- What is no catalogue is an error, and nothing of it is applied.
SELECT wanted, test.said(format('SELECT * FROM fcfs.load_catalogue(%L)', wanted))
FROM unnest(ARRAY['[]', 'null', '5', '"courses"', 'true', '{}', '{"course": []}', '{"courses": {}}', '{"courses": null}', '{"courses": []}',
    '{"courses": [{"code": "U", "credits": 1}], "sektions": []}', '{"courses": [{"code": "U", "credits": 1}], "sections": 7}', NULL]) AS wanted;
SELECT test.said($$SELECT * FROM fcfs.load_catalogue('{}', NULL)$$);
SELECT test.said($$SELECT * FROM fcfs.load_catalogue(NULL)$$);
SELECT count(*) FROM fcfs.course WHERE code = 'U';
-- Nor is it for a transaction that may not write.
BEGIN READ ONLY;
SELECT test.said($$SELECT * FROM fcfs.load_catalogue('{"courses": [{"code": "U", "credits": 1}]}')$$);
ROLLBACK;
-- Many, with one that is wrong among them.
SELECT r.action, count(*), min(r.reason)
FROM fcfs.load_catalogue((SELECT jsonb_build_object('courses', jsonb_agg(jsonb_build_object('code', 'M' || g, 'credits', nullif(g, 1777) % 9))) FROM generate_series(1, 2500) AS g)) AS r
GROUP BY 1 ORDER BY 1;
-- From a table of one's own, as it would be filled by COPY.
CREATE TABLE test.staged (department text, number text, name text, units numeric);
COPY test.staged FROM STDIN (FORMAT csv);
ART,1,Drawing,2
ART,2,Painting,2.5
ART,2,Painting again,3
ART,x,,2
\.
SELECT r.action, r.code, r.reason
FROM fcfs.load_catalogue(jsonb_build_object('courses', (
    SELECT jsonb_agg(jsonb_build_object('code', s.department || ' ' || s.number, 'title', s.name, 'credits', s.units)) FROM test.staged AS s))) AS r;

\i sql/include/finish.sql
