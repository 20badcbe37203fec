/*
 * pool_trigger.c
 *
 * Keeps the escrow right whoever writes: the triggers of pools and claims. The
 * row that a function writes uses the units it has prepaid; any other row takes
 * and gives here.
 *
 * The triggers are AFTER ROW: they fire for just the rows that were written,
 * be it by INSERT, COPY, ON CONFLICT or the executor's simple insert.
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

#include "identity.h"
#include "pool.h"
#include "trigger.h"

/* Rows the trigger of claims has seen in this session. */
static uint64 rows_counted = 0;

/* Gives come from holds whose time has run out, see escrow_give(). */
static bool giving_as_expected = false;

/* How many rows the trigger has seen, for pool_claim_written(). */
uint64
pool_rows_counted(void)
{
	return rows_counted;
}

/*
 * The row of a claim is written; counted_before is pool_rows_counted() before
 * it was. If the trigger has seen a row and left units, somebody else's trigger
 * has changed what is claimed: the rest comes back at commit. If it has seen
 * none, triggers are switched off, and the units are those of the row.
 */
void
pool_claim_written(EscrowEntry *entry, uint64 counted_before)
{
	int64 left = escrow_use_prepaid(entry, PG_INT64_MAX);

	if (left > 0 && rows_counted > counted_before)
		escrow_give(entry, left, false);
}

/* Gives of the rows written next are of holds whose time has run out. */
void
pool_give_as_expected(bool expected)
{
	giving_as_expected = expected;
}

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

/* Reports that the capacity does not suffice for what a statement wants. */
static void
pool_raise_exceeded(const PoolKind *kind, EscrowEntry *entry, int64 id, int64 units)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("claims on %s " INT64_FORMAT " would exceed its capacity", kind->name, id),
			 errdetail("Wanted " INT64_FORMAT ", free " INT64_FORMAT ".", units,
					   Max(escrow_available(entry), 0)),
			 errhint("Raise fcfs.%s.%s or end other claims first.", kind->pool_table,
					 kind->capacity_column),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, kind->claim_table),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, kind->capacity_constraint)));
}

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
pool_id_column(HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return DatumGetInt64(pool_column(row, desc, "id", &isnull));
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

/* What a row trigger may be fired by. */
#define ANY_CHANGE \
	(TRIGGER_BY(TRIGGER_EVENT_INSERT) | TRIGGER_BY(TRIGGER_EVENT_UPDATE) | \
	 TRIGGER_BY(TRIGGER_EVENT_DELETE))

/* One side of a change: the row before it, or the row after it. */
typedef struct ClaimSide
{
	HeapTuple row;
	int64 pool_id;
	int64 units;
} ClaimSide;

static ClaimSide
pool_claim_side(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	ClaimSide side = {row, 0, 0};
	bool isnull;

	if (row)
	{
		side.pool_id = DatumGetInt64(heap_getattr(row, kind->claim_attributes[0], desc, &isnull));
		side.units = kind->claimed_units(kind, row, desc);
	}
	return side;
}

/* Takes what a row claims, beyond what the function that wrote it prepaid. */
static void
pool_take_for_row(PoolKind *kind, EscrowEntry *entry, int64 id, int64 units)
{
	RefusalCode refused;

	units -= escrow_use_prepaid(entry, units);
	if (units == 0)
		return;
	refused = pool_refusal(kind, escrow_take(entry, units, NULL));
	if (refused == kind->sold_out)
		pool_raise_exceeded(kind, entry, id, units);
	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
	/* How long such a claim holds, if it does, is not known here. */
	escrow_hold_until(entry, DT_NOBEGIN);
}

/* Gives what a row claimed. If its pool is gone, with it or before it, there is
 * nobody to give it to. */
static void
pool_give_for_row(PoolKind *kind, int64 id, int64 units)
{
	EscrowEntry *entry;
	RefusalCode refused = pool_pin(kind, id, &entry);

	if (refused == REFUSAL_NONE)
		escrow_give(entry, units, giving_as_expected);
	else if (refused != kind->not_found)
		refusal_raise(refused, NULL);
}

static void
pool_count_change(PoolKind *kind, ClaimSide before, ClaimSide after, TupleDesc desc)
{
	if (before.row && after.row && before.pool_id == after.pool_id)
	{
		int64 common = Min(before.units, after.units);

		before.units -= common;
		after.units -= common;
	}
	/* Pools in order of id, whichever side they are on. */
	if (before.row && after.row && after.pool_id < before.pool_id)
		(void) pool_pin_or_raise(kind, after.pool_id);
	if (before.row && before.units > 0)
		pool_give_for_row(kind, before.pool_id, before.units);
	/* Even a claim that is over must be on a pool that exists. */
	if (after.row && (after.units > 0 || before.row == NULL || before.pool_id != after.pool_id))
	{
		EscrowEntry *entry = pool_pin_or_raise(kind, after.pool_id);

		pool_take_for_row(kind, entry, after.pool_id, after.units);
		if (kind->check_claim)
			kind->check_claim(kind, entry, after.row, desc);
	}
	else if (after.row && kind->check_claim)
		kind->check_claim(kind, pool_pin_or_raise(kind, after.pool_id), after.row, desc);
}

static void
pool_count_row(const TriggerData *trigger)
{
	PoolKind *kind = pool_kind_of(RelationGetRelid(trigger->tg_relation), true);
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple before = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? NULL : trigger->tg_trigtuple;
	HeapTuple after = NULL;

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		after = trigger->tg_trigtuple;
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		after = trigger->tg_newtuple;
	rows_counted++;
	pool_count_change(kind, pool_claim_side(kind, before, desc), pool_claim_side(kind, after, desc),
					  desc);
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

PG_FUNCTION_INFO_V1(fcfs_claim_changed);

/* AFTER ROW trigger of the claim tables. */
Datum
fcfs_claim_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW, ANY_CHANGE, "an AFTER ROW");

	(void) pool_kind_of(RelationGetRelid(trigger->tg_relation), true);
	/* Rows that functions write have drawn their id. */
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !lock_in_call())
		identity_row_written(
			trigger->tg_relation,
			pool_id_column(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation)));
	pool_run_trigger(trigger, pool_count_row);
	return PointerGetDatum(NULL);
}

