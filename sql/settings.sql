-- The settings: names, defaults, bounds, who may change them.
\i sql/include/start.sql

-- Where the library is not preloaded, the first call brings them.
SELECT count(*) > 0 FROM fcfs.refusals();
-- (Only where the library is preloaded fcfs.max_pools sizes anything, so its context differs. The tests have the worker off.)
SELECT name, boot_val, unit, min_val, max_val, CASE name WHEN 'fcfs.max_pools' THEN 'server' ELSE context END
FROM pg_settings WHERE name LIKE 'fcfs.%' ORDER BY name COLLATE "C";
-- Each says what it is for.
SELECT name FROM pg_settings WHERE name LIKE 'fcfs.%' AND length(short_desc) < 20;
-- Within bounds, in units; out of bounds, not a number, misspelt.
SELECT setting, left(test.said('SET ' || setting), 5)
FROM unnest(ARRAY[
    $$fcfs.lock_timeout = '10s'$$, $$fcfs.lock_timeout = 0$$, $$fcfs.lock_timeout = -1$$, $$fcfs.lock_timeout = 'soon'$$, $$fcfs.lock_timeout = 2147483648$$,
    $$fcfs.max_waiters = 0$$, $$fcfs.max_waiters = -1$$, $$fcfs.slow_wait = -1$$, $$fcfs.slow_wait = -2$$,
    $$fcfs.hold_for = '1s'$$, $$fcfs.hold_for = 0$$, $$fcfs.hold_for = '-1s'$$,
    $$fcfs.idempotency_keep = '1d'$$, $$fcfs.idempotency_keep = '23h'$$,
    $$fcfs.wait_for_uncertain = off$$, $$fcfs.wait_for_uncertain = maybe$$,
    $$fcfs.lock_timeuot = '10s'$$]) AS setting;
-- For one transaction, for one function.
BEGIN;
SET LOCAL fcfs.lock_timeout = '1s';
SHOW fcfs.lock_timeout;
ROLLBACK;
RESET ALL;
SHOW fcfs.lock_timeout;
SET datestyle = 'ISO, YMD';

\i sql/include/finish.sql
