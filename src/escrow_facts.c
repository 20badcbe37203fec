/*
 * escrow_facts.c
 *
 * What else the slot of a pool carries: facts of the definition, when the next
 * hold is overdue, and numbers of arrival that rows have brought.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "escrow_xact.h"

/* Facts of the definition --------------------------------------------------------------- */

/* Is anything kept of a pool's definition at all? */
bool
escrow_keeps_facts(void)
{
	return escrow_shared();
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

/*
 * What is known of the definition of a pinned pool is true of all who find this
 * number, unless it is our own: no other load of a pool has it, and a change that
 * has committed replaces it.
 */
uint64
escrow_facts_version(const EscrowEntry *entry)
{
	uint64 version;

	SpinLockAcquire(&entry->slot->mutex);
	version = entry->slot->facts_version;
	SpinLockRelease(&entry->slot->mutex);
	return version;
}

/* We have changed the definition: the slot's facts are over once we end. */
void
escrow_facts_change(EscrowEntry *entry)
{
	entry->facts_changed = true;
}

/* Holds --------------------------------------------------------------------------------- */

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
