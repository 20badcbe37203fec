/*
 * pool.h
 *
 * Pools as tables know them: a row with a capacity, and rows that claim it. A row may
 * be several pools, and one may claim of several.
 */
#ifndef FCFS_POOL_H
#define FCFS_POOL_H

#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"

#include "escrow.h"
#include "plan_cache.h"
#include "refusal.h"

#define POOL_CLAIM_COLUMNS 5
#define POOL_DEFINITION_COLUMNS 10

/* What one kind of pool is. Each operation file describes its own. */
typedef struct PoolKind
{
	EscrowKind escrow; /* its tables are looked up by name */
	bool resolved;     /* they have been, and are still those */
	const char *name;  /* as stat_pools and verify() show it */
	const char *pool_table;
	const char *claim_table;
	/* A second kind of the same table of pools: the table that stands for the kind in
	 * the keys of the escrow. Which rows there are is the first one's to look after. */
	const char *known_by;
	const char *capacity_column;
	const char *raised_by;           /* the column to raise it by, if another */
	const char *capacity_constraint; /* how a violation is called */
	RefusalCode not_found;
	RefusalCode sold_out;

	/* Columns of a claim: first its pool, which may be NULL; the others as claimed_units likes. */
	const char *claim_columns[POOL_CLAIM_COLUMNS];
	AttrNumber claim_attributes[POOL_CLAIM_COLUMNS];

	/* $1 id: capacity (NULL unlimited), claimed, highest arrival */
	CachedQuery load;
	/* $1 id: the definition's facts, see EscrowFacts. No sql: the kind has none */
	CachedQuery facts;
	/* Columns of the pool that are kept by definition.c, if any. */
	const char *definition[POOL_DEFINITION_COLUMNS];
	/* $1 id: a row if anything, even a claim that is over, refers to it */
	CachedQuery referenced;

	/* Units that a claim row counts for here, 0 if it is over. */
	int64 (*claimed_units)(const struct PoolKind *kind, HeapTuple row, TupleDesc desc);
	/* Refuses a counted row that breaks another invariant. May be NULL. */
	void (*check_claim)(const struct PoolKind *kind, EscrowEntry *entry, HeapTuple row,
						TupleDesc desc);
	/* What a change of the pool's row, old or new NULL, changes in pools that come before
	 * it in lock order. May be NULL. */
	void (*changes_others)(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
	/* A change of the pool's row under which nobody may claim, and what is to be done
	 * then. May both be NULL. */
	bool (*changes_alone)(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
	void (*changed)(EscrowEntry *entry, HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
} PoolKind;

extern PoolKind section_pool;
extern PoolKind item_pool;
extern PoolKind coupon_pool;
extern PoolKind waitlist_pool;
extern PoolKind reserved_seats_pool;
extern PoolKind cross_list_pool;

extern void pool_init(void);
extern PoolKind *pool_kinds_next(PoolKind *previous);
extern void pool_resolve(PoolKind *kind);
extern bool pool_is_of_pools(Oid relation);
extern PoolKind *pool_kinds_of(Oid relation, bool claims, PoolKind *previous);
extern void pool_check_table(Oid relation, bool claims);
extern RefusalCode pool_refusal(const PoolKind *kind, EscrowAnswer answer);
extern RefusalCode pool_pin(PoolKind *kind, int64 id, EscrowEntry **entry);
extern RefusalCode pool_wait_turn(const PoolKind *kind, int64 id);
extern RefusalCode pool_claim(PoolKind *kind, EscrowEntry *entry, int64 id, bool strict_order,
							  int64 units, int64 *arrival);
extern bool pool_facts(PoolKind *kind, EscrowEntry *entry, int64 id, EscrowFacts *facts);
extern int64 pool_row_id(HeapTuple row, TupleDesc desc);
extern EscrowEntry *pool_pin_or_raise(PoolKind *kind, int64 id);
extern void pool_freeze_or_raise(PoolKind *kind, EscrowEntry *entry);
extern uint64 pool_rows_counted(void);
extern void pool_claim_written(EscrowEntry *entry, uint64 counted_before);
extern void pool_run_trigger(const TriggerData *trigger, void (*run)(const TriggerData *trigger));
extern void pool_give_as_expected(bool expected);

extern Datum pool_column(HeapTuple row, TupleDesc desc, const char *column, bool *isnull);
extern bool pool_text_is(Datum value, const char *word);

#endif /* FCFS_POOL_H */
