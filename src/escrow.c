/*
 * escrow.c
 *
 * Pinning, loading, taking, giving, and waiting for what is uncertain.
 *
 * Whoever touches the slot of a pool holds ROW EXCLUSIVE on the claim table
 * first, as every writer of claims does anyway. So one who holds that table
 * against everybody (SHARE ROW EXCLUSIVE when slots or locks run short, ACCESS
 * EXCLUSIVE after TRUNCATE) knows that no other transaction has anything in
 * flight there, and counts on slots of its own: "the gate".
 *
 * Loading counts the claims with the newest snapshot and without our own
 * changes, under the pool's load lock. That is exact because nobody who made a
 * claim can become visible without having pinned the slot before: claims that
 * are made but not counted yet are counted by their own transaction, through
 * the trigger, once the slot is there.
 *
 * Without shared memory every pool is held under its exclusive lock to the end
 * of the transaction, and counted anew: the same arithmetic, with nothing ever
 * uncertain.
 *
 * Waiting: callers queue on a lock of the pool's line, in order of arrival. The
 * first in line sleeps on the slot's condition variable up to deadlock_timeout
 * and then, so that the deadlock detector sees what it waits for, waits for the
 * end of a holder's transaction through the lock manager, in short slices,
 * looking at the slot between them. A caller that itself holds units of the
 * pool does not queue: the first in line may be waiting for it.
 *
 * Accepted race: whom to watch is read without a lock. A wrong guess costs one
 * slice.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "escrow_xact.h"
#include "guc.h"

/* One slice of waiting for a transaction, and when the deadlock detector looks
 * in the first of ten slices (ms). */
#define WATCH_SLICE 100
#define WATCH_DEADLOCK_AFTER 10

/* Without shared memory: pool locks one transaction may hold before it takes
 * the whole table instead, so that the server's lock table is not exhausted. */
#define MAX_POOL_LOCKS 64

/* The wait that was last, for the log. */
static TimestampTz wait_since;
static int wait_holder_pid;

/* Something to wait for: true once it is decided. Called with the mutex held. */
typedef bool (*EscrowDecide)(EscrowSlot *slot, void *state);

static EscrowAnswer
answer_of_lock(LockAnswer answer)
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

/* Waiting -------------------------------------------------------------------- */

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

static bool
decided(EscrowSlot *slot, EscrowDecide decide, void *state)
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
	while (!(result = decided(slot, decide, state)))
	{
		int left = Min(wait_time_left(),
					   (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));

		if (left <= 0 || ConditionVariableTimedSleep(&slot->changed, left, PG_WAIT_EXTENSION))
			break;
	}
	ConditionVariableCancelSleep();
	return result || decided(slot, decide, state);
}

