/*
 * person.c
 *
 * person_id: a stable bigint for whom the application knows by a uuid or login.
 *
 * Two who make the same person at once: the second waits for the end of the
 * first at the unique index, as long as a call may wait for a row (lock.c).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "lock.h"
#include "plan_cache.h"

#define NAME_MAX_LENGTH 255

/* So often one and the same person is not made and deleted by others. */
#define MAX_TRIES 10

static CachedQuery find_person = {
	"SELECT p.id FROM fcfs.person p WHERE p.external_id = $1", 1, {TEXTOID}, NULL, 0};

static CachedQuery insert_person = {
	"INSERT INTO fcfs.person (external_id) VALUES ($1) ON CONFLICT (external_id) DO NOTHING"
	" RETURNING id",
	1,
	{TEXTOID},
	NULL,
	0};

/* The table would say so too, but show the name to the log. */
static void
check_name(Datum name)
{
	bool too_long =
		toast_raw_datum_size(name) - VARHDRSZ > NAME_MAX_LENGTH * MAX_MULTIBYTE_CHAR_LEN;
	const char *spelled = too_long ? NULL : TextDatumGetCString(name);

	if (too_long || spelled[0] == '\0' || pg_mbstrlen(spelled) > NAME_MAX_LENGTH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("external must have 1 to %d characters", NAME_MAX_LENGTH)));
}

/* Looks, then inserts; what somebody else has just committed is seen at the next
 * look, unless it was deleted in between. */
static int64
find_or_make(Datum name)
{
	for (int tries = 0; query_read(&find_person, &name, NULL, 1) == 0; tries++)
	{
		uint64 written;

		CHECK_FOR_INTERRUPTS();
		PreventCommandIfReadOnly("person_id()");
		written = query_write(&insert_person, &name, NULL);
		if (written > 0)
			break;
		if (tries == MAX_TRIES)
			query_wrote_one(written, "person");
	}
	return query_int64(0, 1, 0);
}

PG_FUNCTION_INFO_V1(fcfs_person_id);

/* person_id(external) */
Datum
fcfs_person_id(PG_FUNCTION_ARGS)
{
	LockCall locks;
	volatile int64 id = 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("external must not be null")));
	check_name(PG_GETARG_DATUM(0));
	PreventCommandIfParallelMode("person_id()");
	lock_call_begin(&locks, GetCurrentTimestamp());
	PG_TRY();
	{
		SPI_connect();
		id = find_or_make(PG_GETARG_DATUM(0));
		SPI_finish();
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	PG_RETURN_INT64(id);
}
