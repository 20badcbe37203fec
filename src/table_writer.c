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
 * built in, or which may look at settings), the row is written by a query instead,
 * and everything fires.
 *
 * Locks: ROW EXCLUSIVE on the table, which the caller has open, and on its indexes,
 * all to the end of the transaction. No trigger, rule or constraint comes meanwhile.
 *
 * Memory: one context a table under CacheMemoryContext. A writer that an error
 * has left in the middle, or whose table or index has changed, is made anew.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "table_others.h"
#include "table_writer.h"

static TableWriter *writers = NULL;

/* Making a writer ---------------------------------------------------------------------- */

/* How values get into a column; false if others have a say in that. */
static bool
prepare_input(TableWriter *writer, ColumnInput *input, Form_pg_attribute column)
{
	Oid function;
	Oid type;
	DomainConstraintRef *domain;
	ListCell *cell;

	input->modifier = column->atttypmod;
	type = getBaseTypeAndTypmod(column->atttypid, &input->modifier);
	if (input->modifier >= 0 &&
		find_typmod_coercion_function(type, &function) != COERCION_PATH_NONE)
	{
		if (others_own(function, NULL))
			return false;
		fmgr_info_cxt(function, &input->length, writer->context);
		input->needed = true;
	}
	if (type == column->atttypid)
		return true;
	input->domain = column->atttypid;
	writer->domains = true;
	/* What is given for one of ours comes from a column of the same domain. */
	if (getExtensionOfObject(TypeRelationId, input->domain) != get_extension_oid("pg_fcfs", true))
		input->needed = true;
	domain = MemoryContextAlloc(writer->context, sizeof(DomainConstraintRef));
	InitDomainConstraintRef(input->domain, domain, writer->context, false);
	foreach(cell, domain->constraints)
	{
		if (others_are_called((Node *) ((DomainConstraintState *) lfirst(cell))->check_expr))
			return false;
	}
	return column->atthasdef || get_typdefault(column->atttypid) == NULL;
}

static bool
prepare_inputs(TableWriter *writer, Relation relation)
{
	TupleDesc desc = RelationGetDescr(relation);
	bool known = true;

	writer->inputs = palloc0(sizeof(ColumnInput) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!column->attisdropped)
			known =
				known && !column->attgenerated && prepare_input(writer, &writer->inputs[i], column);
	}
	return known;
}

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
		/* Values of domains are looked at in any case. */
		while (IsA(expression, CoerceToDomain))
			expression = (Node *) ((CoerceToDomain *) expression)->arg;
		if (others_are_called(expression))
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
	writer->indexes = palloc(sizeof(Oid) * Max(writer->result->ri_NumIndices, 1));
	writer->index_count = writer->result->ri_NumIndices;
	for (int i = 0; i < writer->index_count; i++)
		writer->indexes[i] = RelationGetRelid(writer->result->ri_IndexRelationDescs[i]);
}

/* What is running, and has come here again by way of a trigger, goes with the session. */
static void
free_writer(TableWriter *writer)
{
	MemoryContext context = writer->context;
	SPIPlanPtr plan = writer->insert ? writer->insert->plan : NULL;
	bool running = writer->insert && writer->insert->running > 0;

	writer->context = NULL;
	writer->insert = NULL;
	writer->index_count = 0;
	writer->domains = false;
	if (running)
		return;
	if (plan)
		SPI_freeplan(plan);
	if (context)
		MemoryContextDelete(context);
}

/* Makes the writer of an open table anew. */
static void
make_writer(const Table *table, TableWriter *writer, Relation relation)
{
	MemoryContext caller = CurrentMemoryContext;
	bool plain;

	free_writer(writer);
	writer->context =
		AllocSetContextCreate(CacheMemoryContext, "pg_fcfs table", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(writer->context);
	writer->table = RelationGetRelid(relation);
	writer->user = GetUserId();
	writer->stale = false; /* before we look: what changes from here on makes it stale */
	prepare_executor(writer, relation);
	plain = prepare_inputs(writer, relation) && others_leave_alone(relation, writer->result);
	writer->inserts =
		prepare_defaults(writer, relation) && plain && !others_watch_insert(table, relation);
	writer->updates = plain && others_let_update(table, relation);
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

/* A constraint has changed, maybe one of a domain: that is not told to tables. */
static void
constraint_changed(Datum arg pg_attribute_unused(), int cache pg_attribute_unused(),
				   uint32 hash pg_attribute_unused())
{
	for (TableWriter *writer = writers; writer; writer = writer->next)
		writer->stale |= writer->domains;
}

void
table_writers_init(void)
{
	CacheRegisterSyscacheCallback(CONSTROID, constraint_changed, (Datum) 0);
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
	while (writer->stale || writer->writing || writer->user != GetUserId())
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

/* Makes a value fit its column, or raises why it does not. */
Datum
table_writer_fit(TableWriter *writer, ColumnInput *input, Datum value, bool isnull)
{
	if (OidIsValid(input->length.fn_oid) && !isnull)
		value = FunctionCall3(&input->length, value, Int32GetDatum(input->modifier),
							  BoolGetDatum(false));
	if (OidIsValid(input->domain))
		domain_check(value, isnull, input->domain, &input->domain_state, writer->context);
	return value;
}

void
table_writer_end(TableWriter *writer)
{
	Assert(writer->writing);
	ExecClearTuple(writer->slot);
	ExecClearTuple(writer->found);
	for (int i = 0; i < writer->index_count; i++)
		compat_close_written_index(writer->result, i);
	writer->writing = false;
}
