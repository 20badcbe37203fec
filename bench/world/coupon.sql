-- Coupons, and what the coupon benchmarks compare them with.
--
-- Coupon 1 never runs out, coupon 2 is sold out. :present users, of even numbers,
-- have coupon 1 already, in both tables that are compared.

INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES
    (1, 'HOT', 1000000000, now() - interval '1 day', now() + interval '1 day'),
    (2, 'GONE', 100, now() - interval '1 day', now() + interval '1 day');
INSERT INTO fcfs.coupon_issue (coupon_id, user_id)
SELECT 2, g FROM generate_series(1, 100) g;

-- Nobody has touched the pool yet, so the escrow need not be told of them.
SET session_replication_role = replica;
INSERT INTO fcfs.coupon_issue (coupon_id, user_id, arrival)
SELECT 1, 2 * (g * (1000000000 / nullif(:present::bigint, 0))), g FROM generate_series(1, :present) g;
RESET session_replication_role;

CREATE SCHEMA bench;

-- The yardstick: the same columns, defaults, identity and indexes, and no rule.
CREATE TABLE bench.bare_issue (LIKE fcfs.coupon_issue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
INSERT INTO bench.bare_issue SELECT * FROM fcfs.coupon_issue WHERE coupon_id = 1;
SELECT setval(pg_get_serial_sequence('bench.bare_issue', 'id'), :present + 1000);

-- What the peers keep: the hot row with its counter, and the same claims under
-- the same indexes. Only the optimistic peer changes the version.
CREATE TABLE bench.row_coupon (
    id bigint PRIMARY KEY,
    quota bigint NOT NULL,
    issued bigint NOT NULL DEFAULT 0,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO bench.row_coupon
SELECT id, quota, 0, opens_at, closes_at FROM fcfs.coupon;
CREATE TABLE bench.row_issue (LIKE fcfs.coupon_issue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);

-- Why a claim was not made, in the order in which the extension refuses. It is
-- raised, so that whatever was written before is undone.
CREATE FUNCTION bench.refuse(coupon bigint, customer bigint)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    found_coupon bench.row_coupon;
BEGIN
    SELECT * INTO found_coupon FROM bench.row_coupon WHERE id = coupon;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'COUPON_NOT_FOUND';
    ELSIF clock_timestamp() < found_coupon.opens_at THEN
        RAISE EXCEPTION 'COUPON_NOT_STARTED';
    ELSIF clock_timestamp() >= found_coupon.closes_at THEN
        RAISE EXCEPTION 'COUPON_CLOSED';
    ELSIF EXISTS (
        SELECT FROM bench.row_issue
        WHERE coupon_id = coupon AND user_id = customer AND xmin <> pg_current_xact_id()::xid
    ) THEN
        RAISE EXCEPTION 'COUPON_ALREADY_ISSUED';
    END IF;
    RAISE EXCEPTION 'COUPON_EXHAUSTED';
END
$$;

-- The row lock. Of the shapes tried (SELECT FOR UPDATE first, UPDATE first,
-- INSERT first) this one is the fastest: the hot row is locked last, so that it
-- is held for little more than the commit. It pays for that with the arrival
-- number, which it cannot give.
CREATE FUNCTION bench.row_issue_coupon(coupon bigint, customer bigint)
RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO bench.row_issue (coupon_id, user_id) VALUES (coupon, customer)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        PERFORM bench.refuse(coupon, customer);
    END IF;
    UPDATE bench.row_coupon SET issued = issued + 1
    WHERE id = coupon
        AND issued < quota
        AND clock_timestamp() >= opens_at
        AND clock_timestamp() < closes_at;
    IF NOT FOUND THEN
        PERFORM bench.refuse(coupon, customer);
    END IF;
    RETURN 'OK';
END
$$;

-- The same behind an advisory lock, which many use to spare the hot row the
-- crowd: waiters queue, one is woken at a time, and it can give the arrival.
CREATE FUNCTION bench.advisory_issue_coupon(coupon bigint, customer bigint)
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    number bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(coupon);
    UPDATE bench.row_coupon SET issued = issued + 1
    WHERE id = coupon
        AND issued < quota
        AND clock_timestamp() >= opens_at
        AND clock_timestamp() < closes_at
    RETURNING issued INTO number;
    IF NOT FOUND THEN
        PERFORM bench.refuse(coupon, customer);
    END IF;
    INSERT INTO bench.row_issue (coupon_id, user_id, arrival) VALUES (coupon, customer, number)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        PERFORM bench.refuse(coupon, customer);
    END IF;
    RETURN 'OK';
END
$$;
