-- The tables: columns, identities, constraints, indexes, triggers, comments.
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

SELECT tables_are('fcfs', '{person,idempotency,term,student,course,prerequisite,student_group,student_group_member,enrollment_wave,cross_list,section,reserved_seats,permission_override,meeting,grade,enrollment,event,item,reservation,reservation_line,coupon,coupon_issue}'::name[]);
SELECT views_are('fcfs', '{enrollment_summary,timetable,stat_pools}'::name[]);

-- Columns, with their types; a column less or of another type breaks a client.
CREATE TEMPORARY TABLE wanted (relation text, columns text);
INSERT INTO wanted VALUES
    ('term', 'id bigint, code text, time_zone text, enroll_opens_at timestamp with time zone, enroll_closes_at timestamp with time zone, starts_on date, ends_on date, classes_end_on date, cancel_days integer, min_credits numeric(5,1), max_credits numeric(5,1), retake_cutoff numeric(5,2)'),
    ('student', 'id bigint, external_id text, max_credits numeric(5,1)'),
    ('course', 'id bigint, code text, title text, credits numeric(4,1), retake_cutoff numeric(5,2), max_attempts integer'),
    ('section', 'id bigint, term_id bigint, course_id bigint, code text, capacity integer, cross_list_id bigint, waitlist_capacity integer, min_credits numeric(4,1), max_credits numeric(4,1), starts_on date, ends_on date, strict_order boolean, cancelled_at timestamp with time zone, cancelled_by text, cancel_reason text, schedule tstzmultirange'),
    ('prerequisite', 'course_id bigint, required_course_id bigint, min_points numeric(5,2), concurrent boolean'),
    ('student_group', 'id bigint, code text, title text'),
    ('student_group_member', 'student_id bigint, student_group_id bigint'),
    ('enrollment_wave', 'id bigint, term_id bigint, student_group_id bigint, opens_at timestamp with time zone, closes_at timestamp with time zone'),
    ('cross_list', 'id bigint, code text, capacity integer'),
    ('reserved_seats', 'id bigint, section_id bigint, student_group_id bigint, seats integer, release_at timestamp with time zone, released boolean, capacity integer'),
    ('permission_override', 'id bigint, student_id bigint, section_id bigint, rule text, granted_by text, reason text, granted_at timestamp with time zone'),
    ('meeting', 'id bigint, section_id bigint, weekday integer, on_date date, starts_at time without time zone, ends_at time without time zone, room text'),
    ('grade', 'student_id bigint, course_id bigint, term_id bigint, points numeric(5,2)'),
    ('enrollment', 'id bigint, student_id bigint, section_id bigint, term_id bigint, course_id bigint, credits numeric(4,1), schedule tstzmultirange, status text, cross_list_id bigint, reserved_seats_id bigint, swap_section_id bigint, override text[], arrived_at timestamp with time zone, ended_at timestamp with time zone'),
    ('enrollment_summary', 'id bigint, student_id bigint, section_id bigint, term_id bigint, course_id bigint, credits numeric(4,1), status text, reserved_seats_id bigint, override text[], arrived_at timestamp with time zone, ended_at timestamp with time zone'),
    ('timetable', 'id bigint, section_ids bigint[], credits numeric'),
    ('event', 'id bigint, code text, title text, starts_at timestamp with time zone, time_zone text, sale_opens_at timestamp with time zone, sale_closes_at timestamp with time zone, hold_for interval, max_per_customer integer'),
    ('item', 'id bigint, event_id bigint, code text, title text, stock bigint, price bigint, currency fcfs.currency, strict_order boolean'),
    ('reservation', 'id bigint, customer_id bigint, event_id bigint, status text, amount bigint, currency fcfs.currency, arrived_at timestamp with time zone, expires_at timestamp with time zone, ended_at timestamp with time zone'),
    ('reservation_line', 'id bigint, reservation_id bigint, item_id bigint, quantity integer, price bigint, active boolean'),
    ('coupon', 'id bigint, code text, title text, quota bigint, per_user_limit integer, opens_at timestamp with time zone, closes_at timestamp with time zone, valid_until timestamp with time zone, strict_order boolean'),
    ('coupon_issue', 'id bigint, coupon_id bigint, user_id bigint, user_ordinal integer, status fcfs.coupon_issue_status, arrival bigint, arrived_at timestamp with time zone, redeemed_at timestamp with time zone, reference text'),
    ('person', 'id bigint, external_id text'),
    ('idempotency', 'function text, person_id bigint, key text, arguments text, code text, detail text, id bigint, created_at timestamp with time zone'),
    ('stat_pools', 'kind text, id bigint, capacity bigint, remaining bigint, taken_in_flight bigint, pinned_by integer, waiters integer');
