/*
 * table.c
 *
 * Reads the extension's own tables through an index, as the system catalogues
 * are read: no parser, no plan, no executor. For what every call looks at; all
 * else is a query (plan_cache.c).
 *
 * Oids and column numbers are looked up by name and kept until the server says
 * that the table has changed. Where an administrator has dropped an index, the
 * table is read from beginning to end: slow, and still right.
 *
 * Locks: those of the table, as a query keeps it, and of the index are kept to the
 * end of the transaction: most transactions are one call, and to release a lock
 * before costs more than to have it released.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "table.h"

static Table *resolved_tables = NULL;

/* What was looked up may be another by now. Runs wherever messages are taken in:
 * who uses a table has it locked, so what is forgotten here is not in use. */
static void
table_forget(Datum arg pg_attribute_unused(), Oid relation)
{
	for (Table *table = resolved_tables; table; table = table->next)
	{
		if (relation == InvalidOid || relation == table->oid)
			table->resolved = false;
	}
	table_writers_forget(relation);
}

static void
resolve_columns(Table *table)
{
	for (int i = 0; i < TABLE_COLUMNS && table->columns[i]; i++)
	{
		table->attributes[i] = get_attnum(table->oid, table->columns[i]);
		if (table->attributes[i] == InvalidAttrNumber)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of table fcfs.%s does not exist",
								   table->columns[i], table->name)));
		if (getBaseType(get_atttype(table->oid, table->attributes[i])) != table->types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of table fcfs.%s must be of type %s", table->columns[i],
							table->name, format_type_be(table->types[i]))));
	}
}

/* Finds the table, its columns and its indexes, unless they are known. */
void
table_resolve(Table *table)
{
	Oid schema;

	if (table->resolved)
		return;
	schema = get_namespace_oid("fcfs", false);
	table->oid = get_relname_relid(table->name, schema);
	if (!OidIsValid(table->oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table fcfs.%s does not exist", table->name)));
	resolve_columns(table);
	for (int i = 0; i < TABLE_INDEXES && table->indexes[i]; i++)
		table->index_oids[i] = get_relname_relid(table->indexes[i], schema);
	if (!table->listed)
	{
		table->listed = true;
		table->next = resolved_tables;
		resolved_tables = table;
	}
	table->resolved = true;
}

/*
 * The newest snapshot, with all that this transaction has done so far; to be
 * unregistered. Rules are judged on what is true after the locks are taken,
 * whatever snapshot the caller's transaction has.
 */
Snapshot
table_newest(void)
{
	CommandCounterIncrement();
	return RegisterSnapshot(GetLatestSnapshot());
}

static void
init_key(ScanKey key, TupleDesc desc, AttrNumber attribute, Datum value)
{
	Form_pg_attribute column = TupleDescAttr(desc, attribute - 1);

	Assert(column->atttypid == INT8OID || column->atttypid == TEXTOID);
	ScanKeyEntryInitialize(key, 0, attribute, BTEqualStrategyNumber, InvalidOid,
						   column->attcollation, column->atttypid == TEXTOID ? F_TEXTEQ : F_INT8EQ,
						   value);
}

/* Begins to read the rows with these keys, bigint or text, in the first columns
 * of an index. */
void
table_read_begin(TableRead *read, Table *table, int index, Snapshot snapshot, int key_count,
				 const int *key_columns, const Datum *keys)
{
	LOCKMODE lock = table->lock == NoLock ? AccessShareLock : table->lock;
	ScanKeyData scan_keys[TABLE_KEYS];

	Assert(key_count <= TABLE_KEYS);
	table_resolve(table);
	read->table = table;
	read->relation = table_open(table->oid, lock);
	table_resolve(table); /* now that it does not change any more */
	for (int i = 0; i < key_count; i++)
		init_key(&scan_keys[i], RelationGetDescr(read->relation), table->attributes[key_columns[i]],
				 keys[i]);
	read->index = NULL;
	if (OidIsValid(table->index_oids[index]))
	{
		read->index = index_open(table->index_oids[index], lock);
		read->scan =
			systable_beginscan_ordered(read->relation, read->index, snapshot, key_count, scan_keys);
	}
	else
		read->scan =
			systable_beginscan(read->relation, InvalidOid, false, snapshot, key_count, scan_keys);
}

/* The next row; false after the last. */
bool
table_read_next(TableRead *read)
{
	read->row = read->index ? systable_getnext_ordered(read->scan, ForwardScanDirection)
							: systable_getnext(read->scan);
	return HeapTupleIsValid(read->row);
}

/* Begins to read the one row that has an id, the table's first column, by an index on
 * it. False if there is none; to be ended in any case. */
bool
table_read_by_id(TableRead *read, Table *table, int index, int64 id, Snapshot snapshot)
{
	static const int id_column = 0;
	Datum key = Int64GetDatum(id);

	table_read_begin(read, table, index, snapshot, 1, &id_column, &key);
	return table_read_next(read);
}

/* A value of the current row, valid until the next one. */
Datum
table_read_value(const TableRead *read, int column, bool *isnull)
{
	return heap_getattr(read->row, read->table->attributes[column],
						RelationGetDescr(read->relation), isnull);
}

/* A bigint that is never NULL. */
int64
table_read_int64(const TableRead *read, int column)
{
	bool isnull;
	Datum value = table_read_value(read, column, &isnull);

	Assert(!isnull);
	return DatumGetInt64(value);
}

void
table_read_end(TableRead *read)
{
	if (read->index)
	{
		systable_endscan_ordered(read->scan);
		index_close(read->index, NoLock);
	}
	else
		systable_endscan(read->scan);
	table_close(read->relation, NoLock);
}

void
table_init(void)
{
	CacheRegisterRelcacheCallback(table_forget, (Datum) 0);
	table_writers_init();
}
