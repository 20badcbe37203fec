/*
 * claim_trigger.c
 *
 * Keeps the escrow right whoever writes claims. A row may claim of pools of several
 * kinds, and each is counted. The row that a function writes uses the units it has
 * prepaid; any other row takes and gives here.
 *
 * The trigger is AFTER ROW: it fires for just the rows that were written, be it by
 * INSERT, COPY, ON CONFLICT or the executor's simple insert. It takes pools in lock
 * order, those of both versions of a row together.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
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
					 kind->raised_by ? kind->raised_by : kind->capacity_column),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, kind->claim_table),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, kind->capacity_constraint)));
}

/* One side of a change, the row before it or the row after it, as one kind sees it. */
typedef struct ClaimSide
{
	HeapTuple row;
	bool on_pool; /* it is on a pool of the kind, even if it is over */
	int64 pool_id;
	int64 units;
} ClaimSide;

static ClaimSide
pool_claim_side(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	ClaimSide side = {.row = row};
	bool isnull = true;

	if (row)
		side.pool_id = DatumGetInt64(heap_getattr(row, kind->claim_attributes[0], desc, &isnull));
	if (!isnull)
	{
		side.units = kind->claimed_units(kind, row, desc);
		side.on_pool = side.units > 0 || kind->known_by == NULL;
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
	bool same = before.on_pool && after.on_pool && before.pool_id == after.pool_id;
	EscrowEntry *entry;

	if (same)
	{
		int64 common = Min(before.units, after.units);

		before.units -= common;
		after.units -= common;
	}
	/* Pools in order of id, whichever side they are on. */
	if (before.on_pool && after.on_pool && after.pool_id < before.pool_id)
		(void) pool_pin_or_raise(kind, after.pool_id);
	if (before.units > 0)
		pool_give_for_row(kind, before.pool_id, before.units);
	/* Even a claim that is over must be on a pool that exists. */
	if (!after.on_pool || (same && after.units == 0 && kind->check_claim == NULL))
		return;
	entry = pool_pin_or_raise(kind, after.pool_id);
	if (after.units > 0)
		pool_take_for_row(kind, entry, after.pool_id, after.units);
	if (kind->check_claim)
		kind->check_claim(kind, entry, after.row, desc);
}

static void
pool_count_row(const TriggerData *trigger)
{
	Oid table = RelationGetRelid(trigger->tg_relation);
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple before = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? NULL : trigger->tg_trigtuple;
	HeapTuple after = NULL;

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		after = trigger->tg_trigtuple;
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		after = trigger->tg_newtuple;
	rows_counted++;
	for (PoolKind *kind = pool_kinds_of(table, true, NULL); kind;
		 kind = pool_kinds_of(table, true, kind))
		pool_count_change(kind, pool_claim_side(kind, before, desc),
						  pool_claim_side(kind, after, desc), desc);
}

PG_FUNCTION_INFO_V1(fcfs_claim_changed);

/* AFTER ROW trigger of the claim tables. */
Datum
fcfs_claim_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW,
										 TRIGGER_BY_ANY_CHANGE, "an AFTER ROW");

	pool_check_table(RelationGetRelid(trigger->tg_relation), true);
	/* Rows that functions write have drawn their id. */
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !lock_in_call())
		identity_row_written(
			trigger->tg_relation,
			pool_row_id(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation)));
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
	Oid table = RelationGetRelid(trigger->tg_relation);

	pool_check_table(table, true);
	for (PoolKind *kind = pool_kinds_of(table, true, NULL); kind;
		 kind = pool_kinds_of(table, true, kind))
		escrow_truncated(&kind->escrow);
	return PointerGetDatum(NULL);
}
