-- The list of refusals: complete, without a double, in agreement with the contract.
\i sql/include/start.sql

\pset format aligned
\pset tuples_only off
SELECT * FROM fcfs.refusals() ORDER BY return_code;
\pset tuples_only on

-- A code, a return code, a SQLSTATE: each names one refusal.
SELECT code FROM fcfs.refusals() GROUP BY code HAVING count(*) > 1;
SELECT return_code FROM fcfs.refusals() GROUP BY return_code HAVING count(*) > 1;
SELECT sqlstate FROM fcfs.refusals() GROUP BY sqlstate HAVING count(*) > 1;

-- RF and the last three digits of the return code; a lock timeout is PostgreSQL's own.
SELECT code, sqlstate FROM fcfs.refusals()
WHERE sqlstate IS DISTINCT FROM CASE code WHEN 'LOCK_TIMEOUT' THEN '55P03' ELSE 'RF' || right(return_code::text, 3) END;

-- 4xxx is the request, 5xxx the server, and 51xx the database.
SELECT code, http_status, return_code FROM fcfs.refusals()
WHERE NOT CASE WHEN http_status < 500 THEN return_code BETWEEN 4000 AND 4999 ELSE return_code BETWEEN 5000 AND 5199 END;

-- Only what has to do with the crowd, not with the request, is worth another try.
SELECT code FROM fcfs.refusals() WHERE retryable ORDER BY code COLLATE "C";

-- Messages begin in lower case and have no full stop.
SELECT code, message FROM fcfs.refusals() WHERE message !~ '^[a-z].*[^.]$' OR message IS NULL;

-- What the contract says of each.
SELECT wanted.code AS missing, wanted.http_status
FROM (VALUES
    (400, 'ENROLLMENT_NOT_STARTED'), (400, 'ENROLLMENT_CLOSED'), (400, 'CREDIT_LIMIT_EXCEEDED'),
    (400, 'CANCELLATION_DEADLINE_PASSED'), (400, 'SALE_NOT_STARTED'), (400, 'SALE_CLOSED'),
    (400, 'COUPON_NOT_STARTED'), (400, 'COUPON_CLOSED'), (400, 'QUANTITY_LIMIT_EXCEEDED'),
    (404, 'STUDENT_NOT_FOUND'), (404, 'COURSE_NOT_FOUND'), (404, 'NOT_ENROLLED'), (404, 'ITEM_NOT_FOUND'),
    (404, 'RESERVATION_NOT_FOUND'), (404, 'COUPON_NOT_FOUND'),
    (409, 'COURSE_FULL'), (409, 'ALREADY_ENROLLED'), (409, 'SCHEDULE_CONFLICT'), (409, 'REENROLL_NOT_ALLOWED'),
    (409, 'OUT_OF_STOCK'), (409, 'RESERVATION_NOT_HELD'), (409, 'COUPON_EXHAUSTED'), (409, 'COUPON_ALREADY_ISSUED'),
    (409, 'IDEMPOTENCY_KEY_IN_USE'),
    (410, 'RESERVATION_EXPIRED'), (422, 'IDEMPOTENCY_KEY_REUSED'),
    (429, 'TOO_MANY_WAITERS'), (503, 'LOCK_TIMEOUT')) AS wanted (http_status, code)
LEFT JOIN fcfs.refusals() AS r ON r.code = wanted.code AND r.http_status = wanted.http_status
WHERE r.code IS NULL;

\i sql/include/finish.sql
