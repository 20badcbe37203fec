/*
 * worker.c
 *
 * The worker of a database: does what is to be done at a time and not because
 * somebody calls. Nothing is wrong without it, only later: each duty is an SQL
 * function that others may call as well.
 *
 * It wakes every fcfs.worker_interval and does its duties in batches, each in a
 * transaction of its own; while a batch is full it does not sleep. Between
 * batches it has no transaction, no snapshot and no lock.
 *
 * What runs: it is connected as the bootstrap superuser, so it calls no function
 * by a name that others could have taken, but the one which is a member of the
 * extension, and that runs as the extension's owner with a pinned search_path.
 *
 * Locks: a batch has the extension locked against DROP EXTENSION, which waits for
 * that lock first of all and so never for the worker with other locks in hand. A
 * batch that would have to wait longer than LOCK_TIMEOUT for anything is left for
 * the next time. The database is not locked: somebody who wants it alone has it,
 * and the worker goes, see worker_must_give_way().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "test_point.h"
#include "waitlist_rest.h"
#include "worker.h"
#include "worker_shmem.h"

/* For how long a batch may wait for any one lock: shorter than deadlock_timeout,
 * so that it is the worker who gives up. */
#define LOCK_TIMEOUT "100ms"

/* Milliseconds: between two looks whether somebody wants the database alone. The
 * server waits five seconds for sessions to go. */
#define LOOK_MS 1000

/* Milliseconds from its end to another worker: after it gave way, after it was
 * ended or failed, after it found no extension. */
#define AGAIN_WAY_GIVEN 1000
#define AGAIN_ENDED 5000
#define AGAIN_NO_EXTENSION (10 * 60 * 1000)

/* An error is logged once in so many milliseconds. */
#define LOG_AGAIN_MS (60 * 1000)

typedef struct Duty
{
	const char *function; /* in the schema of the extension, with an integer: max_rows */
	int batch;
	int every; /* seconds from one time that it found little to do to the next */
	TimestampTz due;
	bool failed; /* when it was last done */
} Duty;

/* What frees seats comes before what passes them on. */
static Duty duties[] = {
	{"expire_reservations", 100, 0, 0, false},
	{"release_reserved_seats", 10, 0, 0, false},
	{"pass_waitlists", 100, 0, 0, false},
	{"expire_idempotency_keys", 1000, 60, 0, false},
};

PGDLLEXPORT void fcfs_worker_main(Datum arg) pg_attribute_noreturn();

/* Errors -------------------------------------------------------------------------- */

/* The kinds of error that were logged last. */
static struct
{
	const Duty *duty;
	int sqlstate;
	TimestampTz logged_at;
} logged[16];

/* Is it a minute since such an error was logged? Where there are more kinds than
 * can be told apart, the oldest gives its place up when its minute is over. */
static bool
time_to_log(const Duty *duty, int sqlstate)
{
	TimestampTz now = GetCurrentTimestamp();
	int place = 0;

	for (int i = 0; i < (int) lengthof(logged); i++)
	{
		if (logged[i].duty == duty && logged[i].sqlstate == sqlstate)
		{
			place = i;
			break;
		}
		if (logged[i].logged_at < logged[place].logged_at)
			place = i;
	}
	if (!TimestampDifferenceExceeds(logged[place].logged_at, now, LOG_AGAIN_MS))
		return false;
	logged[place].duty = duty;
	logged[place].sqlstate = sqlstate;
	logged[place].logged_at = now;
	return true;
}

/* Others were in the way; it will be done later. */
static bool
is_passing(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		   sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/* Within PG_CATCH: gets over an error of a duty. */
static void
recover(Duty *duty)
{
	int sqlstate = geterrcode();

	HOLD_INTERRUPTS();
	duty->failed = !is_passing(sqlstate);
	if (duty->failed && time_to_log(duty, sqlstate))
		EmitErrorReport();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
}

static void
describe_duty(void *arg)
{
	errcontext("pg_fcfs worker, %s()", ((const Duty *) arg)->function);
}

/* Duties ------------------------------------------------------------------------------ */

/* Locks the extension to the end of the transaction; InvalidOid if it is not there,
 * or just being dropped. */
static Oid
lock_extension(void)
{
	Oid extension = get_extension_oid("pg_fcfs", true);
	LOCKTAG tag;

	if (!OidIsValid(extension))
		return InvalidOid;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
	if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return InvalidOid;
	AcceptInvalidationMessages();
	return get_extension_oid("pg_fcfs", true) == extension ? extension : InvalidOid;
}

/* The function of a duty, if it is the extension's: an older version may not have
 * it, and whatever else has its name is not run. */
static Oid
duty_function(const Duty *duty, Oid extension)
{
	Oid argument = INT4OID;
	Oid schema = get_namespace_oid("fcfs", true);
	Oid function =
		GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(duty->function),
						PointerGetDatum(buildoidvector(&argument, 1)), ObjectIdGetDatum(schema));

	if (!OidIsValid(function) || getExtensionOfObject(ProcedureRelationId, function) != extension)
		return InvalidOid;
	return function;
}

