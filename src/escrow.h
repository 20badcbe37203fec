/*
 * escrow.h
 *
 * Many transactions take from one pool without waiting for each other's
 * commit: the escrow transactional method (P. O'Neil, ACM TODS 11(4), 1986).
 * Knows pools by kind and id, and nothing of what they mean.
 */
#ifndef FCFS_ESCROW_H
#define FCFS_ESCROW_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "lock.h"

/* A capacity that is never reached, for the same arithmetic. */
#define ESCROW_UNLIMITED (INT64CONST(1) << 62)

/* What a load counts in the tables. */
typedef struct EscrowBalance
{
	int64 capacity;
	int64 claimed;
	int64 arrival; /* highest number in the table, 0 if none */
} EscrowBalance;

/*
 * A few values of the pool's definition that its rules need at every call, kept
 * in the slot; what they mean is the caller's.
 */
#define ESCROW_FACTS 4

typedef struct EscrowFacts
{
	Datum values[ESCROW_FACTS]; /* of types passed by value; NULL is 0 */
} EscrowFacts;

typedef enum EscrowLoad
{
	ESCROW_LOAD_NONE,      /* there is no such pool */
	ESCROW_LOAD_COMMITTED, /* counted without what this transaction did */
	ESCROW_LOAD_OWN        /* made by this transaction: nobody else sees it */
} EscrowLoad;

/* One pool in the ledger of the transaction; valid until the transaction or
 * the subtransaction that pinned it ends. */
typedef struct EscrowEntry EscrowEntry;

/* A kind of pool, as far as the escrow needs to know it. Several may have the same
 * tables. */
typedef struct EscrowKind
{
	Oid oid; /* of the table that stands for this kind, and for no other */
	Oid pool_table;
	Oid claim_table;
	LockClass lock_class;
	EscrowLoad (*load)(const struct EscrowKind *kind, int64 id, EscrowBalance *balance);
	/* Ends some holds that are overdue; true if there may be more. May be NULL. */
	bool (*reap)(EscrowEntry *entry, int64 id);
} EscrowKind;

typedef enum EscrowAnswer
{
	ESCROW_OK,
	ESCROW_NO_POOL,
	ESCROW_NOT_ENOUGH, /* and nothing that is in flight can change it */
	ESCROW_TIMED_OUT,
	ESCROW_CROWDED
} EscrowAnswer;

/* What was known of a pool's holds before overdue ones were reaped. */
typedef struct EscrowReaping
{
	uint64 holds;
	bool others_in_flight;
} EscrowReaping;

extern void escrow_init(void);

/* Pool in use: nobody can have it alone until we end. */
extern EscrowAnswer escrow_pin(const EscrowKind *kind, int64 id, EscrowEntry **entry);

/* Pool alone: all others have ended, new ones wait until we end. */
extern EscrowAnswer escrow_freeze(EscrowEntry *entry);

/* The pool's row is gone, or there again, as this transaction sees it. */
extern void escrow_retire(EscrowEntry *entry);
extern void escrow_revive(const EscrowKind *kind, int64 id, int64 capacity);

/* Nothing is left, and nothing in flight, for all to see? Takes no lock. */
extern bool escrow_is_gone(const EscrowKind *kind, int64 id, EscrowFacts *facts, int64 *claimed);

extern EscrowAnswer escrow_take(EscrowEntry *entry, int64 units, int64 *arrival);
extern void escrow_give(EscrowEntry *entry, int64 units, bool expected);
extern EscrowAnswer escrow_take_now(EscrowEntry *entry, int64 units);
extern EscrowAnswer escrow_change_capacity(EscrowEntry *entry, int64 difference);
extern void escrow_truncated(const EscrowKind *kind);

/* Units a function took for a row that it is about to write. */
extern void escrow_prepay(EscrowEntry *entry, int64 units);
extern int64 escrow_use_prepaid(EscrowEntry *entry, int64 units);

extern int64 escrow_available(EscrowEntry *entry);
extern int64 escrow_claimed(EscrowEntry *entry);
extern bool escrow_others_in_flight(EscrowEntry *entry);
extern bool escrow_is_awaited(EscrowEntry *entry);
extern EscrowAnswer escrow_wait_unclaimed(EscrowEntry *entry, bool *unclaimed);

/* escrow_facts.c */
extern bool escrow_keeps_facts(void);
extern bool escrow_facts_are_own(const EscrowEntry *entry);
extern bool escrow_facts(EscrowEntry *entry, EscrowFacts *facts, uint64 *version);
extern void escrow_facts_keep(EscrowEntry *entry, const EscrowFacts *facts, uint64 version);
extern uint64 escrow_facts_version(const EscrowEntry *entry);
extern void escrow_facts_change(EscrowEntry *entry);
extern void escrow_hold_until(EscrowEntry *entry, TimestampTz expires_at);
extern EscrowReaping escrow_reap(EscrowEntry *entry);
extern void escrow_reaped(EscrowEntry *entry, EscrowReaping reaping, TimestampTz earliest);
extern void escrow_arrival_above(EscrowEntry *entry, int64 arrival);

#endif /* FCFS_ESCROW_H */
