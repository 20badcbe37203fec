-- What operators look at.

CREATE FUNCTION fcfs.pools(
    OUT kind text,
    OUT id bigint,
    OUT capacity bigint,
    OUT remaining bigint,
    OUT taken_in_flight bigint,
    OUT pinned_by integer,
    OUT waiters integer)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_pools';
COMMENT ON FUNCTION fcfs.pools() IS
    'The pools of this database that are in the escrow; stat_pools shows it.';

CREATE VIEW fcfs.stat_pools AS
SELECT kind, id, capacity, remaining, taken_in_flight, pinned_by, waiters
FROM fcfs.pools();
COMMENT ON VIEW fcfs.stat_pools IS
    'The pools in the escrow: capacity and what remains (NULL: unlimited), units that open transactions may yet free, transactions that have it pinned, sleepers. Empty where the library is not preloaded.';

CREATE FUNCTION fcfs.is_preloaded()
RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_is_preloaded';
COMMENT ON FUNCTION fcfs.is_preloaded() IS
    'Is the library in shared_preload_libraries, and so the escrow in shared memory?';

CREATE FUNCTION fcfs.worker_state(OUT ok boolean, OUT detail text)
RETURNS record
LANGUAGE C VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_worker_state';
COMMENT ON FUNCTION fcfs.worker_state() IS
    'Does the background worker of this database do what it is to do, and how it is; health() shows it.';

CREATE FUNCTION fcfs.escrow_differences(OUT kind text, OUT id bigint, OUT detail text)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_escrow_differences';
COMMENT ON FUNCTION fcfs.escrow_differences() IS
    'Pools whose count in the escrow is not what the tables say. A pool that is in use all the time it is looked at is passed over.';

CREATE FUNCTION fcfs.reload_pool(kind text, id bigint)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_reload_pool';
COMMENT ON FUNCTION fcfs.reload_pool(text, bigint) IS
    'Counts a pool (kind section, waitlist, reserved_seats, cross_list, item or coupon) anew from the tables once the transaction has ended; waits for those who use it.';

CREATE FUNCTION fcfs.verify(OUT rule text, OUT kind text, OUT id bigint, OUT detail text)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- To compile it takes longer than to run it, but where there is very much to read.
SET jit = off
BEGIN ATOMIC
-- One statement, so one snapshot: what it sees together was true together.
WITH claimed AS (
    SELECT 'section' AS kind, s.id,
        s.capacity - coalesce((SELECT sum(r.capacity) FROM fcfs.reserved_seats r WHERE r.section_id = s.id), 0) AS capacity,
        count(e.id) AS units
    FROM fcfs.section s
    LEFT JOIN fcfs.enrollment e
        ON e.section_id = s.id AND e.status = 'enrolled' AND e.reserved_seats_id IS NULL AND 'capacity' <> ALL (e.override)
    GROUP BY s.id
    UNION ALL
    SELECT 'waitlist', s.id, s.waitlist_capacity, count(e.id)
    FROM fcfs.section s
    LEFT JOIN fcfs.enrollment e ON e.section_id = s.id AND e.status = 'waitlisted'
    GROUP BY s.id
    UNION ALL
    SELECT 'reserved_seats', r.id, r.capacity, count(e.id)
    FROM fcfs.reserved_seats r
    LEFT JOIN fcfs.enrollment e ON e.reserved_seats_id = r.id AND e.status = 'enrolled' AND 'capacity' <> ALL (e.override)
    GROUP BY r.id
    UNION ALL
    SELECT 'cross_list', c.id, c.capacity, count(e.id)
    FROM fcfs.cross_list c
    LEFT JOIN fcfs.enrollment e ON e.cross_list_id = c.id AND e.status = 'enrolled' AND 'capacity' <> ALL (e.override)
    GROUP BY c.id
    UNION ALL
    SELECT 'item', i.id, i.stock, coalesce(sum(l.quantity), 0)
    FROM fcfs.item i
    LEFT JOIN fcfs.reservation_line l ON l.item_id = i.id AND l.active
    GROUP BY i.id
    UNION ALL
    SELECT 'coupon', c.id, c.quota, count(i.id)
    FROM fcfs.coupon c
    LEFT JOIN fcfs.coupon_issue i ON i.coupon_id = c.id AND i.status <> 'revoked'
    GROUP BY c.id)
