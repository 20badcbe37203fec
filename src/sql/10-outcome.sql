-- What a call answers, and the list of refusals. The list itself is
-- src/refusal_list.h; refusals() only shows it.

CREATE TYPE fcfs.outcome AS (
    ok boolean,
    code text,
    http_status integer,
    retryable boolean,
    message text,
    detail text,
    id bigint,
    replayed boolean
);
COMMENT ON TYPE fcfs.outcome IS
    'What a try_ function answers: ok, or a refusal with its code. id is the row made or changed; replayed says that the answer was stored under the idempotency key.';

CREATE FUNCTION fcfs.refusals(
    OUT code text,
    OUT sqlstate text,
    OUT http_status integer,
    OUT return_code integer,
    OUT retryable boolean,
    OUT message text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'fcfs_refusals';
COMMENT ON FUNCTION fcfs.refusals() IS
    'Every refusal a function can give, with its SQLSTATE, HTTP status, return code, and whether trying again can help.';
