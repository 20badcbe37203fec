/*
 * pool_trigger.c
 *
 * What a change of a pool's row means for its claims and for the escrow: AFTER ROW
 * triggers of the tables of pools. A row may be pools of several kinds, which are
 * told one after another, in lock order.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "pool.h"
#include "trigger.h"

/* For triggers ------------------------------------------------------------------------- */

static void
pool_raise_missing(const PoolKind *kind, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("a claim in table \"%s\" refers to %s %s that does not exist",
					kind->claim_table, kind->name[0] == 'i' ? "an" : "a", kind->name),
			 errdetail("There is no %s with id " INT64_FORMAT ".", kind->name, id),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, kind->claim_table),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, psprintf("%s_%s_fkey", kind->claim_table,
																  kind->claim_columns[0]))));
}

/* Pins a pool for a trigger. */
EscrowEntry *
pool_pin_or_raise(PoolKind *kind, int64 id)
{
	EscrowEntry *entry;
	RefusalCode refused = pool_pin(kind, id, &entry);

	if (refused == kind->not_found)
		pool_raise_missing(kind, id);
	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
	return entry;
}

/* Waits until a trigger has the pool alone. */
void
pool_freeze_or_raise(PoolKind *kind, EscrowEntry *entry)
{
	RefusalCode refused = pool_refusal(kind, escrow_freeze(entry));

	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
}

/* Runs what a row trigger does as a call of its own, for its locks. */
void
pool_run_trigger(const TriggerData *trigger, void (*run)(const TriggerData *trigger))
{
	LockCall call;

	lock_call_begin(&call, GetCurrentTimestamp());
	PG_TRY();
	{
		run(trigger);
	}
	PG_FINALLY();
	{
		lock_call_end(&call);
	}
	PG_END_TRY();
}

/* The row of a pool ---------------------------------------------------------------------- */

/* Reports that a capacity cannot be lowered below what is claimed. */
static void
pool_raise_lowered(const PoolKind *kind, int64 id, int64 claimed, int64 capacity)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("claims on %s " INT64_FORMAT " would exceed its capacity", kind->name, id),
			 errdetail("Claimed " INT64_FORMAT ", wanted capacity " INT64_FORMAT ".", claimed,
					   capacity),
			 errhint("End claims first."), err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, kind->pool_table),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, kind->capacity_constraint)));
}

static int64
pool_capacity(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	int attribute = SPI_fnumber(desc, kind->capacity_column);
	bool isnull;
	Datum value = pool_column(row, desc, kind->capacity_column, &isnull);

	if (isnull)
		return ESCROW_UNLIMITED;
	return SPI_gettypeid(desc, attribute) == INT8OID ? DatumGetInt64(value) : DatumGetInt32(value);
}

/* Deleted, or has another id: nothing may refer to it, in no transaction. */
static void
pool_retire(PoolKind *kind, int64 id)
{
	Datum argument = Int64GetDatum(id);
	EscrowEntry *entry;
	RefusalCode refused = pool_pin(kind, id, &entry);
	bool referenced;

	if (refused == kind->not_found) /* we made it ourselves and it is gone again */
		return;
	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
	pool_freeze_or_raise(kind, entry);
	SPI_connect();
	referenced = query_read(&kind->referenced, &argument, NULL, 1) > 0;
	SPI_finish();
	if (referenced)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
						errmsg("%s " INT64_FORMAT " is still referenced from table \"%s\"",
							   kind->name, id, kind->claim_table),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
						err_generic_string(PG_DIAG_TABLE_NAME, kind->claim_table),
						err_generic_string(
							PG_DIAG_CONSTRAINT_NAME,
							psprintf("%s_%s_fkey", kind->claim_table, kind->claim_columns[0]))));
	escrow_retire(entry);
}

static void
pool_change_capacity(PoolKind *kind, int64 id, int64 old_capacity, int64 new_capacity)
{
	EscrowEntry *entry = pool_pin_or_raise(kind, id);
	RefusalCode refused =
		pool_refusal(kind, escrow_change_capacity(entry, new_capacity - old_capacity));

	if (refused == kind->sold_out)
		pool_raise_lowered(kind, id, old_capacity - escrow_available(entry), new_capacity);
	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
}

/* Does an UPDATE of a pool's row change what sessions or its slot keep of it? */
static bool
pool_facts_differ(const PoolKind *kind, HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	if (!escrow_keeps_facts())
		return false;
	if (kind->facts.sql)
		return true;
	for (int i = 0; i < POOL_DEFINITION_COLUMNS && kind->definition[i]; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, SPI_fnumber(desc, kind->definition[i]) - 1);
		bool old_null;
		bool new_null;
		Datum old_value = pool_column(old_row, desc, kind->definition[i], &old_null);
		Datum new_value = pool_column(new_row, desc, kind->definition[i], &new_null);

		if (old_null != new_null ||
			(!old_null && !datumIsEqual(old_value, new_value, column->attbyval, column->attlen)))
			return true;
	}
	return false;
}

/* What an UPDATE of a pool's row means for its claims. Those of one that is had alone
 * are moved before its capacity goes. */
static void
pool_update(PoolKind *kind, HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	int64 old_id = pool_row_id(old_row, desc);
	int64 new_id = pool_row_id(new_row, desc);
	int64 old_capacity = pool_capacity(kind, old_row, desc);
	int64 new_capacity = pool_capacity(kind, new_row, desc);

	if (old_id != new_id)
	{
		pool_retire(kind, old_id);
		escrow_revive(&kind->escrow, new_id, new_capacity);
		return;
	}
	if (pool_facts_differ(kind, old_row, new_row, desc))
		escrow_facts_change(pool_pin_or_raise(kind, new_id));
	if (kind->changes_alone && kind->changes_alone(old_row, new_row, desc))
	{
		EscrowEntry *entry = pool_pin_or_raise(kind, new_id);

		pool_freeze_or_raise(kind, entry);
		kind->changed(entry, old_row, new_row, desc);
	}
	if (old_capacity != new_capacity)
		pool_change_capacity(kind, new_id, old_capacity, new_capacity);
}

static void
pool_carry_over(const TriggerData *trigger)
{
	Oid table = RelationGetRelid(trigger->tg_relation);
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple old_row = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? NULL : trigger->tg_trigtuple;
	HeapTuple new_row = TRIGGER_FIRED_BY_INSERT(trigger->tg_event)   ? trigger->tg_trigtuple
						: TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	 : NULL;

	pool_check_table(table, false);
	for (PoolKind *kind = pool_kinds_of(table, false, NULL); kind;
		 kind = pool_kinds_of(table, false, kind))
	{
		if (kind->changes_others)
			kind->changes_others(old_row, new_row, desc);
		if (old_row && new_row)
			pool_update(kind, old_row, new_row, desc);
		else if (old_row)
			pool_retire(kind, pool_row_id(old_row, desc));
		else
			escrow_revive(&kind->escrow, pool_row_id(new_row, desc),
						  pool_capacity(kind, new_row, desc));
	}
}

PG_FUNCTION_INFO_V1(fcfs_pool_changed);

/* AFTER ROW trigger of the tables of pools. */
Datum
fcfs_pool_changed(PG_FUNCTION_ARGS)
{
	pool_run_trigger(trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW,
								   TRIGGER_BY_ANY_CHANGE, "an AFTER ROW"),
					 pool_carry_over);
	return PointerGetDatum(NULL);
}
