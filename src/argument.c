/*
 * argument.c
 *
 * Reads what an operation is called with, and refuses what is no input at all:
 * NULL where something is needed, arrays of several dimensions, numbers that are
 * none. What the values mean is for the operation to judge.
 *
 * Values are not copied: they live where the caller has them, or where they were
 * unpacked to, in the memory that is current when the call begins.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "argument.h"
#include "operation.h"

#define KEY_MAX_LENGTH 255

/* Reading ----------------------------------------------------------------------------- */

static const char *
read_key(Datum argument)
{
	char *key;
	bool too_long;

	/* One of a gigabyte is not even unpacked. */
	too_long = toast_raw_datum_size(argument) - VARHDRSZ > KEY_MAX_LENGTH * MAX_MULTIBYTE_CHAR_LEN;
	key = too_long ? NULL : TextDatumGetCString(argument);
	if (key && key[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("idempotency_key must not be empty")));
	if (too_long || pg_mbstrlen(key) > KEY_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idempotency_key must not be longer than %d characters", KEY_MAX_LENGTH)));
	return key;
}

static Datum
read_numeric(const char *name, Datum argument)
{
	Numeric numeric = DatumGetNumeric(argument);

	if (numeric_is_nan(numeric) || numeric_is_inf(numeric))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be finite", name)));
	return NumericGetDatum(numeric);
}

/* An array of one dimension, or none, that is not too long. */
static ArrayType *
read_array(const char *name, Datum argument, int *count)
{
	ArrayType *array = DatumGetArrayTypeP(argument);

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must have one dimension", name)));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (*count > ARGUMENT_MAX_ELEMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not have more than %d elements", name, ARGUMENT_MAX_ELEMENTS)));
	return array;
}

static void
read_bigints(const char *name, Datum argument, ArgumentValue *value)
{
	ArrayType *array = read_array(name, argument, &value->count);

	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not contain nulls", name)));
	value->integers = (const int64 *) ARR_DATA_PTR(array);
}

static void
read_numerics(const char *name, Datum argument, ArgumentValue *value)
{
	ArrayType *array = read_array(name, argument, &value->count);
	NullableDatum *numerics = palloc(value->count * sizeof(NullableDatum));
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	Assert(count == value->count);
	for (int i = 0; i < count; i++)
	{
		numerics[i].isnull = nulls[i];
		numerics[i].value = nulls[i] ? (Datum) 0 : read_numeric(name, elements[i]);
	}
	value->numerics = numerics;
}

/* One that is not NULL. */
static void
read_value(Call *call, int number, Datum argument)
{
	const char *name = call->operation->arguments[number].name;
	ArgumentValue *value = &call->values[number];

	value->given = true;
	switch (call->operation->arguments[number].kind)
	{
		case ARGUMENT_KEY:
			call->key = read_key(argument);
			break;
		case ARGUMENT_BIGINT:
			call->arguments[number] = DatumGetInt64(argument);
			break;
		case ARGUMENT_INTEGER:
			call->arguments[number] = DatumGetInt32(argument);
			break;
		case ARGUMENT_OPTIONAL_BIGINT:
			value->integer = DatumGetInt64(argument);
			break;
		case ARGUMENT_OPTIONAL_NUMERIC:
			value->numeric = read_numeric(name, argument);
			break;
		case ARGUMENT_OPTIONAL_NUMERICS:
			read_numerics(name, argument, value);
			break;
		case ARGUMENT_BIGINTS:
			read_bigints(name, argument, value);
			break;
		case ARGUMENT_NONE:
			pg_unreachable();
	}
}

static bool
is_required(ArgumentKind kind)
{
	return kind == ARGUMENT_BIGINT || kind == ARGUMENT_INTEGER || kind == ARGUMENT_BIGINTS;
}

/* Reads the arguments of a call. Those at the end that are not there are not given. */
void
argument_read(Call *call, const NullableDatum *given, int count)
{
	const Argument *arguments = call->operation->arguments;

	Assert(count <= OPERATION_MAX_ARGS);
	for (int i = 0; i < count; i++)
	{
		if (!given[i].isnull)
			read_value(call, i, given[i].value);
		else if (is_required(arguments[i].kind))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", arguments[i].name)));
	}
}

