/*
 * table_writer.c
 *
 * Prepares what the executor wants to know of one of the extension's tables, so
 * that its rows are written without a query. A bare INSERT starts the executor,
 * opens all indexes, looks for triggers, and parses the table's CHECK constraints
 * and index predicates anew, for every single row. All that is prepared here once
 * a session (a "writer") and is true until the table changes; the rows then go
 * through the executor's simple insert and update, as those that logical
 * replication applies: defaults, constraints and indexes are kept.
 *
 * The triggers of the extension on such a table count what others write, and its
 * foreign keys refer to what the function has already made sure of; a function
 * that writes straight has done both itself, so they do not fire. Where anything
 * else has a say in it (a trigger, rule, policy or foreign key that an
 * administrator has added, an expression that calls functions which are not
 * built in), the row is written by a query instead, and everything fires.
 *
 * Locks: ROW EXCLUSIVE on the table, which the caller has open, and on its indexes
 * while rows are written. No trigger, rule or constraint comes while they are held.
 *
 * Memory: one context a table under CacheMemoryContext. A writer that an error
 * has left in the middle, or whose table or index has changed, is made anew.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"

#include "compat.h"
#include "table_writer.h"

static TableWriter *writers = NULL;

/* May it be written straight? -------------------------------------------------------- */

static bool
is_not_built_in(Oid function, void *context pg_attribute_unused())
{
	return function >= FirstNormalObjectId;
}

static bool
calls_others(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_not_built_in, context) ||
		   expression_tree_walker(node, calls_others, context);
}

/* Does the table's text of a CHECK constraint call functions of others? They may
 * be replaced without any word of it to the table. */
static bool
checks_call_others(TupleDesc desc)
{
	for (int i = 0; desc->constr && i < desc->constr->num_check; i++)
	{
		if (calls_others(stringToNode(desc->constr->check[i].ccbin), NULL))
			return true;
	}
	return false;
}

static bool
indexes_call_others(const ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		const IndexInfo *index = result->ri_IndexRelationInfo[i];

		if (calls_others((Node *) index->ii_Expressions, NULL) ||
			calls_others((Node *) index->ii_Predicate, NULL))
			return true;
	}
	return false;
}

static bool
is_of_the_extension(const Trigger *trigger)
{
	return getExtensionOfObject(ProcedureRelationId, trigger->tgfoid) ==
		   get_extension_oid("pg_fcfs", true);
}

/* Does a function ensure by itself what a trigger is for, if it writes a new row? */
static bool
is_ensured(const Table *table, const Trigger *trigger)
{
	const char *constraint;

	if (is_of_the_extension(trigger))
		return true;
	if (!OidIsValid(trigger->tgconstraint))
		return false;
	constraint = get_constraint_name(trigger->tgconstraint);
	for (int i = 0; i < TABLE_REFERENCES && table->ensured[i]; i++)
	{
		if (constraint && strcmp(constraint, table->ensured[i]) == 0)
			return true;
	}
	return false;
}

static bool
others_watch_insert(const Table *table, const TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			!is_ensured(table, trigger))
			return true;
	}
	return false;
}

/* Those of foreign keys do not count here, see is_key_column(). */
static bool
others_watch_update(const TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_NONE &&
			!is_of_the_extension(trigger))
			return true;
	}
	return false;
}

/* Is the column part of a foreign key, or of what one could refer to? */
static bool
is_key_column(Relation relation, AttrNumber attribute)
{
	Bitmapset *referenced = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_KEY);
	ListCell *cell;

	if (bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, referenced))
		return true;
	foreach(cell, RelationGetFKeyList(relation))
	{
		const ForeignKeyCacheInfo *key = lfirst(cell);

		for (int i = 0; i < key->nkeys; i++)
		{
			if (key->conkey[i] == attribute)
				return true;
		}
	}
	return false;
}

/* Does the table have columns that we update, and nobody else hears of it? */
static bool
may_update(const Table *table, Relation relation)
{
	bool any = false;

	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		if (table->updated[i] && is_key_column(relation, table->attributes[i]))
			return false;
		any |= table->updated[i];
	}
	return any && !others_watch_update(relation->trigdesc);
}

/* Is it a plain table, of which nothing but constraints has a say? */
static bool
is_plain(Relation relation, const TableWriter *writer)
{
	TupleDesc desc = RelationGetDescr(relation);

	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   relation->rd_rules == NULL && !relation->rd_rel->relrowsecurity &&
		   !(desc->constr && desc->constr->has_generated_stored) && !checks_call_others(desc) &&
		   !indexes_call_others(writer->result);
}

/* Making a writer ---------------------------------------------------------------------- */

/* True if all defaults are built in, and so may be kept. */
static bool
prepare_defaults(TableWriter *writer, Relation relation)
{
	TupleDesc desc = RelationGetDescr(relation);

	writer->defaults = palloc0(sizeof(ColumnDefault) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		ColumnDefault *column = &writer->defaults[i];
		Node *expression =
			TupleDescAttr(desc, i)->attisdropped ? NULL : build_column_default(relation, i + 1);

		column->isnull = true;
		if (expression == NULL)
			continue;
		if (calls_others(expression, NULL))
			return false;
		expression = (Node *) expression_planner((Expr *) expression);
		if (IsA(expression, Const))
		{
			column->value = ((Const *) expression)->constvalue;
			column->isnull = ((Const *) expression)->constisnull;
		}
		else
			column->expression = ExecInitExpr((Expr *) expression, NULL);
	}
	return true;
}

