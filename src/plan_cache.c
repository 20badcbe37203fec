/*
 * plan_cache.c
 *
 * Runs the extension's own queries through SPI. Every query is schema-
 * qualified, planned once a session for any values, and checked for validity
 * before use, as ri_triggers.c does.
 *
 * Rules must be judged on what is true now, whatever snapshot the caller's
 * transaction has: reads use the newest snapshot, and writes at REPEATABLE
 * READ or SERIALIZABLE crosscheck against that of the transaction, so that
 * they fail with 40001 instead of changing what the caller cannot see.
 */
#include "postgres.h"

#include "access/xact.h"
#include "optimizer/cost.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "plan_cache.h"

static QueryPath *current_path = NULL;

/*
 * Begins a call with the search_path of whoever called. It is pinned before the
 * first query of the call, and not at all if there is none: to set it costs as
 * much as many a call.
 */
void
query_path_begin(QueryPath *path)
{
	path->nest_level = 0;
	path->outer = current_path;
	current_path = path;
}

/* After an error, when the server puts settings back by itself. */
void
query_path_abandon(QueryPath *path)
{
	Assert(current_path == path);
	current_path = path->outer;
}

/* Ends the call, and the pin if there was one. */
void
query_path_end(QueryPath *path)
{
	if (path->nest_level > 0)
		AtEOXact_GUC(true, path->nest_level);
	query_path_abandon(path);
}

static void
query_pin_path(void)
{
	if (current_path == NULL || current_path->nest_level > 0)
		return;
	current_path->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", QUERY_SEARCH_PATH, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Plans without sequential scans as far as possible. A session often makes its
 * plans while the tables are still small, and then lives through the rush that
 * fills them: every query here has an index that fits.
 */
static SPIPlanPtr
query_make_plan(const CachedQuery *query)
{
	bool save_seqscan = enable_seqscan;
	volatile SPIPlanPtr plan = NULL;

	PG_TRY();
	{
		CachedPlan *generic;

		enable_seqscan = false;
		plan = SPI_prepare_cursor(query->sql, query->nargs, (Oid *) query->argtypes,
								  CURSOR_OPT_GENERIC_PLAN);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare query: %s", SPI_result_code_string(SPI_result));
		generic = SPI_plan_get_cached_plan(plan);
		if (generic)
			ReleaseCachedPlan(generic, CurrentResourceOwner);
		enable_seqscan = save_seqscan;
	}
	PG_CATCH();
	{
		enable_seqscan = save_seqscan;
		if (plan)
			SPI_freeplan(plan);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return plan;
}

/* Frees a plan that nobody runs: what came of another would show much later. */
static void
query_free_plan(const CachedQuery *query, SPIPlanPtr plan)
{
	Assert(query->running == 0);
	SPI_freeplan(plan);
}

static SPIPlanPtr
query_plan(CachedQuery *query)
{
	SPIPlanPtr stale = query->plan;

	if (stale && SPI_plan_is_valid(stale))
		return stale;
	query->plan = NULL;
	/* One that is running, and has come here again by way of a trigger, goes
	 * with the session. */
	if (stale && query->running == 0)
		query_free_plan(query, stale);
	query->plan = query_make_plan(query);
	return query->plan;
}

/* Executes a plan of the query, which nobody frees meanwhile. */
static int
query_execute(CachedQuery *query, SPIPlanPtr plan, const Datum *values, const char *nulls,
			  Snapshot snapshot, Snapshot crosscheck, bool read_only, long limit)
{
	volatile int result = 0;

	query->running++;
	PG_TRY();
	{
		result = SPI_execute_snapshot(plan, (Datum *) values, nulls, snapshot, crosscheck,
									  read_only, true, limit);
	}
	PG_FINALLY();
	{
		query->running--;
	}
	PG_END_TRY();
	return result;
}

static uint64
query_run(CachedQuery *query, const Datum *values, const char *nulls, Snapshot snapshot,
		  Snapshot crosscheck, bool read_only, long limit)
{
	int result;

	query_pin_path();
	result = query_execute(query, query_plan(query), values, nulls, snapshot, crosscheck, read_only,
						   limit);

	if (result < 0)
		elog(ERROR, "query failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* Reads what is committed now and what this transaction has done so far. */
uint64
query_read(CachedQuery *query, const Datum *values, const char *nulls, long limit)
{
	CommandCounterIncrement();
	return query_run(query, values, nulls, GetLatestSnapshot(), InvalidSnapshot, true, limit);
}

/*
 * The newest snapshot, as if this transaction had done nothing; to be unregistered.
 * With the first command id as the current one, MVCC takes every row we made for
 * made later, and every row we removed for still there.
 */
Snapshot
query_newest_of_others(void)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());

	Assert(FirstSnapshotSet);
	snapshot->curcid = FirstCommandId;
	return snapshot;
}

/* Reads what is committed now as if this transaction had done nothing. */
uint64
query_read_committed_by_others(CachedQuery *query, const Datum *values, long limit)
{
	Snapshot snapshot = query_newest_of_others();
	uint64 processed;

	processed = query_run(query, values, NULL, snapshot, InvalidSnapshot, true, limit);
	UnregisterSnapshot(snapshot);
	return processed;
}

/*
 * At REPEATABLE READ and SERIALIZABLE the server's foreign keys do not know what
 * is newer than the snapshot of the transaction, and would say that it is not
 * there. The query finds a row that what we write next refers to.
 */
void
query_must_see(CachedQuery *query, const Datum *values)
{
	if (IsolationUsesXactSnapshot() &&
		query_run(query, values, NULL, GetTransactionSnapshot(), InvalidSnapshot, true, 1) == 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update"),
						errdetail("What a new row refers to is newer than the transaction.")));
}

/* Runs a query that writes or locks rows. */
uint64
query_write(CachedQuery *query, const Datum *values, const char *nulls)
{
	Snapshot snapshot = InvalidSnapshot;
	Snapshot crosscheck = InvalidSnapshot;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();
		snapshot = GetLatestSnapshot();
		crosscheck = GetTransactionSnapshot();
	}
	return query_run(query, values, nulls, snapshot, crosscheck, false, 0);
}

/* There is no success without the row: a trigger may have dropped it. */
void
query_wrote_one(uint64 rows, const char *what)
{
	if (rows != 1)
		ereport(ERROR, (errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
						errmsg("a trigger suppressed the %s", what)));
}

/* A value of the last result; columns count from 1. */
Datum
query_value(uint64 row, int column, bool *isnull)
{
	Assert(row < SPI_processed);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

int64
query_int64(uint64 row, int column, int64 if_null)
{
	bool isnull;
	Datum value = query_value(row, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

/* NULL is false. */
bool
query_bool(uint64 row, int column)
{
	bool isnull;
	Datum value = query_value(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

TimestampTz
query_time(uint64 row, int column, TimestampTz if_null)
{
	bool isnull;
	Datum value = query_value(row, column, &isnull);

	return isnull ? if_null : DatumGetTimestampTz(value);
}
