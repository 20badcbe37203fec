/*
 * timetable.c
 *
 * What a student is enrolled in, read as one change of it needs it, and written.
 *
 * Locks: the caller has the student's lock and the sections pinned; a row that is
 * changed is locked against raw SQL, which knows no student's lock.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/multirangetypes.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "number.h"
#include "plan_cache.h"
#include "pool.h"
#include "timetable.h"

/* The student is there: see student.c; so are the pools, which are pinned. */
Table enrollments = {
	.name = "enrollment",
	.lock = RowExclusiveLock,
	.columns = {"id", "student_id", "section_id", "term_id", "course_id", "credits", "schedule",
				"status", "cross_list_id", "reserved_seats_id", "swap_section_id", "override",
				"arrived_at", "ended_at"},
	.types = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, NUMERICOID, TSTZMULTIRANGEOID, TEXTOID,
			  INT8OID, INT8OID, INT8OID, TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.indexes = {"enrollment_once_a_course", "enrollment_pkey", "enrollment_once_in_line",
				"enrollment_line"},
	.ensured = {"enrollment_student_id_fkey", "enrollment_section_id_fkey",
				"enrollment_cross_list_id_fkey", "enrollment_reserved_seats_id_fkey"},
	.updated = {[ENROLLMENT_TERM_ID] = true,
				[ENROLLMENT_COURSE_ID] = true,
				[ENROLLMENT_CREDITS] = true,
				[ENROLLMENT_SCHEDULE] = true,
				[ENROLLMENT_STATUS] = true,
				[ENROLLMENT_CROSS_LIST_ID] = true,
				[ENROLLMENT_RESERVED_SEATS_ID] = true,
				[ENROLLMENT_OVERRIDE] = true,
				[ENROLLMENT_ENDED_AT] = true}};

/* Reading ------------------------------------------------------------------------- */

/* Do two schedules overlap? Half-open: what ends as the other begins does not. */
bool
timetable_overlap(Datum calendar, Datum other)
{
	static TypeCacheEntry *type = NULL;

	if (type == NULL)
		type = lookup_type_cache(TSTZMULTIRANGEOID, TYPECACHE_MULTIRANGE_INFO);
	return multirange_overlaps_multirange_internal(type->rngtype, DatumGetMultirangeTypeP(calendar),
												   DatumGetMultirangeTypeP(other));
}

static bool
has_status(const TableRead *row, const char *status)
{
	bool isnull;

	return pool_text_is(table_read_value(row, ENROLLMENT_STATUS, &isnull), status);
}

