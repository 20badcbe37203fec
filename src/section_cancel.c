/*
 * section_cancel.c
 *
 * cancel_section: the office cancels a section, and is told whom it dropped. The
 * section notes who did it, when, and why.
 *
 * The section's row is locked first, and then its pool had alone, as in an UPDATE
 * that cancels it: who is listed then is who is dropped (section.c), and nobody
 * comes in between.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "lock.h"
#include "plan_cache.h"
#include "pool.h"
#include "section.h"

static CachedQuery lock_section = {
	"SELECT s.cancelled_at IS NOT NULL FROM fcfs.section s WHERE s.id = $1 FOR NO KEY UPDATE",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery find_dropped = {
	"SELECT e.student_id, e.id, e.status FROM fcfs.enrollment e"
	" WHERE e.section_id = $1 AND e.status <> 'cancelled' ORDER BY e.arrived_at, e.id",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery set_cancelled = {
	"UPDATE fcfs.section s SET cancelled_at = clock_timestamp(), cancelled_by = session_user,"
	" cancel_reason = $2 WHERE s.id = $1",
	2,
	{INT8OID, TEXTOID},
	NULL,
	0};

/* Puts the rows of the last query into the answer. */
static void
answer_rows(ReturnSetInfo *result)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum values[3];
		bool nulls[3];

		for (int column = 0; column < (int) lengthof(values); column++)
			values[column] = query_value(i, column + 1, &nulls[column]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

static void
run_cancel_section(int64 section_id, NullableDatum reason, ReturnSetInfo *result)
{
	Datum id = Int64GetDatum(section_id);
	Datum values[2] = {id, reason.value};
	char nulls[] = {' ', reason.isnull ? 'n' : ' ', '\0'};

	if (query_write(&lock_section, &id, NULL) == 0)
		refusal_raise(REFUSAL_COURSE_NOT_FOUND, psprintf("section " INT64_FORMAT, section_id));
	if (query_bool(0, 1))
		return;
	pool_freeze_or_raise(&section_pool, pool_pin_or_raise(&section_pool, section_id));
	(void) query_read(&find_dropped, &id, NULL, 0);
	answer_rows(result);
	query_wrote_one(query_write(&set_cancelled, values, nulls), "cancellation");
}

PG_FUNCTION_INFO_V1(fcfs_cancel_section);

/* cancel_section(section_id, reason) */
Datum
fcfs_cancel_section(PG_FUNCTION_ARGS)
{
	LockCall locks;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("section_id must not be null")));
	if (!PG_ARGISNULL(1) && VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("reason must not be empty")));
	PreventCommandIfReadOnly("cancel_section()");
	PreventCommandIfParallelMode("cancel_section()");
	InitMaterializedSRF(fcinfo, 0);
	lock_call_begin(&locks, GetCurrentTimestamp());
	PG_TRY();
	{
		SPI_connect();
		run_cancel_section(PG_GETARG_INT64(0), fcinfo->args[1],
						   (ReturnSetInfo *) fcinfo->resultinfo);
		SPI_finish();
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	return (Datum) 0;
}
