/*
 * table_update.c
 *
 * Changes a row of one of the extension's tables without a query: locks it in its
 * newest version, shows what is in it, and writes the next version through the
 * executor's simple update. Where others have a say in it (table_writer.c tells
 * when) it does nothing, and the caller has queries.
 *
 * Locks: the row against changes (FOR NO KEY UPDATE, since no key is changed), to
 * the end of the transaction. The server waits for it as for any row, bounded by
 * lock_timeout, which a call has set.
 *
 * At READ COMMITTED only: at higher levels a row that has changed since the
 * transaction's snapshot must not be followed, which is what the queries see to.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"

#include "table.h"
#include "table_writer.h"

/*
 * Locks the row that was found there by the snapshot, which must still be
 * registered, so that nobody has cleared it away. False if it must be done by
 * queries, also if it was deleted meanwhile; they know what to say of it.
 */
bool
table_update_begin(TableUpdate *update, Table *table, ItemPointer row, Snapshot snapshot)
{
	TM_FailureData failure;

	if (IsolationUsesXactSnapshot())
		return false;
	update->table = table;
	update->relation = table_open_to_write(table);
	update->writer = table_writer_begin(table, update->relation, TABLE_UPDATE);
	if (update->writer->updates)
	{
		if (table_tuple_lock(update->relation, row, snapshot, update->writer->found,
							 GetCurrentCommandId(false), LockTupleNoKeyExclusive, LockWaitBlock,
							 TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
								 TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							 &failure) == TM_Ok)
			return true;
		table_writer_end(update->writer);
	}
	table_close(update->relation, NoLock);
	return false;
}

/* A value of the row, valid until table_update_end(). */
Datum
table_update_value(const TableUpdate *update, int column, bool *isnull)
{
	return slot_getattr(update->writer->found, update->table->attributes[column], isnull);
}

/* Writes the row anew, with the columns that are given. */
void
table_update(TableUpdate *update, const TableRow *row)
{
	TableWriter *writer = update->writer;
	TupleTableSlot *slot = ExecCopySlot(writer->slot, writer->found);

	for (int i = 0; i < TABLE_COLUMNS && update->table->columns[i]; i++)
	{
		int attribute = update->table->attributes[i] - 1;

		if (!row->given[i])
			continue;
		Assert(update->table->updated[i]);
		table_writer_set(writer, slot, attribute, row->values[i], row->nulls[i]);
	}
	ExecSimpleRelationUpdate(writer->result, writer->estate, NULL, writer->found, slot);
}

void
table_update_end(TableUpdate *update)
{
	table_writer_end(update->writer);
	table_close(update->relation, NoLock);
}
