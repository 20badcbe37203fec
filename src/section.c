/*
 * section.c
 *
 * What enrollments copy of their section is that of their section, and stays so:
 * its term, course and schedule (which section_calendar.c keeps).
 *
 * Whoever enrols has the section pinned; a change of what enrollments copy is
 * made by one who has the pool alone (escrow_freeze). So no enrollment with an
 * old schedule can appear after the change was carried over, whether it comes
 * from a function or from an INSERT. In the same way a section that is cancelled
 * drops everybody, and nobody comes in after.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "pool.h"
#include "section.h"
#include "trigger.h"

static bool
same_value(Datum a, Datum b)
{
	struct varlena *left = PG_DETOAST_DATUM_PACKED(a);
	struct varlena *right = PG_DETOAST_DATUM_PACKED(b);

	return VARSIZE_ANY_EXHDR(left) == VARSIZE_ANY_EXHDR(right) &&
		   memcmp(VARDATA_ANY(left), VARDATA_ANY(right), VARSIZE_ANY_EXHDR(left)) == 0;
}

/* Enrollments: fill in ------------------------------------------------------------ */

typedef struct RowFill
{
	HeapTuple row;
	TupleDesc desc;
	int count;
	int columns[5];
	Datum values[5];
	bool nulls[5];
} RowFill;

static void
fill_column(RowFill *fill, const char *column, Datum value)
{
	fill->columns[fill->count] = SPI_fnumber(fill->desc, column);
	fill->values[fill->count] = value;
	fill->nulls[fill->count] = false;
	fill->count++;
}

static void
disagree(const char *column, int64 section_id)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("column \"%s\" of an enrollment must be that of section " INT64_FORMAT,
						   column, section_id),
					errhint("Leave it out and it is filled in."),
					err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
					err_generic_string(PG_DIAG_TABLE_NAME, "enrollment"),
					err_generic_string(PG_DIAG_COLUMN_NAME, column)));
}

static void
refuse_cancelled(int64 section_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("section " INT64_FORMAT " is cancelled", section_id),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "enrollment"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "enrollment_section_not_cancelled")));
}

static void
fill_id(RowFill *fill, const char *column, int64 wanted, int64 section_id)
{
	bool isnull;
	Datum value = pool_column(fill->row, fill->desc, column, &isnull);

	if (isnull)
		fill_column(fill, column, Int64GetDatum(wanted));
	else if (DatumGetInt64(value) != wanted)
		disagree(column, section_id);
}

static void
fill_cross_list(RowFill *fill, const SectionDefinition *section, int64 section_id)
{
	bool isnull;

	if (section->is_cross_listed)
		fill_id(fill, "cross_list_id", section->cross_list_id, section_id);
	else
	{
		(void) pool_column(fill->row, fill->desc, "cross_list_id", &isnull);
		if (!isnull)
			disagree("cross_list_id", section_id);
	}
}

static HeapTuple
fill_enrollment(HeapTuple row, TupleDesc desc)
{
	RowFill fill = {row, desc, 0, {0}, {0}, {0}};
	bool isnull;
	int64 section_id = DatumGetInt64(pool_column(row, desc, "section_id", &isnull));
	bool enrolled = pool_text_is(pool_column(row, desc, "status", &isnull), "enrolled");
	const SectionDefinition *section =
		section_definition(pool_pin_or_raise(&section_pool, section_id), section_id);
	Datum schedule;

	if (section == NULL)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
						errmsg("there is no section " INT64_FORMAT " of a course", section_id)));
	if (section->cancelled && !pool_text_is(pool_column(row, desc, "status", &isnull), "cancelled"))
		refuse_cancelled(section_id);
	fill_id(&fill, "term_id", section->term_id, section_id);
	fill_id(&fill, "course_id", section->course_id, section_id);
	fill_cross_list(&fill, section, section_id);
	(void) pool_column(row, desc, "credits", &isnull);
	if (isnull)
		fill_column(&fill, "credits", section->credits);
	schedule = pool_column(row, desc, "schedule", &isnull);
	if (isnull)
		fill_column(&fill, "schedule", section->schedule);
	else if (enrolled && !same_value(schedule, section->schedule))
		disagree("schedule", section_id);
	if (fill.count == 0)
		return row;
	return heap_modify_tuple_by_cols(row, desc, fill.count, fill.columns, fill.values, fill.nulls);
}

/* The row that fcfs_enrollment_fill() returns. */
static HeapTuple filled_row;

static void
fill_row(const TriggerData *trigger)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	bool section_null;
	bool status_null;

	(void) pool_column(row, desc, "section_id", &section_null);
	(void) pool_column(row, desc, "status", &status_null);
	if (!section_null && !status_null) /* else the NOT NULL constraint says it best */
		row = fill_enrollment(row, desc);
	filled_row = row;
}

PG_FUNCTION_INFO_V1(fcfs_enrollment_fill);

/* BEFORE INSERT OR UPDATE ROW trigger of fcfs.enrollment. */
Datum
fcfs_enrollment_fill(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_check(fcinfo, TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW,
					  TRIGGER_BY(TRIGGER_EVENT_INSERT) | TRIGGER_BY(TRIGGER_EVENT_UPDATE),
					  "a BEFORE INSERT OR UPDATE ROW");

	trigger_check_table(trigger, "enrollment");
	pool_run_trigger(trigger, fill_row);
	return PointerGetDatum(filled_row);
}

