/*
 * escrow_xact.c
 *
 * The ledger of the current transaction, and what happens to it at the end of
 * a transaction or subtransaction.
 *
 * One entry a pool, pinned from first use to the end. What a subtransaction
 * did is kept apart as a change until it is merged into its parent at its
 * commit or undone at its abort. Entries and changes are stacks: those of the
 * innermost subtransaction are on top.
 *
 * A commit applies the sums after the transaction has become visible to all
 * and before its locks are gone; so units that come back can be taken by
 * somebody who also sees the rows gone, and a pool without pins can be counted
 * from the tables. The callbacks neither allocate nor raise.
 *
 * Memory: entries and changes live in TopMemoryContext and are used again by
 * the next transaction; large ones are freed at its end. Slots of the
 * transaction's own live in TopTransactionContext.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "escrow_xact.h"
#include "test_point.h"

typedef struct EscrowChange
{
	EscrowEntry *entry;
	int level;
	int previous; /* older change of the same entry, -1 if none */
	EscrowSums sums;
} EscrowChange;

typedef struct EntryIndex
{
	EscrowKey key;
	EscrowEntry *entry;
} EntryIndex;

#define LEDGER_SMALL 8 /* up to here a linear search is fine */
#define LEDGER_KEEP 64 /* more than this is freed at the end */

static EscrowEntry **entries = NULL;
static int entry_count = 0;
static int entry_room = 0;
static HTAB *entry_index = NULL;
static int local_count = 0;

static EscrowChange *changes = NULL;
static int change_count = 0;
static int change_room = 0;

/* Looking up and adding ------------------------------------------------------ */

static bool
key_equal(const EscrowKey *a, const EscrowKey *b)
{
	return a->id == b->id && a->kind == b->kind && a->database == b->database;
}

/* The entry of a pool, NULL if we have not pinned it. */
EscrowEntry *
ledger_find(const EscrowKey *key)
{
	if (entry_index)
	{
		EntryIndex *found = hash_search(entry_index, key, HASH_FIND, NULL);

		return found ? found->entry : NULL;
	}
	for (int i = entry_count - 1; i >= 0; i--)
	{
		if (key_equal(&entries[i]->key, key))
			return entries[i];
	}
	return NULL;
}

/* Has the transaction touched no pool at all? */
bool
ledger_is_empty(void)
{
	return entry_count == 0 && !ledger_has_gates();
}

static void
index_entry(HTAB *index, EscrowEntry *entry)
{
	EntryIndex *slot = hash_search(index, &entry->key, HASH_ENTER, NULL);

	slot->entry = entry;
}

/* From now on the ledger is searched by hash: not before all is in it, since memory
 * may run out on the way, and the transaction go on from a savepoint. */
static void
build_index(void)
{
	HASHCTL info = {0};
	HTAB *index;

	info.keysize = sizeof(EscrowKey);
	info.entrysize = sizeof(EntryIndex);
	info.hcxt = TopMemoryContext;
	index = hash_create("pg_fcfs ledger", 256, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < entry_count; i++)
		index_entry(index, entries[i]);
	entry_index = index;
}

/* An array, made larger if it has no room for one more. */
void *
ledger_with_room(void *array, int count, int *room, Size size)
{
	if (count < *room)
		return array;
	*room = Max(LEDGER_SMALL, *room * 2);
	return array ? repalloc(array, *room * size)
				 : MemoryContextAlloc(TopMemoryContext, *room * size);
}

/*
 * Makes room for one more entry, change and wait, so that what follows a change
 * of a slot cannot fail.
 */
void
ledger_reserve(void)
{
	if (entry_count == entry_room)
	{
		int room = Max(LEDGER_SMALL, entry_room * 2);
		EscrowEntry **bigger =
			MemoryContextAllocZero(TopMemoryContext, room * sizeof(EscrowEntry *));

		if (entries)
		{
			memcpy(bigger, entries, entry_count * sizeof(EscrowEntry *));
			pfree(entries);
		}
		entries = bigger;
		entry_room = room;
	}
	if (entries[entry_count] == NULL)
		entries[entry_count] = MemoryContextAllocZero(TopMemoryContext, sizeof(EscrowEntry));
	changes = ledger_with_room(changes, change_count, &change_room, sizeof(EscrowChange));
	ledger_wait_reserve();
	if (entry_count == LEDGER_SMALL && entry_index == NULL)
		build_index();
}

/* Adds a pool whose slot in shared memory the caller has pinned. Room for it
 * was reserved. */
EscrowEntry *
ledger_add(const EscrowKind *kind, const EscrowKey *key, EscrowSlot *slot)
{
	EscrowEntry *entry = entries[entry_count];

	Assert(entry_count < entry_room && ledger_find(key) == NULL);
	memset(entry, 0, sizeof(*entry));
	entry->slot = slot;
	entry->shared = true;
	entry->key = *key;
	entry->kind = kind;
	entry->position = entry_count++;
	entry->level = GetCurrentTransactionNestLevel();
	entry->change = -1;
	escrow_holder_set(entry->position, slot, false);
	escrow_holder_count(entry_count);
	if (entry_index)
		index_entry(entry_index, entry);
	return entry;
}

