/*
 * table_insert.c
 *
 * Writes a new row of one of the extension's tables, straight through the
 * executor's simple insert; by a query where others have a say in it
 * (table_writer.c tells when).
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "plan_cache.h"
#include "table.h"
#include "table_writer.h"

/* INSERT INTO fcfs.table (all columns given) VALUES ($1, ...) RETURNING the key. */
static void
prepare_query(TableWriter *writer, const Table *table, Relation relation, const TableRow *row)
{
	StringInfoData columns;
	StringInfoData values;
	MemoryContext caller = MemoryContextSwitchTo(writer->context);
	CachedQuery *query = palloc0(sizeof(CachedQuery));

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		if (!row->given[i])
			continue;
		query->argtypes[query->nargs++] = table->types[i];
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", table->columns[i]);
		appendStringInfo(&values, "%s$%d", values.len > 0 ? ", " : "", query->nargs);
	}
	query->sql = psprintf("INSERT INTO fcfs.%s (%s) VALUES (%s) RETURNING %s", table->name,
						  columns.data, values.data, table->columns[0]);
	writer->insert = query;
	MemoryContextSwitchTo(caller);
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
		table_writer_set(writer, slot, attribute, row->values[i], row->nulls[i]);
	}
	for (int i = 0; i < natts; i++)
	{
		ColumnDefault *column = &writer->defaults[i];
		Datum value = column->value;
		bool isnull = column->isnull;

		if (given[i])
			continue;
		if (column->expression)
			value = ExecEvalExprSwitchContext(column->expression, context, &isnull);
		if (OidIsValid(writer->inputs[i].domain))
			value = table_writer_fit(writer, &writer->inputs[i], value, isnull);
		slot->tts_values[i] = value;
		slot->tts_isnull[i] = isnull;
	}
	ExecStoreVirtualTuple(slot);
}

/* Through the executor's simple insert; the value of the first column. */
static Datum
insert_straight(TableWriter *writer, const Table *table, const TableRow *row)
{
	Datum key;

	fill_slot(writer, table, row);
	ExecSimpleRelationInsert(writer->result, writer->estate, writer->slot);
	key = writer->slot->tts_values[table->attributes[0] - 1];
	table_writer_end(writer);
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
	query_wrote_one(query_write(writer->insert, values, nulls), what);
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
	Relation relation = table_open_to_write(table);
	TableWriter *writer = table_writer_begin(table, relation, TABLE_INSERT);
	Datum key;

	if (writer->inserts)
		key = insert_straight(writer, table, row);
	else
	{
		if (writer->insert == NULL)
			prepare_query(writer, table, relation, row);
		key = insert_by_query(writer, row, what);
	}
	table_close(relation, NoLock);
	return key;
}
