-- Who may do what. Nothing is granted to PUBLIC.

CREATE FUNCTION fcfs.grant_app(role name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operation regprocedure;
BEGIN
    -- One at a time: two would change the same rows of the catalogue, an internal error.
    LOCK TABLE fcfs.term IN SHARE UPDATE EXCLUSIVE MODE;
    EXECUTE format('GRANT USAGE ON SCHEMA fcfs TO %I', role);
    FOR operation IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'fcfs'::regnamespace AND (
            p.prorettype = 'fcfs.outcome'::regtype
            OR p.proname IN ('call', 'person_id', 'refusals', 'waitlist_position')
            OR EXISTS (
                SELECT FROM pg_proc t
                WHERE t.pronamespace = p.pronamespace AND t.proname = 'try_' || p.proname
                    AND t.prorettype = 'fcfs.outcome'::regtype))
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', operation, role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION fcfs.grant_app(name) IS
    'Lets a role call the operations, for any person: the application decides who a caller is. It reads and writes no table.';

CREATE FUNCTION fcfs.grant_admin(role name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition text;
BEGIN
    PERFORM fcfs.grant_app(role);
    PERFORM fcfs.grant_monitor(role);
    -- Nor beside who truncates a table, which changes the same rows too.
    EXECUTE (
        SELECT format('LOCK TABLE %s IN ACCESS SHARE MODE', string_agg(format('fcfs.%I', c.relname), ', ' ORDER BY c.oid))
        FROM pg_class c
        WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind = 'r');
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA fcfs TO %I', role);
    FOREACH definition IN ARRAY ARRAY[
        'term', 'student', 'course', 'prerequisite', 'student_group', 'student_group_member', 'enrollment_wave', 'cross_list',
        'section', 'reserved_seats', 'meeting', 'grade', 'permission_override', 'event', 'item', 'coupon'] LOOP
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON fcfs.%I TO %I', definition, role);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION fcfs.section_schedule(bigint), fcfs.load_catalogue(jsonb, boolean), fcfs.cancel_section(bigint, text),'
        ' fcfs.expire_reservations(integer), fcfs.release_reserved_seats(integer), fcfs.pass_waitlists(integer),'
        ' fcfs.expire_idempotency_keys(integer), fcfs.reload_pool(text, bigint) TO %I', role);
END
$$;
COMMENT ON FUNCTION fcfs.grant_admin(name) IS
    'Lets a role do what grant_app and grant_monitor do, read all tables, write the definitions (terms, sections, items, coupons, ...), and run the chores. It does not write claims.';

CREATE FUNCTION fcfs.grant_monitor(role name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- One at a time: two would change the same rows of the catalogue, an internal error.
    LOCK TABLE fcfs.term IN SHARE UPDATE EXCLUSIVE MODE;
    EXECUTE format('GRANT USAGE ON SCHEMA fcfs TO %I', role);
    EXECUTE format('GRANT SELECT ON fcfs.stat_pools TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION fcfs.pools(), fcfs.is_preloaded(), fcfs.escrow_differences(),'
        ' fcfs.verify(), fcfs.health(), fcfs.refusals() TO %I', role);
END
$$;
COMMENT ON FUNCTION fcfs.grant_monitor(name) IS
    'Lets a role look at stat_pools, verify(), health() and refusals(), and at no table.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fcfs FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA fcfs FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA fcfs FROM PUBLIC;
REVOKE ALL ON SCHEMA fcfs FROM PUBLIC;
REVOKE ALL ON TYPE fcfs.outcome, fcfs.coupon_issue_status, fcfs.currency FROM PUBLIC;

-- The claims' foreign keys to their pools stand for everything but the check of
-- a new claim: there they would lock the pool's row, so that everybody who
-- wants the same seat writes to the same tuple. The triggers above look instead:
-- a claim has its pool pinned, and a pool is deleted only by one who has it
-- alone. The keys keep the order of a dump, and the delete side.
DO $$
DECLARE
    check_trigger record;
BEGIN
    FOR check_trigger IN
        SELECT t.tgname, t.tgrelid::regclass AS claims
        FROM pg_trigger t
        JOIN pg_constraint c ON c.oid = t.tgconstraint AND c.conrelid = t.tgrelid
        WHERE c.connamespace = 'fcfs'::regnamespace
            AND c.conname IN ('enrollment_section_id_fkey', 'enrollment_cross_list_id_fkey', 'enrollment_reserved_seats_id_fkey',
                'reservation_line_item_id_fkey', 'coupon_issue_coupon_id_fkey')
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', check_trigger.claims, check_trigger.tgname);
    END LOOP;
END
$$;

-- All tables and their sequences are data of the database, not of the extension.
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ('r', 'S')
        ORDER BY c.relkind DESC, c.oid
    LOOP
        PERFORM pg_extension_config_dump(relation, '');
    END LOOP;
END
$$;