/* Adds a pool that nobody else can touch before we end, with a slot of its own. */
EscrowEntry *
ledger_add_own(const EscrowKind *kind, const EscrowKey *key, const EscrowBalance *balance,
			   bool made_here)
{
	EscrowSlot *slot = MemoryContextAllocZero(TopTransactionContext, sizeof(EscrowSlot));
	EscrowEntry *entry;

	SpinLockInit(&slot->mutex);
	escrow_slot_fill(slot, key, balance);
	entry = ledger_add(kind, key, slot);
	entry->shared = false;
	entry->made_here = made_here;
	escrow_holder_set(entry->position, NULL, false);
	local_count++;
	return entry;
}

/* How many entries have a slot of the transaction's own. */
int
ledger_local_count(void)
{
	return local_count;
}

/* Calls visit for each entry of a kind. */
void
ledger_each(Oid kind, void (*visit)(EscrowEntry *entry))
{
	for (int i = 0; i < entry_count; i++)
	{
		if (entries[i]->key.kind == kind)
			visit(entries[i]);
	}
}

/* Changes ---------------------------------------------------------------------- */

static void
sums_add(EscrowSums *sums, const EscrowSums *more, int sign)
{
	sums->taken += sign * more->taken;
	sums->pending += sign * more->pending;
	sums->in_flight += sign * more->in_flight;
	sums->capacity += sign * more->capacity;
	sums->prepaid += sign * more->prepaid;
	sums->retired += sign * more->retired;
}

static void
note_holding(const EscrowEntry *entry)
{
	if (entry->shared)
		escrow_holder_set(entry->position, entry->slot, entry->sums.in_flight != 0);
}

/* Notes what was just done to the slot. Room for it was reserved. */
void
ledger_note(EscrowEntry *entry, EscrowSums change)
{
	int level = GetCurrentTransactionNestLevel();
	bool held = entry->sums.in_flight != 0;

	sums_add(&entry->sums, &change, 1);
	Assert(entry->sums.taken >= 0 && entry->sums.in_flight >= 0 && entry->sums.prepaid >= 0);
	if (held != (entry->sums.in_flight != 0))
		note_holding(entry);
	if (level == 1)
		return;
	if (entry->change < 0 || changes[entry->change].level < level)
	{
		Assert(change_count < change_room);
		changes[change_count] = (EscrowChange){entry, level, entry->change, {0}};
		entry->change = change_count++;
	}
	sums_add(&changes[entry->change].sums, &change, 1);
}

/* Notes that the pool is ours alone. */
void
ledger_froze(EscrowEntry *entry)
{
	entry->frozen_level = GetCurrentTransactionNestLevel();
}

/* Ending --------------------------------------------------------------------------- */

static void
wake(EscrowSlot *slot, bool anybody)
{
	if (anybody)
		ConditionVariableBroadcast(&slot->changed);
}

/* Thaws a slot if it was us who froze it; with the mutex held. */
static void
thaw_slot(EscrowSlot *slot)
{
	if (slot->frozen_by == compat_my_proc_number())
		slot->frozen_by = -1;
}

/* Adds what is to be added at the end; with the mutex held. */
static void
apply_sums(EscrowEntry *entry, bool committed)
{
	EscrowSlot *slot = entry->slot;

	slot->remaining += committed ? entry->sums.pending : entry->sums.taken;
	slot->capacity += committed ? entry->sums.capacity : 0;
	slot->in_flight -= entry->sums.in_flight;
	Assert(slot->in_flight >= 0 && slot->pins > 0);
	if (entry->facts_changed)
		slot->facts_version = escrow_version_next();
	if (entry->reaped && !committed)
		slot->overdue_at = DT_NOBEGIN; /* what we reaped is overdue again */
}

/*
 * What the end of the transaction does to a slot, and nothing pins it more. One
 * whose definition was changed goes while it is still frozen.
 */
static void
finish_entry(EscrowEntry *entry, bool committed)
{
	EscrowSlot *slot = entry->slot;
	bool sleepers;

	if (!entry->shared)
		return;
	SpinLockAcquire(&slot->mutex);
	apply_sums(entry, committed);
	SpinLockRelease(&slot->mutex);
	TEST_POINT("told");
	/* Somebody may have gone to sleep up to the moment in which the slot went. */
	sleepers = entry->frozen_level > 0 && escrow_slot_forget(slot);
	if (!sleepers)
	{
		SpinLockAcquire(&slot->mutex);
		if (entry->frozen_level > 0)
			thaw_slot(slot);
		slot->pins--;
		sleepers = slot->waiters > 0;
		SpinLockRelease(&slot->mutex);
	}
	wake(slot, sleepers);
}

static void
free_ledger(void)
{
	if (entry_index)
	{
		hash_destroy(entry_index);
		entry_index = NULL;
	}
	if (entry_room > LEDGER_KEEP)
	{
		for (int i = 0; i < entry_room && entries[i]; i++)
			pfree(entries[i]);
		pfree(entries);
		entries = NULL;
		entry_room = 0;
	}
	if (change_room > LEDGER_KEEP)
	{
		pfree(changes);
		changes = NULL;
		change_room = 0;
	}
}

