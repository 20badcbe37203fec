-- The end of every regression test: nothing is broken, nothing in flight, no
-- lock held. Prints a row for whatever is.
\set ECHO none
SELECT 'broken', v.* FROM fcfs.verify() AS v;
SELECT 'in flight', p.* FROM fcfs.stat_pools AS p
WHERE p.taken_in_flight <> 0 OR p.pinned_by <> 0 OR p.waiters <> 0;
SELECT 'locked', l.locktype, l.mode, l.granted FROM pg_locks AS l
WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory';
\set ECHO all
