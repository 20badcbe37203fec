/*
 * worker_state.c
 *
 * Whether this database is one for a worker to write to, and how its worker is,
 * for health().
 *
 * Locks: that of worker_shmem.c, for one look.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_subscription_rel.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "worker.h"
#include "worker_shmem.h"

/* Milliseconds, besides fcfs.worker_interval, after which duties take too long. */
#define SLOW_ROUND_MS (60 * 1000)

typedef struct WorkerState
{
	bool ok;
	const char *detail;
} WorkerState;

/*
 * Do tables of the extension come here by logical replication? What is to be
 * done at a time is done where claims are served, and comes with the rest: done
 * here as well, it would be done to rows that the other side may have changed.
 */
bool
worker_database_is_copy(void)
{
	Oid schema = get_namespace_oid("fcfs", true);
	Relation subscribed = table_open(SubscriptionRelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(subscribed, InvalidOid, false, NULL, 0, NULL);
	HeapTuple row;
	bool found = false;

	while (!found && (row = systable_getnext(scan)) != NULL)
		found = get_rel_namespace(((Form_pg_subscription_rel) GETSTRUCT(row))->srrelid) == schema;
	systable_endscan(scan);
	table_close(subscribed, AccessShareLock);
	return found && OidIsValid(schema);
}

static bool
wanted_here(void)
{
	HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	bool wanted;

	if (!HeapTupleIsValid(row))
		return false;
	wanted = worker_wanted((Form_pg_database) GETSTRUCT(row));
	ReleaseSysCache(row);
	return wanted;
}

static WorkerState
state_of_worker(const WorkerEntry *worker)
{
	if (TimestampDifferenceExceeds(worker->round_at, GetCurrentTimestamp(),
								   fcfs_worker_interval + SLOW_ROUND_MS))
		return (WorkerState){false,
							 psprintf("process %d has not come to the end of its duties since %s",
									  worker->pid, timestamptz_to_str(worker->round_at))};
	if (worker->failing > 0)
		return (WorkerState){
			false, psprintf("process %d: %d of its duties failed, the server's log says why",
							worker->pid, worker->failing)};
	return (WorkerState){true, psprintf("process %d does the chores", worker->pid)};
}

static WorkerState
state_here(void)
{
	WorkerEntry worker;

	if (!fcfs_worker)
		return (WorkerState){true, "none, since fcfs.worker is off: run the chores otherwise"};
	if (!worker_shared())
		return (WorkerState){false, "none: add pg_fcfs to shared_preload_libraries and restart, "
									"or run the chores otherwise and set fcfs.worker to off"};
	if (RecoveryInProgress())
		return (WorkerState){true, "none on a standby until it is promoted"};
	if (!wanted_here())
		return (WorkerState){true, "none, since fcfs.database does not name this database: "
								   "run the chores otherwise"};
	if (worker_database_is_copy())
		return (WorkerState){true, "it does nothing while tables come from a subscription"};
	if (worker_find(MyDatabaseId, &worker) && worker.pid != 0 && worker.serving)
		return state_of_worker(&worker);
	return (WorkerState){false,
						 "none is running: it comes within seconds, or the server's log says "
						 "why not (max_worker_processes may be too low)"};
}

PG_FUNCTION_INFO_V1(fcfs_worker_state);

/* worker_state(): whether the worker does what it is to do, and how it is. */
Datum
fcfs_worker_state(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	WorkerState state = state_here();
	Datum values[2];
	bool nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "worker_state() returns no row");
	values[0] = BoolGetDatum(state.ok);
	values[1] = CStringGetTextDatum(state.detail);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
