/*
 * escrow_shmem.h
 *
 * The slots: how much is left of each pool that somebody has touched.
 * Private to the escrow; operations use escrow.h.
 */
#ifndef FCFS_ESCROW_SHMEM_H
#define FCFS_ESCROW_SHMEM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/condition_variable.h"
#include "storage/lock.h"
#include "storage/spin.h"

#include "escrow.h"

/* Which pool. 16 bytes without padding: it is hashed as bytes. */
typedef struct EscrowKey
{
	Oid database;
	Oid kind; /* see EscrowKind */
	int64 id;
} EscrowKey;

/*
 * One pool. key and used change under the partition lock of the index and the
 * mutex; everything else under the mutex alone. Slots live in shared memory,
 * or in the memory of one transaction where the pool is its alone.
 *
 * At every moment, with the mutex held:
 *   remaining = capacity - committed claims - units taken by open transactions
 */
typedef struct EscrowSlot
{
	slock_t mutex;
	bool used; /* is in the index */
	EscrowKey key;
	int64 capacity;            /* committed; ESCROW_UNLIMITED if there is none */
	int64 remaining;           /* below 0 only if the tables broke the rule */
	int64 in_flight;           /* units that open transactions may yet free */
	int64 arrival;             /* last number given out */
	EscrowFacts facts;         /* of the definition; true if the versions agree */
	uint64 facts_version;      /* another when it is loaded, and when a change has ended;
								* never the same for two, in all slots */
	uint64 facts_kept;         /* the version that facts are of */
	TimestampTz overdue_at;    /* no hold is overdue before this */
	uint64 holds;              /* counts what was told of overdue_at */
	int frozen_by;             /* proc number of who has it alone, or -1 */
	uint32 pins;               /* transactions that may still change it */
	uint32 queue;              /* callers in line for uncertain units */
	uint32 waiters;            /* sleepers on changed */
	uint64 changes;            /* counts pins: has anybody touched it since? */
	ConditionVariable changed; /* units came back, a pin went, it thawed */
} EscrowSlot;

/*
 * What a backend has pinned, for whoever must find out whom it waits for.
 * Written by its backend alone, in the order of its ledger; read by others
 * without a lock: a stale answer costs them one bounded wait.
 */
#define ESCROW_HOLDINGS 31 /* with count, whole cache lines: each is written all the time */
#define ESCROW_HOLDS_UNITS ((uint32) 0x80000000)

typedef struct EscrowHolder
{
	volatile uint32 count; /* beyond ESCROW_HOLDINGS: not all are listed */
	volatile uint32 slots[ESCROW_HOLDINGS];
} EscrowHolder;

typedef enum EscrowLookup
{
	ESCROW_ABSENT,
	ESCROW_FROZEN, /* somebody has it alone; slot is not pinned */
	ESCROW_PINNED
} EscrowLookup;

extern void escrow_shmem_init(void);
extern bool escrow_shared(void);
extern bool escrow_slot_copy(const EscrowKey *key, EscrowSlot *copy);
extern EscrowLookup escrow_slot_pin(const EscrowKey *key, EscrowSlot **slot);
extern EscrowSlot *escrow_slot_insert(const EscrowKey *key, const EscrowBalance *balance);
extern uint64 escrow_version_next(void);
extern void escrow_slot_fill(EscrowSlot *slot, const EscrowKey *key, const EscrowBalance *balance);
extern bool escrow_slot_forget(EscrowSlot *slot);
extern void escrow_slots_forget_kind(Oid kind);
extern int escrow_slot_count(void);
extern EscrowSlot *escrow_slot_number(int number);
extern void escrow_holder_set(int position, const EscrowSlot *slot, bool holds_units);
extern void escrow_holder_count(int count);
extern bool escrow_find_holder(const EscrowSlot *slot, bool any_pin, VirtualTransactionId *holder,
							   int *pid);

#endif /* FCFS_ESCROW_SHMEM_H */
