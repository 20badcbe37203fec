/*
 * escrow.c
 *
 * Taking and giving units of a pool that is pinned, and what can be said of it:
 * what is left, and whether anything is claimed at all.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "escrow_wait.h"
#include "escrow_xact.h"
#include "guc.h"
#include "test_point.h"

/* Taking and giving ---------------------------------------------------------------- */

typedef struct TakeState
{
	EscrowEntry *entry;
	EscrowWait wait;
	bool waiting;      /* wait has begun */
	bool may_overtake; /* first in line, or holding units already */
	bool count_arrival;
	int64 need;       /* beyond what we gave back ourselves */
	uint64 reaped_at; /* wait.sleeps when nothing was left to reap, plus 1 */

	/* what was decided */
	bool taken;
	bool due; /* overdue holds are to be ended first */
	int64 arrival;
} TakeState;

/* Are there holds to be ended? Some may be locked by others: after having looked
 * in vain we look again only when we have slept. */
static bool
holds_are_due(const EscrowSlot *slot, TimestampTz now, const TakeState *state)
{
	return slot->overdue_at <= now && state->entry->kind->reap &&
		   state->reaped_at <= state->wait.sleeps;
}

/*
 * True when it is decided: taken, certain that there is not enough, or our turn
 * to end overdue holds. Who is not the first in line leaves them to the first.
 */
static bool
decide_take(EscrowSlot *slot, TimestampTz now, void *arg)
{
	TakeState *state = arg;
	bool our_turn = slot->queue == 0 || state->may_overtake;

	if (state->need == 0 || (slot->remaining >= state->need && our_turn))
	{
		slot->remaining -= state->need;
		slot->in_flight += state->need;
		if (state->count_arrival)
			state->arrival = ++slot->arrival;
		state->taken = true;
		return true;
	}
	if (holds_are_due(slot, now, state))
	{
		state->due = our_turn;
		return our_turn;
	}
	return slot->remaining + (slot->in_flight - state->entry->sums.in_flight) < state->need;
}

/* Has it decided, waiting for that if need be. */
static EscrowAnswer
take_or_wait(TakeState *state)
{
	EscrowEntry *entry = state->entry;
	LockName name = {entry->kind->lock_class, entry->key.id};

	if (escrow_decided(entry->slot, decide_take, state))
		return ESCROW_OK;
	if (!fcfs_wait_for_uncertain)
		return ESCROW_NOT_ENOUGH;
	if (!state->waiting)
	{
		EscrowAnswer answer =
			escrow_wait_begin(&state->wait, entry->slot, name, !state->may_overtake);

		if (answer != ESCROW_OK)
			return answer;
		state->wait.by_clock = entry->kind->reap != NULL; /* nobody tells that a hold is over */
		state->waiting = true;
		state->may_overtake = true;
	}
	return escrow_wait(&state->wait, decide_take, state, false);
}

/* Has the units taken count as ours. Room for it was reserved. */
static void
note_take(const TakeState *state, int64 reused)
{
	ledger_note(state->entry,
				(EscrowSums){.taken = state->need, .pending = -reused, .in_flight = state->need});
}

/*
 * Takes units at once if there are enough; else ends holds that are overdue, and
 * waits as long as it depends on transactions that have not ended. What the
 * transaction gave back itself it may take again. arrival, if wanted, is the next
 * number of the pool.
 */
EscrowAnswer
escrow_take(EscrowEntry *entry, int64 units, int64 *arrival)
{
	TakeState state = {.entry = entry, .count_arrival = arrival != NULL};
	EscrowAnswer answer;
	int64 reused;

	Assert(units >= 0);
	for (;;)
	{
		ledger_reserve();
		reused = Min(units, Max(entry->sums.pending, 0));
		state.need = units - reused;
		state.may_overtake = state.waiting || entry->sums.in_flight > 0;
		answer = take_or_wait(&state);
		if (!state.due)
			break;
		state.due = false;
		if (!entry->kind->reap(entry, entry->key.id))
			state.reaped_at = state.wait.sleeps + 1;
	}
	if (state.taken)
	{
		TEST_POINT("taken");
		note_take(&state, reused);
		if (arrival)
			*arrival = state.arrival;
	}
	if (state.waiting)
		escrow_wait_end(&state.wait);
	if (state.wait.since != 0)
		escrow_wait_log(&state.wait);
	if (answer == ESCROW_OK && !state.taken)
		answer = ESCROW_NOT_ENOUGH;
	return answer;
}