/* Waits for holders' transactions in slices. True once decided. */
static bool
watch_holders(EscrowSlot *slot, EscrowDecide decide, void *state, bool any_pin)
{
	for (int slice = 0;; slice++)
	{
		VirtualTransactionId holder;
		int left;

		if (decided(slot, decide, state))
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
static EscrowAnswer
escrow_wait(EscrowSlot *slot, EscrowDecide decide, void *state, bool any_pin, LockName what,
			bool in_line)
{
	LockAnswer line = LOCK_GRANTED;
	LockName queue = {LOCK_QUEUE_OF(what.lock_class), what.id};
	bool done = false;

	wait_since = GetCurrentTimestamp();
	wait_holder_pid = 0;
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
		return answer_of_lock(line);
	return done ? ESCROW_OK : ESCROW_TIMED_OUT;
}

/* Pinning ---------------------------------------------------------------------- */

typedef struct ThawState
{
	EscrowKey key;
} ThawState;

/* The pool is no longer had alone, or the slot is no longer the pool's. */
static bool
decide_thawed(EscrowSlot *slot, void *state)
{
	const EscrowKey *key = &((ThawState *) state)->key;

	return !slot->used || slot->frozen_by < 0 || memcmp(&slot->key, key, sizeof(*key)) != 0;
}

/* Keeps everybody else out of the claim table until we end. */
static EscrowAnswer
close_gate(const EscrowKind *kind)
{
	EscrowAnswer answer;
	bool truncated;

	if (ledger_has_gate(kind->claim_table, &truncated))
		return ESCROW_OK;
	answer = answer_of_lock(lock_table(kind->claim_table, ShareRowExclusiveLock));
	if (answer == ESCROW_OK)
		ledger_gate(kind->claim_table, kind->pool_table, false);
	return answer;
}

/* Pins a pool that is, or must be, the transaction's alone. */
static EscrowAnswer
pin_own(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry)
{
	EscrowBalance balance = {0};
	EscrowLoad load = kind->load(kind, key->id, &balance);

	if (load == ESCROW_LOAD_NONE)
		return ESCROW_NO_POOL;
	ledger_reserve();
	*entry = ledger_add_own(kind, key, &balance, load == ESCROW_LOAD_OWN);
	return ESCROW_OK;
}

/* Counts a pool and puts it into shared memory. The load lock is held. */
static EscrowAnswer
load_shared(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry)
{
	EscrowBalance balance = {0};
	EscrowSlot *slot = NULL;

	switch (kind->load(kind, key->id, &balance))
	{
		case ESCROW_LOAD_NONE:
			return ESCROW_NO_POOL;
		case ESCROW_LOAD_COMMITTED:
			ledger_reserve();
			slot = escrow_slot_insert(key, &balance);
			if (slot)
				*entry = ledger_add(kind, key, slot);
			break;
		case ESCROW_LOAD_OWN:
			ledger_reserve();
			*entry = ledger_add_own(kind, key, &balance, true);
			break;
	}
	return ESCROW_OK;
}

/*
 * Pins a pool whose slot was not there. Without an entry, the caller looks
 * again: somebody else has loaded it and has it alone. full: there is no slot
 * to be had.
 */
static EscrowAnswer
pin_by_loading(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry, bool *full)
{
	LockName load = {LOCK_LOAD_OF(kind->lock_class), key->id};
	LockAnswer answer = lock_acquire(load, ExclusiveLock);
	EscrowAnswer loaded = ESCROW_OK;
	EscrowSlot *slot;

	*full = false;
	if (answer != LOCK_GRANTED)
		return answer_of_lock(answer);
	switch (escrow_slot_pin(key, &slot))
	{
		case ESCROW_ABSENT:
			loaded = load_shared(kind, key, entry);
			*full = loaded == ESCROW_OK && *entry == NULL;
			break;
		case ESCROW_PINNED: /* somebody else has loaded it meanwhile */
			*entry = ledger_add(kind, key, slot);
			break;
		case ESCROW_FROZEN:
			break;
	}
	lock_release(load, ExclusiveLock);
	return loaded;
}

/* Waits until nobody else has the pool alone. */
static EscrowAnswer
wait_for_thaw(EscrowSlot *slot, const EscrowKey *key, LockName name)
{
	ThawState thaw = {*key};
	EscrowAnswer answer = escrow_wait(slot, decide_thawed, &thaw, true, name, false);

	lock_log_slow_wait(name, wait_since, wait_holder_pid);
	return answer;
}

static EscrowAnswer
pin_shared(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry)
{
	LockName name = {kind->lock_class, key->id};
	EscrowAnswer answer = ESCROW_OK;
	EscrowSlot *slot;
	bool full = false;
	bool truncated;

	while (*entry == NULL && answer == ESCROW_OK)
	{
		ledger_reserve();
		switch (escrow_slot_pin(key, &slot))
		{
			case ESCROW_PINNED:
				*entry = ledger_add(kind, key, slot);
				break;
			case ESCROW_FROZEN:
				answer = wait_for_thaw(slot, key, name);
				break;
			case ESCROW_ABSENT:
				/* With the gate closed nobody can have loaded it since we looked. */
				if (full && ledger_has_gate(kind->claim_table, &truncated))
					answer = pin_own(kind, key, entry);
				else
				{
					answer = pin_by_loading(kind, key, entry, &full);
					if (full)
						answer = close_gate(kind);
				}
				break;
		}
	}
	return answer;
}

/* Without shared memory: the pool's exclusive lock, and a count. */
static EscrowAnswer
pin_local(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry)
{
	LockName name = {kind->lock_class, key->id};
	bool truncated;

	EscrowAnswer answer = ESCROW_OK;

	if (ledger_local_count() >= MAX_POOL_LOCKS)
		answer = close_gate(kind);
	if (answer == ESCROW_OK && !ledger_has_gate(kind->claim_table, &truncated))
		answer = answer_of_lock(lock_acquire(name, ExclusiveLock));
	return answer == ESCROW_OK ? pin_own(kind, key, entry) : answer;
}

static bool
is_retired(const EscrowEntry *entry)
{
	return entry->sums.retired > 0;
}

/*
 * Pins a pool to the end of the transaction (or of the subtransaction, if that
 * rolls back), loading it if need be. Waits while somebody has it alone.
 */
EscrowAnswer
escrow_pin(const EscrowKind *kind, int64 id, EscrowEntry **entry)
{
	EscrowKey key = {MyDatabaseId, kind->pool_table, id};
	EscrowAnswer locked;
	bool truncated;

	*entry = ledger_find(&key);
	if (*entry)
		return is_retired(*entry) ? ESCROW_NO_POOL : ESCROW_OK;
	locked = answer_of_lock(lock_table(kind->claim_table, RowExclusiveLock));
	if (locked != ESCROW_OK)
		return locked;
	if (!escrow_shared())
		return pin_local(kind, &key, entry);
	if (ledger_has_gate(kind->claim_table, &truncated) && truncated)
		return pin_own(kind, &key, entry);
	return pin_shared(kind, &key, entry);
}

/* Having it alone ---------------------------------------------------------------- */

static bool
decide_alone(EscrowSlot *slot, void *state pg_attribute_unused())
{
	if (slot->frozen_by < 0)
		slot->frozen_by = compat_my_proc_number();
	return slot->frozen_by == compat_my_proc_number() && slot->pins == 1;
}

/*
 * Has the pool alone to the end of the transaction: waits until all others who
 * have it pinned have ended, while those who come new wait for us. The slot is
 * loaded anew afterwards, so that whatever of the pool's definition is kept in
 * it may be changed meanwhile.
 */
EscrowAnswer
escrow_freeze(EscrowEntry *entry)
{
	LockName name = {entry->kind->lock_class, entry->key.id};
	EscrowAnswer answer;

	if (entry->frozen_level > 0)
		return ESCROW_OK;
	/* From here on an error must thaw it, so it is noted before it is so. */
	ledger_froze(entry);
	if (!entry->shared || decided(entry->slot, decide_alone, NULL))
		return ESCROW_OK;
	answer = escrow_wait(entry->slot, decide_alone, NULL, true, name, false);
	lock_log_slow_wait(name, wait_since, wait_holder_pid);
	return answer;
}

/* We have deleted the pool, which we have alone: for us it is gone. */
void
escrow_retire(EscrowEntry *entry)
{
	Assert(entry->frozen_level > 0);
	ledger_reserve();
	ledger_note(entry, (EscrowSums){.retired = 1});
	entry->facts_changed = true;
}

/* A pool was made. Of interest only if we have deleted one with that id. */
void
escrow_revive(const EscrowKind *kind, int64 id, int64 capacity)
{
	EscrowKey key = {MyDatabaseId, kind->pool_table, id};
	EscrowEntry *entry = ledger_find(&key);
	int64 old_capacity;

	if (entry == NULL || !is_retired(entry))
		return;
	ledger_reserve();
	ledger_note(entry, (EscrowSums){.retired = -1});
	old_capacity = entry->slot->capacity + entry->sums.capacity;
	if (escrow_change_capacity(entry, old_capacity, capacity) != ESCROW_OK)
		elog(ERROR, "pool " INT64_FORMAT " was deleted with units claimed", id);
}

bool
escrow_is_frozen(const EscrowEntry *entry)
{
	return entry->frozen_level > 0;
}

/* Taking and giving ---------------------------------------------------------------- */

typedef struct TakeState
{
	const EscrowEntry *entry;
	int64 need;        /* beyond what we gave back ourselves */
	bool may_overtake; /* first in line, or holding units already */
	bool count_arrival;
	bool taken;
	int64 arrival;
} TakeState;

/* True when it is decided: taken, or certain that there is not enough. */
static bool
decide_take(EscrowSlot *slot, void *arg)
{
	TakeState *state = arg;

	if (state->need == 0 ||
		(slot->remaining >= state->need && (slot->queue == 0 || state->may_overtake)))
	{
		slot->remaining -= state->need;
		slot->in_flight += state->need;
		if (state->count_arrival)
			state->arrival = ++slot->arrival;
		state->taken = true;
		return true;
	}
	return slot->remaining + (slot->in_flight - state->entry->sums.in_flight) < state->need;
}

/*
 * Takes units at once if there are enough; else waits as long as it depends on
 * transactions that have not ended. What the transaction gave back itself it
 * may take again. arrival, if wanted, is the next number of the pool.
 */
EscrowAnswer
escrow_take(EscrowEntry *entry, int64 units, int64 *arrival)
{
	int64 reused = Min(units, Max(entry->sums.pending, 0));
	TakeState state = {entry, units - reused, entry->sums.in_flight > 0, arrival != NULL, false, 0};
	LockName name = {entry->kind->lock_class, entry->key.id};
	EscrowAnswer answer = ESCROW_OK;
	bool waited = false;

	Assert(units >= 0);
	ledger_reserve();
	if (!decided(entry->slot, decide_take, &state))
	{
		bool in_line = !state.may_overtake;

		if (!fcfs_wait_for_uncertain)
			return ESCROW_NOT_ENOUGH;
		state.may_overtake = true;
		waited = true;
		answer = escrow_wait(entry->slot, decide_take, &state, false, name, in_line);
	}
	if (state.taken)
	{
		ledger_note(entry,
					(EscrowSums){.taken = state.need, .pending = -reused, .in_flight = state.need});
		if (arrival)
			*arrival = state.arrival;
	}
	if (waited)
		lock_log_slow_wait(name, wait_since, wait_holder_pid);
	if (answer == ESCROW_OK && !state.taken)
		answer = ESCROW_NOT_ENOUGH;
	return answer;
}

/*
 * Gives units back when the transaction commits. expected: others who find the
 * pool empty should wait for it, since the units are free by the rules and only
 * our commit is missing.
 */
void
escrow_give(EscrowEntry *entry, int64 units, bool expected)
{
	int64 in_flight = expected ? units : 0;

	Assert(units >= 0);
	ledger_reserve();
	if (expected)
	{
		SpinLockAcquire(&entry->slot->mutex);
		entry->slot->in_flight += units;
		SpinLockRelease(&entry->slot->mutex);
	}
	ledger_note(entry, (EscrowSums){.pending = units, .in_flight = in_flight});
}

/*
 * The capacity changes, as a give or a take of the difference. By how much it
 * does must come from the row that was changed: the slot may not yet have heard
 * of a change that was just committed. Not so for a pool that this transaction
 * made: it may have been loaded after the change, so what it lacks is what counts.
 * ESCROW_NOT_ENOUGH if units that would have to go are claimed.
 */
EscrowAnswer
escrow_change_capacity(EscrowEntry *entry, int64 old_capacity, int64 new_capacity)
{
	int64 difference = new_capacity - old_capacity;

	if (entry->made_here)
		difference = new_capacity - (entry->slot->capacity + entry->sums.capacity);
	if (difference > 0)
		escrow_give(entry, difference, false);
	else if (difference < 0)
	{
		EscrowAnswer answer = escrow_take(entry, -difference, NULL);

		if (answer != ESCROW_OK)
			return answer;
	}
	ledger_reserve();
	ledger_note(entry, (EscrowSums){.capacity = difference});
	return ESCROW_OK;
}

/* All claims of a pool are gone: what is not free comes back at commit. */
static void
give_all(EscrowEntry *entry)
{
	EscrowSlot *slot = entry->slot;
	int64 free_units = slot->remaining + entry->sums.pending;

	escrow_give(entry, slot->capacity + entry->sums.capacity - free_units, false);
}

/* The claim table of a kind was truncated by us; we hold it alone. */
void
escrow_truncated(const EscrowKind *kind)
{
	ledger_gate(kind->claim_table, kind->pool_table, true);
	ledger_each(kind->pool_table, give_all);
}

/* Units paid for ahead of their row ---------------------------------------------------- */

/* The caller has taken units for a row that it writes next. */
void
escrow_prepay(EscrowEntry *entry, int64 units)
{
	ledger_reserve();
	ledger_note(entry, (EscrowSums){.prepaid = units});
}

/* How many of the units of a row that was just written are paid for. */
int64
escrow_use_prepaid(EscrowEntry *entry, int64 units)
{
	int64 used = Min(units, entry->sums.prepaid);

	if (used > 0)
	{
		ledger_reserve();
		ledger_note(entry, (EscrowSums){.prepaid = -used});
	}
	return used;
}

/* Looking ---------------------------------------------------------------------------------- */

/* What the transaction could take at this moment. */
int64
escrow_available(EscrowEntry *entry)
{
	int64 remaining;

	SpinLockAcquire(&entry->slot->mutex);
	remaining = entry->slot->remaining;
	SpinLockRelease(&entry->slot->mutex);
	return remaining + Max(entry->sums.pending, 0);
}

/* Are the facts of the pool, as we see them, nobody else's business? */
bool
escrow_facts_are_own(const EscrowEntry *entry)
{
	return !entry->shared || entry->facts_changed;
}

/*
 * The facts kept in the slot. False if they must be read from the tables: no
 * longer true, or our own. version is then for escrow_facts_keep().
 */
bool
escrow_facts(EscrowEntry *entry, EscrowFacts *facts, uint64 *version)
{
	EscrowSlot *slot = entry->slot;
	bool kept;

	SpinLockAcquire(&slot->mutex);
	*version = slot->facts_version;
	kept = slot->facts_kept == slot->facts_version;
	*facts = slot->facts;
	SpinLockRelease(&slot->mutex);
	return kept && !escrow_facts_are_own(entry);
}

/* Keeps facts read, as committed, after version was seen, unless a change has
 * committed since. */
void
escrow_facts_keep(EscrowEntry *entry, const EscrowFacts *facts, uint64 version)
{
	EscrowSlot *slot = entry->slot;

	Assert(!escrow_facts_are_own(entry));
	SpinLockAcquire(&slot->mutex);
	if (slot->facts_version == version)
	{
		slot->facts = *facts;
		slot->facts_kept = version;
	}
	SpinLockRelease(&slot->mutex);
}

/* We have changed the definition: the slot's facts are over once we end. */
void
escrow_facts_change(EscrowEntry *entry)
{
	entry->facts_changed = true;
}

uint64
escrow_serial(const EscrowEntry *entry)
{
	return entry->serial;
}

/* No hold of the pool is overdue before this. */
TimestampTz
escrow_overdue_at(EscrowEntry *entry)
{
	TimestampTz overdue_at;

	SpinLockAcquire(&entry->slot->mutex);
	overdue_at = entry->slot->overdue_at;
	SpinLockRelease(&entry->slot->mutex);
	return overdue_at;
}

/* A hold of the pool is overdue from then on, or (DT_NOBEGIN) nobody knows. */
void
escrow_hold_until(EscrowEntry *entry, TimestampTz expires_at)
{
	SpinLockAcquire(&entry->slot->mutex);
	entry->slot->overdue_at = Min(entry->slot->overdue_at, expires_at);
	entry->slot->holds++;
	SpinLockRelease(&entry->slot->mutex);
}

/*
 * To be called before overdue holds are reaped and the tables are asked for the
 * earliest of the rest; the result is for escrow_reaped().
 */
EscrowReaping
escrow_reap(EscrowEntry *entry)
{
	EscrowReaping reaping;

	entry->reaped = true;
	SpinLockAcquire(&entry->slot->mutex);
	reaping.holds = entry->slot->holds;
	reaping.others_in_flight = entry->slot->in_flight > entry->sums.in_flight;
	SpinLockRelease(&entry->slot->mutex);
	return reaping;
}

/*
 * Overdue holds were reaped, and earliest is what the tables say of the rest.
 * Holds that were in flight meanwhile may not have been in the tables yet: with
 * any, look again in a second.
 */
void
escrow_reaped(EscrowEntry *entry, EscrowReaping reaping, TimestampTz earliest)
{
	EscrowSlot *slot = entry->slot;
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 1000);

	SpinLockAcquire(&slot->mutex);
	if (reaping.others_in_flight || slot->holds != reaping.holds)
		earliest = Min(earliest, soon);
	slot->overdue_at = earliest;
	SpinLockRelease(&slot->mutex);
}

/* Numbers given out from now on are higher than one that a row has brought. */
void
escrow_arrival_above(EscrowEntry *entry, int64 arrival)
{
	EscrowSlot *slot = entry->slot;

	if (slot->arrival >= arrival) /* it only grows */
		return;
	SpinLockAcquire(&slot->mutex);
	slot->arrival = Max(slot->arrival, arrival);
	SpinLockRelease(&slot->mutex);
}

void
escrow_init(void)
{
	escrow_shmem_init();
	escrow_xact_init();
}
