/*
 * pool.c
 *
 * Between the tables and the escrow: loads a pool by counting its claims, and
 * takes units for functions, which prepay them for the row they write next.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "escrow_shmem.h"
#include "pool.h"

/* In lock order. */
static PoolKind *const kinds[] = {&section_pool,  &item_pool,           &coupon_pool,
								  &waitlist_pool, &reserved_seats_pool, &cross_list_pool};

/* Kinds ------------------------------------------------------------------------- */

/* The place after that of a kind; the first after none. */
static int
pool_kind_after(const PoolKind *previous)
{
	int next = 0;

	while (previous && kinds[next++] != previous)
		Assert(next < (int) lengthof(kinds));
	return next;
}

/* All kinds in turn: NULL, first, ..., last, NULL. */
PoolKind *
pool_kinds_next(PoolKind *previous)
{
	int next = pool_kind_after(previous);

	return next < (int) lengthof(kinds) ? kinds[next] : NULL;
}

/*
 * The tables have other oids after DROP EXTENSION and CREATE EXTENSION. The old
 * ones stay until they are asked for anew: whoever runs now has them in use.
 */
static void
pool_forget_tables(Datum arg pg_attribute_unused(), Oid relation)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		EscrowKind *escrow = &kinds[i]->escrow;

		if (relation == InvalidOid || relation == escrow->pool_table ||
			relation == escrow->claim_table || relation == escrow->oid)
			kinds[i]->resolved = false;
	}
}

static EscrowLoad
pool_load(const EscrowKind *escrow, int64 id, EscrowBalance *balance)
{
	PoolKind *kind = (PoolKind *) escrow;
	Datum argument = Int64GetDatum(id);
	EscrowLoad result = ESCROW_LOAD_COMMITTED;

	StaticAssertStmt(offsetof(PoolKind, escrow) == 0, "an EscrowKind is the start of a PoolKind");
	SPI_connect();
	if (query_read_committed_by_others(&kind->load, &argument, 1) == 0)
	{
		result = ESCROW_LOAD_OWN;
		if (query_read(&kind->load, &argument, NULL, 1) == 0)
			result = ESCROW_LOAD_NONE;
	}
	if (result != ESCROW_LOAD_NONE)
	{
		balance->capacity = query_int64(0, 1, ESCROW_UNLIMITED);
		balance->claimed = query_int64(0, 2, 0);
		balance->arrival = query_int64(0, 3, 0);
	}
	/* Claims on a pool that only we see are ours: their triggers count them. */
	if (result == ESCROW_LOAD_OWN)
		balance->claimed = 0;
	SPI_finish();
	return result;
}

/* Finds the tables of a kind. */
void
pool_resolve(PoolKind *kind)
{
	Oid schema;

	if (kind->resolved)
		return;
	schema = get_namespace_oid("fcfs", false);
	kind->escrow.pool_table = get_relname_relid(kind->pool_table, schema);
	kind->escrow.claim_table = get_relname_relid(kind->claim_table, schema);
	kind->escrow.oid =
		kind->known_by ? get_relname_relid(kind->known_by, schema) : kind->escrow.pool_table;
	if (!OidIsValid(kind->escrow.oid) || !OidIsValid(kind->escrow.pool_table) ||
		!OidIsValid(kind->escrow.claim_table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table fcfs.%s or fcfs.%s does not exist",
														  kind->pool_table, kind->claim_table)));
	for (int i = 0; i < POOL_CLAIM_COLUMNS; i++)
	{
		if (kind->claim_columns[i])
			kind->claim_attributes[i] =
				get_attnum(kind->escrow.claim_table, kind->claim_columns[i]);
	}
	kind->resolved = true;
}

/* The kinds that a table of pools, or one of claims, is of, in lock order: NULL, first,
 * ..., last, NULL. */
PoolKind *
pool_kinds_of(Oid relation, bool claims, PoolKind *previous)
{
	for (int i = pool_kind_after(previous); i < (int) lengthof(kinds); i++)
	{
		pool_resolve(kinds[i]);
		if (relation == (claims ? kinds[i]->escrow.claim_table : kinds[i]->escrow.pool_table))
			return kinds[i];
	}
	return NULL;
}

/* Is it a table of pools, or of claims? Else our trigger has nothing to look for there. */
void
pool_check_table(Oid relation, bool claims)
{
	if (pool_kinds_of(relation, claims, NULL) == NULL)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("table \"%s\" is not one of %s", get_rel_name(relation),
							   claims ? "claims" : "pools")));
}

