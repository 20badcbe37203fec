/*
 * section_calendar.c
 *
 * Keeps section.schedule equal to the calendar of the section's meetings: after
 * meetings, or the dates of sections and terms, have changed, the schedules of the
 * sections that these may have touched are computed anew, one after the other in
 * order of id, so that of several that cannot be it is always the same one that is
 * told. What a changed schedule means for enrollments is section.c's.
 *
 * A dated meeting lies within the dates of its section: its own, or else those of
 * its term.
 *
 * Locks: the rows of the terms of those sections, shared, and then those of the
 * sections, in order of id, to the end of the transaction. So two such changes come
 * one after the other, and the second judges and computes what the first did, with
 * the newest snapshot. A section that is made while the dates of its term change has
 * no meetings yet; whoever adds them waits for the term. Accepted: an UPDATE of
 * sections has their rows before it comes here, and may meet one of their term
 * crosswise (40P01).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"

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
			   " WHERE (c.starts_on, c.classes_end_on, c.ends_on, c.time_zone) IS DISTINCT FROM"
			   " (b.starts_on, b.classes_end_on, b.ends_on, b.time_zone)";
	if (strcmp(what, "truncated") == 0)
		return "SELECT s.id FROM fcfs.section s WHERE s.schedule <> '{}'";
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("unknown trigger argument \"%s\"", what)));
}

/* The sections, in order of id, locked. */
static Datum
lock_touched_sections(const char *what, bool *none)
{
	const char *touched = touched_sections(what);
	char *terms = psprintf("SELECT t.id FROM fcfs.term t WHERE t.id IN"
						   " (SELECT s.term_id FROM fcfs.section s WHERE s.id IN (%s))"
						   " ORDER BY t.id FOR SHARE",
						   touched);
	char *sections = psprintf(
		"WITH touched AS MATERIALIZED ("
		"SELECT s.id FROM fcfs.section s WHERE s.id IN (%s) ORDER BY s.id FOR NO KEY UPDATE)"
		" SELECT array_agg(t.id) FROM touched t",
		touched);

	if (SPI_execute(terms, false, 0) != SPI_OK_SELECT ||
		SPI_execute(sections, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not find the sections whose schedule changes");
	return query_value(0, 1, none);
}

static CachedQuery find_too_long = {
	"SELECT s.id FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id WHERE s.id = ANY ($1)"
	" AND coalesce(s.ends_on, t.ends_on) - coalesce(s.starts_on, t.starts_on) > 3660"
	" ORDER BY s.id",
	1,
	{INT8ARRAYOID},
	NULL,
	0};

/* The calendar of a section is kept meeting by meeting: it must not be endless. */
static void
check_length_of_sections(Datum sections)
{
	if (query_read(&find_too_long, &sections, NULL, 1) > 0)
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("section " INT64_FORMAT " would last more than ten years",
							   query_int64(0, 1, 0)),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
						err_generic_string(PG_DIAG_TABLE_NAME, "section"),
						err_generic_string(PG_DIAG_CONSTRAINT_NAME, "section_at_most_ten_years")));
}

static CachedQuery find_outside = {
	"SELECT m.id, m.section_id, format('It is on %s, the section is from %s to %s.', m.on_date,"
	" coalesce(s.starts_on, t.starts_on), coalesce(s.ends_on, t.ends_on))"
	" FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id"
	" JOIN fcfs.meeting m ON m.section_id = s.id WHERE s.id = ANY ($1)"
	" AND (m.on_date < coalesce(s.starts_on, t.starts_on)"
	" OR m.on_date > coalesce(s.ends_on, t.ends_on)) ORDER BY s.id, m.on_date, m.id",
	1,
	{INT8ARRAYOID},
	NULL,
	0};

/* A dated meeting lies within the dates of its section. */
static void
check_dates_of_meetings(Datum sections)
{
	if (query_read(&find_outside, &sections, NULL, 1) > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("meeting " INT64_FORMAT " would be outside the dates of section " INT64_FORMAT,
					query_int64(0, 1, 0), query_int64(0, 2, 0)),
			 errdetail("%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3)),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "meeting"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "meeting_within_section")));
}

static CachedQuery find_changed = {
	"WITH computed AS MATERIALIZED (SELECT s.id, s.schedule AS was,"
	" fcfs.section_schedule(s.id) AS schedule FROM fcfs.section s WHERE s.id = ANY ($1))"
	" SELECT c.id, c.schedule FROM computed c WHERE c.schedule <> c.was ORDER BY c.id",
	1,
	{INT8ARRAYOID},
	NULL,
	0};

static CachedQuery set_schedule = {"UPDATE fcfs.section s SET schedule = $2 WHERE s.id = $1",
								   2,
								   {INT8OID, TSTZMULTIRANGEOID},
								   NULL,
								   0};

/* Our own UPDATE sets us off again, and may set off triggers of others. */
static bool recomputing = false;
static bool changed_meanwhile = false;

static void
set_schedules(SPITupleTable *changed, uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		bool isnull;
		Datum values[2] = {SPI_getbinval(changed->vals[i], changed->tupdesc, 1, &isnull),
						   SPI_getbinval(changed->vals[i], changed->tupdesc, 2, &isnull)};

		CHECK_FOR_INTERRUPTS();
		(void) query_write(&set_schedule, values, NULL);
	}
}

/* Sets the schedules of sections to those of their meetings; once more if these have
 * changed by that. */
static void
recompute_schedules(Datum sections)
{
	bool outer = recomputing;
	uint64 count;

	recomputing = true;
	PG_TRY();
	{
		do
		{
			changed_meanwhile = false;
			count = query_read(&find_changed, &sections, NULL, 0);
			set_schedules(SPI_tuptable, count);
		} while (changed_meanwhile);
	}
	PG_FINALLY();
	{
		recomputing = outer;
		changed_meanwhile = outer;
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
	if (recomputing && strcmp(what, "section") == 0)
		return PointerGetDatum(NULL);
	SPI_connect();
	if (SPI_register_trigger_data(trigger) != SPI_OK_TD_REGISTER)
		elog(ERROR, "could not register transition tables");
	sections = lock_touched_sections(what, &none);
	if (!none)
	{
		check_length_of_sections(sections);
		check_dates_of_meetings(sections);
		recompute_schedules(sections);
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}
