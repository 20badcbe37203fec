/*
 * escrow_waiting.c
 *
 * The part of the ledger that knows which slots the transaction is counted at as
 * a sleeper or as one in line, so that a wait that ends in an error (a cancel, a
 * deadlock) is taken back. How one waits is in escrow_wait.c.
 *
 * Memory: the stack of waits lives in TopMemoryContext and stays.
 */
#include "postgres.h"

#include "access/xact.h"

#include "escrow_xact.h"

/* A wait we are in, to be taken back if it ends in an error. There are several
 * when somebody's trigger, called by what we do while we wait, waits as well. */
typedef struct EscrowWaiting
{
	EscrowSlot *slot;
	int level;
	bool in_line;
} EscrowWaiting;

static EscrowWaiting *waits = NULL;
static int wait_count = 0;
static int wait_room = 0;

/* Makes room for one more wait. */
void
ledger_wait_reserve(void)
{
	waits = ledger_with_room(waits, wait_count, &wait_room, sizeof(EscrowWaiting));
}

/* Is there a wait that has not ended? */
bool
ledger_is_waiting(void)
{
	return wait_count > 0;
}

/* Counts us among those who sleep on a slot, and among those in line for it.
 * Room for it was reserved. */
void
ledger_wait_begin(EscrowSlot *slot, bool in_line)
{
	Assert(wait_count < wait_room);
	SpinLockAcquire(&slot->mutex);
	slot->waiters++;
	slot->queue += in_line ? 1 : 0;
	SpinLockRelease(&slot->mutex);
	waits[wait_count++] = (EscrowWaiting){slot, GetCurrentTransactionNestLevel(), in_line};
}

/* The wait that was begun last is over. */
void
ledger_wait_end(void)
{
	EscrowWaiting *wait = &waits[--wait_count];
	EscrowSlot *slot = wait->slot;

	Assert(wait_count >= 0);
	SpinLockAcquire(&slot->mutex);
	Assert(slot->waiters > 0 && (!wait->in_line || slot->queue > 0));
	slot->waiters--;
	slot->queue -= wait->in_line ? 1 : 0;
	SpinLockRelease(&slot->mutex);
}

/* Waits that an error has ended; slices of them run one level deeper. */
void
abandon_waits(int level)
{
	while (wait_count > 0 && waits[wait_count - 1].level >= level)
		ledger_wait_end();
}
