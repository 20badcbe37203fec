/*
 * definition.c
 *
 * What a session keeps of the definitions of pools: of a section, for example,
 * what the rules need of its own row and of its term and course.
 *
 * A pool's own row: whoever asks has the pool pinned, and its slot has a version
 * that no other load of any pool ever has or had, and that the end of a
 * transaction which changed the row replaces. So an entry of the same version is
 * of the same pool and row.
 *
 * Rows that the pool's refers to are nobody's pool. Before a statement writes
 * them, a trigger has the server tell all sessions, at commit, that the table has
 * changed; that raises the generation here, and an entry counts only in the
 * generation which it was begun in.
 *
 * Kept is only what others have committed: a transaction that changes something of
 * it looks at the tables each time, and keeps nothing.
 *
 * Accepted: a change that commits while a call is being judged may or may not be
 * seen by it. At SERIALIZABLE, what is kept is read without a predicate lock.
 *
 * Memory: a context a kind under TopMemoryContext. One that has grown too large, or
 * in which nothing is true any more, is replaced; where callers may have pointers
 * into the old one, it stays to the end of the transaction. No locks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "definition.h"
#include "plan_cache.h"
#include "pool.h"
#include "test_point.h"
#include "trigger.h"

/* A kind keeps no more than about that many bytes: 5,000 sections and more. */
#define DEFINITION_MEMORY (4 * 1024 * 1024)

typedef struct KeptDefinition
{
	int64 id;
	uint64 version;             /* of the pool's row, see escrow_facts_version() */
	uint64 generation;          /* of what it refers to */
	LocalTransactionId kept_in; /* the transaction that read it */
	void *definition;
} KeptDefinition;

static DefinitionKind *kinds = NULL;
static uint64 generation = 1;

/* The transaction of ours that last wrote rows which definitions are made of. */
static LocalTransactionId changed_in = InvalidLocalTransactionId;

/* Runs wherever messages are taken in: only counts. */
static void
definition_forget(Datum arg pg_attribute_unused(), Oid relation)
{
	for (DefinitionKind *kind = kinds; kind; kind = kind->next)
	{
		for (int i = 0; i < DEFINITION_TABLES && kind->tables[i]; i++)
		{
			if (relation == InvalidOid || relation == kind->tables[i]->oid)
				generation++;
		}
	}
}

/* From now on messages about the tables of the kind are heard. */
static void
list_kind(DefinitionKind *kind)
{
	for (int i = 0; i < DEFINITION_TABLES && kind->tables[i]; i++)
		table_resolve(kind->tables[i]);
	if (kind->listed)
		return;
	kind->listed = true;
	kind->next = kinds;
	kinds = kind;
}

/* Is it time to begin anew? Not while callers use what is merely untrue. */
static bool
is_worn_out(const DefinitionKind *kind)
{
	if (kind->context == NULL || MemoryContextMemAllocated(kind->context, true) > DEFINITION_MEMORY)
		return true;
	return kind->generation != generation && kind->used_in != compat_my_lxid();
}

/* Makes room for one more. */
static void
make_room(DefinitionKind *kind)
{
	HASHCTL info = {.keysize = sizeof(int64), .entrysize = sizeof(KeptDefinition)};
	MemoryContext old = kind->context;
	MemoryContext context;
	HTAB *entries;

	if (!is_worn_out(kind))
		return;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "pg_fcfs definitions", 0, 8 * 1024, 64 * 1024);
	info.hcxt = context;
	entries = hash_create("pg_fcfs definitions", 256, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContextSetParent(context, TopMemoryContext);
	kind->context = context;
	kind->entries = entries;
	kind->generation = generation;
	if (old && kind->used_in == compat_my_lxid())
		MemoryContextSetParent(old, TopTransactionContext);
	else if (old)
		MemoryContextDelete(old);
}

/* As the tables are with that snapshot; NULL if there is no such pool. */
static void *
read_definition(DefinitionKind *kind, int64 id, Snapshot snapshot, MemoryContext context)
{
	void *definition = MemoryContextAllocZero(context, kind->size);
	bool found = kind->load(definition, id, snapshot, context);

	UnregisterSnapshot(snapshot);
	return found ? definition : NULL;
}

/* For this call alone. */
static void *
read_own(DefinitionKind *kind, int64 id)
{
	return read_definition(kind, id, table_newest(), CurrentMemoryContext);
}

/*
 * Reads what others have committed, and keeps it. What was seen of version and
 * generation before it was read may be over by the time it is: then it is true of
 * this call, and of no other. One that is over again in the transaction that read
 * it is not kept a second time, so that a transaction which goes on for ever does
 * not grow.
 */
static void *
read_committed(DefinitionKind *kind, EscrowEntry *entry, int64 id)
{
	KeptDefinition *kept;
	KeptDefinition seen = {.id = id, .kept_in = compat_my_lxid()};
	Snapshot snapshot;
	bool keep;

	make_room(kind);
	kept = hash_search(kind->entries, &id, HASH_FIND, NULL);
	keep = kept == NULL || kept->kept_in != seen.kept_in;
	list_kind(kind);
	seen.version = escrow_facts_version(entry);
	seen.generation = generation;
	snapshot = query_newest_of_others();
	TEST_POINT("defined");
	seen.definition =
		read_definition(kind, id, snapshot, keep ? kind->context : CurrentMemoryContext);
	if (seen.definition && keep)
	{
		kept = hash_search(kind->entries, &id, HASH_ENTER, NULL);
		*kept = seen;
	}
	return seen.definition;
}

/*
 * The definition of a pool that is pinned, true now; to be used in the call that
 * asked. NULL if there is none any more: we have deleted it ourselves.
 */
const void *
definition_get(DefinitionKind *kind, EscrowEntry *entry, int64 id)
{
	KeptDefinition *kept = NULL;
	void *definition;

	if (escrow_facts_are_own(entry) || changed_in == compat_my_lxid())
		return read_own(kind, id);
	/* Nobody takes them in for us as long as we have all locks already. */
	AcceptInvalidationMessages();
	if (kind->entries)
		kept = hash_search(kind->entries, &id, HASH_FIND, NULL);
	if (kept && kept->generation == generation && kept->version == escrow_facts_version(entry))
	{
		kind->used_in = compat_my_lxid();
		return kept->definition;
	}
	definition = read_committed(kind, entry, id);
	kind->used_in = compat_my_lxid();
	return definition ? definition : read_own(kind, id);
}

/* A value of variable length, unpacked, for a definition. */
Datum
definition_copy(Datum value, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	struct varlena *copy = PG_DETOAST_DATUM_COPY(value);

	MemoryContextSwitchTo(caller);
	return PointerGetDatum(copy);
}

PG_FUNCTION_INFO_V1(fcfs_definition_changed);

/*
 * BEFORE STATEMENT trigger of pools and of the tables that they refer to, or that
 * refer to those, with the name of the table. What a statement does as it goes is so
 * known to be ours; others hear of it once it is committed, of a pool by its slot.
 */
Datum
fcfs_definition_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_BEFORE, ~0, "a BEFORE STATEMENT");

	trigger_check_table(trigger,
						trigger->tg_trigger->tgnargs == 1 ? trigger->tg_trigger->tgargs[0] : "");
	changed_in = compat_my_lxid();
	if (!pool_is_of_pools(RelationGetRelid(trigger->tg_relation)))
		CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}

void
definition_init(void)
{
	CacheRegisterRelcacheCallback(definition_forget, (Datum) 0);
}