/*
 * Takes units if they are certainly there, at once: no wait, nothing overdue is
 * ended, and nobody who is in line is overtaken, whatever we hold already.
 */
EscrowAnswer
escrow_take_now(EscrowEntry *entry, int64 units)
{
	TakeState state = {.entry = entry};
	int64 reused = Min(units, Max(entry->sums.pending, 0));

	Assert(units >= 0);
	ledger_reserve();
	state.need = units - reused;
	(void) escrow_decided(entry->slot, decide_take, &state);
	if (!state.taken)
		return ESCROW_NOT_ENOUGH;
	note_take(&state, reused);
	return ESCROW_OK;
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
 * made: it may have been loaded after the change, so what it lacks is what counts,
 * and it may have been loaded as one that cannot be.
 * ESCROW_NOT_ENOUGH if units that would have to go are claimed.
 */
EscrowAnswer
escrow_change_capacity(EscrowEntry *entry, int64 difference)
{
	if (entry->made_here)
	{
		EscrowBalance balance;

		if (entry->kind->load(entry->kind, entry->key.id, &balance) == ESCROW_LOAD_NONE)
			return ESCROW_OK; /* gone again, as its own trigger will tell */
		difference = balance.capacity - (entry->slot->capacity + entry->sums.capacity);
	}
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
	if (entry->made_here && entry->slot->remaining + entry->sums.pending < 0)
		return ESCROW_NOT_ENOUGH;
	return ESCROW_OK;
}

/* A pool was made. Of interest only if we have deleted one with that id. */
void
escrow_revive(const EscrowKind *kind, int64 id, int64 capacity)
{
	EscrowKey key = {MyDatabaseId, kind->oid, id};
	EscrowEntry *entry = ledger_find(&key);
	int64 old_capacity;

	if (entry == NULL || entry->sums.retired == 0)
		return;
	ledger_reserve();
	ledger_note(entry, (EscrowSums){.retired = -1});
	old_capacity = entry->slot->capacity + entry->sums.capacity;
	if (escrow_change_capacity(entry, capacity - old_capacity) != ESCROW_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("claims on row " INT64_FORMAT
						" of table \"%s\" were ended where no trigger fired",
						id, get_rel_name(kind->pool_table)),
				 errhint("Call fcfs.reload_pool() before the row is deleted and made again.")));
}

/* All claims of a pool are gone: what is not free comes back at commit. */
static void
give_all(EscrowEntry *entry)
{
	EscrowSlot *slot = entry->slot;
	int64 free_units = slot->remaining + entry->sums.pending;

	escrow_give(entry, slot->capacity + entry->sums.capacity - free_units, false);
}

/* The claim table of a kind was truncated by us; we hold it alone. To be told of each
 * kind that it claims. */
