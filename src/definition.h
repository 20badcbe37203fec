/*
 * definition.h
 *
 * What the rules need of a pool's definition, read once and kept for as long as
 * it is true.
 */
#ifndef FCFS_DEFINITION_H
#define FCFS_DEFINITION_H

#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/snapshot.h"

#include "escrow.h"
#include "table.h"

#define DEFINITION_TABLES 6

/*
 * The definitions of one kind of pool, each a struct that the kind knows. In a
 * PoolKind, .definition names the columns of the pool's own row that are in it.
 */
typedef struct DefinitionKind
{
	/* All that load reads. Of those that are not the pool's own, the trigger
	 * definition_changed tells what is written. */
	Table *tables[DEFINITION_TABLES];
	Size size; /* of the struct, which is all zeroes before load */
	/* Reads one with this snapshot; values not passed by value are copied by
	 * definition_copy(). False if there is no such pool. */
	bool (*load)(void *definition, int64 id, Snapshot snapshot, MemoryContext context);

	/* of definition.c */
	MemoryContext context;
	HTAB *entries;              /* in that context */
	uint64 generation;          /* when the context was made */
	LocalTransactionId used_in; /* the transaction that was last given any */
	bool listed;
	struct DefinitionKind *next;
} DefinitionKind;

extern void definition_init(void);
extern const void *definition_get(DefinitionKind *kind, EscrowEntry *entry, int64 id);
extern Datum definition_copy(Datum value, MemoryContext context);

#endif /* FCFS_DEFINITION_H */
