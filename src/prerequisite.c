/*
 * prerequisite.c
 *
 * Prerequisites that nobody could ever meet are refused: courses that require each
 * other, at first hand or by way of others. Corequisites may (a lecture and its lab,
 * taken in the same term), as long as all in the circle are corequisites.
 *
 * A row is judged with the newest snapshot. Who writes prerequisites has the table
 * to the end of the transaction against others who do (SHARE UPDATE EXCLUSIVE, which
 * lets everybody else work), from before the first row on: of two that each add half
 * a circle at the same moment the second sees the first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "lock.h"
#include "plan_cache.h"
#include "pool.h"
#include "refusal.h"
#include "trigger.h"

/*
 * $1 requires $2, concurrently if $3: whatever $2 requires, and whether anything on the
 * way there must come before. A circle is one with the new row in it.
 */
static CachedQuery find_circle = {
	"WITH RECURSIVE needed (course_id, before) AS (SELECT $2, NOT $3"
	" UNION SELECT p.required_course_id, n.before OR NOT p.concurrent"
	" FROM needed n JOIN fcfs.prerequisite p ON p.course_id = n.course_id)"
	" SELECT format('%s requires %s, which requires %s, itself or by way of others.', c.code,"
	" r.code, c.code) FROM needed n JOIN fcfs.course c ON c.id = $1 JOIN fcfs.course r ON r.id = $2"
	" WHERE n.course_id = $1 AND n.before",
	3,
	{INT8OID, INT8OID, BOOLOID},
	NULL,
	0};

/* One writer at a time. */
static void
lock_writers(const TriggerData *trigger)
{
	if (lock_table(RelationGetRelid(trigger->tg_relation), ShareUpdateExclusiveLock) !=
		LOCK_GRANTED)
		refusal_raise(REFUSAL_LOCK_TIMEOUT, NULL);
}

static void
check_circle(const TriggerData *trigger)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	Datum values[3];
	bool isnull;

	lock_writers(trigger);
	values[0] = pool_column(row, desc, "course_id", &isnull);
	values[1] = pool_column(row, desc, "required_course_id", &isnull);
	values[2] = pool_column(row, desc, "concurrent", &isnull);
	SPI_connect();
	if (query_read(&find_circle, values, NULL, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("prerequisites would go round in a circle"),
				 errdetail("%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
				 errhint("Only corequisites (concurrent) may."),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
				 err_generic_string(PG_DIAG_TABLE_NAME, "prerequisite"),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "prerequisite_no_circle")));
	SPI_finish();
}

PG_FUNCTION_INFO_V1(fcfs_prerequisite_changed);

/* BEFORE STATEMENT and AFTER ROW trigger of fcfs.prerequisite. */
Datum
fcfs_prerequisite_changed(PG_FUNCTION_ARGS)
{
	int operations = TRIGGER_BY(TRIGGER_EVENT_INSERT) | TRIGGER_BY(TRIGGER_EVENT_UPDATE);
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (CALLED_AS_TRIGGER(fcinfo) && TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		trigger = trigger_check(fcinfo, TRIGGER_EVENT_BEFORE, operations, "a BEFORE STATEMENT");
	else
		trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW, operations,
								"an AFTER INSERT OR UPDATE ROW");
	trigger_check_table(trigger, "prerequisite");
	pool_run_trigger(trigger,
					 TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ? check_circle : lock_writers);
	return PointerGetDatum(NULL);
}
