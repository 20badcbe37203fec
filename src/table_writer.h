/*
 * table_writer.h
 *
 * What writing rows of a table without a query needs, prepared once a session;
 * for table_insert.c and table_update.c.
 */
#ifndef FCFS_TABLE_WRITER_H
#define FCFS_TABLE_WRITER_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "plan_cache.h"
#include "table.h"

/* What a column gets that is not given. */
typedef struct ColumnDefault
{
	ExprState *expression; /* NULL: the value below */
	Datum value;
	bool isnull;
} ColumnDefault;

/* What a value has to go through on its way into a column, if anything. */
typedef struct ColumnInput
{
	bool needed;     /* for a value that is given; for a default as well if it is of a domain */
	FmgrInfo length; /* makes it fit the type's modifier, if there is a function for it */
	int32 modifier;
	Oid domain; /* InvalidOid: it is of none */
	void *domain_state;
} ColumnInput;

typedef struct TableWriter
{
	MemoryContext context; /* everything here lives in it */
	bool stale;            /* not to be used any more */
	bool writing;          /* still set at the next use: an error came between */
	bool inserts;          /* INSERT needs no query */
	bool updates;          /* nor does UPDATE of the columns that we update */
	bool domains;          /* there are columns of domains */
	Oid user;              /* whose rights have been looked at */
	Oid table;
	EState *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;    /* the row to be written */
	TupleTableSlot *found;   /* the row to be changed, as it is */
	ColumnDefault *defaults; /* by attribute */
	ColumnInput *inputs;     /* by attribute */
	int index_count;
	Oid *indexes;

	CachedQuery *insert; /* for table_insert() if it needs one */
	struct TableWriter *next;
} TableWriter;

typedef enum TableWriting
{
	TABLE_INSERT,
	TABLE_UPDATE
} TableWriting;

extern Relation table_open_to_write(Table *table);
extern TableWriter *table_writer_begin(Table *table, Relation relation, TableWriting kind);
extern Datum table_writer_fit(TableWriter *writer, ColumnInput *input, Datum value, bool isnull);
extern void table_writer_end(TableWriter *writer);

/* Sets a column of a row, counted from 0. */
static inline void
table_writer_set(TableWriter *writer, TupleTableSlot *slot, int column, Datum value, bool isnull)
{
	ColumnInput *input = &writer->inputs[column];

	slot->tts_values[column] =
		input->needed ? table_writer_fit(writer, input, value, isnull) : value;
	slot->tts_isnull[column] = isnull;
}

#endif /* FCFS_TABLE_WRITER_H */