/* What the executor wants to know of a table that it writes. */
static void
prepare_executor(TableWriter *writer, Relation relation)
{
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	TupleDesc desc = CreateTupleDescCopyConstr(RelationGetDescr(relation));

	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(relation);
	entry->relkind = relation->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	writer->estate = CreateExecutorState();
	compat_init_range_table(writer->estate, entry);
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, relation, 1, NULL, 0);
	writer->result->ri_TrigDesc = NULL; /* see above: none is to fire */
	writer->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	writer->found = MakeSingleTupleTableSlot(desc, table_slot_callbacks(relation));
	ExecOpenIndices(writer->result, false);
	writer->index_count = writer->result->ri_NumIndices;
	writer->indexes = palloc(sizeof(Oid) * Max(writer->index_count, 1));
	for (int i = 0; i < writer->index_count; i++)
		writer->indexes[i] = RelationGetRelid(writer->result->ri_IndexRelationDescs[i]);
}

/* What is running, and has come here again by way of a trigger, goes with the session. */
static void
free_writer(TableWriter *writer)
{
	if (writer->insert && writer->insert->running > 0)
		return;
	if (writer->insert && writer->insert->plan)
		SPI_freeplan(writer->insert->plan);
	if (writer->context)
		MemoryContextDelete(writer->context);
}

/* Makes the writer of an open table anew. */
static void
make_writer(const Table *table, TableWriter *writer, Relation relation)
{
	MemoryContext caller = CurrentMemoryContext;
	bool plain;

	free_writer(writer);
	writer->insert = NULL;
	writer->index_count = 0;
	writer->context =
		AllocSetContextCreate(CacheMemoryContext, "pg_fcfs table", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(writer->context);
	writer->table = RelationGetRelid(relation);
	writer->stale = false; /* before we look: what changes from here on makes it stale */
	prepare_executor(writer, relation);
	plain = is_plain(relation, writer);
	writer->inserts = prepare_defaults(writer, relation) && plain &&
					  !others_watch_insert(table, relation->trigdesc);
	writer->updates = plain && may_update(table, relation);
	ExecCloseIndices(writer->result);
	MemoryContextSwitchTo(caller);
}

/* A table or an index has changed (InvalidOid: any may have). */
void
table_writers_forget(Oid relation)
{
	for (TableWriter *writer = writers; writer; writer = writer->next)
	{
		bool concerned = relation == InvalidOid || relation == writer->table;

		for (int i = 0; i < writer->index_count && !concerned; i++)
			concerned = relation == writer->indexes[i];
		if (concerned)
			writer->stale = true;
	}
}

/* Using a writer ------------------------------------------------------------------------- */

/* The writer of a table that is open, true as far as is known. */
static TableWriter *
find_writer(Table *table, Relation relation)
{
	TableWriter *writer = table->writer;

	if (writer == NULL)
	{
		writer = MemoryContextAllocZero(TopMemoryContext, sizeof(TableWriter));
		writer->stale = true;
		writer->next = writers;
		table->writer = writers = writer;
	}
	while (writer->stale || writer->writing)
	{
		writer->stale = writer->writing = true;
		make_writer(table, writer, relation);
		writer->writing = false;
	}
	return writer;
}

/* Opens a table, for its rows to be written. */
Relation
table_open_to_write(Table *table)
{
	Relation relation;

	table_resolve(table);
	relation = table_open(table->oid, RowExclusiveLock);
	table_resolve(table); /* now that it does not change any more */
	return relation;
}

/* Does INSERT into a table need no query? It stays so to the end of the transaction. */
bool
table_inserts_straight(Table *table)
{
	Relation relation = table_open_to_write(table);
	bool inserts = find_writer(table, relation)->inserts;

	table_close(relation, NoLock);
	return inserts;
}

/*
 * The writer of a table that is open. It is ready to write, to the call of
 * table_writer_end(), unless that needs a query.
 */
TableWriter *
table_writer_begin(Table *table, Relation relation, TableWriting kind)
{
	TableWriter *writer;

	do
	{
		writer = find_writer(table, relation);
		if (!(kind == TABLE_INSERT ? writer->inserts : writer->updates))
			return writer;
		/* To lock them may bring word that something has changed. */
		for (int i = 0; i < writer->index_count; i++)
			LockRelationOid(writer->indexes[i], RowExclusiveLock);
	} while (writer->stale);
	writer->writing = true;
	writer->result->ri_RelationDesc = relation;
	for (int i = 0; i < writer->index_count; i++)
		writer->result->ri_IndexRelationDescs[i] = index_open(writer->indexes[i], NoLock);
	ResetPerTupleExprContext(writer->estate);
	return writer;
}

void
table_writer_end(TableWriter *writer)
{
	Assert(writer->writing);
	ExecClearTuple(writer->slot);
	ExecClearTuple(writer->found);
	ExecCloseIndices(writer->result);
	writer->writing = false;
}
