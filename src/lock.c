/*
 * lock.c
 *
 * The only file that takes locks. They are transaction-level advisory locks of
 * the server, in a tag space of their own: granted in order of arrival, shown
 * by pg_locks, watched by the deadlock detector, gone with the transaction.
 *
 * Order within one call: idempotency key, person, pools by (class, id), rows.
 * An assertion fails when a call takes a lock against it. Two calls in one
 * transaction can still meet another transaction crosswise; that is what the
 * deadlock detector is for.
 *
 * A lock that is free is taken at once. Only a wait happens in a
 * subtransaction, so that running into fcfs.lock_timeout is an answer and
 * leaves the transaction usable.
 *
 * What ends such a wait is a timeout of our own. The server's lock_timeout ends
 * one by the signal that also tells of a cancel and of statement_timeout; of two
 * that come at the same moment only one is reported, so by taking the report of
 * lock_timeout for an answer a cancel would be lost.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "guc.h"
#include "lock.h"
#include "test_point.h"

static LockCall *current_call = NULL;

/*
 * Starts the clock of fcfs.lock_timeout for one call of a function. What a call
 * sets off (its triggers) has an order of its own and shares its deadline.
 */
void
lock_call_begin(LockCall *call, TimestampTz arrived_at)
{
	call->outer = current_call;
	call->save_lock_timeout = LockTimeout;
	/* Waits for rows, which the server does for us, have the same bound. */
	if (fcfs_lock_timeout > 0 && (LockTimeout == 0 || LockTimeout > fcfs_lock_timeout))
		LockTimeout = fcfs_lock_timeout;
	call->lock_timeout = LockTimeout;
	if (current_call)
		call->deadline = current_call->deadline;
	else
		call->deadline = fcfs_lock_timeout > 0
							 ? TimestampTzPlusMilliseconds(arrived_at, fcfs_lock_timeout)
							 : DT_NOEND;
	call->at_once = current_call && current_call->at_once;
	call->last = (LockName){0, 0};
	current_call = call;
}

/*
 * From here on the call, and what it sets off, waits for none of our locks. So it is in
 * nobody's way, and may take them in any order. For rows the server waits that long.
 */
void
lock_call_at_once(LockCall *call, int milliseconds)
{
	Assert(current_call == call);
	call->at_once = true;
	if (LockTimeout == 0 || LockTimeout > milliseconds)
		LockTimeout = milliseconds;
	call->lock_timeout = LockTimeout;
}

/* Ends the call; must be reached on errors too. */
void
lock_call_end(LockCall *call)
{
	Assert(current_call == call);
	if (LockTimeout == call->lock_timeout) /* else somebody has set another meanwhile */
		LockTimeout = call->save_lock_timeout;
	current_call = call->outer;
}

/* Is this a call of a function, or something that one has set off? */
bool
lock_in_call(void)
{
	return current_call != NULL;
}

/*
 * Milliseconds the current call may still wait, at least 0; INT_MAX if there
 * is no bound. Whoever waits does so in a call.
 */
int
lock_time_left(void)
{
	Assert(current_call != NULL);
	if (current_call->at_once)
		return 0;
	if (current_call->deadline == DT_NOEND)
		return INT_MAX;
	return (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), current_call->deadline);
}

static void
lock_tag(LOCKTAG *tag, LockName name)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) ((uint64) name.id >> 32), (uint32) name.id,
						 name.lock_class);
}

/* Is it the waiting line of a pool? */
static bool
lock_is_line(LockName name)
{
	return name.lock_class > LOCK_SHORT && name.lock_class < LOCK_SECTION_LOAD;
}

/* "student 42", for log lines. */
static const char *
lock_describe(LockName name)
{
	static const char *const pools[] = {"section",   "item",           "coupon",
										"wait list", "reserved seats", "cross list"};
	const char *what;

	switch (name.lock_class)
	{
		case LOCK_IDEMPOTENCY_KEY:
			return "idempotency key";
		case LOCK_STUDENT:
			what = "student";
			break;
		case LOCK_CUSTOMER:
			what = "customer";
			break;
		case LOCK_USER:
			what = "user";
			break;
		default:
			what = pools[(name.lock_class & 0x0F) - (LOCK_SECTION & 0x0F)];
			break;
	}
	return psprintf("%s%s " INT64_FORMAT, what,
					lock_is_line(name)             ? " (waiting line)"
					: name.lock_class > LOCK_SHORT ? " (being counted)"
												   : "",
					name.id);
}