/* An id that may be NULL: then 0. */
static int64
optional_id(const TableRead *row, int column)
{
	bool isnull;
	Datum value = table_read_value(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* What a row says, for as long as the current memory context lives. */
void
timetable_found(const TableRead *row, FoundEnrollment *found)
{
	bool isnull;

	found->id = table_read_int64(row, ENROLLMENT_ID);
	found->section_id = table_read_int64(row, ENROLLMENT_SECTION_ID);
	found->row = row->row->t_self;
	found->arrived_at = DatumGetTimestampTz(table_read_value(row, ENROLLMENT_ARRIVED_AT, &isnull));
	found->credits =
		PointerGetDatum(PG_DETOAST_DATUM_COPY(table_read_value(row, ENROLLMENT_CREDITS, &isnull)));
	found->cross_list_id = optional_id(row, ENROLLMENT_CROSS_LIST_ID);
	found->reserved_seats_id = optional_id(row, ENROLLMENT_RESERVED_SEATS_ID);
	found->swap_section_id = optional_id(row, ENROLLMENT_SWAP_SECTION_ID);
	found->takes_seat = !override_has_capacity(table_read_value(row, ENROLLMENT_OVERRIDE, &isnull));
}

/* Notes an enrollment that stays, as a section sees it that is given up. */
static void
note_for_drop(ScheduleDrop *drop, const TableRead *row)
{
	const SectionDefinition *section = drop->section;
	int64 course_id = table_read_int64(row, ENROLLMENT_COURSE_ID);
	bool isnull;

	if (table_read_int64(row, ENROLLMENT_TERM_ID) != section->term_id)
		return;
	if (section->has_min_credits)
		drop->kept_credits =
			number_sum(drop->kept_credits, table_read_value(row, ENROLLMENT_CREDITS, &isnull));
	for (int i = 0; i < section->dependent_count; i++)
	{
		if (section->dependents[i].course_id == course_id)
			drop->needed_by[i] = table_read_int64(row, ENROLLMENT_SECTION_ID);
	}
}

/* Notes an enrollment that stays, as a section sees it that is added. */
static void
note_for_add(ScheduleAdd *add, const TableRead *row)
{
	const SectionDefinition *section = add->section;
	int64 section_id = table_read_int64(row, ENROLLMENT_SECTION_ID);
	bool isnull;

	if (table_read_int64(row, ENROLLMENT_TERM_ID) == section->term_id)
	{
		int64 course_id = table_read_int64(row, ENROLLMENT_COURSE_ID);

		add->kept_credits =
			number_sum(add->kept_credits, table_read_value(row, ENROLLMENT_CREDITS, &isnull));
		if (course_id == section->course_id)
		{
			add->in_course = true;
			add->same_section = section_id;
		}
		for (int i = 0; i < section->prerequisite_count; i++)
			add->taken_with[i] |= section->prerequisites[i].course_id == course_id;
	}
	if ((!add->clashes || section_id < add->clash_section) &&
		timetable_overlap(table_read_value(row, ENROLLMENT_SCHEDULE, &isnull), section->schedule))
	{
		add->clashes = true;
		add->clash_section = section_id;
	}
}

/* Notes one of the sections that the student is enrolled in. */
static void
note_enrollment(Timetable *timetable, const TableRead *row)
{
	int64 section_id = table_read_int64(row, ENROLLMENT_SECTION_ID);

	if (!has_status(row, "enrolled"))
		return;
	for (int i = 0; i < timetable->drop_count; i++)
	{
		if (timetable->drops[i].section_id != section_id)
			continue;
		timetable->drops[i].found = true;
		timetable_found(row, &timetable->drops[i].enrollment);
		return;
	}
	for (int i = 0; i < timetable->drop_count; i++)
		note_for_drop(&timetable->drops[i], row);
	for (int i = 0; i < timetable->add_count; i++)
		note_for_add(&timetable->adds[i], row);
}

static void *
none_yet(int count, Size size)
{
	return count > 0 ? palloc0(count * size) : NULL;
}

/* Reads what the student is enrolled in: which of it is given up, and what the rest
 * means for what is added. */
void
timetable_read(Timetable *timetable, Snapshot snapshot)
{
	static const int columns[] = {ENROLLMENT_STUDENT_ID};
	Datum keys[] = {Int64GetDatum(timetable->student->id)};
	Datum zero = NumericGetDatum(int64_to_numeric(0));
	TableRead read;

	for (int i = 0; i < timetable->drop_count; i++)
	{
		ScheduleDrop *drop = &timetable->drops[i];

		drop->found = false;
		drop->kept_credits = zero;
		drop->needed_by = none_yet(drop->section->dependent_count, sizeof(int64));
	}
	for (int i = 0; i < timetable->add_count; i++)
	{
		ScheduleAdd *add = &timetable->adds[i];

		add->kept_credits = zero;
		add->in_course = add->clashes = false;
		add->taken_with = none_yet(add->section->prerequisite_count, sizeof(bool));
		add->overridden = 0;
	}
	table_read_begin(&read, &enrollments, ENROLLMENT_BY_COURSE, snapshot, lengthof(keys), columns,
					 keys);
	while (table_read_next(&read))
		note_enrollment(timetable, &read);
	table_read_end(&read);
}

/* Is the student enrolled in a section? */
bool
timetable_is_enrolled(int64 student_id, int64 section_id, Snapshot snapshot)
{
	static const int columns[] = {ENROLLMENT_STUDENT_ID};
	Datum keys[] = {Int64GetDatum(student_id)};
	TableRead read;
	bool found = false;

	table_read_begin(&read, &enrollments, ENROLLMENT_BY_COURSE, snapshot, lengthof(keys), columns,
					 keys);
	while (!found && table_read_next(&read))
		found = table_read_int64(&read, ENROLLMENT_SECTION_ID) == section_id &&
				has_status(&read, "enrolled");
	table_read_end(&read);
	return found;
}

/* The student's place in the line of a section, if they have one. */
bool
timetable_find_place(int64 student_id, int64 section_id, Snapshot snapshot, FoundEnrollment *place)
{
	static const int columns[] = {ENROLLMENT_STUDENT_ID, ENROLLMENT_SECTION_ID};
	Datum keys[] = {Int64GetDatum(student_id), Int64GetDatum(section_id)};
	TableRead read;
	bool found = false;

	table_read_begin(&read, &enrollments, ENROLLMENT_BY_PLACE, snapshot, lengthof(keys), columns,
					 keys);
	while (!found && table_read_next(&read))
	{
		found = has_status(&read, "waitlisted");
		if (found)
			timetable_found(&read, place);
	}
	table_read_end(&read);
	return found;
}

/* New rows -------------------------------------------------------------------------- */

static CachedQuery find_student = {
	"SELECT 1 FROM fcfs.student s WHERE s.id = $1", 1, {INT8OID}, NULL, 0};

static void
set_optional_id(TableRow *row, int column, int64 id)
{
	table_row_set(row, column, Int64GetDatum(id));
	row->nulls[column] = id == 0;
}

/* What an enrollment has of its section and of its seat. */
static void
set_copied(TableRow *row, const ScheduleAdd *add)
{
	const SectionDefinition *section = add->section;

	table_row_set(row, ENROLLMENT_TERM_ID, Int64GetDatum(section->term_id));
	table_row_set(row, ENROLLMENT_COURSE_ID, Int64GetDatum(section->course_id));
	table_row_set(row, ENROLLMENT_CREDITS, add->credits);
	table_row_set(row, ENROLLMENT_SCHEDULE, section->schedule);
	table_row_set(row, ENROLLMENT_CROSS_LIST_ID, Int64GetDatum(section->cross_list_id));
	row->nulls[ENROLLMENT_CROSS_LIST_ID] = !section->is_cross_listed;
	set_optional_id(row, ENROLLMENT_RESERVED_SEATS_ID, add->reserved_seats_id);
	table_row_set(row, ENROLLMENT_OVERRIDE, override_names(add->overridden));
}

static int64
insert_row(int64 student_id, const ScheduleAdd *add, const char *status, int64 swap_section_id,
		   TimestampTz arrived_at)
{
	TableRow row = {0};

	set_copied(&row, add);
	table_row_set(&row, ENROLLMENT_STUDENT_ID, Int64GetDatum(student_id));
	table_row_set(&row, ENROLLMENT_SECTION_ID, Int64GetDatum(add->section_id));
	table_row_set(&row, ENROLLMENT_STATUS, CStringGetTextDatum(status));
	set_optional_id(&row, ENROLLMENT_SWAP_SECTION_ID, swap_section_id);
	table_row_set(&row, ENROLLMENT_ARRIVED_AT, TimestampTzGetDatum(arrived_at));
	query_must_see(&find_student, &row.values[ENROLLMENT_STUDENT_ID]);
	return DatumGetInt64(table_insert(&enrollments, &row, "enrollment"));
}

/* Writes an enrollment, whose units are taken. */
int64
enrollment_insert(int64 student_id, const ScheduleAdd *add, TimestampTz arrived_at)
{
	return insert_row(student_id, add, "enrolled", 0, arrived_at);
}

/* Writes a place in line, which is taken. swap_section_id: what is given up for the
 * seat, 0 for nothing. */
int64
enrollment_line_up(int64 student_id, const ScheduleAdd *add, int64 swap_section_id,
				   TimestampTz arrived_at)
{
	return insert_row(student_id, add, "waitlisted", swap_section_id, arrived_at);
}

/* Rows that change ------------------------------------------------------------------- */

static CachedQuery end_enrollment = {"UPDATE fcfs.enrollment e SET status = 'cancelled', ended_at "
									 "= $2 WHERE e.id = $1 AND e.status = $3",
									 3,
									 {INT8OID, TIMESTAMPTZOID, TEXTOID},
									 NULL,
									 0};

static CachedQuery seat_enrollment = {
	"UPDATE fcfs.enrollment e SET status = 'enrolled', term_id = $2, course_id = $3, credits = $4,"
	" schedule = $5, cross_list_id = $6, reserved_seats_id = $7, override = $8"
	" WHERE e.id = $1 AND e.status = 'waitlisted'",
	8,
	{INT8OID, INT8OID, INT8OID, NUMERICOID, TSTZMULTIRANGEOID, INT8OID, INT8OID, TEXTARRAYOID},
	NULL,
	0};

static CachedQuery find_as_it_was = {
	"SELECT 1 FROM fcfs.enrollment e WHERE e.id = $1 AND e.status = $2",
	2,
	{INT8OID, TEXTOID},
	NULL,
	0};

/* Is the row there as it was, for whoever may see it? */
static bool
is_unchanged(const FoundEnrollment *found, const char *status)
{
	Snapshot newest = table_newest();
	TableRead read;
	bool unchanged = table_read_by_id(&read, &enrollments, ENROLLMENT_BY_ID, found->id, newest) &&
					 has_status(&read, status);

	table_read_end(&read);
	UnregisterSnapshot(newest);
	return unchanged;
}

/* A query has changed the row, unless a trigger of others has suppressed that, a policy has
 * hidden it, or raw SQL was there before. */
static void
must_have_changed(uint64 rows, const FoundEnrollment *found, const char *status, const char *what)
{
	Datum values[2] = {Int64GetDatum(found->id), CStringGetTextDatum(status)};

	if (rows == 1)
		return;
	if (query_read(&find_as_it_was, values, NULL, 1) > 0)
		query_wrote_one(rows, what);
	if (is_unchanged(found, status))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row-level security hides enrollment " INT64_FORMAT
							   " from the owner of the function",
							   found->id),
						errhint("Functions of fcfs need all rows of its tables.")));
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update of an enrollment")));
}