/* Is it a table of pools? */
bool
pool_is_of_pools(Oid relation)
{
	return pool_kinds_of(relation, false, NULL) != NULL;
}

void
pool_init(void)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		Assert(i == 0 || kinds[i - 1]->escrow.lock_class < kinds[i]->escrow.lock_class);
		kinds[i]->escrow.load = pool_load;
	}
	CacheRegisterRelcacheCallback(pool_forget_tables, (Datum) 0);
}

/* For functions --------------------------------------------------------------------- */

/* What an answer of the escrow is called. */
RefusalCode
pool_refusal(const PoolKind *kind, EscrowAnswer answer)
{
	switch (answer)
	{
		case ESCROW_OK:
			return REFUSAL_NONE;
		case ESCROW_NO_POOL:
			return kind->not_found;
		case ESCROW_NOT_ENOUGH:
			return kind->sold_out;
		case ESCROW_CROWDED:
			return REFUSAL_TOO_MANY_WAITERS;
		case ESCROW_TIMED_OUT:
			break;
	}
	return REFUSAL_LOCK_TIMEOUT;
}

/* Pins a pool: from here on its definition does not change under us. */
RefusalCode
pool_pin(PoolKind *kind, int64 id, EscrowEntry **entry)
{
	pool_resolve(kind);
	return pool_refusal(kind, escrow_pin(&kind->escrow, id, entry));
}

/*
 * The facts of a pool's definition, from the slot as long as they are true.
 * False if the pool, although pinned, is gone: we have deleted it ourselves.
 */
bool
pool_facts(PoolKind *kind, EscrowEntry *entry, int64 id, EscrowFacts *facts)
{
	Datum argument = Int64GetDatum(id);
	uint64 version;
	bool own = escrow_facts_are_own(entry);
	bool found;

	if (escrow_facts(entry, facts, &version))
		return true;
	SPI_connect();
	/* What is kept for everybody must be committed: a statement of ours may have
	 * changed the row and not told the trigger yet. */
	found = (own ? query_read(&kind->facts, &argument, NULL, 1)
				 : query_read_committed_by_others(&kind->facts, &argument, 1)) > 0;
	for (int i = 0; found && i < Min(ESCROW_FACTS, SPI_tuptable->tupdesc->natts); i++)
	{
		bool isnull;

		Assert(TupleDescAttr(SPI_tuptable->tupdesc, i)->attbyval);
		facts->values[i] = query_value(0, i + 1, &isnull);
	}
	SPI_finish();
	if (found && !own)
		escrow_facts_keep(entry, facts, version);
	return found;
}

/*
 * Waits for the turn in a pinned pool with strict order: it is the caller's to the end
 * of the transaction. Without shared memory it has been since it was pinned.
 */
RefusalCode
pool_wait_turn(const PoolKind *kind, int64 id)
{
	if (!escrow_shared())
		return REFUSAL_NONE;
	switch (lock_acquire((LockName){kind->escrow.lock_class, id}, ExclusiveLock))
	{
		case LOCK_GRANTED:
			return REFUSAL_NONE;
		case LOCK_CROWDED:
			return REFUSAL_TOO_MANY_WAITERS;
		case LOCK_TIMED_OUT:
			break;
	}
	return REFUSAL_LOCK_TIMEOUT;
}

/*
 * Takes units for a row that the caller writes next. With strict_order the
 * pool is the caller's to the end of the transaction.
 */
RefusalCode
pool_claim(PoolKind *kind, EscrowEntry *entry, int64 id, bool strict_order, int64 units,
		   int64 *arrival)
{
	EscrowAnswer answer;

	if (strict_order)
	{
		RefusalCode refused = pool_wait_turn(kind, id);

		if (refused != REFUSAL_NONE)
			return refused;
	}
	answer = escrow_take(entry, units, arrival);
	if (answer == ESCROW_OK)
		escrow_prepay(entry, units);
	return pool_refusal(kind, answer);
}

/* For whoever reads rows ------------------------------------------------------------- */

/* A column by its name; the row must have it. */
Datum
pool_column(HeapTuple row, TupleDesc desc, const char *column, bool *isnull)
{
	int attribute = SPI_fnumber(desc, column);

	if (attribute <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" does not exist", column)));
	return heap_getattr(row, attribute, desc, isnull);
}

int64
pool_row_id(HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return DatumGetInt64(pool_column(row, desc, "id", &isnull));
}

bool
pool_text_is(Datum value, const char *word)
{
	text *string = DatumGetTextPP(value);
	size_t length = strlen(word);

	return VARSIZE_ANY_EXHDR(string) == length && memcmp(VARDATA_ANY(string), word, length) == 0;
}
