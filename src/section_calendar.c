/*
 * section_calendar.c
 *
 * Keeps section.schedule equal to the calendar of the section's meetings: after
 * meetings, or the dates of sections and terms, have changed, the schedules of the
 * sections that these may have touched are computed anew.
 *
 * Locks: the rows of those sections, in order of id, to the end of the transaction.
 * What the changed schedule means for enrollments is section.c's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"

#include "plan_cache.h"
#include "trigger.h"

/* Which sections a statement may have changed the calendar of, by what it
 * changed; reads the transition tables "before" and "changed". */
static const char *
touched_sections(const char *what)
{
	if (strcmp(what, "meeting") == 0)
		return "SELECT c.section_id FROM changed c";
	if (strcmp(what, "section") == 0)
		return "SELECT c.id FROM changed c JOIN before b ON b.id = c.id"
			   " WHERE (c.starts_on, c.ends_on, c.term_id, c.schedule) IS DISTINCT FROM"
			   " (b.starts_on, b.ends_on, b.term_id, b.schedule)";
	if (strcmp(what, "term") == 0)
		return "SELECT s.id FROM fcfs.section s JOIN changed c ON c.id = s.term_id JOIN before b "
			   "ON b.id = c.id"
			   " WHERE (c.starts_on, c.ends_on, c.time_zone) IS DISTINCT FROM (b.starts_on, "
			   "b.ends_on, b.time_zone)";
	if (strcmp(what, "truncated") == 0)
		return "SELECT s.id FROM fcfs.section s WHERE s.schedule <> '{}'";
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("unknown trigger argument \"%s\"", what)));
}

/* Sections in order of id, locked, so that two such changes come one after the
 * other and the second sees what the first did. */
static Datum
lock_touched_sections(const char *what, bool *none)
{
	char *sql = psprintf(
		"WITH touched AS MATERIALIZED ("
		"SELECT s.id FROM fcfs.section s WHERE s.id IN (%s) ORDER BY s.id FOR NO KEY UPDATE)"
		" SELECT array_agg(t.id) FROM touched t",
		touched_sections(what));

	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not find the sections whose schedule changes");
	return query_value(0, 1, none);
}

/* The calendar of a section is kept meeting by meeting: it must not be endless. */
static void
check_length_of_sections(Datum sections)
{
	Oid argtypes[1] = {INT8ARRAYOID};

	if (SPI_execute_with_args(
			"SELECT s.id FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id"
			" WHERE s.id = ANY ($1)"
			" AND coalesce(s.ends_on, t.ends_on) - coalesce(s.starts_on, t.starts_on) > 3660"
			" ORDER BY s.id LIMIT 1",
			1, argtypes, &sections, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look at the dates of sections");
	if (SPI_processed > 0)
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("section " INT64_FORMAT " would last more than ten years",
							   query_int64(0, 1, 0)),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
						err_generic_string(PG_DIAG_TABLE_NAME, "section"),
						err_generic_string(PG_DIAG_CONSTRAINT_NAME, "section_at_most_ten_years")));
}

/* Sets the schedules of sections to those of their meetings. */
static void
recompute_schedules(Datum sections)
{
	static bool recomputing = false;
	Oid argtypes[1] = {INT8ARRAYOID};

	if (recomputing) /* our own UPDATE, below, sets us off again */
		return;
	check_length_of_sections(sections);
	recomputing = true;
	PG_TRY();
	{
		if (SPI_execute_with_args("UPDATE fcfs.section s SET schedule = w.schedule"
								  " FROM (SELECT u.id, fcfs.section_schedule(u.id) AS schedule "
								  "FROM unnest($1) AS u (id)) w"
								  " WHERE s.id = w.id AND s.schedule <> w.schedule",
								  1, argtypes, &sections, NULL, false, 0) != SPI_OK_UPDATE)
			elog(ERROR, "could not update the schedules of sections");
	}
	PG_FINALLY();
	{
		recomputing = false;
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(fcfs_schedule_changed);

/* AFTER STATEMENT trigger of meeting, section and term, with its kind of table. */
Datum
fcfs_schedule_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER, ~0, "an AFTER STATEMENT");
	const char *what = trigger->tg_trigger->tgnargs == 1 ? trigger->tg_trigger->tgargs[0] : "";
	Datum sections;
	bool none;

	trigger_check_table(trigger, strcmp(what, "truncated") == 0 ? "meeting" : what);
	SPI_connect();
	if (SPI_register_trigger_data(trigger) != SPI_OK_TD_REGISTER)
		elog(ERROR, "could not register transition tables");
	sections = lock_touched_sections(what, &none);
	if (!none)
		recompute_schedules(sections);
	SPI_finish();
	return PointerGetDatum(NULL);
}
