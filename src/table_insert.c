/*
 * table_insert.c
 *
 * Writes a row of one of the extension's tables. A bare INSERT starts the
 * executor, opens all indexes, looks for triggers, and parses the table's CHECK
 * constraints and index predicates anew, for every single row. All that is
 * prepared here once a session (a "writer") and is true until the table changes;
 * the row then goes through the executor's simple insert, as those that logical
 * replication applies: defaults, constraints and indexes are kept.
 *
 * The triggers of the extension on such a table count what others write, and its
 * foreign keys refer to what the function has already made sure of; a function
 * that writes straight has done both itself, so they do not fire. Where anything
 * else has a say in an INSERT (a trigger, rule, policy or foreign key that an
 * administrator has added, an expression that calls functions which are not
 * built in), the row is written by a query instead, and everything fires.
 *
 * Memory: one context a table under CacheMemoryContext. A writer that an error
 * has left in the middle, or whose table or index has changed, is made anew.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
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
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "plan_cache.h"
#include "table.h"

/* What a column gets that is not given. */
typedef struct ColumnDefault
{
	ExprState *expression; /* NULL: the value below */
	Datum value;
	bool isnull;
} ColumnDefault;

typedef struct TableWriter
{
	MemoryContext context; /* everything here lives in it */
	bool stale;            /* not to be used any more */
	bool writing;          /* still set at the next use: an error came between */
	bool straight;         /* no need for a query */
	Oid table;
	EState *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	ColumnDefault *defaults; /* by attribute */
	int index_count;
	Oid *indexes;

	CachedQuery *query; /* if it is not straight */
	struct TableWriter *next;
} TableWriter;

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

/* Does a function ensure by itself what the trigger is for? */
static bool
is_ensured(const Table *table, const Trigger *trigger)
{
	const char *constraint;

	if (getExtensionOfObject(ProcedureRelationId, trigger->tgfoid) ==
		get_extension_oid("pg_fcfs", true))
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
others_watch(const Table *table, const TriggerDesc *triggers)
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

static bool
may_be_straight(const Table *table, Relation relation, const TableWriter *writer)
{
	TupleDesc desc = RelationGetDescr(relation);

	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   !relation->rd_rel->relhasrules && !relation->rd_rel->relrowsecurity &&
		   !(desc->constr && desc->constr->has_generated_stored) &&
		   !others_watch(table, relation->trigdesc) && !checks_call_others(desc) &&
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
	ExecInitRangeTable(writer->estate, list_make1(entry));
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, relation, 1, NULL, 0);
	writer->result->ri_TrigDesc = NULL; /* see above: none is to fire */
	writer->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	ExecOpenIndices(writer->result, false);
	writer->index_count = writer->result->ri_NumIndices;
	writer->indexes = palloc(sizeof(Oid) * Max(writer->index_count, 1));
	for (int i = 0; i < writer->index_count; i++)
		writer->indexes[i] = RelationGetRelid(writer->result->ri_IndexRelationDescs[i]);
}

/* INSERT INTO fcfs.table (all columns given) VALUES ($1, ...) RETURNING the key. */
static void
prepare_query(TableWriter *writer, const Table *table, Relation relation, const TableRow *row)
{
	StringInfoData columns;
	StringInfoData values;
	CachedQuery *query = palloc0(sizeof(CachedQuery));

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		Form_pg_attribute attribute =
			TupleDescAttr(RelationGetDescr(relation), table->attributes[i] - 1);

		if (!row->given[i])
			continue;
		query->argtypes[query->nargs++] = getBaseType(attribute->atttypid);
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", table->columns[i]);
		appendStringInfo(&values, "%s$%d", values.len > 0 ? ", " : "", query->nargs);
	}
	writer->query = query;
	query->sql = psprintf("INSERT INTO fcfs.%s (%s) VALUES (%s) RETURNING %s", table->name,
						  columns.data, values.data, table->columns[0]);
}

/* What is running, and has come here again by way of a trigger, goes with the session. */
static void
free_writer(TableWriter *writer)
{
	if (writer->query && writer->query->running > 0)
		return;
	if (writer->query && writer->query->plan)
		SPI_freeplan(writer->query->plan);
	if (writer->context)
		MemoryContextDelete(writer->context);
}