SELECT 'over_capacity', c.kind, c.id, format('%s claimed of %s', c.units, c.capacity)
FROM claimed c
WHERE c.units > c.capacity
UNION ALL
SELECT 'escrow_differs', d.kind, d.id, d.detail
FROM fcfs.escrow_differences() AS d
UNION ALL
SELECT 'no_such_pool', 'enrollment', e.id, format('section %s does not exist', e.section_id)
FROM fcfs.enrollment e
WHERE NOT EXISTS (SELECT FROM fcfs.section s WHERE s.id = e.section_id)
UNION ALL
SELECT 'no_such_pool', 'enrollment', e.id, format('reserved_seats %s does not exist', e.reserved_seats_id)
FROM fcfs.enrollment e
WHERE e.reserved_seats_id IS NOT NULL AND NOT EXISTS (SELECT FROM fcfs.reserved_seats r WHERE r.id = e.reserved_seats_id)
UNION ALL
SELECT 'no_such_pool', 'enrollment', e.id, format('cross_list %s does not exist', e.cross_list_id)
FROM fcfs.enrollment e
WHERE e.cross_list_id IS NOT NULL AND NOT EXISTS (SELECT FROM fcfs.cross_list c WHERE c.id = e.cross_list_id)
UNION ALL
SELECT 'no_such_pool', 'reservation_line', l.id, format('item %s does not exist', l.item_id)
FROM fcfs.reservation_line l
WHERE NOT EXISTS (SELECT FROM fcfs.item i WHERE i.id = l.item_id)
UNION ALL
SELECT 'no_such_pool', 'coupon_issue', i.id, format('coupon %s does not exist', i.coupon_id)
FROM fcfs.coupon_issue i
WHERE NOT EXISTS (SELECT FROM fcfs.coupon c WHERE c.id = i.coupon_id)
UNION ALL
SELECT 'no_such_student', 'enrollment', e.id, format('student %s does not exist', e.student_id)
FROM fcfs.enrollment e
WHERE NOT EXISTS (SELECT FROM fcfs.student s WHERE s.id = e.student_id)
UNION ALL
SELECT 'no_such_reservation', 'reservation_line', l.id, format('reservation %s does not exist', l.reservation_id)
FROM fcfs.reservation_line l
WHERE NOT EXISTS (SELECT FROM fcfs.reservation r WHERE r.id = l.reservation_id)
UNION ALL
SELECT 'overlap', 'enrollment', e.id, format('student %s also has enrollment %s at that time', e.student_id, x.id)
FROM fcfs.enrollment e
JOIN fcfs.enrollment x ON x.student_id = e.student_id AND x.id > e.id AND x.schedule && e.schedule
WHERE e.status = 'enrolled' AND x.status = 'enrolled'
    AND 'conflict' <> ALL (e.override) AND 'conflict' <> ALL (x.override)
UNION ALL
SELECT 'twice_in_a_course', 'enrollment', max(e.id),
    format('student %s, course %s, term %s: %s times', e.student_id, e.course_id, e.term_id, count(*))
FROM fcfs.enrollment e
WHERE e.status = 'enrolled'
GROUP BY e.student_id, e.course_id, e.term_id
HAVING count(*) > 1
UNION ALL
SELECT 'differs_from_section', 'enrollment', e.id, format('term, course or schedule is not that of section %s', s.id)
FROM fcfs.enrollment e
JOIN fcfs.section s ON s.id = e.section_id
WHERE e.status = 'enrolled' AND (e.term_id, e.course_id, e.schedule) IS DISTINCT FROM (s.term_id, s.course_id, s.schedule)
UNION ALL
SELECT 'differs_from_section', 'enrollment', e.id, format('cross list is not that of section %s', s.id)
FROM fcfs.enrollment e
JOIN fcfs.section s ON s.id = e.section_id
WHERE e.cross_list_id IS DISTINCT FROM s.cross_list_id
UNION ALL
SELECT 'differs_from_section', 'enrollment', e.id, format('reserved_seats %s is of section %s', r.id, r.section_id)
FROM fcfs.enrollment e
JOIN fcfs.reserved_seats r ON r.id = e.reserved_seats_id
WHERE r.section_id <> e.section_id
UNION ALL
SELECT 'in_cancelled_section', 'enrollment', e.id, format('section %s was cancelled at %s, student %s is still %s', s.id, s.cancelled_at, e.student_id, e.status)
FROM fcfs.enrollment e
JOIN fcfs.section s ON s.id = e.section_id
WHERE e.status <> 'cancelled' AND s.cancelled_at IS NOT NULL
UNION ALL
SELECT 'outside_section', 'meeting', m.id, format('on %s, which is outside the dates of section %s', m.on_date, s.id)
FROM fcfs.meeting m
JOIN fcfs.section s ON s.id = m.section_id
JOIN fcfs.term t ON t.id = s.term_id
WHERE m.on_date NOT BETWEEN coalesce(s.starts_on, t.starts_on) AND coalesce(s.ends_on, t.ends_on)
UNION ALL
SELECT 'requires_itself', 'course', p.course_id, format('by way of course %s, which must come before it', p.required_course_id)
FROM fcfs.prerequisite p
WHERE NOT p.concurrent AND EXISTS (
    WITH RECURSIVE needed AS (
        SELECT p.required_course_id AS id
        UNION
        SELECT q.required_course_id
        FROM needed n
        JOIN fcfs.prerequisite q ON q.course_id = n.id)
    SELECT FROM needed n WHERE n.id = p.course_id)
