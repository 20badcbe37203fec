/*
 * stats.c
 *
 * Looking at the escrow: the rows of stat_pools, and the pools whose slot
 * differs from the tables, for verify().
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "escrow_shmem.h"
#include "guc.h"
#include "pool.h"

/* How often a pool that changes meanwhile is looked at again. */
#define VERIFY_TRIES 3

/* A copy of a slot as it was at one moment. */
typedef struct SlotView
{
	bool used;
	EscrowKey key;
	int64 capacity;
	int64 remaining;
	int64 in_flight;
	int64 arrival;
	uint32 pins;
	uint32 waiters;
	uint64 changes;
} SlotView;

static SlotView
view_slot(EscrowSlot *slot)
{
	SlotView view;

	SpinLockAcquire(&slot->mutex);
	view.used = slot->used && slot->key.database == MyDatabaseId;
	view.key = slot->key;
	view.capacity = slot->capacity;
	view.remaining = slot->remaining;
	view.in_flight = slot->in_flight;
	view.arrival = slot->arrival;
	view.pins = slot->pins;
	view.waiters = slot->waiters;
	view.changes = slot->changes;
	SpinLockRelease(&slot->mutex);
	return view;
}

/* The kind a slot is of; NULL if its table is gone. */
static PoolKind *
kind_of_slot(const SlotView *view)
{
	for (PoolKind *kind = pool_kinds_next(NULL); kind; kind = pool_kinds_next(kind))
	{
		pool_resolve(kind);
		if (kind->escrow.oid == view->key.kind)
			return kind;
	}
	return NULL;
}

PG_FUNCTION_INFO_V1(fcfs_pools);

/* pools(): one row a pool of this database in shared memory. */
Datum
fcfs_pools(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < escrow_slot_count(); i++)
	{
		SlotView view = view_slot(escrow_slot_number(i));
		PoolKind *kind = view.used ? kind_of_slot(&view) : NULL;
		bool unlimited = view.capacity >= ESCROW_UNLIMITED / 2;
		Datum values[7];
		bool nulls[7] = {false};

		if (kind == NULL)
			continue;
		values[0] = CStringGetTextDatum(kind->name);
		values[1] = Int64GetDatum(view.key.id);
		values[2] = Int64GetDatum(view.capacity);
		values[3] = Int64GetDatum(view.remaining);
		nulls[2] = nulls[3] = unlimited;
		values[4] = Int64GetDatum(view.in_flight);
		values[5] = Int32GetDatum((int32) view.pins);
		values[6] = Int32GetDatum((int32) view.waiters);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Compares a slot with the tables at a moment when nobody has it pinned. NULL
 * if they agree or there was no such moment; else what differs.
 */
static const char *
compare_slot(EscrowSlot *slot, PoolKind *kind)
{
	for (int i = 0; i < VERIFY_TRIES; i++)
	{
		SlotView before = view_slot(slot);
		EscrowBalance balance = {0};
		SlotView after;
		EscrowLoad load;

		if (!before.used || before.pins > 0 || before.key.kind != kind->escrow.oid)
			continue;
		load = kind->escrow.load(&kind->escrow, before.key.id, &balance);
		after = view_slot(slot);
		if (!after.used || after.pins > 0 || after.changes != before.changes)
			continue;
		if (load != ESCROW_LOAD_COMMITTED)
			return "the escrow has a pool that does not exist";
		if (balance.capacity != after.capacity)
			return psprintf("the escrow has capacity " INT64_FORMAT ", the table " INT64_FORMAT,
							after.capacity, balance.capacity);
		if (balance.capacity - balance.claimed != after.remaining)
			return psprintf("the escrow has " INT64_FORMAT " left, the tables " INT64_FORMAT,
							after.remaining, balance.capacity - balance.claimed);
		if (balance.arrival > after.arrival)
			return psprintf("the escrow would go on above arrival " INT64_FORMAT
							", the table has " INT64_FORMAT,
							after.arrival, balance.arrival);
		if (after.in_flight != 0)
			return psprintf(INT64_FORMAT " units are in flight in no transaction", after.in_flight);
		return NULL;
	}
	return NULL;
}

PG_FUNCTION_INFO_V1(fcfs_escrow_differences);

/* escrow_differences(): pools whose slot is not what the tables say. */
Datum
fcfs_escrow_differences(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	PreventCommandIfParallelMode("verify()");
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < escrow_slot_count(); i++)
	{
		EscrowSlot *slot = escrow_slot_number(i);
		SlotView view = view_slot(slot);
		PoolKind *kind = view.used ? kind_of_slot(&view) : NULL;
		const char *difference = kind ? compare_slot(slot, kind) : NULL;
		Datum values[3];
		bool nulls[3] = {false};

		CHECK_FOR_INTERRUPTS();
		if (difference == NULL)
			continue;
		values[0] = CStringGetTextDatum(kind->name);
		values[1] = Int64GetDatum(view.key.id);
		values[2] = CStringGetTextDatum(difference);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(fcfs_is_preloaded);

/* is_preloaded(): is the escrow in shared memory? */
Datum
fcfs_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(escrow_shared());
}

/* The kind of pool of that name. */
static PoolKind *
kind_by_name(const char *name)
{
	for (PoolKind *kind = pool_kinds_next(NULL); kind; kind = pool_kinds_next(kind))
	{
		if (strcmp(kind->name, name) == 0)
			return kind;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of pool \"%.*s\"",
					pg_mbcliplen(name, (int) strlen(name), NAMEDATALEN - 1), name),
			 errhint("Kinds are section, waitlist, reserved_seats, cross_list, item and coupon.")));
}

/* Has a pool alone to the end of the transaction; waits within fcfs.lock_timeout. */
static void
have_alone(PoolKind *kind, int64 id)
{
	LockCall locks;

	lock_call_begin(&locks, GetCurrentTimestamp());
	PG_TRY();
	{
		EscrowEntry *entry;
		RefusalCode refused = pool_pin(kind, id, &entry);

		if (refused != REFUSAL_NONE)
			refusal_raise(refused, psprintf("%s " INT64_FORMAT, kind->name, id));
		pool_freeze_or_raise(kind, entry);
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(fcfs_reload_pool);

/* reload_pool(kind, id): counts a pool anew when the transaction commits. */
Datum
fcfs_reload_pool(PG_FUNCTION_ARGS)
{
	PoolKind *kind;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be null", PG_ARGISNULL(0) ? "kind" : "id")));
	kind = kind_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PreventCommandIfReadOnly("reload_pool()");
	PreventCommandIfParallelMode("reload_pool()");
	have_alone(kind, PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}