/* Logs a wait that lasted longer than fcfs.slow_wait. holder_pid may be 0. */
void
lock_log_slow_wait(LockName name, TimestampTz since, int holder_pid)
{
	long waited;

	if (fcfs_slow_wait < 0)
		return;
	waited = TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());
	if (waited > fcfs_slow_wait)
		ereport(LOG, (errmsg("waited %ld ms for lock on %s", waited, lock_describe(name)),
					  holder_pid != 0 ? errdetail("Process %d was holding it.", holder_pid) : 0));
}

/* Anybody who holds what we are about to wait for; 0 if nobody does any more. */
static int
lock_holder_pid(const LOCKTAG *tag, LOCKMODE mode)
{
	VirtualTransactionId *holders;
	int count;

	holders = GetLockConflicts(tag, mode, &count);
	return count > 0 ? compat_vxid_pid(holders[0]) : 0;
}

/* What is waited for: a lock of ours, a table, or the end of a transaction. */
typedef struct LockWait
{
	const LOCKTAG *tag;
	Oid table;
	LOCKMODE mode;
	VirtualTransactionId holder;
} LockWait;

static void
lock_wait_unbounded(const LockWait *wait)
{
	if (wait->tag)
		(void) LockAcquire(wait->tag, wait->mode, false, false);
	else if (OidIsValid(wait->table))
		LockRelationOid(wait->table, wait->mode);
	else
		(void) VirtualXactLock(wait->holder, true);
}

/* The bound of the wait we are in ----------------------------------------------- */

static TimeoutId bound_timeout = MAX_TIMEOUTS; /* not registered yet */
static volatile sig_atomic_t bound_reached = false;
static volatile sig_atomic_t bound_signalled = false; /* by anybody, while it is set */
static struct sigaction bound_server_action;

/* Runs in the handler of SIGALRM: ends the wait as a cancel would, but without a
 * signal. */
static void
bound_reach(void)
{
	bound_reached = true;
	InterruptPending = true;
	QueryCancelPending = true;
}

/* Runs in place of the server's handler of SIGINT, by which it hears of cancels
 * and of its own timeouts. */
static void
bound_signal(int signal_number)
{
	bound_signalled = true;
	bound_server_action.sa_handler(signal_number);
}

static void
bound_set(int milliseconds)
{
	struct sigaction action;

	if (bound_timeout == MAX_TIMEOUTS)
		bound_timeout = RegisterTimeout(USER_TIMEOUT, bound_reach);
	bound_reached = false;
	bound_signalled = false;
	sigaction(SIGINT, NULL, &bound_server_action);
	action = bound_server_action;
	action.sa_handler = bound_signal;
	sigaction(SIGINT, &action, NULL);
	if (milliseconds < INT_MAX)
		enable_timeout_after(bound_timeout, milliseconds);
}

/* Was the bound reached, and nothing else heard of meanwhile? */
static bool
bound_lift(void)
{
	bool alone;

	disable_timeout(bound_timeout, false);
	alone = bound_reached && !bound_signalled;
	if (alone)
	{
		QueryCancelPending = false; /* if it is still there, it was ours */
		alone = !bound_signalled;
		if (!alone)
			QueryCancelPending = true;
	}
	sigaction(SIGINT, &bound_server_action, NULL);
	return alone;
}

/*
 * Waits, through the lock manager, at most that many milliseconds. True when
 * it got there. The error by which the bound ends a wait is caught here, in a
 * subtransaction.
 */
static bool
lock_wait_bounded(const LockWait *wait, int milliseconds, int deadlock_after)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int save_lock_timeout = LockTimeout;
	int save_deadlock_timeout = DeadlockTimeout;
	bool save_log_lock_waits = log_lock_waits;
	volatile bool granted = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	bound_set(save_lock_timeout > 0 ? Min(save_lock_timeout, milliseconds) : milliseconds);
	PG_TRY();
	{
		LockTimeout = 0; /* part of the bound */
		if (deadlock_after > 0)
		{
			/* A slice of a longer wait: it is not what log_lock_waits means. */
			DeadlockTimeout = deadlock_after;
			log_lock_waits = false;
		}
		CHECK_FOR_INTERRUPTS(); /* what came before the bound was set */
		lock_wait_unbounded(wait);
		TEST_POINT("granted");
		disable_timeout(bound_timeout, false);
		CHECK_FOR_INTERRUPTS(); /* a bound reached as it was granted */
		ReleaseCurrentSubTransaction();
		(void) bound_lift();
	}
	PG_CATCH();
	{
		bool alone = bound_lift();
		ErrorData *error;

		LockTimeout = save_lock_timeout;
		DeadlockTimeout = save_deadlock_timeout;
		log_lock_waits = save_log_lock_waits;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!alone || error->sqlerrcode != ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		FreeErrorData(error);
		granted = false;
	}
	PG_END_TRY();
	LockTimeout = save_lock_timeout;
	DeadlockTimeout = save_deadlock_timeout;
	log_lock_waits = save_log_lock_waits;
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return granted;
}