/* Sections: carry over ----------------------------------------------------------------- */

static CachedQuery carry_over = {
	"UPDATE fcfs.enrollment e SET term_id = $2, course_id = $3, cross_list_id = $4, schedule = $5"
	" WHERE e.section_id = $1 AND e.status = 'enrolled'",
	5,
	{INT8OID, INT8OID, INT8OID, INT8OID, TSTZMULTIRANGEOID},
	NULL,
	0};

/* Those that wait have no timetable yet, and those that are over have theirs of then. */
static CachedQuery carry_over_others = {
	"UPDATE fcfs.enrollment e SET term_id = $2, course_id = $3, cross_list_id = $4"
	" WHERE e.section_id = $1 AND e.status <> 'enrolled'"
	" AND (e.term_id, e.course_id, e.cross_list_id) IS DISTINCT FROM ($2, $3, $4)",
	4,
	{INT8OID, INT8OID, INT8OID, INT8OID},
	NULL,
	0};

/* With what the section is now, for all at once: each row must agree with it. */
static CachedQuery drop_all = {
	"UPDATE fcfs.enrollment e SET status = 'cancelled', ended_at = clock_timestamp(),"
	" term_id = $2, course_id = $3, cross_list_id = $4"
	" WHERE e.section_id = $1 AND e.status <> 'cancelled'",
	4,
	{INT8OID, INT8OID, INT8OID, INT8OID},
	NULL,
	0};

static CachedQuery find_conflicts = {
	"SELECT string_agg(DISTINCT format('%s (section %s)', e.student_id, x.section_id), ', ')"
	" FROM fcfs.enrollment e JOIN fcfs.enrollment x"
	" ON x.student_id = e.student_id AND x.status = 'enrolled' AND x.id <> e.id AND x.schedule && "
	"$2 AND 'conflict' <> ALL (x.override)"
	" WHERE e.section_id = $1 AND e.status = 'enrolled' AND 'conflict' <> ALL (e.override)",
	2,
	{INT8OID, TSTZMULTIRANGEOID},
	NULL,
	0};

static bool
is_cancelled(HeapTuple row, TupleDesc desc)
{
	bool isnull;

	(void) pool_column(row, desc, "cancelled_at", &isnull);
	return !isnull;
}

/* Does anything change that enrollments copy, or is it the end of all of them? */
bool
section_changes_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	static const char *const ids[] = {"term_id", "course_id", "cross_list_id"};
	bool old_null;
	bool new_null;
	Datum old_value;
	Datum new_value;

	if (is_cancelled(new_row, desc) && !is_cancelled(old_row, desc))
		return true;
	for (int i = 0; i < (int) lengthof(ids); i++)
	{
		old_value = pool_column(old_row, desc, ids[i], &old_null);
		new_value = pool_column(new_row, desc, ids[i], &new_null);
		if (old_null != new_null ||
			(!old_null && DatumGetInt64(old_value) != DatumGetInt64(new_value)))
			return true;
	}
	old_value = pool_column(old_row, desc, "schedule", &old_null);
	new_value = pool_column(new_row, desc, "schedule", &new_null);
	return !same_value(old_value, new_value);
}

/* Carries what has changed over to the enrollments; the pool is ours alone. */
void
section_changed(EscrowEntry *entry pg_attribute_unused(), HeapTuple old_row, HeapTuple new_row,
				TupleDesc desc)
{
	bool isnull;
	char nulls[] = "     ";
	Datum values[5];
	Datum conflict[2];

	values[0] = pool_column(new_row, desc, "id", &isnull);
	values[1] = pool_column(new_row, desc, "term_id", &isnull);
	values[2] = pool_column(new_row, desc, "course_id", &isnull);
	values[3] = pool_column(new_row, desc, "cross_list_id", &isnull);
	nulls[3] = isnull ? 'n' : ' ';
	values[4] = pool_column(new_row, desc, "schedule", &isnull);
	conflict[0] = values[0];
	conflict[1] = values[4];
	SPI_connect();
	if (is_cancelled(new_row, desc) && !is_cancelled(old_row, desc))
		(void) query_write(&drop_all, values, nulls);
	(void) query_read(&find_conflicts, conflict, NULL, 1);
	(void) query_value(0, 1, &isnull);
	if (!isnull)
		ereport(ERROR, (errcode(ERRCODE_EXCLUSION_VIOLATION),
						errmsg("the new meetings of section " INT64_FORMAT
							   " clash with the timetable of its students",
							   DatumGetInt64(values[0])),
						errdetail("Students in conflict: %s.",
								  SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
						err_generic_string(PG_DIAG_TABLE_NAME, "enrollment"),
						err_generic_string(PG_DIAG_CONSTRAINT_NAME, "enrollment_no_overlap")));
	(void) query_write(&carry_over, values, nulls);
	(void) query_write(&carry_over_others, values, nulls);
	SPI_finish();
}
