/*
 * worker_launcher.c
 *
 * The launcher: sees to it that every database which has the extension, and
 * which fcfs.database lets, has its worker.
 *
 * Which databases have the extension only somebody who is connected to them can
 * see, so it starts a worker for each, one after another; one that finds no
 * extension ends at once, and that database is looked at again when the launcher
 * is told (worker_hooks.c), or after a long time. A worker that ended for another
 * reason is followed by another soon.
 *
 * It is connected to no database, holds no lock while it sleeps, and keeps
 * nothing that a new launcher would not find out: an error ends it, and the
 * server starts it again. It is started when recovery is over, so a standby has
 * none until it is promoted.
 *
 * Races: a worker may be started for a database that is dropped at that moment.
 * It waits for the lock of the database, finds it gone and ends.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "guc.h"
#include "worker.h"
#include "worker_shmem.h"

#define LAUNCHER_RESTART_S 5

/* Milliseconds: to the next look at all databases, to the next try where one
 * failed, and that a worker which is just starting keeps others back. */
#define LOOK_AGAIN_MS (10 * 60 * 1000)
#define TRY_AGAIN_MS 5000
#define STARTING_MS 1000

typedef struct Database
{
	Oid oid;
	NameData name;
	bool wanted;                    /* was there at the last look, and is to have a worker */
	bool running;                   /* had one at the last look */
	bool told;                      /* has come up since a worker was started */
	BackgroundWorkerHandle *handle; /* of the last worker started by this launcher */
	TimestampTz due;                /* when to start another one, if there is none */
} Database;

PGDLLEXPORT void fcfs_launcher_main(Datum arg) pg_attribute_noreturn();

static HTAB *databases;
static Oid starting = InvalidOid; /* the last worker that was started, and when */
static TimestampTz started_at;
static bool none_free = false; /* the last start failed, which was logged */

/* Which databases -------------------------------------------------------------------- */

static bool
is_listed(const char *name)
{
	List *names = NIL;
	ListCell *cell;
	bool found = false;

	(void) SplitGUCList(pstrdup(fcfs_database), ',', &names);
	foreach(cell, names)
		found = found || strcmp(lfirst(cell), name) == 0;
	list_free(names);
	return found;
}

/* Is the database to have a worker, if it has the extension? Templates only by name:
 * who copies one would have to wait for it to go. */
bool
worker_wanted(Form_pg_database database)
{
	if (!fcfs_worker || !database->datallowconn)
		return false;
#ifdef DATCONNLIMIT_INVALID_DB
	if (database_is_invalid_form(database))
		return false;
#endif
	if (fcfs_database[0] != '\0')
		return is_listed(NameStr(database->datname));
	return !database->datistemplate;
}

/* Has somebody the database alone, to drop, rename, move or copy it? The server
 * does that only when nobody is connected. Needs no transaction. */
bool
worker_must_give_way(Oid database)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

static Database *
database_by_oid(Oid oid)
{
	bool found;
	Database *database = hash_search(databases, &oid, HASH_ENTER, &found);

	if (!found)
	{
		memset(database, 0, sizeof(Database));
		database->oid = oid;
	}
	return database;
}

/* To be looked at at once; InvalidOid: all. */
static void
note_told(Oid oid)
{
	HASH_SEQ_STATUS all;
	Database *database;

	if (OidIsValid(oid))
		(void) database_by_oid(oid);
	hash_seq_init(&all, databases);
	while ((database = hash_seq_search(&all)) != NULL)
	{
		if (OidIsValid(oid) && database->oid != oid)
			continue;
		database->told = true;
		database->due = 0;
	}
}

static void
note_database(Form_pg_database form)
{
	Database *database = database_by_oid(form->oid);

	database->name = form->datname;
	database->wanted = worker_wanted(form);
}

/* Reads pg_database, as only who is connected to none of them must do it. */
static void
read_databases(void)
{
	HASH_SEQ_STATUS all;
	Database *database;
	Relation table;
	TableScanDesc scan;
	HeapTuple row;

	hash_seq_init(&all, databases);
	while ((database = hash_seq_search(&all)) != NULL)
		database->wanted = false;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	table = table_open(DatabaseRelationId, AccessShareLock);
	HOLD_INTERRUPTS(); /* it ends in its sleep, without a word in the log */
	scan = table_beginscan_catalog(table, 0, NULL);
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
		note_database((Form_pg_database) GETSTRUCT(row));
	table_endscan(scan);
	RESUME_INTERRUPTS();
	table_close(table, AccessShareLock);
	CommitTransactionCommand();
}

/* Their workers -------------------------------------------------------------------------- */

