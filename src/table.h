/*
 * table.h
 *
 * The extension's tables, read through their indexes and written row by row
 * without a query.
 */
#ifndef FCFS_TABLE_H
#define FCFS_TABLE_H

#include "postgres.h"

#include "access/genam.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#define TABLE_COLUMNS 16
#define TABLE_INDEXES 4
#define TABLE_KEYS 3
#define TABLE_REFERENCES 4

struct TableWriter;

/*
 * A table as one source file knows it. Columns and indexes are numbered by their
 * place here; what they are in the catalogue is looked up by name.
 */
typedef struct Table
{
	const char *name; /* in schema fcfs */
	LOCKMODE lock;    /* to read it: ACCESS SHARE unless given, as for what is written next */
	const char *columns[TABLE_COLUMNS]; /* that are read or written, the key first */
	Oid types[TABLE_COLUMNS];           /* that we know them to be of, or domains over it */
	const char *indexes[TABLE_INDEXES]; /* btree, used by table_read_begin() */
	/* foreign keys that hold by what functions do before they write */
	const char *ensured[TABLE_REFERENCES];
	bool updated[TABLE_COLUMNS]; /* by table_update(), where others have no say in it */

	/* of table.c: true until the table changes */
	bool resolved;
	Oid oid;
	AttrNumber attributes[TABLE_COLUMNS];
	Oid index_oids[TABLE_INDEXES];
	bool listed; /* among all that were ever resolved */
	struct Table *next;

	/* of table_writer.c */
	struct TableWriter *writer;
} Table;

/* Rows of a table that have certain values in the first columns of an index. */
typedef struct TableRead
{
	Table *table;
	Relation relation;
	Relation index; /* NULL: it is not there, and the whole table is read */
	SysScanDesc scan;
	HeapTuple row;
} TableRead;

/* A row to be written: by column of the table. What is not given has its default. */
typedef struct TableRow
{
	Datum values[TABLE_COLUMNS];
	bool given[TABLE_COLUMNS];
	bool nulls[TABLE_COLUMNS]; /* of what is given */
} TableRow;

extern void table_init(void);
extern void table_resolve(Table *table);

extern Snapshot table_newest(void);
extern void table_read_begin(TableRead *read, Table *table, int index, Snapshot snapshot,
							 int key_count, const int *key_columns, const Datum *keys);
extern bool table_read_by_id(TableRead *read, Table *table, int index, int64 id, Snapshot snapshot);
extern bool table_read_next(TableRead *read);
extern Datum table_read_value(const TableRead *read, int column, bool *isnull);
extern int64 table_read_int64(const TableRead *read, int column);
extern void table_read_end(TableRead *read);

static inline void
table_row_set(TableRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->given[column] = true;
	row->nulls[column] = false;
}

/* A row that is locked, to be changed. */
typedef struct TableUpdate
{
	Table *table;
	Relation relation;
	struct TableWriter *writer;
} TableUpdate;

extern bool table_inserts_straight(Table *table);
extern Datum table_insert(Table *table, const TableRow *row, const char *what);
extern bool table_update_begin(TableUpdate *update, Table *table, ItemPointer row,
							   Snapshot snapshot);
extern Datum table_update_value(const TableUpdate *update, int column, bool *isnull);
extern void table_update(TableUpdate *update, const TableRow *row);
extern void table_update_end(TableUpdate *update);
extern void table_writers_init(void);
extern void table_writers_forget(Oid relation);

#endif /* FCFS_TABLE_H */
