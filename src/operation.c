/*
 * operation.c
 *
 * What all state-changing functions have in common: the
 * deadline of the call, idempotency, the person's lock, and the two faces over
 * one code path: name() raises a refusal, try_name() answers it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "idempotency.h"
#include "operation.h"
#include "pool.h"
#include "table.h"
#include "test_point.h"

/* A call that arrives now. */
static void
start_call(Call *call, const Operation *operation, const NullableDatum *arguments, int count)
{
	memset(call, 0, sizeof(*call));
	call->operation = operation;
	call->arrived_at = GetCurrentTimestamp();
	TEST_TIME("arrived", &call->arrived_at);
	call->context = CurrentMemoryContext;
	argument_read(call, arguments, count);
}

/*
 * To be called first by each operation, as soon as it knows the person: judges
 * the idempotency key, then locks the person. False if the call is answered.
 */
bool
call_begin(Call *call, LockClass person_class, int64 person_id)
{
	call->person_id = person_id;
	if (call->key && !idempotency_judge(call))
		return false;
	switch (lock_acquire((LockName){person_class, person_id}, ExclusiveLock))
	{
		case LOCK_GRANTED:
			return true;
		case LOCK_CROWDED:
			return call_refuse(call, REFUSAL_TOO_MANY_WAITERS, NULL);
		case LOCK_TIMED_OUT:
			break;
	}
	return call_refuse(call, REFUSAL_LOCK_TIMEOUT, NULL);
}

/* Answers the call with a refusal; detail, a format, may be NULL. */
bool
call_refuse(Call *call, RefusalCode refused, const char *detail, ...)
{
	Assert(refused != REFUSAL_NONE);
	call->refused = refused;
	if (detail)
	{
		MemoryContext caller = MemoryContextSwitchTo(call->context);
		StringInfoData text;

		initStringInfo(&text);
		for (;;)
		{
			va_list args;
			int needed;

			va_start(args, detail);
			needed = appendStringInfoVA(&text, detail, args);
			va_end(args);
			if (needed == 0)
				break;
			enlargeStringInfo(&text, needed);
		}
		call->detail = text.data;
		MemoryContextSwitchTo(caller);
	}
	return false;
}

/* Answers the call with success. */
bool
call_done(Call *call, int64 id)
{
	call->refused = REFUSAL_NONE;
	call->id = id;
	return true;
}

/* A row as a value of that type, whose columns it has under the same names. */
static Datum
row_as(HeapTuple row, TupleDesc from, Oid type)
{
	TupleDesc desc = lookup_rowtype_tupdesc(type, -1);
	Datum values[MaxTupleAttributeNumber];
	bool nulls[MaxTupleAttributeNumber];
	HeapTuple made;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		nulls[i] = true;
		if (!column->attisdropped)
			values[i] = pool_column(row, from, NameStr(column->attname), &nulls[i]);
	}
	made = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(made);
}

static void
raise_gone(const Call *call)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("the row made by this idempotency key no longer exists"),
			 errdetail("%s() had made row " INT64_FORMAT ".", call->operation->name, call->id)));
}

/* The row of an answer, from its table. */
static Datum
fetch_made(const Call *call, Oid type)
{
	const Operation *operation = call->operation;
	Snapshot newest = table_newest();
	TableRead read;
	Datum row;

	if (!table_read_by_id(&read, operation->made, operation->by_id, call->id, newest))
		raise_gone(call);
	row = row_as(read.row, RelationGetDescr(read.relation), type);
	table_read_end(&read);
	UnregisterSnapshot(newest);
	return row;
}

/* The row of an answer, by its query. */
static Datum
fetch_answer(const Call *call, Oid type)
{
	Datum id = Int64GetDatum(call->id);
	MemoryContext caller;
	Datum row;

	SPI_connect();
	if (query_read(call->operation->answer, &id, NULL, 1) == 0)
		raise_gone(call);
	caller = MemoryContextSwitchTo(call->context);
	row = row_as(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, type);
	MemoryContextSwitchTo(caller);
	SPI_finish();
	return row;
}

/* Runs the operation. storing_refusals: a refusal is an answer, and kept as one. */
static void
run_operation(Call *call, const Operation *operation, bool storing_refusals)
{
	SPI_connect();
	(void) operation->run(call);
	if (call->first_under_key && (call->refused == REFUSAL_NONE || storing_refusals))
		idempotency_store(call);
	SPI_finish();
}