void
escrow_truncated(const EscrowKind *kind)
{
	ledger_gate(kind->claim_table, kind->oid, true);
	ledger_each(kind->oid, give_all);
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

/*
 * Is it certain, without pinning the pool, that a take of anything would find
 * nothing? Only for a transaction that has touched no pool, and a pool whose
 * facts are kept in the slot; what is not certain at a glance is decided by
 * escrow_take(). claimed: how many units claims have.
 *
 * It is true of the moment in which the slot was looked at. A give that is not
 * committed yet counts for nothing then, as it would not for a take.
 */
bool
escrow_is_gone(const EscrowKind *kind, int64 id, EscrowFacts *facts, int64 *claimed)
{
	EscrowKey key = {MyDatabaseId, kind->oid, id};
	EscrowSlot slot;

	if (!escrow_shared() || !ledger_is_empty() || !escrow_slot_copy(&key, &slot))
		return false;
	*facts = slot.facts;
	*claimed = slot.capacity - slot.remaining;
	return slot.remaining <= 0 && slot.in_flight == 0 && slot.frozen_by < 0 &&
		   slot.facts_kept == slot.facts_version && kind->reap == NULL;
}

/* What is left and what is claimed ------------------------------------------------------------- */

/* May others yet free units of the pool, or claims that they make come to nothing? */
bool
escrow_others_in_flight(EscrowEntry *entry)
{
	bool result;

	SpinLockAcquire(&entry->slot->mutex);
	result = entry->slot->in_flight > entry->sums.in_flight;
	SpinLockRelease(&entry->slot->mutex);
	return result;
}

/* Is anybody in line for the pool? */
bool
escrow_is_awaited(EscrowEntry *entry)
{
	bool result;

	SpinLockAcquire(&entry->slot->mutex);
	result = entry->slot->queue > 0;
	SpinLockRelease(&entry->slot->mutex);
	return result;
}

typedef struct UnclaimedState
{
	EscrowEntry *entry;
	bool our_turn;
	bool unclaimed; /* what was decided */
} UnclaimedState;

/*
 * True when it is decided whether anything of the pool is claimed: nothing is, or
 * more than others have in flight. What is, as we see it, leaves out what we gave
 * back, and a change of the capacity that is ours.
 */
static bool
decide_unclaimed(EscrowSlot *slot, TimestampTz now pg_attribute_unused(), void *arg)
{
	UnclaimedState *state = arg;
	const EscrowSums *ours = &state->entry->sums;
	int64 claimed = slot->capacity + ours->capacity - slot->remaining - ours->pending;

	state->unclaimed = claimed <= 0;
	if (claimed <= 0)
		return slot->queue == 0 || state->our_turn;
	return claimed > slot->in_flight - ours->in_flight;
}

/*
 * Is nothing of the pool claimed? Claims of others that are not committed may yet
 * come to nothing: if there are no others, waits for them as a take does, in the
 * pool's line, so that who comes to claim something later does not make us wait
 * longer. With fcfs.wait_for_uncertain off they count.
 */
EscrowAnswer
escrow_wait_unclaimed(EscrowEntry *entry, bool *unclaimed)
{
	LockName name = {entry->kind->lock_class, entry->key.id};
	UnclaimedState state = {.entry = entry, .our_turn = entry->sums.in_flight > 0};
	EscrowWait wait;
	EscrowAnswer answer = ESCROW_OK;

	*unclaimed = false;
	if (escrow_decided(entry->slot, decide_unclaimed, &state))
	{
		*unclaimed = state.unclaimed;
		return ESCROW_OK;
	}
	if (!fcfs_wait_for_uncertain)
		return ESCROW_OK;
	ledger_reserve();
	answer = escrow_wait_begin(&wait, entry->slot, name, !state.our_turn);
	if (answer == ESCROW_OK)
	{
		state.our_turn = true;
		answer = escrow_wait(&wait, decide_unclaimed, &state, false);
		escrow_wait_end(&wait);
	}
	escrow_wait_log(&wait);
	*unclaimed = answer == ESCROW_OK && state.unclaimed;
	return answer;
}

/* How much of the pool is claimed, as we see it, what is in flight included. */
int64
escrow_claimed(EscrowEntry *entry)
{
	const EscrowSums *ours = &entry->sums;
	int64 claimed;

	SpinLockAcquire(&entry->slot->mutex);
	claimed = entry->slot->capacity - entry->slot->remaining;
	SpinLockRelease(&entry->slot->mutex);
	return claimed + ours->capacity - ours->pending;
}

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

void
escrow_init(void)
{
	escrow_shmem_init();
	escrow_xact_init();
}
