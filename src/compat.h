/*
 * compat.h
 *
 * Everything that differs between the versions of PostgreSQL the extension is
 * built for (14 to 18), as typed inline functions. No other file tests
 * PG_VERSION_NUM.
 */
#ifndef FCFS_COMPAT_H
#define FCFS_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "access/twophase.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "postmaster/autovacuum.h"
#include "replication/walsender.h"
#include "storage/sinvaladt.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#if PG_VERSION_NUM < 140000
#error "pg_fcfs needs PostgreSQL 14 or later: calendars are multiranges"
#endif

#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#endif

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#endif

/* Of a custom path: it computes what the query wants (all did before PostgreSQL 15). */
#if PG_VERSION_NUM >= 150000
#define COMPAT_CUSTOMPATH_PROJECTION CUSTOMPATH_SUPPORT_PROJECTION
#else
#define COMPAT_CUSTOMPATH_PROJECTION 0
#endif

/* Index of this backend's PGPROC in ProcGlobal->allProcs. */
static inline int
compat_my_proc_number(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

/* Local id of this backend's transaction; never the same for two in a row. */
static inline LocalTransactionId
compat_my_lxid(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/* Process id of the backend that runs a virtual transaction, 0 if it is gone. */
static inline int
compat_vxid_pid(VirtualTransactionId vxid)
{
#if PG_VERSION_NUM >= 170000
	PGPROC *proc = ProcNumberGetProc(vxid.procNumber);
#else
	PGPROC *proc = BackendIdGetProc(vxid.backendId);
#endif

	return proc ? proc->pid : 0;
}

/*
 * How many PGPROCs there can be. MaxBackends is not yet computed when a
 * library of PostgreSQL 14 asks for shared memory.
 */
static inline int
compat_max_procs(void)
{
#if PG_VERSION_NUM >= 150000
	return MaxBackends + NUM_AUXILIARY_PROCS + max_prepared_xacts;
#else
	return MaxConnections + autovacuum_max_workers + 1 + max_worker_processes + max_wal_senders +
		   NUM_AUXILIARY_PROCS + max_prepared_xacts;
#endif
}

/* Makes a misspelt setting of ours an error (a warning before PostgreSQL 15). */
static inline void
compat_reserve_guc_prefix(const char *prefix)
{
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(prefix);
#else
	EmitWarningsOnPlaceholders(prefix);
#endif
}

/*
 * Arranges that request() runs when shared memory may be asked for; it must
 * first call *previous, unless that is NULL.
 */
static inline void
compat_on_shmem_request(void (*request)(void), void (**previous)(void))
{
#if PG_VERSION_NUM >= 150000
	*previous = shmem_request_hook;
	shmem_request_hook = request;
#else
	*previous = NULL;
	request();
#endif
}

/* Raises 42501 unless the current user may execute the function. */
static inline void
compat_check_execute(Oid function)
{
#if PG_VERSION_NUM >= 160000
	AclResult result = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
	AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
}

/* Tells an executor's state of the only table that it will have to do with. */
static inline void
compat_init_range_table(EState *estate, RangeTblEntry *entry)
{
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, list_make1(entry), NIL, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, list_make1(entry), NIL);
#else
	ExecInitRangeTable(estate, list_make1(entry));
#endif
}

/* Closes an index that rows were written to, and keeps its lock. */
static inline void
compat_close_written_index(ResultRelInfo *result, int number)
{
	Relation index = result->ri_IndexRelationDescs[number];

#if PG_VERSION_NUM >= 170000
	index_insert_cleanup(index, result->ri_IndexRelationInfo[number]);
#endif
	index_close(index, NoLock);
}

#endif /* FCFS_COMPAT_H */