/* Answers a call: at a glance if that is enough. */
static void
run_call(Call *call, const Operation *operation, bool storing_refusals)
{
	LockCall locks;

	if (XactReadOnly)
		PreventCommandIfReadOnly(psprintf("%s()", operation->name));
	if (IsInParallelMode())
		PreventCommandIfParallelMode(psprintf("%s()", operation->name));
	if (operation->glance && call->key == NULL && operation->glance(call))
		return;
	lock_call_begin(&locks, call->arrived_at);
	PG_TRY();
	{
		run_operation(call, operation, storing_refusals);
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
}

/* The type that a function returns, which it keeps for as long as it has its oid. */
static Oid
result_type(Oid function)
{
	static Oid last_function = InvalidOid;
	static Oid last_type = InvalidOid;

	if (function != last_function)
	{
		last_type = get_func_rettype(function);
		last_function = function;
	}
	return last_type;
}

/* name(): returns the row, or raises the refusal. */
Datum
operation_raising(FunctionCallInfo fcinfo, Operation *operation)
{
	Call call;
	Oid type;

	start_call(&call, operation, fcinfo->args, PG_NARGS());
	run_call(&call, operation, false);
	if (call.refused != REFUSAL_NONE)
		refusal_raise(call.refused, call.detail);
	type = result_type(fcinfo->flinfo->fn_oid);
	return operation->answer ? fetch_answer(&call, type) : fetch_made(&call, type);
}

/* Of the columns of fcfs.outcome. */
const Oid operation_outcome_types[OUTCOME_COLUMNS] = {BOOLOID, TEXTOID, INT4OID, BOOLOID,
													  TEXTOID, TEXTOID, INT8OID, BOOLOID};

/* The columns of fcfs.outcome. */
static void
fill_outcome(const Call *call, Datum *values, bool *nulls)
{
	const Refusal *refusal = refusal_get(call->refused);

	memset(nulls, 0, OUTCOME_COLUMNS * sizeof(bool));
	values[0] = BoolGetDatum(call->refused == REFUSAL_NONE);
	values[1] = CStringGetTextDatum(refusal->code);
	values[2] = Int32GetDatum(refusal->http_status);
	values[3] = BoolGetDatum(refusal->retryable);
	values[4] = CStringGetTextDatum(refusal->message);
	nulls[5] = call->detail == NULL;
	values[5] = call->detail ? CStringGetTextDatum(call->detail) : (Datum) 0;
	nulls[6] = call->refused != REFUSAL_NONE;
	values[6] = Int64GetDatum(call->id);
	values[7] = BoolGetDatum(call->replayed);
}

/* try_name() with its arguments as they are, for who calls it without fmgr: the
 * columns of the outcome. */
void
operation_outcome(Operation *operation, const NullableDatum *arguments, int count, Datum *values,
				  bool *nulls)
{
	Call call;

	start_call(&call, operation, arguments, count);
	run_call(&call, operation, true);
	fill_outcome(&call, values, nulls);
}

/* An administrator may add attributes to the type, and drop some. */
static void
check_outcome(TupleDesc desc)
{
	for (int i = 0; i < OUTCOME_COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && attribute->atttypid != operation_outcome_types[i])
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("attribute \"%s\" of type fcfs.outcome must be of type %s",
								   NameStr(attribute->attname),
								   format_type_be(operation_outcome_types[i]))));
	}
}

/* The tuple descriptor of fcfs.outcome, found through the function's own entry. */
static TupleDesc
outcome_descriptor(Oid function)
{
	static uint64 checked = INVALID_TUPLEDESC_IDENTIFIER;
	TypeCacheEntry *type = lookup_type_cache(result_type(function), TYPECACHE_TUPDESC);

	if (type->tupDesc_identifier != checked)
		check_outcome(type->tupDesc);
	checked = type->tupDesc_identifier;
	PinTupleDesc(type->tupDesc);
	return type->tupDesc;
}

/* try_name(): answers an outcome. */
Datum
operation_trying(FunctionCallInfo fcinfo, Operation *operation)
{
	Call call;
	TupleDesc desc;
	Datum *values;
	bool *nulls;
	HeapTuple tuple;

	start_call(&call, operation, fcinfo->args, PG_NARGS());
	run_call(&call, operation, true);
	desc = outcome_descriptor(fcinfo->flinfo->fn_oid);
	values = palloc0(desc->natts * sizeof(Datum));
	nulls = palloc(desc->natts * sizeof(bool));
	memset(nulls, true, desc->natts); /* what was added */
	fill_outcome(&call, values, nulls);
	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}

/* All operations ---------------------------------------------------------------------- */

static Operation *operations = NULL;

void
operation_register(Operation *operation)
{
	operation->next = operations;
	operations = operation;
}

/* The operation of that name, NULL if there is none. */
Operation *
operation_by_name(const char *name)
{
	for (Operation *operation = operations; operation; operation = operation->next)
	{
		if (strcmp(operation->name, name) == 0)
			return operation;
	}
	return NULL;
}
