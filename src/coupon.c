/*
 * coupon.c
 *
 * issue_coupon: a quota given out one by one, and a number that tells each user
 * which one in line they were.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "operation.h"
#include "pool.h"

/* The pool ---------------------------------------------------------------------- */

static int64
issue_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return pool_text_is(heap_getattr(row, kind->claim_attributes[1], desc, &isnull), "revoked") ? 0
																								: 1;
}

static CachedQuery find_limit = {
	"SELECT c.per_user_limit::bigint FROM fcfs.coupon c WHERE c.id = $1", 1, {INT8OID}, NULL};

/* The limit as we see it: while we change it, the slot has the old one. */
static int64
per_user_limit(EscrowEntry *entry, int64 coupon_id)
{
	Datum argument = Int64GetDatum(coupon_id);
	int64 limit = escrow_per_person(entry);

	if (escrow_is_frozen(entry))
	{
		SPI_connect();
		if (query_read(&find_limit, &argument, NULL, 1) > 0)
			limit = query_int64(0, 1, limit);
		SPI_finish();
	}
	return limit;
}

static void
raise_per_user_limit(int64 coupon_id, int64 limit)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("a user would have more of coupon " INT64_FORMAT
						   " than the limit of " INT64_FORMAT,
						   coupon_id, limit),
					err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
					err_generic_string(PG_DIAG_TABLE_NAME, "coupon_issue"),
					err_generic_string(PG_DIAG_CONSTRAINT_NAME, "coupon_per_user_limit")));
}

/* The unique index allows one row an ordinal; this bounds the ordinals. */
static void
check_ordinal(const PoolKind *kind, EscrowEntry *entry, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	int64 coupon_id = DatumGetInt64(heap_getattr(row, kind->claim_attributes[0], desc, &isnull));
	int64 ordinal = DatumGetInt32(heap_getattr(row, kind->claim_attributes[2], desc, &isnull));

	if (issue_units(kind, row, desc) > 0 && ordinal > 1)
	{
		int64 limit = per_user_limit(entry, coupon_id);

		if (ordinal > limit)
			raise_per_user_limit(coupon_id, limit);
	}
}

static bool
limit_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	bool isnull;

	return DatumGetInt32(pool_column(old_row, desc, "per_user_limit", &isnull)) !=
		   DatumGetInt32(pool_column(new_row, desc, "per_user_limit", &isnull));
}

static CachedQuery find_above_limit = {
	"SELECT 1 FROM fcfs.coupon_issue i"
	" WHERE i.coupon_id = $1 AND i.status <> 'revoked' AND i.user_ordinal > $2",
	2,
	{INT8OID, INT4OID},
	NULL};

/* The pool is ours alone: nobody may have more than the new limit. */
static void
limit_changed(EscrowEntry *entry pg_attribute_unused(), HeapTuple old_row pg_attribute_unused(),
			  HeapTuple new_row, TupleDesc desc)
{
	bool isnull;
	Datum values[2];

	values[0] = pool_column(new_row, desc, "id", &isnull);
	values[1] = pool_column(new_row, desc, "per_user_limit", &isnull);
	SPI_connect();
	if (query_read(&find_above_limit, values, NULL, 1) > 0)
		raise_per_user_limit(DatumGetInt64(values[0]), DatumGetInt32(values[1]));
	SPI_finish();
}

PoolKind coupon_pool = {
	.escrow = {.lock_class = LOCK_COUPON},
	.name = "coupon",
	.pool_table = "coupon",
	.claim_table = "coupon_issue",
	.capacity_column = "quota",
	.capacity_constraint = "coupon_quota",
	.not_found = REFUSAL_COUPON_NOT_FOUND,
	.sold_out = REFUSAL_COUPON_EXHAUSTED,
	.claim_columns = {"coupon_id", "status", "user_ordinal"},
	.load = {"SELECT c.quota, i.claimed, i.arrival, c.per_user_limit::bigint"
			 " FROM fcfs.coupon c CROSS JOIN LATERAL ("
			 " SELECT count(*) FILTER (WHERE i.status <> 'revoked') AS claimed, max(i.arrival) AS "
			 "arrival"
			 " FROM fcfs.coupon_issue i WHERE i.coupon_id = c.id) AS i"
			 " WHERE c.id = $1",
			 1,
			 {INT8OID},
			 NULL},
	.referenced = {"SELECT 1 FROM fcfs.coupon_issue i WHERE i.coupon_id = $1", 1, {INT8OID}, NULL},
	.claimed_units = issue_units,
	.check_claim = check_ordinal,
	.changes_alone = limit_changes,
	.changed = limit_changed};

