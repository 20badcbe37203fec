/*
 * escrow_xact.h
 *
 * The ledger: what the current transaction has done to which pools. Private to
 * the escrow; operations use escrow.h.
 */
#ifndef FCFS_ESCROW_XACT_H
#define FCFS_ESCROW_XACT_H

#include "postgres.h"

#include "escrow_shmem.h"

/* What was done to one pool; added up over the transaction, and apart for each
 * subtransaction that may still roll back. */
typedef struct EscrowSums
{
	int64 taken;     /* subtracted from remaining */
	int64 pending;   /* to be added to remaining at commit; a take of
								 * what we gave back ourselves lowers it */
	int64 in_flight; /* our part of the slot's in_flight */
	int64 capacity;  /* to be added to capacity at commit */
	int64 prepaid;   /* taken for a row not yet written */
	int64 retired;   /* 1: we have deleted the pool */
} EscrowSums;

struct EscrowEntry
{
	EscrowSlot *slot;
	bool shared;    /* in shared memory? else the transaction's own */
	bool made_here; /* the pool was made by this transaction */
	EscrowKey key;
	const EscrowKind *kind;
	int position;       /* in the ledger */
	int level;          /* nesting level that pinned it */
	int frozen_level;   /* that froze it, 0 if none */
	bool reaped;        /* overdue holds were ended, and are overdue again if we abort */
	bool facts_changed; /* the definition was changed: facts are read anew */
	int change;         /* newest of its changes, -1 if none */
	EscrowSums sums;
};

extern void escrow_xact_init(void);
extern EscrowEntry *ledger_find(const EscrowKey *key);
extern bool ledger_is_empty(void);
extern void ledger_reserve(void);
extern EscrowEntry *ledger_add(const EscrowKind *kind, const EscrowKey *key, EscrowSlot *slot);
extern EscrowEntry *ledger_add_own(const EscrowKind *kind, const EscrowKey *key,
								   const EscrowBalance *balance, bool made_here);
extern void ledger_note(EscrowEntry *entry, EscrowSums change);
extern void ledger_froze(EscrowEntry *entry);
extern int ledger_local_count(void);
extern void ledger_each(Oid kind, void (*visit)(EscrowEntry *entry));
extern void *ledger_with_room(void *array, int count, int *room, Size size);

/* escrow_gate.c */
extern void ledger_gate(Oid claim_table, Oid kind, bool truncated);
extern bool ledger_has_gate(Oid claim_table, bool *truncated);
extern bool ledger_has_gates(void);
extern void ledger_gates_merge(int level);
extern void ledger_gates_open(int level);
extern void ledger_gates_end(bool committed);

/* escrow_waiting.c */
extern void ledger_wait_reserve(void);
extern bool ledger_is_waiting(void);
extern void abandon_waits(int level);
extern void ledger_wait_begin(EscrowSlot *slot, bool in_line);
extern void ledger_wait_end(void);

#endif /* FCFS_ESCROW_XACT_H */