/* Is the row, as it is now that it is locked, still what was found? */
static bool
is_as_found(const TableUpdate *update, const FoundEnrollment *found, const char *status)
{
	bool isnull;
	Datum reserved = table_update_value(update, ENROLLMENT_RESERVED_SEATS_ID, &isnull);
	int64 reserved_seats_id = isnull ? 0 : DatumGetInt64(reserved);

	return DatumGetInt64(table_update_value(update, ENROLLMENT_ID, &isnull)) == found->id &&
		   DatumGetInt64(table_update_value(update, ENROLLMENT_SECTION_ID, &isnull)) ==
			   found->section_id &&
		   reserved_seats_id == found->reserved_seats_id &&
		   pool_text_is(table_update_value(update, ENROLLMENT_STATUS, &isnull), status) &&
		   !override_has_capacity(table_update_value(update, ENROLLMENT_OVERRIDE, &isnull)) ==
			   found->takes_seat;
}

/* Writes a row anew if it is as it was found; false if it must be done by a query:
 * others have a say in it, or raw SQL has changed the row meanwhile. */
static bool
change_straight(const FoundEnrollment *found, const char *status, const TableRow *row,
				Snapshot snapshot)
{
	TableUpdate update;
	ItemPointerData place = found->row;
	bool same;

	if (!table_update_begin(&update, &enrollments, &place, snapshot))
		return false;
	same = is_as_found(&update, found, status);
	if (same)
		table_update(&update, row);
	table_update_end(&update);
	return same;
}

