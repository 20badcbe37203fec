/*
 * coupon.c
 *
 * issue_coupon: a quota given out one by one, and a number that tells each user
 * which one in line they were.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "operation.h"
#include "pool.h"
#include "table.h"

/* As many as a quota can have. Who brings the last number leaves none. */
#define MAX_ARRIVAL INT64CONST(1000000000000000)

/* The pool ---------------------------------------------------------------------- */

static int64
issue_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return pool_text_is(heap_getattr(row, kind->claim_attributes[1], desc, &isnull), "revoked") ? 0
																								: 1;
}

/* What every call must know of a coupon, in the order of .facts below. */
typedef enum CouponFact
{
	COUPON_OPENS_AT,
	COUPON_CLOSES_AT,
	COUPON_STRICT_ORDER,
	COUPON_PER_USER_LIMIT
} CouponFact;

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

static void
raise_arrival(int64 arrival)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("arrival " INT64_FORMAT " is out of range", arrival),
					errdetail("Arrivals are numbers from 1 to " INT64_FORMAT ".", MAX_ARRIVAL),
					err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
					err_generic_string(PG_DIAG_TABLE_NAME, "coupon_issue"),
					err_generic_string(PG_DIAG_CONSTRAINT_NAME, "coupon_issue_arrival")));
}

/* The unique index allows one row an ordinal; this bounds the ordinals. */
static void
check_issue(const PoolKind *kind, EscrowEntry *entry, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	int64 coupon_id = DatumGetInt64(heap_getattr(row, kind->claim_attributes[0], desc, &isnull));
	int64 ordinal = DatumGetInt32(heap_getattr(row, kind->claim_attributes[2], desc, &isnull));

	EscrowFacts facts;
	int64 arrival;
	int64 limit;

	arrival = DatumGetInt64(heap_getattr(row, kind->claim_attributes[4], desc, &isnull));
	if (!isnull)
	{
		if (arrival < 1 || arrival > MAX_ARRIVAL)
			raise_arrival(arrival);
		escrow_arrival_above(entry, arrival);
	}
	/* The first of a user is within any limit: no need to look. */
	if (ordinal == 1 || issue_units(kind, row, desc) == 0)
		return;
	if (!pool_facts(&coupon_pool, entry, coupon_id, &facts))
		return;
	limit = DatumGetInt32(facts.values[COUPON_PER_USER_LIMIT]);
	if (ordinal < 1 || ordinal > limit)
		raise_per_user_limit(coupon_id, limit);
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
	NULL,
	0};

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
	.claim_columns = {"coupon_id", "status", "user_ordinal", "user_id", "arrival"},
	.load = {"SELECT c.quota, i.claimed, i.arrival"
			 " FROM fcfs.coupon c CROSS JOIN LATERAL ("
			 " SELECT count(*) FILTER (WHERE i.status <> 'revoked') AS claimed, max(i.arrival) AS "
			 "arrival"
			 " FROM fcfs.coupon_issue i WHERE i.coupon_id = c.id) AS i"
			 " WHERE c.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.facts = {"SELECT c.opens_at, c.closes_at, c.strict_order, c.per_user_limit FROM fcfs.coupon c "
			  "WHERE c.id = $1",
			  1,
			  {INT8OID},
			  NULL,
			  0},
	.referenced =
		{"SELECT 1 FROM fcfs.coupon_issue i WHERE i.coupon_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = issue_units,
	.check_claim = check_issue,
	.changes_alone = limit_changes,
	.changed = limit_changed};

/* issue_coupon ---------------------------------------------------------------------- */

/* The smallest ordinal up to $3 that user $2 does not have of coupon $1: it is 1,
 * or one more than one the user has. */
static CachedQuery free_ordinal = {
	"WITH mine AS MATERIALIZED ("
	" SELECT i.user_ordinal AS ordinal FROM fcfs.coupon_issue i"
	" WHERE i.coupon_id = $1 AND i.user_id = $2 AND i.status <> 'revoked')"
	" SELECT min(n.ordinal) FROM ("
	" SELECT 1 AS ordinal UNION ALL SELECT m.ordinal + 1 FROM mine m WHERE m.ordinal < $3) AS n"
	" WHERE n.ordinal NOT IN (SELECT m.ordinal FROM mine m)",
	3,
	{INT8OID, INT8OID, INT4OID},
	NULL,
	0};

typedef enum IssueColumn
{
	ISSUE_ID,
	ISSUE_COUPON_ID,
	ISSUE_USER_ID,
	ISSUE_USER_ORDINAL,
	ISSUE_ARRIVAL,
	ISSUE_ARRIVED_AT,
	ISSUE_STATUS
} IssueColumn;

typedef enum IssueIndex
{
	ISSUE_BY_USER,
	ISSUE_BY_ID
} IssueIndex;

static Table issues = {
	.name = "coupon_issue",
	.lock = RowExclusiveLock,
	.columns = {"id", "coupon_id", "user_id", "user_ordinal", "arrival", "arrived_at", "status"},
	.types = {INT8OID, INT8OID, INT8OID, INT4OID, INT8OID, TIMESTAMPTZOID, TEXTOID},
	.indexes = {"coupon_issue_once_a_user", "coupon_issue_pkey"}};