/* Does one batch; returns how many rows it had. */
static int
do_batch(const Duty *duty)
{
	char activity[NAMEDATALEN + 32];
	Oid extension;
	Oid function = InvalidOid;
	int rows = 0;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	extension = XactReadOnly ? InvalidOid : lock_extension();
	if (OidIsValid(extension))
		function = duty_function(duty, extension);
	if (OidIsValid(function))
	{
		snprintf(activity, sizeof(activity), "SELECT fcfs.%s(%d)", duty->function, duty->batch);
		pgstat_report_activity(STATE_RUNNING, activity);
		PushActiveSnapshot(GetTransactionSnapshot());
		rows = DatumGetInt32(OidFunctionCall1(function, Int32GetDatum(duty->batch)));
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	return rows;
}

/* Does one batch of a duty, whatever becomes of it. True if there may be more. */
static bool
do_duty(Duty *duty)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorContextCallback described = {
		.previous = error_context_stack, .callback = describe_duty, .arg = duty};
	volatile int rows = 0;

	error_context_stack = &described;
	PG_TRY();
	{
		rows = do_batch(duty);
		duty->failed = false;
	}
	PG_CATCH();
	{
		recover(duty);
	}
	PG_END_TRY();
	error_context_stack = described.previous;
	MemoryContextSwitchTo(context);
	pgstat_report_activity(STATE_IDLE, NULL);
	duty->due = 0;
	if (rows < duty->batch)
		duty->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), duty->every * 1000);
	return rows >= duty->batch;
}

/* The process --------------------------------------------------------------------------- */

static void
leave(int again)
{
	worker_note_again(again);
	proc_exit(0);
}

static void
heed_signals(void)
{
	if (ProcDiePending)
		proc_exit(0);           /* without the line in the log that a batch would leave */
	QueryCancelPending = false; /* that was for a batch */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Leaves where there is nothing to do for a worker. False if there is at this time. */
static bool
look_around(void)
{
	HeapTuple database;
	bool wanted;
	bool installed;
	bool copy;

	if (worker_must_give_way(MyDatabaseId))
		leave(AGAIN_WAY_GIVEN);
	StartTransactionCommand();
	database = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	wanted = HeapTupleIsValid(database) && worker_wanted((Form_pg_database) GETSTRUCT(database));
	if (HeapTupleIsValid(database))
		ReleaseSysCache(database);
	installed = OidIsValid(get_extension_oid("pg_fcfs", true));
	copy = worker_database_is_copy();
	CommitTransactionCommand();
	if (!wanted)
		leave(0);
	if (!installed)
		leave(AGAIN_NO_EXTENSION);
	return !copy;
}

/* Does all duties that are due, a batch of each. True if there may be more. */
static bool
do_duties(void)
{
	bool more = false;
	int failing = 0;

	for (int i = 0; i < (int) lengthof(duties); i++)
	{
		TimestampTz now = GetCurrentTimestamp();

		/* The clock may have been put back. */
		duties[i].due =
			Min(duties[i].due, TimestampTzPlusMilliseconds(now, duties[i].every * 1000));
		if (duties[i].due <= now && do_duty(&duties[i]))
			more = true;
		failing += duties[i].failed;
		heed_signals();
	}
	pgstat_report_stat(true);
	worker_note_round(failing);
	return more;
}

/* Sleeps until then, or until it is to look around. */
static void
sleep_until(TimestampTz then)
{
	long milliseconds = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), then);

	TEST_POINT("asleep");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(milliseconds, LOOK_MS), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	heed_signals();
}

static TimestampTz
after_interval(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), fcfs_worker_interval);
}

/* What is set for the database or for all of them must not change what duties do. */
static void
settle(void)
{
	static const char *const settings[][2] = {
		{"application_name", "pg_fcfs worker"}, {"search_path", "pg_catalog, pg_temp"},
		{"session_replication_role", "origin"}, {"default_transaction_isolation", "read committed"},
		{"lock_timeout", LOCK_TIMEOUT},         {"fcfs.lock_timeout", LOCK_TIMEOUT},
	};

	for (int i = 0; i < (int) lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}

void
fcfs_worker_main(Datum arg)
{
	TimestampTz next = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	TEST_POINT("begins");
	if (!worker_claim(DatumGetObjectId(arg), AGAIN_ENDED))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	settle();
	line_rest_begin();
	(void) look_around();
	worker_note_serving();
	for (;;)
	{
		bool work = look_around();

		/* The interval may have been made shorter, or the clock put back. */
		next = Min(next, after_interval());
		if (next <= GetCurrentTimestamp())
			next = work && do_duties() ? 0 : after_interval();
		sleep_until(next);
	}
}

/* Called by _PG_init; workers need shared memory, and are not for pg_upgrade. */
void
worker_init(void)
{
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	worker_shmem_init();
	worker_hooks_init();
	worker_launcher_register();
}
