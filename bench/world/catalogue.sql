-- A catalogue as one document: 2,250 courses, 8,500 sections with three meetings each,
-- of a term whose code is new each time. The sizes are those of a large university.

CREATE SCHEMA bench;
CREATE SEQUENCE bench.term;
CREATE TABLE bench.document (catalogue jsonb);
INSERT INTO bench.document VALUES (NULL);
CREATE TABLE bench.done (sections bigint);

CREATE FUNCTION bench.catalogue(term text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'terms', jsonb_build_array(jsonb_build_object(
        'code', term, 'time_zone', 'America/Los_Angeles', 'enroll_opens_at', '2099-11-01', 'enroll_closes_at', '2099-12-01',
        'starts_on', '2100-01-04', 'classes_end_on', '2100-03-14', 'ends_on', '2100-03-28')),
    'courses', (SELECT jsonb_agg(jsonb_build_object('code', 'C ' || g, 'title', 'Course ' || g, 'credits', 4)) FROM generate_series(1, 2250) g),
    'sections', (
        SELECT jsonb_agg(jsonb_build_object(
            'term', term, 'course', 'C ' || (1 + g % 2250), 'code', 'A' || (g / 2250), 'capacity', 30 + g % 200, 'waitlist_capacity', 50,
            'meetings', jsonb_build_array(
                jsonb_build_object('weekday', 1 + g % 3, 'starts_at', '09:00', 'ends_at', '10:20', 'room', 'HALL ' || (g % 90)),
                jsonb_build_object('weekday', 3 + g % 3, 'starts_at', '14:00', 'ends_at', '15:20', 'room', 'HALL ' || (g % 90)),
                jsonb_build_object('on_date', '2100-03-22', 'starts_at', '08:00', 'ends_at', '10:59', 'room', 'HALL ' || (g % 90)))))
        FROM generate_series(0, 8499) g));