/* How many of a coupon a user has. */
static int
count_issued(int64 coupon_id, int64 user_id)
{
	static const int columns[] = {ISSUE_COUPON_ID, ISSUE_USER_ID};
	Datum keys[] = {Int64GetDatum(coupon_id), Int64GetDatum(user_id)};
	Snapshot newest = table_newest();
	TableRead read;
	int count = 0;
	bool isnull;

	table_read_begin(&read, &issues, ISSUE_BY_USER, newest, lengthof(keys), columns, keys);
	while (table_read_next(&read))
		count += pool_text_is(table_read_value(&read, ISSUE_STATUS, &isnull), "revoked") ? 0 : 1;
	table_read_end(&read);
	UnregisterSnapshot(newest);
	return count;
}

/* Writes the row of a coupon that the user has not got limit times yet. */
static int64
write_issue(const Call *call, int issued, int limit, int64 arrival)
{
	TableRow row = {0};
	Datum search[3];
	bool isnull;

	table_row_set(&row, ISSUE_COUPON_ID, Int64GetDatum(call->arguments[0]));
	table_row_set(&row, ISSUE_USER_ID, Int64GetDatum(call->arguments[1]));
	table_row_set(&row, ISSUE_USER_ORDINAL, Int32GetDatum(1));
	if (issued > 0)
	{
		search[0] = row.values[ISSUE_COUPON_ID];
		search[1] = row.values[ISSUE_USER_ID];
		search[2] = Int32GetDatum(limit);
		(void) query_read(&free_ordinal, search, NULL, 1);
		row.values[ISSUE_USER_ORDINAL] = query_value(0, 1, &isnull);
	}
	table_row_set(&row, ISSUE_ARRIVAL, Int64GetDatum(arrival));
	table_row_set(&row, ISSUE_ARRIVED_AT, TimestampTzGetDatum(call->arrived_at));
	return DatumGetInt64(table_insert(&issues, &row, "coupon"));
}

/* The rules before those about the user, and whether the coupon is open at all. */
static bool
judge_window(Call *call, const EscrowFacts *facts)
{
	if (call->arrived_at < DatumGetTimestampTz(facts->values[COUPON_OPENS_AT]))
		return call_refuse(call, REFUSAL_COUPON_NOT_STARTED, NULL);
	if (call->arrived_at >= DatumGetTimestampTz(facts->values[COUPON_CLOSES_AT]))
		return call_refuse(call, REFUSAL_COUPON_CLOSED, NULL);
	return true;
}

static bool
refuse_issued(Call *call)
{
	return call_refuse(call, REFUSAL_COUPON_ALREADY_ISSUED,
					   "coupon " INT64_FORMAT ", user " INT64_FORMAT, call->arguments[0],
					   call->arguments[1]);
}

/*
 * Sold out, at a glance: without the user's lock, since whatever the user does
 * meanwhile, it is an answer that was right at a moment after the call arrived.
 * With strict_order the call has to stand in line even for that, and a wait for the
 * table must be bounded.
 */
static bool
glance_at_coupon(Call *call)
{
	int64 coupon_id = call->arguments[0];
	EscrowFacts facts;
	int64 claimed;

	pool_resolve(&coupon_pool);
	if (!escrow_is_gone(&coupon_pool.escrow, coupon_id, &facts, &claimed) ||
		DatumGetBool(facts.values[COUPON_STRICT_ORDER]) ||
		(claimed > 0 && !ConditionalLockRelationOid(coupon_pool.escrow.claim_table, issues.lock)))
		return false;
	if (!judge_window(call, &facts))
		return true;
	if (claimed > 0 && count_issued(coupon_id, call->arguments[1]) >=
						   DatumGetInt32(facts.values[COUPON_PER_USER_LIMIT]))
		(void) refuse_issued(call);
	else
		(void) call_refuse(call, REFUSAL_COUPON_EXHAUSTED, "coupon " INT64_FORMAT, coupon_id);
	return true;
}

/* issue_coupon(coupon_id, user_id) */
static bool
run_issue_coupon(Call *call)
{
	int64 coupon_id = call->arguments[0];
	int64 user_id = call->arguments[1];
	EscrowEntry *entry;
	EscrowFacts facts;
	RefusalCode refused;
	int limit;
	uint64 counted;
	int64 id;
	int issued;
	int64 arrival;

	if (!call_begin(call, LOCK_USER, user_id))
		return false;
	refused = pool_pin(&coupon_pool, coupon_id, &entry);
	if (refused == REFUSAL_NONE && !pool_facts(&coupon_pool, entry, coupon_id, &facts))
		refused = REFUSAL_COUPON_NOT_FOUND;
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "coupon " INT64_FORMAT, coupon_id);
	if (!judge_window(call, &facts))
		return false;
	limit = DatumGetInt32(facts.values[COUPON_PER_USER_LIMIT]);
	issued = count_issued(coupon_id, user_id);
	if (issued >= limit)
		return refuse_issued(call);
	refused = pool_claim(&coupon_pool, entry, coupon_id,
						 DatumGetBool(facts.values[COUPON_STRICT_ORDER]), 1, &arrival);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "coupon " INT64_FORMAT, coupon_id);
	counted = pool_rows_counted();
	id = write_issue(call, issued, limit, arrival);
	pool_claim_written(entry, counted);
	return call_done(call, id);
}

static Operation issue_coupon = {.name = "issue_coupon",
								 .arguments = {{"coupon_id", ARGUMENT_BIGINT},
											   {"user_id", ARGUMENT_BIGINT},
											   {"idempotency_key", ARGUMENT_KEY}},
								 .run = run_issue_coupon,
								 .glance = glance_at_coupon,
								 .made = &issues,
								 .by_id = ISSUE_BY_ID};

OPERATION_FACES(issue_coupon, issue_coupon);

void
coupon_init(void)
{
	operation_register(&issue_coupon);
}
