/*
 * escrow_wait.c
 *
 * Waiting for what depends on transactions that have not ended.
 *
 * Callers queue on a lock of the pool's line, in order of arrival. The first in
 * line sleeps on the slot's condition variable up to deadlock_timeout and then,
 * so that the deadlock detector sees what it waits for, waits for the end of a
 * holder's transaction through the lock manager, in short slices, looking at
 * the slot between them. A caller that itself holds units of the pool does not
 * queue: the first in line may be waiting for it.
 *
 * Accepted race: whom to watch is read without a lock. A wrong guess costs one
 * slice.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "escrow_wait.h"
#include "escrow_xact.h"
#include "test_point.h"

/* One slice of waiting for a transaction, and when the deadlock detector looks
 * in the first of ten slices (ms). */
#define WATCH_SLICE 100
#define WATCH_DEADLOCK_AFTER 10

/* The wait that was last, for the log. */
static TimestampTz wait_since;
static int wait_holder_pid;

EscrowAnswer
escrow_answer_of_lock(LockAnswer answer)
{
	switch (answer)
	{
		case LOCK_GRANTED:
			return ESCROW_OK;
		case LOCK_CROWDED:
			return ESCROW_CROWDED;
		case LOCK_TIMED_OUT:
			break;
	}
	return ESCROW_TIMED_OUT;
}

/* Milliseconds this wait may still last: the call's bound, and lock_timeout. */
static int
wait_time_left(void)
{
	int left = lock_time_left();

	if (LockTimeout > 0)
		left = Min(left, LockTimeout - (int) TimestampDifferenceMilliseconds(
										   wait_since, GetCurrentTimestamp()));
	return left;
}

/* Asks once. */
bool
escrow_decided(EscrowSlot *slot, EscrowDecide decide, void *state)
{
	bool result;

	SpinLockAcquire(&slot->mutex);
	result = decide(slot, state);
	SpinLockRelease(&slot->mutex);
	return result;
}

/* Sleeps on the slot up to deadlock_timeout. True once decided. */
static bool
sleep_on_slot(EscrowSlot *slot, EscrowDecide decide, void *state)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DeadlockTimeout);
	bool result;

	ConditionVariablePrepareToSleep(&slot->changed);
	while (!(result = escrow_decided(slot, decide, state)))
	{
		int left = Min(wait_time_left(),
					   (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));

		if (left <= 0 || ConditionVariableTimedSleep(&slot->changed, left, PG_WAIT_EXTENSION))
			break;
	}
	ConditionVariableCancelSleep();
	return result || escrow_decided(slot, decide, state);
}

/* Waits for holders' transactions in slices. True once decided. */
static bool
watch_holders(EscrowSlot *slot, EscrowDecide decide, void *state, bool any_pin)
{
	for (int slice = 0;; slice++)
	{
		VirtualTransactionId holder;
		int left;

		if (escrow_decided(slot, decide, state))
			return true;
		left = wait_time_left();
		if (left <= 0)
			return false;
		CHECK_FOR_INTERRUPTS();
		if (escrow_find_holder(slot, any_pin, &holder, &wait_holder_pid))
			(void) lock_watch(holder, Min(left, WATCH_SLICE),
							  slice % 10 == 0 ? WATCH_DEADLOCK_AFTER : 10 * WATCH_SLICE);
		else
		{
			/* It is between ending and having told the slot. */
			ConditionVariablePrepareToSleep(&slot->changed);
			(void) ConditionVariableTimedSleep(&slot->changed, 1, PG_WAIT_EXTENSION);
			ConditionVariableCancelSleep();
		}
	}
}

/*
 * Waits until decide says so. any_pin: what is waited for are pins, not only
 * units in flight. An error (cancelled, deadlock) leaves through
 * abandon_wait(). Once it is decided nothing here can fail: the caller has yet
 * to note what decide did. It logs the wait after that.
 */
EscrowAnswer
escrow_wait(EscrowSlot *slot, EscrowDecide decide, void *state, bool any_pin, LockName what,
			bool in_line)
{
	LockAnswer line = LOCK_GRANTED;
	LockName queue = {LOCK_QUEUE_OF(what.lock_class), what.id};
	bool done = false;

	wait_since = GetCurrentTimestamp();
	wait_holder_pid = 0;
	TEST_POINT("uncertain");
	ledger_wait_begin(slot, in_line);
	if (in_line)
		line = lock_acquire(queue, ExclusiveLock);
	if (line == LOCK_GRANTED)
	{
		done = sleep_on_slot(slot, decide, state) || watch_holders(slot, decide, state, any_pin);
		if (in_line)
			lock_release(queue, ExclusiveLock);
	}
	ledger_wait_end(slot, in_line);
	if (line != LOCK_GRANTED)
		return escrow_answer_of_lock(line);
	return done ? ESCROW_OK : ESCROW_TIMED_OUT;
}

/* Logs the wait that was last, if it was long. */
void
escrow_log_wait(LockName name)
{
	lock_log_slow_wait(name, wait_since, wait_holder_pid);
}
