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
wait_time_left(const EscrowWait *wait)
{
	int left = lock_time_left();

	if (LockTimeout > 0)
		left = Min(left, LockTimeout - (int) TimestampDifferenceMilliseconds(
										   wait->since, GetCurrentTimestamp()));
	return left;
}

/* Asks once. */
bool
escrow_decided(EscrowSlot *slot, EscrowDecide decide, void *state)
{
	TimestampTz now = GetCurrentTimestamp();
	bool result;

	SpinLockAcquire(&slot->mutex);
	result = decide(slot, now, state);
	SpinLockRelease(&slot->mutex);
	return result;
}

/* Sleeps on the slot up to deadlock_timeout from our turn on. True once decided. */
static bool
sleep_on_slot(EscrowWait *wait, EscrowDecide decide, void *state)
{
	ConditionVariable *changed = &wait->slot->changed;
	TimestampTz until = TimestampTzPlusMilliseconds(wait->turn, DeadlockTimeout);
	bool result;

	ConditionVariablePrepareToSleep(changed);
	while (!(result = escrow_decided(wait->slot, decide, state)))
	{
		int left = Min(wait_time_left(wait),
					   (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));

		if (left <= 0)
			break;
		(void) ConditionVariableTimedSleep(changed, wait->by_clock ? Min(left, WATCH_SLICE) : left,
										   PG_WAIT_EXTENSION);
		wait->sleeps++;
	}
	ConditionVariableCancelSleep();
	return result || escrow_decided(wait->slot, decide, state);
}

/* Waits for holders' transactions in slices. True once decided. */
static bool
watch_holders(EscrowWait *wait, EscrowDecide decide, void *state, bool any_pin)
{
	EscrowSlot *slot = wait->slot;

	for (int slice = 0;; slice++)
	{
		VirtualTransactionId holder;
		int left;

		if (escrow_decided(slot, decide, state))
			return true;
		left = wait_time_left(wait);
		if (left <= 0)
			return false;
		CHECK_FOR_INTERRUPTS();
		if (escrow_find_holder(slot, any_pin, &holder, &wait->holder_pid))
			(void) lock_watch(holder, Min(left, WATCH_SLICE),
							  slice % 10 == 0 ? WATCH_DEADLOCK_AFTER : 10 * WATCH_SLICE);
		else
		{
			/* It is between ending and having told the slot. */
			ConditionVariablePrepareToSleep(&slot->changed);
			(void) ConditionVariableTimedSleep(&slot->changed, 1, PG_WAIT_EXTENSION);
			ConditionVariableCancelSleep();
		}
		wait->sleeps++;
	}
}

/*
 * Begins to wait, in the pool's line until it is our turn. An error (cancelled,
 * deadlock) from here to the end leaves through abandon_waits(). Room for it was
 * reserved in the ledger.
 */
EscrowAnswer
escrow_wait_begin(EscrowWait *wait, EscrowSlot *slot, LockName name, bool in_line)
{
	LockName line = {LOCK_QUEUE_OF(name.lock_class), name.id};
	LockAnswer answer = LOCK_GRANTED;

	*wait = (EscrowWait){
		.slot = slot, .name = name, .in_line = in_line, .since = GetCurrentTimestamp()};
	TEST_POINT("uncertain");
	ledger_wait_begin(slot, in_line);
	if (in_line)
		answer = lock_acquire(line, ExclusiveLock);
	TEST_POINT("turn");
	wait->sleeps++;
	wait->turn = GetCurrentTimestamp();
	if (answer != LOCK_GRANTED)
		ledger_wait_end();
	return escrow_answer_of_lock(answer);
}

/*
 * Waits until decide says so. any_pin: what is waited for are pins, not only
 * units in flight. Once it is decided nothing here can fail: the caller has yet
 * to note what decide did.
 */
EscrowAnswer
escrow_wait(EscrowWait *wait, EscrowDecide decide, void *state, bool any_pin)
{
	return sleep_on_slot(wait, decide, state) || watch_holders(wait, decide, state, any_pin)
			   ? ESCROW_OK
			   : ESCROW_TIMED_OUT;
}

/* Ends a wait that was begun; the next in line has its turn. */
void
escrow_wait_end(const EscrowWait *wait)
{
	LockName line = {LOCK_QUEUE_OF(wait->name.lock_class), wait->name.id};

	if (wait->in_line)
		lock_release(line, ExclusiveLock);
	ledger_wait_end();
}

/* Logs a wait that was long. */
void
escrow_wait_log(const EscrowWait *wait)
{
	lock_log_slow_wait(wait->name, wait->since, wait->holder_pid);
}