SELECT is(
    (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
     FROM pg_attribute AS a WHERE a.attrelid = to_regclass('fcfs.' || w.relation) AND a.attnum > 0 AND NOT a.attisdropped),
    w.columns, 'columns of ' || w.relation)
FROM wanted AS w;

-- Every id is a key and an identity of which an administrator may bring the values.
SELECT is_empty(
    $$SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'id'
      WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind = 'r' AND c.relname <> 'idempotency' AND a.attidentity <> 'd'$$,
    'ids are GENERATED BY DEFAULT AS IDENTITY');
SELECT is_empty(
    $$SELECT c.relname FROM pg_class AS c
      WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind = 'r'
          AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p')$$,
    'every table has a primary key');
SELECT col_is_pk('fcfs', relation, 'id'::name, relation || ' is known by its id')
FROM unnest('{person,term,student,course,student_group,enrollment_wave,cross_list,section,reserved_seats,permission_override,meeting,enrollment,event,item,reservation,coupon,coupon_issue}'::name[]) AS relation;
SELECT col_is_pk('fcfs', 'reservation_line', '{reservation_id,id}'::name[], 'a line is known by its reservation and its id');

-- The invariants that are constraints, in the words of the server.
CREATE TEMPORARY TABLE rule (relation text, name text, definition text);
INSERT INTO rule VALUES
    ('enrollment', 'enrollment_no_overlap', $$EXCLUDE USING gist (student_id WITH =, schedule WITH &&) WHERE (((status = 'enrolled'::text) AND ('conflict'::text <> ALL (override))))$$),
    ('enrollment', 'enrollment_ended_if_cancelled', $$CHECK (((status <> 'cancelled'::text) = (ended_at IS NULL)))$$),
    ('enrollment', 'enrollment_student_id_fkey', 'FOREIGN KEY (student_id) REFERENCES fcfs.student(id)'),
    ('enrollment', 'enrollment_swaps_another', 'CHECK ((swap_section_id <> section_id))'),
    ('enrollment_wave', 'enrollment_wave_closes_after_it_opens', 'CHECK ((closes_at > opens_at))'),
    ('enrollment_wave', 'enrollment_wave_no_overlap', $$EXCLUDE USING gist (term_id WITH =, COALESCE((student_group_id)::text, ''::text) WITH =, tstzrange(opens_at, closes_at) WITH &&)$$),
    ('prerequisite', 'prerequisite_of_another', 'CHECK ((course_id <> required_course_id))'),
    ('reserved_seats', 'reserved_seats_once_a_group', 'UNIQUE (section_id, student_group_id)'),
    ('permission_override', 'permission_override_once', 'UNIQUE (student_id, section_id, rule)'),
    ('section', 'section_credits', 'CHECK ((((min_credits IS NULL) = (max_credits IS NULL)) AND (min_credits <= max_credits)))'),
    ('section', 'section_cross_list_id_fkey', 'FOREIGN KEY (cross_list_id) REFERENCES fcfs.cross_list(id)'),
    ('section', 'section_term_id_fkey', 'FOREIGN KEY (term_id) REFERENCES fcfs.term(id)'),
    ('section', 'section_course_id_fkey', 'FOREIGN KEY (course_id) REFERENCES fcfs.course(id)'),
    ('section', 'section_term_id_course_id_code_key', 'UNIQUE (term_id, course_id, code)'),
    ('section', 'section_ends_after_it_starts', 'CHECK ((ends_on >= starts_on))'),
    ('meeting', 'meeting_weekly_or_dated', 'CHECK ((num_nonnulls(weekday, on_date) = 1))'),
    ('meeting', 'meeting_ends_after_it_starts', 'CHECK ((ends_at > starts_at))'),
    ('meeting', 'meeting_section_id_fkey', 'FOREIGN KEY (section_id) REFERENCES fcfs.section(id) ON DELETE CASCADE'),
    ('term', 'term_closes_after_it_opens', 'CHECK ((enroll_closes_at > enroll_opens_at))'),
    ('term', 'term_ends_after_it_starts', 'CHECK ((ends_on >= starts_on))'),
    ('term', 'term_code_key', 'UNIQUE (code)'),
    ('course', 'course_code_key', 'UNIQUE (code)'),
    ('coupon', 'coupon_code_key', 'UNIQUE (code)'),
    ('event', 'event_code_key', 'UNIQUE (code)'),
    ('student', 'student_external_id_key', 'UNIQUE (external_id)'),
    ('person', 'person_external_id_key', 'UNIQUE (external_id)'),
    ('item', 'item_event_id_code_key', 'UNIQUE (event_id, code)'),
    ('item', 'item_event_id_fkey', 'FOREIGN KEY (event_id) REFERENCES fcfs.event(id)'),
    ('event', 'event_closes_after_it_opens', 'CHECK ((sale_closes_at > sale_opens_at))'),
    ('coupon', 'coupon_closes_after_it_opens', 'CHECK ((closes_at > opens_at))'),
    ('reservation', 'reservation_event_id_fkey', 'FOREIGN KEY (event_id) REFERENCES fcfs.event(id)'),
    ('reservation', 'reservation_ended_if_over', $$CHECK (((status = ANY (ARRAY['cancelled'::text, 'expired'::text])) = (ended_at IS NOT NULL)))$$),
    ('reservation_line', 'reservation_line_reservation_id_fkey', 'FOREIGN KEY (reservation_id) REFERENCES fcfs.reservation(id)'),
    ('idempotency', 'idempotency_pkey', 'PRIMARY KEY (person_id, key, function)');