/* Judging ----------------------------------------------------------------------------- */

static int
compare_integers(const void *left, const void *right)
{
	int64 a = *(const int64 *) left;
	int64 b = *(const int64 *) right;

	return a < b ? -1 : a > b;
}

/* For an operation to which the same id twice in an array is an error. */
void
argument_check_distinct(const Call *call, int number)
{
	const Argument *argument = &call->operation->arguments[number];
	const ArgumentValue *value = &call->values[number];
	int64 sorted[ARGUMENT_MAX_ELEMENTS];

	Assert(argument->kind == ARGUMENT_BIGINTS && value->count <= ARGUMENT_MAX_ELEMENTS);
	memcpy(sorted, value->integers, value->count * sizeof(int64));
	qsort(sorted, value->count, sizeof(int64), compare_integers);
	for (int i = 1; i < value->count; i++)
	{
		if (sorted[i] == sorted[i - 1])
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s has the same id twice", argument->name),
							errdetail("It is " INT64_FORMAT ".", sorted[i])));
	}
}

/* Comparing --------------------------------------------------------------------------- */

static void
append_numerics(StringInfo text, const ArgumentValue *value)
{
	appendStringInfoChar(text, '{');
	for (int i = 0; i < value->count; i++)
		appendStringInfo(text, "%s%s", i > 0 ? "," : "",
						 value->numerics[i].isnull
							 ? "NULL"
							 : numeric_normalize(DatumGetNumeric(value->numerics[i].value)));
	appendStringInfoChar(text, '}');
}

static void
append_bigints(StringInfo text, const ArgumentValue *value)
{
	appendStringInfoChar(text, '{');
	for (int i = 0; i < value->count; i++)
		appendStringInfo(text, "%s" INT64_FORMAT, i > 0 ? "," : "", value->integers[i]);
	appendStringInfoChar(text, '}');
}

static void
append_argument(StringInfo text, const Call *call, int number)
{
	const ArgumentValue *value = &call->values[number];

	switch (call->operation->arguments[number].kind)
	{
		case ARGUMENT_BIGINT:
		case ARGUMENT_INTEGER:
			appendStringInfo(text, INT64_FORMAT, call->arguments[number]);
			break;
		case ARGUMENT_OPTIONAL_BIGINT:
			appendStringInfo(text, INT64_FORMAT, value->integer);
			break;
		case ARGUMENT_OPTIONAL_NUMERIC:
			appendStringInfoString(text, numeric_normalize(DatumGetNumeric(value->numeric)));
			break;
		case ARGUMENT_OPTIONAL_NUMERICS:
			append_numerics(text, value);
			break;
		case ARGUMENT_BIGINTS:
			append_bigints(text, value);
			break;
		case ARGUMENT_KEY:
		case ARGUMENT_NONE:
			pg_unreachable();
	}
}

/*
 * The arguments but for the key in a form that compares, "1,2": numbers by their
 * value, and the same whether one at the end was not given or not yet known to
 * the function.
 */
char *
argument_text(const Call *call)
{
	const Argument *arguments = call->operation->arguments;
	StringInfoData text;
	int end = 0; /* of the last that was given */

	initStringInfo(&text);
	for (int i = 0; i < OPERATION_MAX_ARGS && arguments[i].kind != ARGUMENT_NONE; i++)
	{
		if (arguments[i].kind == ARGUMENT_KEY)
			continue;
		if (i > 0)
			appendStringInfoChar(&text, ',');
		if (!call->values[i].given)
			continue;
		append_argument(&text, call, i);
		end = text.len;
	}
	text.data[end] = '\0';
	return text.data;
}

/* The one argument of a chore, which is about to write. */
int
argument_max_rows(FunctionCallInfo fcinfo, const char *function)
{
	int max_rows;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("max_rows must not be null")));
	max_rows = PG_GETARG_INT32(0);
	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must be at least 1")));
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	return max_rows;
}