static void
give_one(PoolKind *kind, int64 id)
{
	escrow_give(pool_pin_or_raise(kind, id), 1, false);
}

/* Ends an enrollment, or (waitlisted) a place in line, and gives its units back.
 * entry: the pool of its section, or of its line. */
void
enrollment_end(const FoundEnrollment *enrollment, EscrowEntry *entry, bool waitlisted,
			   TimestampTz ended_at, Snapshot snapshot)
{
	const char *status = waitlisted ? "waitlisted" : "enrolled";
	Datum values[3] = {Int64GetDatum(enrollment->id), TimestampTzGetDatum(ended_at),
					   CStringGetTextDatum(status)};
	TableRow row = {0};

	table_row_set(&row, ENROLLMENT_STATUS, CStringGetTextDatum("cancelled"));
	table_row_set(&row, ENROLLMENT_ENDED_AT, values[1]);
	if (!change_straight(enrollment, status, &row, snapshot))
	{
		must_have_changed(query_write(&end_enrollment, values, NULL), enrollment, status,
						  "cancellation");
		return;
	}
	if (waitlisted)
		escrow_give(entry, 1, false);
	else if (enrollment->takes_seat)
	{
		if (enrollment->reserved_seats_id != 0)
			give_one(&reserved_seats_pool, enrollment->reserved_seats_id);
		else
			escrow_give(entry, 1, false);
		if (enrollment->cross_list_id != 0)
			give_one(&cross_list_pool, enrollment->cross_list_id);
	}
}

/* Makes an enrollment of a place in line (add->place), whose units are taken; the
 * place is given back. */
int64
enrollment_seat(const ScheduleAdd *add, EscrowEntry *line, Snapshot snapshot)
{
	static const EnrollmentColumn columns[] = {
		ENROLLMENT_TERM_ID,  ENROLLMENT_COURSE_ID,     ENROLLMENT_CREDITS,
		ENROLLMENT_SCHEDULE, ENROLLMENT_CROSS_LIST_ID, ENROLLMENT_RESERVED_SEATS_ID,
		ENROLLMENT_OVERRIDE};
	Datum values[lengthof(columns) + 1] = {Int64GetDatum(add->place->id)};
	char nulls[lengthof(columns) + 2] = "        ";
	TableRow row = {0};

	set_copied(&row, add);
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		values[i + 1] = row.values[columns[i]];
		nulls[i + 1] = row.nulls[columns[i]] ? 'n' : ' ';
	}
	table_row_set(&row, ENROLLMENT_STATUS, CStringGetTextDatum("enrolled"));
	if (change_straight(add->place, "waitlisted", &row, snapshot))
		escrow_give(line, 1, false);
	else
		must_have_changed(query_write(&seat_enrollment, values, nulls), add->place, "waitlisted",
						  "enrollment");
	return add->place->id;
}
