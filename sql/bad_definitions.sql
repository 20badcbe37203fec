-- Definitions of a registration that cannot be right are refused on the tables, whoever writes them.
\i sql/include/start.sql

INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 3 FROM generate_series(1, 9) AS g;
CREATE FUNCTION test.require(course bigint, required bigint, concurrent boolean DEFAULT false) RETURNS text
LANGUAGE sql
RETURN test.said(format('INSERT INTO fcfs.prerequisite (course_id, required_course_id, concurrent) VALUES (%s, %s, %L)',
    course, required, concurrent));

-- Prerequisites in a circle: of itself, of two, of three, by way of others; what hangs on a circle that is refused is none.
SELECT test.require(1, 1);
SELECT test.require(1, 1, true);
SELECT test.require(2, 1);
SELECT test.require(1, 2);
SELECT test.require(3, 2);
SELECT test.require(1, 3);
SELECT test.require(3, 1);
SELECT test.require(4, 3);
SELECT test.require(4, 1);
SELECT test.require(1, 4);
-- Corequisites may require each other, two or more; not with one among them that must come before.
SELECT test.require(5, 6, true);
SELECT test.require(6, 5, true);
SELECT test.require(6, 7, true);
SELECT test.require(7, 5, true);
SELECT test.require(7, 6);
SELECT test.require(5, 7);
SELECT test.require(7, 8);
SELECT test.require(8, 6, true);
SELECT test.require(8, 9, true);
SELECT test.require(1, 2, true);
-- By UPDATE; in one statement, which is all or nothing; by COPY as by INSERT.
SELECT test.said('UPDATE fcfs.prerequisite SET concurrent = false WHERE (course_id, required_course_id) = (6, 5)');
SELECT test.said('UPDATE fcfs.prerequisite SET course_id = 1, required_course_id = 4 WHERE (course_id, required_course_id) = (2, 1)');
SELECT test.said('UPDATE fcfs.prerequisite SET min_points = 2 WHERE course_id IN (5, 6, 7)');
SELECT test.said('UPDATE fcfs.prerequisite SET concurrent = true WHERE course_id < 5');
SELECT test.require(1, 4, true);
SELECT test.said('UPDATE fcfs.prerequisite SET concurrent = false WHERE (course_id, required_course_id) = (4, 1)');
SELECT test.said('INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (9, 1), (1, 9)');
SELECT test.said('INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (9, 1)');
COPY fcfs.prerequisite (course_id, required_course_id) FROM STDIN (DELIMITER '|');
1|9
\.
-- One goes, and the other way round is none any more.
SELECT test.said('DELETE FROM fcfs.prerequisite WHERE (course_id, required_course_id) = (9, 1)');
SELECT test.require(1, 9);
SELECT course_id, required_course_id, concurrent FROM fcfs.prerequisite ORDER BY 1, 2;

-- Waves of one group that overlap, half-open; those of another, of everybody, of another term do not count.
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES
    (1, 'T1', '2021-01-01', '2021-02-01', '2021-03-01', '2021-06-18'),
    (2, 'T2', '2021-01-01', '2021-02-01', '2021-03-01', '2021-06-18');
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'seniors'), (2, 'juniors');
CREATE FUNCTION test.wave(term bigint, student_group bigint, opens text, closes text) RETURNS text
LANGUAGE sql
RETURN test.said(format('INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES (%s, %L, %L, %L)',
    term, student_group, opens, closes));
SELECT test.wave(1, 1, '2021-01-05', '2021-01-08');
SELECT test.wave(1, 1, '2021-01-08', '2021-01-10');
SELECT test.wave(1, 1, '2021-01-07 23:59:59.999999', '2021-01-08');
SELECT test.wave(1, 1, '2021-01-01', '2021-01-31');
SELECT test.wave(1, 2, '2021-01-05', '2021-01-08');
SELECT test.wave(1, NULL, '2021-01-05', '2021-01-08');
SELECT test.wave(1, NULL, '2021-01-07', '2021-01-09');
SELECT test.wave(2, 1, '2021-01-05', '2021-01-08');
SELECT test.wave(1, 1, '2021-01-12', '2021-01-12');
SELECT test.wave(1, 1, 'infinity', 'infinity');
SELECT test.said($$UPDATE fcfs.enrollment_wave SET opens_at = '2021-01-07' WHERE opens_at = '2021-01-08'$$);

-- An override is for a rule that there is, from somebody, for a reason, once.
INSERT INTO fcfs.student (id) VALUES (1);
INSERT INTO fcfs.section (id, term_id, course_id, code) VALUES (1, 1, 1, 'A');
SELECT rule, test.said(format('INSERT INTO fcfs.permission_override (student_id, section_id, rule, granted_by, reason) VALUES (1, 1, %L, %L, %L)',
    rule, 'registrar', 'asked'))
FROM unnest(ARRAY['capacity', 'credits', 'conflict', 'prerequisite', 'window', 'capacity', 'retake', 'Capacity', '', NULL]) AS rule;
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, granted_by, reason) VALUES (1, 1, 'window', '', 'asked')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule, granted_by, reason) VALUES (1, 1, 'window', 'registrar', '')$$);
SELECT test.said($$INSERT INTO fcfs.permission_override (student_id, section_id, rule) VALUES (1, 1, 'window')$$);
SELECT test.said($$UPDATE fcfs.permission_override SET rule = 'everything' WHERE rule = 'window'$$);

\i sql/include/finish.sql
