/*
 * enrollment_wave.c
 *
 * Waves of a group, or those for everybody, do not overlap within a term. The exclusion
 * constraint sees to that; this says it in words, before the constraint does. The constraint
 * has what is left: of two that are added at the same moment the second, and the same wave
 * again, which ON CONFLICT DO NOTHING may pass over.
 *
 * Locks: none.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "plan_cache.h"
#include "pool.h"
#include "trigger.h"

/* A wave that one of $1 to $4 would overlap with, other than $5, which is that one. */
static CachedQuery find_overlap = {
	"SELECT format('waves %s in term %s would overlap',"
	" coalesce('of group ' || g.code, 'for everybody'), t.code),"
	" format('It is from %s to %s, wave %s from %s to %s.', $3, $4, w.id, w.opens_at, w.closes_at)"
	" FROM fcfs.enrollment_wave w JOIN fcfs.term t ON t.id = w.term_id"
	" LEFT JOIN fcfs.student_group g ON g.id = w.student_group_id"
	" WHERE w.term_id = $1 AND w.student_group_id IS NOT DISTINCT FROM $2"
	" AND w.opens_at < $4 AND w.closes_at > $3 AND $3 < $4 AND (w.opens_at, w.closes_at) <> ($3, "
	"$4)"
	" AND w.id <> $5"
	" ORDER BY w.opens_at",
	5,
	{INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID},
	NULL,
	0};

/* What is NULL and may not be, or ends before it begins, is for the table to refuse. */
static void
check_overlap(const TriggerData *trigger)
{
	static const char *const columns[] = {"term_id", "student_group_id", "opens_at", "closes_at"};
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	Datum values[5];
	char nulls[] = "     ";
	bool isnull;

	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		values[i] = pool_column(row, desc, columns[i], &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	values[4] = pool_column(trigger->tg_trigtuple, desc, "id", &isnull);
	nulls[4] = isnull ? 'n' : ' ';
	SPI_connect();
	if (query_read(&find_overlap, values, nulls, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXCLUSION_VIOLATION),
				 errmsg("%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
				 errdetail("%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
				 err_generic_string(PG_DIAG_TABLE_NAME, "enrollment_wave"),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "enrollment_wave_no_overlap")));
	SPI_finish();
}

PG_FUNCTION_INFO_V1(fcfs_wave_changed);

/* BEFORE INSERT OR UPDATE ROW trigger of fcfs.enrollment_wave. */
Datum
fcfs_wave_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_check(fcinfo, TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW,
					  TRIGGER_BY(TRIGGER_EVENT_INSERT) | TRIGGER_BY(TRIGGER_EVENT_UPDATE),
					  "a BEFORE INSERT OR UPDATE ROW");

	trigger_check_table(trigger, "enrollment_wave");
	pool_run_trigger(trigger, check_overlap);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}
