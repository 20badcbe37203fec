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
#include "executor/spi.h"
#include "utils/builtins.h"

#include "idempotency.h"

static CachedQuery find_answer = {
	"SELECT i.arguments, i.code, i.detail, i.id FROM fcfs.idempotency i"
	" WHERE i.person_id = $1 AND i.key = $2 AND i.function = $3",
	3,
	{INT8OID, TEXTOID, TEXTOID},
	NULL,
	0};

static CachedQuery store_answer = {
	"INSERT INTO fcfs.idempotency (person_id, key, function, arguments, code, detail, id)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7)",
	7,
	{INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID},
	NULL,
	0};

static LockName
key_lock(const Call *call)
{
	const char *function = call->operation->name;
	uint64 hash =
		hash_bytes_extended((const unsigned char *) call->key, strlen(call->key), call->person_id);

	hash = hash_bytes_extended((const unsigned char *) function, strlen(function), hash);
	return (LockName){LOCK_IDEMPOTENCY_KEY, (int64) hash};
}

/* The arguments in a form that compares: "1,2". */
static char *
argument_text(const Call *call)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < OPERATION_MAX_ARGS && call->operation->arguments[i]; i++)
		appendStringInfo(&text, "%s" INT64_FORMAT, i > 0 ? "," : "", call->arguments[i]);
	return text.data;
}

/* Answers the call with what was stored. */
static bool
replay(Call *call)
{
	char *code = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	char *detail = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	RefusalCode stored = refusal_by_name(code);

	if (stored == REFUSAL_COUNT)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("unknown code \"%s\" in fcfs.idempotency", code)));
	call->replayed = true;
	if (stored == REFUSAL_NONE)
		(void) call_done(call, query_int64(0, 4, 0));
	else
		(void) call_refuse(call, stored, detail ? "%s" : NULL, detail);
	return false;
}

/* False if the key answers the call. */
bool
idempotency_judge(Call *call)
{
	Datum values[3];

	switch (lock_acquire(key_lock(call), ExclusiveLock))
	{
		case LOCK_GRANTED:
			break;
		case LOCK_CROWDED:
			return call_refuse(call, REFUSAL_TOO_MANY_WAITERS, NULL);
		case LOCK_TIMED_OUT:
			return call_refuse(call, REFUSAL_IDEMPOTENCY_KEY_IN_USE, NULL);
	}
	values[0] = Int64GetDatum(call->person_id);
	values[1] = CStringGetTextDatum(call->key);
	values[2] = CStringGetTextDatum(call->operation->name);
	if (query_read(&find_answer, values, NULL, 1) > 0)
	{
		char *arguments = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		if (strcmp(arguments, argument_text(call)) != 0)
			return call_refuse(call, REFUSAL_IDEMPOTENCY_KEY_REUSED, NULL);
		return replay(call);
	}
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
	Datum values[7];
	char nulls[8] = "       ";

	Assert(call->first_under_key && !call->replayed);
	if (!is_final(call->refused))
		return;
	values[0] = Int64GetDatum(call->person_id);
	values[1] = CStringGetTextDatum(call->key);
	values[2] = CStringGetTextDatum(call->operation->name);
	values[3] = CStringGetTextDatum(argument_text(call));
	values[4] = CStringGetTextDatum(refusal_get(call->refused)->code);
	values[5] = call->detail ? CStringGetTextDatum(call->detail) : (Datum) 0;
	nulls[5] = call->detail ? ' ' : 'n';
	values[6] = Int64GetDatum(call->id);
	nulls[6] = call->refused == REFUSAL_NONE ? ' ' : 'n';
	query_wrote_one(query_write(&store_answer, values, nulls), "idempotency key");
}
