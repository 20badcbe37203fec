/*
 * escrow_pin.c
 *
 * Pinning a pool, loading it, and having it alone.
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
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/proc.h"

#include "compat.h"
#include "escrow_wait.h"
#include "escrow_xact.h"
#include "test_point.h"

/* Without shared memory: pool locks one transaction may hold before it takes
 * the whole table instead, so that the server's lock table is not exhausted. */
#define MAX_POOL_LOCKS 64

typedef struct ThawState
{
	EscrowKey key;
} ThawState;

/* The pool is no longer had alone, or the slot is no longer the pool's. */
static bool
decide_thawed(EscrowSlot *slot, TimestampTz now, void *state)
{
	const EscrowKey *key = &((ThawState *) state)->key;

	return !slot->used || slot->frozen_by < 0 || memcmp(&slot->key, key, sizeof(*key)) != 0;
}

/* Waits for pins to go, or for somebody to be done with having the pool alone. */
static EscrowAnswer
wait_outside_line(EscrowSlot *slot, LockName name, EscrowDecide decide, void *state)
{
	EscrowWait wait;
	EscrowAnswer answer = escrow_wait_begin(&wait, slot, name, false);

	if (answer == ESCROW_OK)
	{
		answer = escrow_wait(&wait, decide, state, true);
		escrow_wait_end(&wait);
	}
	escrow_wait_log(&wait);
	return answer;
}

/* Keeps everybody else out of the claim table until we end. */
static EscrowAnswer
close_gate(const EscrowKind *kind)
{
	EscrowAnswer answer;
	bool truncated;

	if (ledger_has_gate(kind->claim_table, &truncated))
		return ESCROW_OK;
	answer = escrow_answer_of_lock(lock_table(kind->claim_table, ShareRowExclusiveLock));
	if (answer == ESCROW_OK)
		ledger_gate(kind->claim_table, kind->oid, false);
	return answer;
}

/* Pins a pool that is, or must be, the transaction's alone. */
static EscrowAnswer
pin_own(const EscrowKind *kind, const EscrowKey *key, EscrowEntry **entry)
{
	EscrowBalance balance = {0};
	EscrowLoad load = kind->load(kind, key->id, &balance);
	bool truncated;

	if (load == ESCROW_LOAD_NONE)
		return ESCROW_NO_POOL;
	/* All claims are our own then, even those that look otherwise (COPY FREEZE). */
	if (ledger_has_gate(kind->claim_table, &truncated) && truncated)
		balance.claimed = 0;
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
			TEST_POINT("counted");
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
		return escrow_answer_of_lock(answer);
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

	return wait_outside_line(slot, name, decide_thawed, &thaw);
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
		answer = escrow_answer_of_lock(lock_acquire(name, ExclusiveLock));
	return answer == ESCROW_OK ? pin_own(kind, key, entry) : answer;
}

/*
 * Pins a pool to the end of the transaction (or of the subtransaction, if that
 * rolls back), loading it if need be. Waits while somebody has it alone.
 */
EscrowAnswer
escrow_pin(const EscrowKind *kind, int64 id, EscrowEntry **entry)
{
	EscrowKey key = {MyDatabaseId, kind->oid, id};
	EscrowAnswer locked;
	bool truncated;

	*entry = ledger_find(&key);
	if (*entry)
		return (*entry)->sums.retired > 0 ? ESCROW_NO_POOL : ESCROW_OK;
	locked = escrow_answer_of_lock(lock_table(kind->claim_table, RowExclusiveLock));
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
decide_alone(EscrowSlot *slot, TimestampTz now, void *state)
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

	if (entry->frozen_level > 0)
		return ESCROW_OK;
	/* From here on an error must thaw it, so it is noted before it is so. */
	ledger_froze(entry);
	if (!entry->shared || escrow_decided(entry->slot, decide_alone, NULL))
		return ESCROW_OK;
	ledger_reserve();
	return wait_outside_line(entry->slot, name, decide_alone, NULL);
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
