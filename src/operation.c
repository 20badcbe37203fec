/*
 * operation.c
 *
 * What all state-changing functions have in common: reading arguments, the
 * deadline of the call, idempotency, the person's lock, and the two faces over
 * one code path: name() raises a refusal, try_name() answers it.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "idempotency.h"
#include "operation.h"

#define KEY_MAX_LENGTH 255

static int64
read_integer(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	if (get_fn_expr_argtype(fcinfo->flinfo, argument) == INT4OID)
		return PG_GETARG_INT32(argument);
	return PG_GETARG_INT64(argument);
}

static const char *
read_key(FunctionCallInfo fcinfo, int argument)
{
	char *key;
	bool too_long;

	if (PG_ARGISNULL(argument))
		return NULL;
	/* One of a gigabyte is not even unpacked. */
	too_long = toast_raw_datum_size(PG_GETARG_DATUM(argument)) - VARHDRSZ >
			   KEY_MAX_LENGTH * MAX_MULTIBYTE_CHAR_LEN;
	key = too_long ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
	if (key && key[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("idempotency_key must not be empty")));
	if (too_long || pg_mbstrlen(key) > KEY_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idempotency_key must not be longer than %d characters", KEY_MAX_LENGTH)));
	return key;
}

static void
read_arguments(FunctionCallInfo fcinfo, Call *call)
{
	int count = 0;

	while (count < OPERATION_MAX_ARGS && call->operation->arguments[count])
	{
		call->arguments[count] = read_integer(fcinfo, count, call->operation->arguments[count]);
		count++;
	}
	Assert(PG_NARGS() == count + 1);
	call->key = read_key(fcinfo, count);
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

/* Copies the row of an answer into the caller's memory. */
static Datum
fetch_row(Call *call, Operation *operation)
{
	Datum argument = Int64GetDatum(call->id);
	MemoryContext caller;
	Datum row;
	bool isnull;

	if (query_read(&operation->row, &argument, NULL, 1) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the row made by this idempotency key no longer exists"),
				 errdetail("%s() had made row " INT64_FORMAT ".", operation->name, call->id)));
	caller = MemoryContextSwitchTo(call->context);
	row = datumCopy(query_value(0, 1, &isnull), false, -1);
	MemoryContextSwitchTo(caller);
	return row;
}

/* Runs the operation. row, if wanted, is the row it made or changed. */
static void
run_call(Call *call, Operation *operation, bool storing_refusals, Datum *row)
{
	LockCall locks;

	PreventCommandIfReadOnly(psprintf("%s()", operation->name));
	PreventCommandIfParallelMode(psprintf("%s()", operation->name));
	lock_call_begin(&locks, call->arrived_at);
	PG_TRY();
	{
		SPI_connect();
		(void) operation->run(call);
		if (call->first_under_key && (call->refused == REFUSAL_NONE || storing_refusals))
			idempotency_store(call);
		if (row && call->refused == REFUSAL_NONE)
			*row = fetch_row(call, operation);
		SPI_finish();
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
}

static void
start_call(FunctionCallInfo fcinfo, Call *call, const Operation *operation)
{
	memset(call, 0, sizeof(*call));
	call->operation = operation;
	call->arrived_at = GetCurrentTimestamp();
	call->context = CurrentMemoryContext;
	read_arguments(fcinfo, call);
}

/* name(): returns the row, or raises the refusal. */
Datum
operation_raising(FunctionCallInfo fcinfo, Operation *operation)
{
	Call call;
	Datum row = (Datum) 0;

	start_call(fcinfo, &call, operation);
	run_call(&call, operation, false, &row);
	if (call.refused != REFUSAL_NONE)
		refusal_raise(call.refused, call.detail);
	return row;
}

/* The tuple descriptor of fcfs.outcome, found through the function's own entry. */
static TupleDesc
outcome_descriptor(Oid function)
{
	static Oid last_function = InvalidOid;
	static Oid last_type = InvalidOid;

	/* A function keeps its result type for as long as it has its oid. */
	if (function != last_function)
	{
		last_type = get_func_rettype(function);
		last_function = function;
	}
	return lookup_rowtype_tupdesc(last_type, -1);
}

/* try_name(): answers an outcome. */
Datum
operation_trying(FunctionCallInfo fcinfo, Operation *operation)
{
	Call call;
	const Refusal *refusal;
	TupleDesc desc;
	Datum values[8];
	bool nulls[8] = {false};
	HeapTuple tuple;

	start_call(fcinfo, &call, operation);
	run_call(&call, operation, true, NULL);

	refusal = refusal_get(call.refused);
	values[0] = BoolGetDatum(call.refused == REFUSAL_NONE);
	values[1] = CStringGetTextDatum(refusal->code);
	values[2] = Int32GetDatum(refusal->http_status);
	values[3] = BoolGetDatum(refusal->retryable);
	values[4] = CStringGetTextDatum(refusal->message);
	nulls[5] = call.detail == NULL;
	values[5] = call.detail ? CStringGetTextDatum(call.detail) : (Datum) 0;
	nulls[6] = call.refused != REFUSAL_NONE;
	values[6] = Int64GetDatum(call.id);
	values[7] = BoolGetDatum(call.replayed);

	desc = outcome_descriptor(fcinfo->flinfo->fn_oid);
	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}
