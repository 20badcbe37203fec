-- Where the script looks for names, and who owns the schema it fills.

-- In pg_catalog alone. CREATE EXTENSION would look into the schema of btree_gist
-- too, where others may have planted an operator that fits better than the server's.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Whoever owns a schema can drop what is in it, and add to it. One that was there
-- before, as in a restore, must belong to somebody who may do that anyway.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_namespace n
        JOIN pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'fcfs' AND (r.rolsuper OR r.rolname = current_user))
    THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'schema fcfs belongs to a role that is not a superuser',
            HINT = 'Drop the schema, or give it to a superuser.';
    END IF;
END
$$;