SELECT is(
    (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint AS k
     WHERE k.conrelid = to_regclass('fcfs.' || r.relation) AND k.conname = r.name AND k.convalidated),
    r.definition, 'constraint ' || r.name)
FROM rule AS r;
SELECT is_empty(
    $$SELECT conname FROM pg_constraint WHERE connamespace = 'fcfs'::regnamespace AND (NOT convalidated OR condeferrable)$$,
    'every constraint is valid and judged at once');
SELECT is_empty(
    $$SELECT conname FROM pg_constraint WHERE connamespace = 'fcfs'::regnamespace AND length(conname) > 60$$,
    'no name of a constraint is cut off');

-- Indexes: those that are rules, and those without which a rule would take a scan.
SELECT index_is_unique('fcfs', 'enrollment', 'enrollment_once_a_course', 'once a course and term');
SELECT index_is_unique('fcfs', 'enrollment', 'enrollment_once_in_line', 'one place a line');
SELECT index_is_unique('fcfs', 'coupon_issue', 'coupon_issue_once_a_user', 'one ordinal a user and coupon');
SELECT index_is_unique('fcfs', 'item', 'item_code_without_event', 'one article a code');
SELECT ok(
    EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = 1
        WHERE i.indrelid = ('fcfs.' || relation)::regclass AND a.attname = first_column AND i.indisvalid
            AND (i.indpred IS NULL OR partial)),
    format('%s is found by %s through an index', relation, first_column))
FROM (VALUES ('enrollment', 'student_id', true), ('enrollment', 'section_id', false), ('meeting', 'section_id', false),
    ('section', 'term_id', false), ('section', 'cross_list_id', true), ('enrollment_wave', 'term_id', false),
    ('prerequisite', 'course_id', false), ('prerequisite', 'required_course_id', false), ('student_group_member', 'student_id', false),
    ('reserved_seats', 'section_id', false), ('permission_override', 'student_id', false), ('section', 'course_id', false), ('grade', 'student_id', false), ('item', 'event_id', false),
    ('reservation', 'customer_id', false), ('reservation', 'expires_at', true), ('reservation_line', 'reservation_id', false),
    ('reservation_line', 'item_id', false), ('coupon_issue', 'coupon_id', false), ('idempotency', 'person_id', false),
    ('idempotency', 'created_at', false)) AS i (relation, first_column, partial);