/* Makes the writer of an open table anew. */
static void
make_writer(Table *table, TableWriter *writer, Relation relation, const TableRow *row)
{
	MemoryContext caller = CurrentMemoryContext;

	free_writer(writer);
	writer->query = NULL;
	writer->index_count = 0;
	writer->context =
		AllocSetContextCreate(CacheMemoryContext, "pg_fcfs table", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(writer->context);
	writer->table = RelationGetRelid(relation);
	writer->stale = false; /* before we look: what changes from here on makes it stale */
	prepare_executor(writer, relation);
	writer->straight =
		prepare_defaults(writer, relation) && may_be_straight(table, relation, writer);
	if (!writer->straight)
		prepare_query(writer, table, relation, row);
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

/* Writing --------------------------------------------------------------------------------- */

/* The writer of a table that is open, with its indexes locked if it needs them. */
static TableWriter *
find_writer(Table *table, Relation relation, const TableRow *row)
{
	TableWriter *writer = table->writer;

	if (writer == NULL)
	{
		writer = MemoryContextAllocZero(TopMemoryContext, sizeof(TableWriter));
		writer->stale = true;
		writer->next = writers;
		table->writer = writers = writer;
	}
	do
	{
		if (writer->stale || writer->writing)
		{
			writer->stale = writer->writing = true;
			make_writer(table, writer, relation, row);
			writer->writing = false;
		}
		/* To lock them may bring word that something has changed. */
		for (int i = 0; i < writer->index_count && writer->straight; i++)
			LockRelationOid(writer->indexes[i], RowExclusiveLock);
	} while (writer->stale);
	return writer;
}

/* Puts the row into the writer's slot. */
static void
fill_slot(TableWriter *writer, const Table *table, const TableRow *row)
{
	TupleTableSlot *slot = ExecClearTuple(writer->slot);
	ExprContext *context = GetPerTupleExprContext(writer->estate);
	int natts = slot->tts_tupleDescriptor->natts;
	bool given[MaxHeapAttributeNumber];

	memset(given, 0, natts);
	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		int attribute = table->attributes[i] - 1;

		if (!row->given[i])
			continue;
		given[attribute] = true;
		slot->tts_values[attribute] = row->values[i];
		slot->tts_isnull[attribute] = row->nulls[i];
	}
	for (int i = 0; i < natts; i++)
	{
		ColumnDefault *column = &writer->defaults[i];

		if (given[i])
			continue;
		if (column->expression)
			slot->tts_values[i] =
				ExecEvalExprSwitchContext(column->expression, context, &slot->tts_isnull[i]);
		else
		{
			slot->tts_values[i] = column->value;
			slot->tts_isnull[i] = column->isnull;
		}
	}
	ExecStoreVirtualTuple(slot);
}

/* Through the executor's simple insert; the value of the first column. */
static Datum
insert_straight(TableWriter *writer, const Table *table, Relation relation, const TableRow *row)
{
	Datum key;

	writer->writing = true;
	writer->result->ri_RelationDesc = relation;
	for (int i = 0; i < writer->index_count; i++)
		writer->result->ri_IndexRelationDescs[i] = index_open(writer->indexes[i], NoLock);
	ResetPerTupleExprContext(writer->estate);
	fill_slot(writer, table, row);
	ExecSimpleRelationInsert(writer->result, writer->estate, writer->slot);
	key = writer->slot->tts_values[table->attributes[0] - 1];
	ExecClearTuple(writer->slot);
	ExecCloseIndices(writer->result);
	writer->writing = false;
	return key;
}

/* By a query, which everything else that has a say in it hears of. */
static Datum
insert_by_query(TableWriter *writer, const TableRow *row, const char *what)
{
	Datum values[QUERY_MAX_ARGS];
	char nulls[QUERY_MAX_ARGS];
	int count = 0;
	bool isnull;

	for (int i = 0; i < TABLE_COLUMNS; i++)
	{
		if (!row->given[i])
			continue;
		values[count] = row->values[i];
		nulls[count++] = row->nulls[i] ? 'n' : ' ';
	}
	query_wrote_one(query_write(writer->query, values, nulls), what);
	return query_value(0, 1, &isnull);
}

/*
 * Writes a row, and returns the value of the table's first column, which must be
 * passed by value if it is wanted. Every row of a table must give the same columns.
 * The caller has made sure of everything the extension's triggers and the ensured
 * foreign keys would; what, a word, tells the row in errors.
 */
Datum
table_insert(Table *table, const TableRow *row, const char *what)
{
	Relation relation;
	TableWriter *writer;
	Datum key;

	table_resolve(table);
	relation = table_open(table->oid, RowExclusiveLock);
	table_resolve(table); /* now that it does not change any more */
	writer = find_writer(table, relation, row);
	key = writer->straight ? insert_straight(writer, table, relation, row)
						   : insert_by_query(writer, row, what);
	table_close(relation, NoLock);
	return key;
}
