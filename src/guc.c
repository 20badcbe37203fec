/*
 * guc.c
 *
 * All settings, in alphabetical order, those of the worker together. The prefix fcfs is reserved, so that a
 * misspelt setting is an error and not silently ignored.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "compat.h"
#include "guc.h"

char *fcfs_database;
int fcfs_hold_for;
int fcfs_idempotency_keep;
int fcfs_lock_timeout;
int fcfs_max_pools;
int fcfs_max_waiters;
int fcfs_slow_wait;
bool fcfs_wait_for_uncertain;
bool fcfs_worker;
int fcfs_worker_interval;
#ifdef USE_ASSERT_CHECKING
char *fcfs_test_point;
#endif

static bool
check_database(char **value, void **extra, GucSource source)
{
	char *copy = pstrdup(*value);
	List *names = NIL;
	bool valid = SplitGUCList(copy, ',', &names);

	if (!valid)
		GUC_check_errdetail("It must be a list of names, separated by commas.");
	list_free(names);
	pfree(copy);
	return valid;
}

static void
define_worker_settings(void)
{
	DefineCustomStringVariable("fcfs.database", "The databases that have a background worker.",
							   "Empty: all that have the extension.", &fcfs_database, "",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_database, NULL, NULL);
	DefineCustomBoolVariable("fcfs.worker", "Run a background worker for each database.",
							 "Needs the library in shared_preload_libraries.", &fcfs_worker, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("fcfs.worker_interval",
							"How long a background worker sleeps when nothing is left to do.", NULL,
							&fcfs_worker_interval, 1000, 10, 60 * 60 * 1000, PGC_SIGHUP,
							GUC_UNIT_MS, NULL, NULL, NULL);
}

void
guc_init(void)
{
	DefineCustomIntVariable(
		"fcfs.hold_for", "How long a reservation is held where no event says it.", NULL,
		&fcfs_hold_for, 15 * 60, 1, INT_MAX / 1000, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("fcfs.idempotency_keep",
							"How long answers are kept under their idempotency key.", NULL,
							&fcfs_idempotency_keep, 24 * 60 * 60, 24 * 60 * 60, INT_MAX / 1000,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("fcfs.lock_timeout",
							"Longest wait for locks in one call; 0 waits for ever.",
							"Running into it is answered LOCK_TIMEOUT.", &fcfs_lock_timeout,
							30 * 1000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	/* Where the library is not preloaded there is no shared memory to size. */
	DefineCustomIntVariable(
		"fcfs.max_pools", "How many pools the escrow can hold in shared memory at once.",
		"Pools nobody is using make room for others.", &fcfs_max_pools, 16384, 16, 1 << 24,
		process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0, NULL, NULL,
		NULL);
	DefineCustomIntVariable("fcfs.max_waiters",
							"How many callers may wait for one lock; 0 is no bound.",
							"One more is answered TOO_MANY_WAITERS at once.", &fcfs_max_waiters, 0,
							0, INT_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"fcfs.slow_wait", "Waits for a lock that last longer are logged; -1 logs none.", NULL,
		&fcfs_slow_wait, 1000, -1, INT_MAX, PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
#ifdef USE_ASSERT_CHECKING
	DefineCustomStringVariable("fcfs.test_point", "What is to happen where; see test_point.c.",
							   NULL, &fcfs_test_point, "", PGC_SUSET, GUC_NO_SHOW_ALL, NULL, NULL,
							   NULL);
#endif
	DefineCustomBoolVariable(
		"fcfs.wait_for_uncertain",
		"Wait when what is left of a pool depends on transactions that have not ended.",
		"Off answers sold out at once.", &fcfs_wait_for_uncertain, true, PGC_USERSET, 0, NULL, NULL,
		NULL);
	define_worker_settings();
	compat_reserve_guc_prefix("fcfs");
}