UNION ALL
SELECT 'schedule_differs', 'section', s.id, 'schedule is not that of its meetings'
FROM fcfs.section s
WHERE s.schedule IS DISTINCT FROM fcfs.section_schedule(s.id)
UNION ALL
SELECT 'over_limit', 'coupon_issue', max(i.id),
    format('user %s has %s of coupon %s, the limit is %s', i.user_id, count(*), c.id, c.per_user_limit)
FROM fcfs.coupon_issue i
JOIN fcfs.coupon c ON c.id = i.coupon_id
WHERE i.status <> 'revoked'
GROUP BY c.id, i.user_id
HAVING count(*) > c.per_user_limit
UNION ALL
SELECT 'over_limit', 'coupon_issue', i.id,
    format('it is number %s of user %s of coupon %s, the limit is %s', i.user_ordinal, i.user_id, c.id, c.per_user_limit)
FROM fcfs.coupon_issue i
JOIN fcfs.coupon c ON c.id = i.coupon_id
WHERE i.status <> 'revoked' AND i.user_ordinal NOT BETWEEN 1 AND c.per_user_limit
    AND NOT EXISTS (
        SELECT FROM fcfs.coupon_issue x
        WHERE x.coupon_id = i.coupon_id AND x.user_id = i.user_id AND x.status <> 'revoked'
        HAVING count(*) > c.per_user_limit)
UNION ALL
SELECT 'arrival_twice', 'coupon', i.coupon_id, format('arrival %s was given %s times', i.arrival, count(*))
FROM fcfs.coupon_issue i
WHERE i.arrival IS NOT NULL
GROUP BY i.coupon_id, i.arrival
HAVING count(*) > 1
UNION ALL
SELECT 'line_differs', 'reservation_line', l.id,
    format('active is %s, reservation %s is %s', l.active, r.id, r.status)
FROM fcfs.reservation_line l
JOIN fcfs.reservation r ON r.id = l.reservation_id
WHERE l.active <> (r.status IN ('held', 'confirmed'))
UNION ALL
-- Whoever finds a pool sold out ends what is overdue; so does
-- expire_reservations(). What nobody has ended for a minute is reported.
SELECT 'overdue_hold', 'reservation', r.id, format('was over at %s and is still counted', r.expires_at)
FROM fcfs.reservation r
WHERE r.status = 'held' AND r.expires_at < clock_timestamp() - interval '1 minute'
    AND EXISTS (SELECT FROM fcfs.reservation_line l WHERE l.reservation_id = r.id AND l.active);
END;
COMMENT ON FUNCTION fcfs.verify() IS
    'One row for each broken invariant, none on a healthy database. May be used while others work.';

CREATE FUNCTION fcfs.health(OUT item text, OUT ok boolean, OUT detail text)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT 'library', fcfs.is_preloaded(), CASE
    WHEN fcfs.is_preloaded() THEN 'preloaded: claims of one pool do not wait for each other''s commit'
    ELSE 'not preloaded: claims of one pool are served one commit at a time; add pg_fcfs to shared_preload_libraries and restart'
END
UNION ALL
SELECT 'worker', w.ok, w.detail
FROM fcfs.worker_state() AS w
UNION ALL
SELECT 'waiters', coalesce(sum(p.waiters), 0) < 100, format('%s sleeping on pools', coalesce(sum(p.waiters), 0))
FROM fcfs.stat_pools p
UNION ALL
SELECT 'overdue holds', count(*) < 1000, format('%s reservations past their time; expire_reservations() ends them', count(*))
FROM fcfs.reservation r
WHERE r.status = 'held' AND r.expires_at < clock_timestamp();
END;
COMMENT ON FUNCTION fcfs.health() IS
    'Whether the extension is set up for speed and keeps up with its chores; detail says what to do where ok is false.';