/* issue_coupon ---------------------------------------------------------------------- */

/* Coupon $1, and the smallest ordinal that user $2 does not have yet. */
static CachedQuery judge_issue = {
	"SELECT c.opens_at, c.closes_at, c.strict_order, c.per_user_limit,"
	" CASE WHEN NOT EXISTS (SELECT FROM fcfs.coupon_issue i"
	" WHERE i.coupon_id = c.id AND i.user_id = $2 AND i.status <> 'revoked') THEN 1"
	" WHEN c.per_user_limit > 1 THEN ("
	" SELECT min(n.ordinal) FROM generate_series(1, c.per_user_limit) AS n (ordinal)"
	" WHERE NOT EXISTS (SELECT FROM fcfs.coupon_issue i"
	" WHERE i.coupon_id = c.id AND i.user_id = $2 AND i.status <> 'revoked' AND i.user_ordinal = "
	"n.ordinal)) END"
	" FROM fcfs.coupon c WHERE c.id = $1",
	2,
	{INT8OID, INT8OID},
	NULL};

static CachedQuery insert_issue = {
	"INSERT INTO fcfs.coupon_issue (coupon_id, user_id, user_ordinal, arrival, arrived_at)"
	" VALUES ($1, $2, $3, $4, $5) RETURNING id",
	5,
	{INT8OID, INT8OID, INT4OID, INT8OID, TIMESTAMPTZOID},
	NULL};

/* issue_coupon(coupon_id, user_id) */
static bool
run_issue_coupon(Call *call)
{
	int64 coupon_id = call->arguments[0];
	int64 user_id = call->arguments[1];
	Datum values[5] = {Int64GetDatum(coupon_id), Int64GetDatum(user_id)};
	EscrowEntry *entry;
	RefusalCode refused;
	int64 arrival;
	bool has_all;

	if (!call_begin(call, LOCK_USER, user_id))
		return false;
	refused = pool_pin(&coupon_pool, coupon_id, &entry);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "coupon " INT64_FORMAT, coupon_id);
	if (query_read(&judge_issue, values, NULL, 1) == 0)
		return call_refuse(call, REFUSAL_COUPON_NOT_FOUND, "coupon " INT64_FORMAT, coupon_id);
	if (call->arrived_at < query_time(0, 1, DT_NOEND))
		return call_refuse(call, REFUSAL_COUPON_NOT_STARTED, NULL);
	if (call->arrived_at >= query_time(0, 2, DT_NOBEGIN))
		return call_refuse(call, REFUSAL_COUPON_CLOSED, NULL);
	values[2] = query_value(0, 5, &has_all);
	if (has_all)
		return call_refuse(call, REFUSAL_COUPON_ALREADY_ISSUED,
						   "coupon " INT64_FORMAT ", user " INT64_FORMAT, coupon_id, user_id);

	refused = pool_claim(&coupon_pool, entry, coupon_id, query_bool(0, 3), 1, &arrival);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "coupon " INT64_FORMAT, coupon_id);
	values[3] = Int64GetDatum(arrival);
	values[4] = TimestampTzGetDatum(call->arrived_at);
	if (query_write(&insert_issue, values, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
						errmsg("a trigger suppressed the coupon")));
	return call_done(call, query_int64(0, 1, 0));
}

static Operation issue_coupon = {
	.name = "issue_coupon",
	.arguments = {"coupon_id", "user_id"},
	.run = run_issue_coupon,
	.row = {"SELECT i FROM fcfs.coupon_issue i WHERE i.id = $1", 1, {INT8OID}, NULL}};

OPERATION_FACES(issue_coupon, issue_coupon);