static void
finish_transaction(bool committed)
{
	TEST_POINT("ended");
	abandon_waits(0);
	for (int i = 0; i < entry_count; i++)
	{
		Assert(!committed || entries[i]->sums.prepaid == 0);
		finish_entry(entries[i], committed);
	}
	ledger_gates_end(committed);
	escrow_holder_count(0);
	entry_count = 0;
	change_count = 0;
	local_count = 0;
	free_ledger();
}

static void
ledger_xact_callback(XactEvent event, void *arg pg_attribute_unused())
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_COMMIT: /* nothing should have come so far there, */
		case XACT_EVENT_PARALLEL_ABORT:  /* but a pin that stays would stay for ever */
			if (!ledger_is_empty() || ledger_is_waiting())
				finish_transaction(event == XACT_EVENT_COMMIT);
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (!ledger_is_empty())
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has claimed units of a pool"),
						 errdetail("What it took is counted in this session.")));
			break;
		default:
			break;
	}
}

/* Merges a committed subtransaction's change into that of its parent. */
static void
merge_change(EscrowChange *change, int parent, int *kept)
{
	EscrowEntry *entry = change->entry;

	if (parent == 1)
		entry->change = -1; /* the sums have it; nothing below rolls back alone */
	else if (change->previous >= 0 && changes[change->previous].level == parent)
	{
		sums_add(&changes[change->previous].sums, &change->sums, 1);
		entry->change = change->previous;
	}
	else
	{
		change->level = parent;
		entry->change = *kept;
		changes[(*kept)++] = *change;
	}
}

static void
commit_subtransaction(int level)
{
	int first = change_count;
	int kept;
	int end = change_count;

	while (first > 0 && changes[first - 1].level == level)
		first--;
	kept = first;
	for (int i = first; i < end; i++)
	{
		EscrowChange change = changes[i];

		merge_change(&change, level - 1, &kept);
	}
	change_count = kept;
	for (int i = entry_count - 1; i >= 0 && entries[i]->level == level; i--)
		entries[i]->level--;
	for (int i = 0; i < entry_count; i++)
	{
		if (entries[i]->frozen_level == level)
			entries[i]->frozen_level--;
	}
	ledger_gates_merge(level);
}

/* Undoes one change of an aborted subtransaction. */
static void
undo_change(EscrowChange *change)
{
	EscrowEntry *entry = change->entry;
	EscrowSlot *slot = entry->slot;
	bool sleepers;

	SpinLockAcquire(&slot->mutex);
	slot->remaining += change->sums.taken;
	slot->in_flight -= change->sums.in_flight;
	Assert(slot->in_flight >= 0);
	if (entry->reaped)
		slot->overdue_at = DT_NOBEGIN;
	sleepers = slot->waiters > 0;
	SpinLockRelease(&slot->mutex);
	sums_add(&entry->sums, &change->sums, -1);
	entry->change = change->previous;
	note_holding(entry);
	wake(slot, sleepers);
}

static void
thaw(EscrowEntry *entry)
{
	EscrowSlot *slot = entry->slot;
	bool sleepers;

	SpinLockAcquire(&slot->mutex);
	thaw_slot(slot);
	sleepers = slot->waiters > 0;
	SpinLockRelease(&slot->mutex);
	entry->frozen_level = 0;
	wake(slot, sleepers);
}

/* Unpins the newest entry, which an aborted subtransaction had pinned. */
static void
drop_newest_entry(void)
{
	EscrowEntry *entry = entries[--entry_count];

	if (entry_index)
		(void) hash_search(entry_index, &entry->key, HASH_REMOVE, NULL);
	if (!entry->shared)
		local_count--;
	finish_entry(entry, false);
	if (!entry->shared)
		pfree(entry->slot);
	escrow_holder_count(entry_count);
}

static void
abort_subtransaction(int level)
{
	abandon_waits(level);
	while (change_count > 0 && changes[change_count - 1].level >= level)
		undo_change(&changes[--change_count]);
	while (entry_count > 0 && entries[entry_count - 1]->level >= level)
		drop_newest_entry();
	for (int i = 0; i < entry_count; i++)
	{
		if (entries[i]->frozen_level >= level)
			thaw(entries[i]);
	}
	ledger_gates_open(level);
}

static void
ledger_subxact_callback(SubXactEvent event, SubTransactionId my_subid pg_attribute_unused(),
						SubTransactionId parent_subid pg_attribute_unused(),
						void *arg pg_attribute_unused())
{
	if (ledger_is_empty() && !ledger_is_waiting())
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		commit_subtransaction(GetCurrentTransactionNestLevel());
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		abort_subtransaction(GetCurrentTransactionNestLevel());
}

void
escrow_xact_init(void)
{
	RegisterXactCallback(ledger_xact_callback, NULL);
	RegisterSubXactCallback(ledger_subxact_callback, NULL);
}
