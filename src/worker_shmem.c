/*
 * worker_shmem.c
 *
 * Which workers there are, and what the launcher has been told: databases to
 * look at, since the extension may be there now.
 *
 * Memory: one entry for each background worker that the server can have, so
 * there is always one to be had. A worker claims its entry before it connects
 * and gives it back when its session has gone from the server's list: who sees
 * the entry free may count sessions. At most one worker has a database.
 *
 * Locks: one LWLock for all of it, held for a look along the entries. A signal
 * is sent to a worker under it, so the process is still that worker.
 *
 * Without shared_preload_libraries there is none of it, and no worker.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "worker_shmem.h"

/* Databases that the launcher can be told before it looks at all of them. */
#define TOLD_DATABASES 16

/* How long worker_end() waits: as long as the server waits for sessions to go. */
#define END_TRIES 50
#define END_TRY_MS 100

typedef struct WorkerShared
{
	Latch *launcher;                            /* of the launcher, NULL while there is none */
	ConditionVariable ended;                    /* some worker has ended */
	int told_count;                             /* more than TOLD_DATABASES: look at all */
	Oid told[TOLD_DATABASES];                   /* by sessions, taken by the launcher */
	WorkerEntry entries[FLEXIBLE_ARRAY_MEMBER]; /* max_worker_processes */
} WorkerShared;

static WorkerShared *shared = NULL;
static LWLock *shared_lock = NULL;
static WorkerEntry *my_entry = NULL;

static shmem_startup_hook_type previous_startup_hook = NULL;
static void (*previous_request_hook)(void) = NULL;

static Size
worker_shmem_size(void)
{
	return add_size(offsetof(WorkerShared, entries),
					mul_size(max_worker_processes, sizeof(WorkerEntry)));
}

static void
worker_shmem_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(worker_shmem_size());
	RequestNamedLWLockTranche("pg_fcfs workers", 1);
}

static void
worker_shmem_startup(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("pg_fcfs workers", worker_shmem_size(), &found);
	if (!found)
	{
		memset(shared, 0, worker_shmem_size());
		ConditionVariableInit(&shared->ended);
	}
	shared_lock = &GetNamedLWLockTranche("pg_fcfs workers")->lock;
	LWLockRelease(AddinShmemInitLock);
}

/* Called only while shared memory can be asked for. */
void
worker_shmem_init(void)
{
	compat_on_shmem_request(worker_shmem_request, &previous_request_hook);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = worker_shmem_startup;
}

bool
worker_shared(void)
{
	return shared != NULL;
}

static void
wake_launcher(void)
{
	Assert(LWLockHeldByMe(shared_lock));
	if (shared->launcher)
		SetLatch(shared->launcher);
}

/* The entry of a database, or NULL. */
static WorkerEntry *
entry_of(Oid database)
{
	Assert(LWLockHeldByMe(shared_lock));
	for (int i = 0; i < max_worker_processes; i++)
	{
		if (shared->entries[i].database == database)
			return &shared->entries[i];
	}
	return NULL;
}

/* Workers ------------------------------------------------------------------------- */

static void
give_entry_back(int code, Datum arg)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	Assert(my_entry->pid == MyProcPid);
	my_entry->pid = 0;
	my_entry->serving = false;
	wake_launcher();
	LWLockRelease(shared_lock);
	ConditionVariableBroadcast(&shared->ended);
}

/* An entry for the worker of a database: its last one, one that nobody has had, or any
 * that is free: of it the launcher may not yet have read when to come again. */
static WorkerEntry *
entry_for(Oid database)
{
	WorkerEntry *entry = entry_of(database);

	if (entry)
		return entry->pid == 0 ? entry : NULL;
	entry = entry_of(InvalidOid);
	for (int i = 0; entry == NULL && i < max_worker_processes; i++)
	{
		if (shared->entries[i].pid == 0)
			entry = &shared->entries[i];
	}
	return entry;
}

/*
 * Makes this process the worker of a database; false if there is one. To be
 * called before it connects: callbacks run in reverse, so the entry is given
 * back after the session has gone.
 */
bool
worker_claim(Oid database, int again)
{
	Assert(my_entry == NULL && OidIsValid(database));
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_entry = entry_for(database);
	if (my_entry)
	{
		memset(my_entry, 0, sizeof(WorkerEntry));
		my_entry->database = database;
		my_entry->pid = MyProcPid;
		my_entry->again = again;
	}
	LWLockRelease(shared_lock);
	if (my_entry)
		on_shmem_exit(give_entry_back, (Datum) 0);
	return my_entry != NULL;
}

void
worker_note_serving(void)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_entry->serving = true;
	my_entry->round_at = GetCurrentTimestamp();
	wake_launcher();
	LWLockRelease(shared_lock);
}

void
worker_note_round(int failing)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_entry->failing = failing;
	my_entry->round_at = GetCurrentTimestamp();
	LWLockRelease(shared_lock);
}

void
worker_note_again(int again)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_entry->again = again;
	LWLockRelease(shared_lock);
}

/* The launcher ---------------------------------------------------------------------- */

static void
launcher_is_gone(int code, Datum arg)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared_lock);
}

void
worker_launcher_is_here(void)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	shared->launcher = &MyProc->procLatch;
	LWLockRelease(shared_lock);
	on_shmem_exit(launcher_is_gone, (Datum) 0);
}

/* Hands over the databases told since last time; InvalidOid stands for all. */
void
worker_take_told(void (*told)(Oid database))
{
	Oid databases[TOLD_DATABASES];
	int count;

	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	count = shared->told_count;
	memcpy(databases, shared->told, sizeof(databases));
	shared->told_count = 0;
	LWLockRelease(shared_lock);
	if (count > TOLD_DATABASES)
		told(InvalidOid);
	for (int i = 0; i < Min(count, TOLD_DATABASES); i++)
		told(databases[i]);
}

/* Others ------------------------------------------------------------------------------- */

/* The worker of a database, or the last one that it had; false if it had none. */
bool
worker_find(Oid database, WorkerEntry *copy)
{
	WorkerEntry *entry;

	LWLockAcquire(shared_lock, LW_SHARED);
	entry = entry_of(database);
	if (entry)
		*copy = *entry;
	LWLockRelease(shared_lock);
	return entry != NULL;
}

/* The database may have the extension now, InvalidOid: any. Neither allocates nor
 * raises: called at commit. */
void
worker_tell_launcher(Oid database)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	if (!OidIsValid(database))
		shared->told_count = TOLD_DATABASES;
	else if (shared->told_count < TOLD_DATABASES)
		shared->told[shared->told_count] = database;
	if (shared->told_count <= TOLD_DATABASES)
		shared->told_count++;
	wake_launcher();
	LWLockRelease(shared_lock);
}

/* Sends SIGTERM to the worker of a database, if there is one. */
static bool
terminate_worker(Oid database)
{
	WorkerEntry *entry;
	bool there;

	LWLockAcquire(shared_lock, LW_SHARED);
	entry = entry_of(database);
	there = entry != NULL && entry->pid != 0;
	if (there)
		(void) kill(entry->pid, SIGTERM);
	LWLockRelease(shared_lock);
	return there;
}

/* Ends the worker of a database and waits until its session is gone, some
 * seconds at most. */
void
worker_end(Oid database)
{
	int tries = 0;

	ConditionVariablePrepareToSleep(&shared->ended);
	while (terminate_worker(database) && tries < END_TRIES)
	{
		if (ConditionVariableTimedSleep(&shared->ended, END_TRY_MS, PG_WAIT_EXTENSION))
			tries++;
	}
	ConditionVariableCancelSleep();
}
