/*
 * idempotency.c
 *
 * Judges a call by its idempotency key before anything else is looked at. The
 * key's lock is held to the end of the transaction, so a second call under the
 * key waits until the first has committed (then it finds the answer) or rolled
 * back (then it is the first).
 *
 * A key belongs to a function and a person. Two keys that hash alike only wait
 * for each other; the table is searched by the key itself.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "idempotency.h"
#include "table.h"

typedef enum AnswerColumn
{
	ANSWER_PERSON_ID,
	ANSWER_KEY,
	ANSWER_FUNCTION,
	ANSWER_ARGUMENTS,
	ANSWER_CODE,
	ANSWER_DETAIL,
	ANSWER_ID
} AnswerColumn;

static Table answers = {
	.name = "idempotency",
	.lock = RowExclusiveLock,
	.columns = {"person_id", "key", "function", "arguments", "code", "detail", "id"},
	.types = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID},
	.indexes = {"idempotency_pkey"}};

static LockName
key_lock(const Call *call)
{
	const char *function = call->operation->name;
	uint64 hash =
		hash_bytes_extended((const unsigned char *) call->key, strlen(call->key), call->person_id);

	hash = hash_bytes_extended((const unsigned char *) function, strlen(function), hash);
	return (LockName){LOCK_IDEMPOTENCY_KEY, (int64) hash};
}

/* Answers the call with what was stored. */
static void
replay(Call *call, const TableRead *stored)
{
	char *code;
	Datum detail;
	RefusalCode refused;
	bool isnull;

	code = TextDatumGetCString(table_read_value(stored, ANSWER_CODE, &isnull));
	refused = refusal_by_name(code);
	if (refused == REFUSAL_COUNT)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("unknown code \"%s\" in fcfs.idempotency", code)));
	call->replayed = true;
	if (refused == REFUSAL_NONE)
	{
		(void) call_done(call, DatumGetInt64(table_read_value(stored, ANSWER_ID, &isnull)));
		detail = table_read_value(stored, ANSWER_DETAIL, &isnull);
		if (!isnull)
			call->detail = MemoryContextStrdup(call->context, TextDatumGetCString(detail));
		return;
	}
	detail = table_read_value(stored, ANSWER_DETAIL, &isnull);
	(void) call_refuse(call, refused, isnull ? NULL : "%s",
					   isnull ? NULL : TextDatumGetCString(detail));
}

/* Answers the call if somebody has called under this key before. */
static bool
answered_before(Call *call)
{
	static const int columns[] = {ANSWER_PERSON_ID, ANSWER_KEY, ANSWER_FUNCTION};
	Datum keys[] = {Int64GetDatum(call->person_id), CStringGetTextDatum(call->key),
					CStringGetTextDatum(call->operation->name)};
	Snapshot newest = table_newest();
	TableRead read;
	bool found;
	bool isnull;

	table_read_begin(&read, &answers, 0, newest, lengthof(keys), columns, keys);
	found = table_read_next(&read);
	if (found)
	{
		Datum arguments = table_read_value(&read, ANSWER_ARGUMENTS, &isnull);

		if (strcmp(TextDatumGetCString(arguments), argument_text(call)) == 0)
			replay(call, &read);
		else
			(void) call_refuse(call, REFUSAL_IDEMPOTENCY_KEY_REUSED, NULL);
	}
	table_read_end(&read);
	UnregisterSnapshot(newest);
	return found;
}

/* False if the key answers the call. */
bool
idempotency_judge(Call *call)
{
	switch (lock_acquire(key_lock(call), ExclusiveLock))
	{
		case LOCK_GRANTED:
			break;
		case LOCK_CROWDED:
			return call_refuse(call, REFUSAL_TOO_MANY_WAITERS, NULL);
		case LOCK_TIMED_OUT:
			return call_refuse(call, REFUSAL_IDEMPOTENCY_KEY_IN_USE, NULL);
	}
	if (answered_before(call))
		return false;
	call->first_under_key = true;
	return true;
}

/* Will the same call always be refused like this? Else it may be tried again. */
static bool
is_final(RefusalCode refused)
{
	return !refusal_get(refused)->retryable && !refusal_is_not_found(refused);
}

/* Stores the answer of the first call under a key, if it is final. */
void
idempotency_store(const Call *call)
{
	TableRow row = {0};

	Assert(call->first_under_key && !call->replayed);
	if (!is_final(call->refused))
		return;
	table_row_set(&row, ANSWER_PERSON_ID, Int64GetDatum(call->person_id));
	table_row_set(&row, ANSWER_KEY, CStringGetTextDatum(call->key));
	table_row_set(&row, ANSWER_FUNCTION, CStringGetTextDatum(call->operation->name));
	table_row_set(&row, ANSWER_ARGUMENTS, CStringGetTextDatum(argument_text(call)));
	table_row_set(&row, ANSWER_CODE, CStringGetTextDatum(refusal_get(call->refused)->code));
	table_row_set(&row, ANSWER_DETAIL,
				  call->detail ? CStringGetTextDatum(call->detail) : (Datum) 0);
	row.nulls[ANSWER_DETAIL] = call->detail == NULL;
	table_row_set(&row, ANSWER_ID, Int64GetDatum(call->id));
	row.nulls[ANSWER_ID] = call->refused != REFUSAL_NONE;
	(void) table_insert(&answers, &row, "idempotency key");
}