static bool
is_running(Database *database)
{
	WorkerEntry entry;
	pid_t pid;

	if (worker_find(database->oid, &entry) && entry.pid != 0)
		return true;
	if (database->handle == NULL)
		return false;
	if (GetBackgroundWorkerPid(database->handle, &pid) != BGWH_STOPPED)
		return true;
	pfree(database->handle);
	database->handle = NULL;
	return false;
}

/* Notices that a worker has come or gone. */
static void
note_running(Database *database)
{
	bool running = is_running(database);

	if (database->running && !running && !database->told)
	{
		WorkerEntry entry;
		int again = worker_find(database->oid, &entry) ? entry.again : TRY_AGAIN_MS;

		database->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), again);
	}
	database->running = running;
}

/* Is the last worker that was started still finding out what it is to do? */
static bool
still_starting(void)
{
	Database *database = hash_search(databases, &starting, HASH_FIND, NULL);
	WorkerEntry entry;

	if (database == NULL || !database->running)
		return false;
	if (worker_find(starting, &entry) && entry.pid != 0 && entry.serving)
		return false;
	return !TimestampDifferenceExceeds(started_at, GetCurrentTimestamp(), STARTING_MS);
}

static bool
register_worker(Database *database)
{
	BackgroundWorker worker = {0};
	MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);
	bool registered;

	snprintf(worker.bgw_name, BGW_MAXLEN, "pg_fcfs worker for %s", NameStr(database->name));
	strlcpy(worker.bgw_type, "pg_fcfs worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "pg_fcfs", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "fcfs_worker_main", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(database->oid);
	worker.bgw_notify_pid = MyProcPid;
	registered = RegisterDynamicBackgroundWorker(&worker, &database->handle);
	MemoryContextSwitchTo(outer);
	return registered;
}

static void
start_worker(Database *database)
{
	TimestampTz now = GetCurrentTimestamp();

	Assert(!database->running && database->handle == NULL);
	database->due = TimestampTzPlusMilliseconds(now, TRY_AGAIN_MS);
	if (register_worker(database))
	{
		database->told = false;
		database->running = true;
		starting = database->oid;
		started_at = now;
		none_free = false;
		return;
	}
	if (!none_free)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no background worker is free for pg_fcfs in database \"%s\"",
							 NameStr(database->name)),
					  errdetail("What it does is done later, or by callers."),
					  errhint("Raise max_worker_processes and restart, or name the databases that "
							  "are to have a worker in fcfs.database.")));
	none_free = true;
}

/* Starts a worker if it is time to; returns when to look again. */
static TimestampTz
look_after(Database *database, TimestampTz now)
{
	if (database->due > now)
		return database->due;
	if (still_starting() || worker_must_give_way(database->oid))
		return TimestampTzPlusMilliseconds(now, STARTING_MS);
	start_worker(database);
	return TimestampTzPlusMilliseconds(now, database->running ? STARTING_MS : TRY_AGAIN_MS);
}

/* Looks at all databases; returns how many milliseconds it may sleep, -1: until told. */
static long
look_at_all(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = TimestampTzPlusMilliseconds(now, LOOK_AGAIN_MS);
	HASH_SEQ_STATUS all;
	Database *database;

	if (!fcfs_worker)
		return -1;
	/* In this order: what it is told of is there when it reads. */
	worker_take_told(note_told);
	read_databases();
	hash_seq_init(&all, databases);
	while ((database = hash_seq_search(&all)) != NULL)
	{
		note_running(database);
		if (database->running)
			continue;
		if (database->wanted)
			next = Min(next, look_after(database, now));
		else
			(void) hash_search(databases, &database->oid, HASH_REMOVE, NULL);
	}
	return TimestampDifferenceMilliseconds(now, next);
}

/* The process ------------------------------------------------------------------------------ */

static void
sleep_for(long milliseconds)
{
	int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (milliseconds >= 0 ? WL_TIMEOUT : 0);

	(void) WaitLatch(MyLatch, events, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	if (ProcDiePending)
		proc_exit(1); /* with 0 it would never be started again */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

void
fcfs_launcher_main(Datum arg)
{
	HASHCTL info = {.keysize = sizeof(Oid), .entrysize = sizeof(Database)};

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, SIG_IGN); /* a cancel: there is nothing to cancel */
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("pg_fcfs launcher");
	worker_launcher_is_here();
	databases = hash_create("pg_fcfs databases", 16, &info, HASH_ELEM | HASH_BLOBS);
	for (;;)
		sleep_for(look_at_all());
}

/* Called while the server starts. */
void
worker_launcher_register(void)
{
	BackgroundWorker launcher = {0};

	strlcpy(launcher.bgw_name, "pg_fcfs launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "pg_fcfs launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_library_name, "pg_fcfs", BGW_MAXLEN);
	strlcpy(launcher.bgw_function_name, "fcfs_launcher_main", BGW_MAXLEN);
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = LAUNCHER_RESTART_S;
	RegisterBackgroundWorker(&launcher);
}