-- Triggers: a row is counted by whatever statement it comes; all of them fire unless told not to.
SELECT triggers_are('fcfs', relation, triggers::name[], 'triggers of ' || relation)
FROM (VALUES
    ('enrollment', '{enrollment_fill,claim_changed,claims_truncated}'),
    ('coupon_issue', '{claim_changed,claims_truncated}'),
    ('reservation_line', '{claim_changed,claims_truncated}'),
    ('coupon', '{pool_changed,ids_brought}'),
    ('item', '{definition_changed,pool_changed,ids_brought}'),
    ('event', '{definition_changed,ids_brought}'),
    ('term', '{schedule_changed,definition_changed,ids_brought}'),
    ('course', '{definition_changed,ids_brought}'),
    ('prerequisite', '{definition_changed,prerequisite_written,prerequisite_changed}'),
    ('enrollment_wave', '{definition_changed,ids_brought,wave_changed}'),
    ('section', '{pool_changed,definition_changed,schedule_changed,ids_brought}'),
    ('reserved_seats', '{pool_changed,definition_changed,ids_brought}'),
    ('cross_list', '{pool_changed,ids_brought}'),
    ('student', '{student_changed,ids_brought}')) AS t (relation, triggers);
SELECT has_trigger('fcfs', 'section', 'pool_changed', 'section: changes of capacity are counted');
SELECT has_trigger('fcfs', 'reservation', 'reservation_changed', 'reservation: its lines follow it');
SELECT is_empty(
    $$SELECT t.tgrelid::regclass, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'fcfs'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'O'$$,
    'every trigger is enabled');
SELECT ok(
    EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = ('fcfs.' || relation)::regclass AND t.tgname = 'claim_changed'
        AND t.tgtype & 1 = 1 AND t.tgtype & 2 = 0 AND t.tgtype & 28 = 28 AND t.tgattr = '' AND t.tgqual IS NULL),
    relation || ': each row inserted, updated or deleted is counted, without exception')
FROM unnest('{enrollment,reservation_line,coupon_issue}'::text[]) AS relation;
SELECT ok(
    EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = ('fcfs.' || relation)::regclass AND t.tgname = 'claims_truncated' AND t.tgtype & 32 = 32),
    relation || ': TRUNCATE is counted')
FROM unnest('{enrollment,reservation_line,coupon_issue}'::text[]) AS relation;

-- The key from a claim to its pool is there for the order of a dump and for those who delete a pool.
SELECT ok(
    EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = ('fcfs.' || relation)::regclass AND k.contype = 'f'
        AND k.conname = name AND k.confrelid = ('fcfs.' || pool)::regclass),
    format('%s refers to %s', relation, pool))
FROM (VALUES ('enrollment', 'enrollment_section_id_fkey', 'section'), ('enrollment', 'enrollment_cross_list_id_fkey', 'cross_list'),
    ('enrollment', 'enrollment_reserved_seats_id_fkey', 'reserved_seats'), ('reservation_line', 'reservation_line_item_id_fkey', 'item'),
    ('coupon_issue', 'coupon_issue_coupon_id_fkey', 'coupon')) AS k (relation, name, pool);

-- What they say of themselves.
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c
      WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'v') AND coalesce(length(obj_description(c.oid, 'pg_class')), 0) < 20$$,
    'every table and view has a comment');
SELECT isnt(obj_description('fcfs.outcome'::regtype, 'pg_type'), NULL, 'the type of an answer has a comment');
SELECT isnt((SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'pg_fcfs'), NULL, 'the extension has a comment');

-- What a dump takes along.
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c
      WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'S')
          AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pg_fcfs')$$,
    'every table and every sequence is dumped');

SELECT * FROM finish();
ROLLBACK;