/* For qsort(): ids of one class in lock order. */
int
lock_compare_ids(const void *a, const void *b)
{
	int64 left = *(const int64 *) a;
	int64 right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/* Does the call keep to the lock order with this one? */
static bool
lock_in_order(LockName name)
{
	LockName last;

	Assert(current_call != NULL);
	if (name.lock_class > LOCK_SHORT || current_call->at_once)
		return true;
	last = current_call->last;
	current_call->last = name;
	return last.lock_class < name.lock_class ||
		   (last.lock_class == name.lock_class && last.id <= name.id);
}

/*
 * Takes a lock that is free. It belongs to the (sub)transaction, not to the
 * portal that runs: as does one we waited for, in a subtransaction of it.
 */
static bool
lock_try(const LOCKTAG *tag, LOCKMODE mode)
{
	ResourceOwner owner = CurrentResourceOwner;
	LockAcquireResult result;

	CurrentResourceOwner = CurTransactionResourceOwner;
	result = LockAcquire(tag, mode, false, true);
	CurrentResourceOwner = owner;
	return result != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * How many wait for a lock that is held. The server counts all who have asked
 * for it, the one who has it included; only in a waiting line that one, the
 * first, is waiting too.
 */
static int
lock_waiters(LockName name, const LOCKTAG *tag)
{
	return LockWaiterCount(tag) - (lock_is_line(name) ? 0 : 1);
}

/*
 * Takes a lock to the end of the transaction. Waits as long as the current
 * call may still wait, then answers LOCK_TIMED_OUT; answers LOCK_CROWDED
 * without waiting when fcfs.max_waiters wait already.
 */
LockAnswer
lock_acquire(LockName name, LOCKMODE mode)
{
	LOCKTAG tag;
	LockWait wait = {.tag = &tag, .mode = mode};
	TimestampTz since;
	int holder_pid;
	int left;
	bool granted;
	bool in_order PG_USED_FOR_ASSERTS_ONLY = lock_in_order(name);

	Assert(in_order);
	lock_tag(&tag, name);
	if (lock_try(&tag, mode))
		return LOCK_GRANTED;

	if (current_call->at_once)
		return LOCK_TIMED_OUT;
	if (fcfs_max_waiters > 0 && lock_waiters(name, &tag) >= fcfs_max_waiters)
		return LOCK_CROWDED;
	left = lock_time_left();
	if (left <= 0)
		return LOCK_TIMED_OUT;

	since = GetCurrentTimestamp();
	holder_pid = lock_holder_pid(&tag, mode);
	granted = lock_wait_bounded(&wait, left, 0);
	if (!lock_is_line(name)) /* else it is part of a longer wait, which is logged */
		lock_log_slow_wait(name, since, holder_pid);
	return granted ? LOCK_GRANTED : LOCK_TIMED_OUT;
}

/*
 * Locks a table to the end of the transaction, waiting as long as the current
 * call may still wait.
 */
LockAnswer
lock_table(Oid table, LOCKMODE mode)
{
	LockWait wait = {.table = table, .mode = mode};
	int left;

	if (ConditionalLockRelationOid(table, mode))
		return LOCK_GRANTED;
	left = lock_time_left();
	if (left <= 0)
		return LOCK_TIMED_OUT;
	return lock_wait_bounded(&wait, left, 0) ? LOCK_GRANTED : LOCK_TIMED_OUT;
}

/* Releases a short lock before the transaction ends. */
void
lock_release(LockName name, LOCKMODE mode)
{
	ResourceOwner owner = CurrentResourceOwner;
	LOCKTAG tag;

	Assert(name.lock_class > LOCK_SHORT);
	lock_tag(&tag, name);
	CurrentResourceOwner = CurTransactionResourceOwner;
	LockRelease(&tag, mode, false);
	CurrentResourceOwner = owner;
}

/*
 * Waits for the end of another transaction, at most slice milliseconds, with
 * the deadlock detector looking after deadlock_after. True if it has ended.
 */
bool
lock_watch(VirtualTransactionId holder, int slice, int deadlock_after)
{
	LockWait wait = {.holder = holder};

	return lock_wait_bounded(&wait, slice, deadlock_after);
}