PG_FUNCTION_INFO_V1(fcfs_claims_truncated);

/* AFTER TRUNCATE trigger of the claim tables. */
Datum
fcfs_claims_truncated(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER,
										 TRIGGER_BY(TRIGGER_EVENT_TRUNCATE), "an AFTER TRUNCATE");
	PoolKind *kind = pool_kind_of(RelationGetRelid(trigger->tg_relation), true);

	escrow_truncated(&kind->escrow);
	return PointerGetDatum(NULL);
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
		pool_refusal(kind, escrow_change_capacity(entry, old_capacity, new_capacity));

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

/* What an UPDATE of a pool's row means for its claims. */
static void
pool_update(PoolKind *kind, HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	int64 old_id = pool_id_column(old_row, desc);
	int64 new_id = pool_id_column(new_row, desc);
	int64 old_capacity = pool_capacity(kind, old_row, desc);
	int64 new_capacity = pool_capacity(kind, new_row, desc);

	if (old_id != new_id)
	{
		pool_retire(kind, old_id);
		escrow_revive(&kind->escrow, new_id, new_capacity);
		return;
	}
	if (old_capacity != new_capacity)
		pool_change_capacity(kind, new_id, old_capacity, new_capacity);
	if (pool_facts_differ(kind, old_row, new_row, desc))
		escrow_facts_change(pool_pin_or_raise(kind, new_id));
	if (kind->changes_alone && kind->changes_alone(old_row, new_row, desc))
	{
		EscrowEntry *entry = pool_pin_or_raise(kind, new_id);

		pool_freeze_or_raise(kind, entry);
		kind->changed(entry, old_row, new_row, desc);
	}
}

static void
pool_carry_over(const TriggerData *trigger)
{
	PoolKind *kind = pool_kind_of(RelationGetRelid(trigger->tg_relation), false);
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		escrow_revive(&kind->escrow, pool_id_column(trigger->tg_trigtuple, desc),
					  pool_capacity(kind, trigger->tg_trigtuple, desc));
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		pool_update(kind, trigger->tg_trigtuple, trigger->tg_newtuple, desc);
	else
		pool_retire(kind, pool_id_column(trigger->tg_trigtuple, desc));
}

PG_FUNCTION_INFO_V1(fcfs_pool_changed);

/* AFTER ROW trigger of the tables of pools. */
Datum
fcfs_pool_changed(PG_FUNCTION_ARGS)
{
	pool_run_trigger(
		trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW, ANY_CHANGE, "an AFTER ROW"),
		pool_carry_over);
	return PointerGetDatum(NULL);
}
