/*
 * section_definition.c
 *
 * What the rules of enrolment need of a section, of its term and of its course,
 * read once a session and kept for as long as it is true (definition.c).
 *
 * Locks: none of its own; the caller has the section's pool pinned.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "definition.h"
#include "number.h"
#include "section.h"

/* Columns ------------------------------------------------------------------------ */

typedef enum SectionColumn
{
	SECTION_ID,
	SECTION_TERM_ID,
	SECTION_COURSE_ID,
	SECTION_STRICT_ORDER,
	SECTION_SCHEDULE,
	SECTION_CROSS_LIST_ID,
	SECTION_WAITLIST_CAPACITY,
	SECTION_MIN_CREDITS,
	SECTION_MAX_CREDITS,
	SECTION_CANCELLED_AT
} SectionColumn;

static Table sections = {.name = "section",
						 .columns = {"id", "term_id", "course_id", "strict_order", "schedule",
									 "cross_list_id", "waitlist_capacity", "min_credits",
									 "max_credits", "cancelled_at"},
						 .types = {INT8OID, INT8OID, INT8OID, BOOLOID, TSTZMULTIRANGEOID, INT8OID,
								   INT4OID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID},
						 .indexes = {"section_pkey"}};

typedef enum ReservationColumn
{
	RESERVED_SECTION_ID,
	RESERVED_ID,
	RESERVED_GROUP_ID,
	RESERVED_RELEASED
} ReservationColumn;

static Table reserved_seats = {.name = "reserved_seats",
							   .columns = {"section_id", "id", "student_group_id", "released"},
							   .types = {INT8OID, INT8OID, INT8OID, BOOLOID},
							   .indexes = {"reserved_seats_once_a_group"}};

typedef enum TermColumn
{
	TERM_ID,
	TERM_TIME_ZONE,
	TERM_ENROLL_OPENS_AT,
	TERM_ENROLL_CLOSES_AT,
	TERM_STARTS_ON,
	TERM_CANCEL_DAYS,
	TERM_MIN_CREDITS,
	TERM_MAX_CREDITS,
	TERM_RETAKE_CUTOFF
} TermColumn;

static Table terms = {.name = "term",
					  .columns = {"id", "time_zone", "enroll_opens_at", "enroll_closes_at",
								  "starts_on", "cancel_days", "min_credits", "max_credits",
								  "retake_cutoff"},
					  .types = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, DATEOID, INT4OID,
								NUMERICOID, NUMERICOID, NUMERICOID},
					  .indexes = {"term_pkey"}};

typedef enum WaveColumn
{
	WAVE_TERM_ID,
	WAVE_GROUP_ID,
	WAVE_OPENS_AT,
	WAVE_CLOSES_AT
} WaveColumn;

static Table waves = {.name = "enrollment_wave",
					  .columns = {"term_id", "student_group_id", "opens_at", "closes_at"},
					  .types = {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
					  .indexes = {"enrollment_wave_term"}};

typedef enum CourseColumn
{
	COURSE_ID,
	COURSE_CREDITS,
	COURSE_RETAKE_CUTOFF,
	COURSE_MAX_ATTEMPTS
} CourseColumn;

static Table courses = {.name = "course",
						.columns = {"id", "credits", "retake_cutoff", "max_attempts"},
						.types = {INT8OID, NUMERICOID, NUMERICOID, INT4OID},
						.indexes = {"course_pkey"}};

typedef enum PrerequisiteColumn
{
	PREREQUISITE_COURSE_ID,
	PREREQUISITE_REQUIRED_ID,
	PREREQUISITE_MIN_POINTS,
	PREREQUISITE_CONCURRENT
} PrerequisiteColumn;

typedef enum PrerequisiteIndex
{
	PREREQUISITE_BY_COURSE,
	PREREQUISITE_BY_REQUIRED
} PrerequisiteIndex;

static Table prerequisites = {
	.name = "prerequisite",
	.columns = {"course_id", "required_course_id", "min_points", "concurrent"},
	.types = {INT8OID, INT8OID, NUMERICOID, BOOLOID},
	.indexes = {"prerequisite_pkey", "prerequisite_required"}};

/* Reading ------------------------------------------------------------------------ */

/* A numeric that may be NULL; true if it is not. */
static bool
copy_numeric(const TableRead *read, int column, Datum *copy, MemoryContext context)
{
	bool isnull;
	Datum value = table_read_value(read, column, &isnull);

	if (!isnull)
		*copy = definition_copy(value, context);
	return !isnull;
}

/* Room for one more in an array of so many. */
static void *
with_room(void *array, int count, Size size, MemoryContext context)
{
	if (array == NULL)
		return MemoryContextAlloc(context, size);
	if ((count & (count - 1)) == 0) /* 1, 2, 4, 8 ... are full */
		return repalloc(array, 2 * count * size);
	return array;
}

static void
read_section(SectionDefinition *section, const TableRead *read, MemoryContext context)
{
	bool isnull;
	Datum capacity;

	section->term_id = table_read_int64(read, SECTION_TERM_ID);
	section->course_id = table_read_int64(read, SECTION_COURSE_ID);
	section->strict_order = DatumGetBool(table_read_value(read, SECTION_STRICT_ORDER, &isnull));
	section->schedule = definition_copy(table_read_value(read, SECTION_SCHEDULE, &isnull), context);
	section->cross_list_id = DatumGetInt64(table_read_value(read, SECTION_CROSS_LIST_ID, &isnull));
	section->is_cross_listed = !isnull;
	capacity = table_read_value(read, SECTION_WAITLIST_CAPACITY, &isnull);
	section->has_line = isnull || DatumGetInt32(capacity) > 0;
	section->credits_vary =
		copy_numeric(read, SECTION_MIN_CREDITS, &section->least_credits, context) &&
		copy_numeric(read, SECTION_MAX_CREDITS, &section->most_credits, context);
	(void) table_read_value(read, SECTION_CANCELLED_AT, &isnull);
	section->cancelled = !isnull;
}

static bool
load_section(SectionDefinition *section, int64 id, Snapshot snapshot, MemoryContext context)
{
	TableRead read;
	bool found = table_read_by_id(&read, &sections, 0, id, snapshot);

	if (found)
		read_section(section, &read, context);
	table_read_end(&read);
	return found;
}

/* In order of the groups' ids. */
static void
load_reservations(SectionDefinition *section, int64 id, Snapshot snapshot, MemoryContext context)
{
	static const int columns[] = {RESERVED_SECTION_ID};
	Datum key = Int64GetDatum(id);
	TableRead read;
	bool isnull;

	table_read_begin(&read, &reserved_seats, 0, snapshot, lengthof(columns), columns, &key);
	while (table_read_next(&read))
	{
		if (DatumGetBool(table_read_value(&read, RESERVED_RELEASED, &isnull)))
			continue;
		section->reservations = with_room(section->reservations, section->reservation_count,
										  sizeof(SeatReservation), context);
		section->reservations[section->reservation_count++] = (SeatReservation){
			table_read_int64(&read, RESERVED_ID), table_read_int64(&read, RESERVED_GROUP_ID)};
	}
	table_read_end(&read);
}

static void
read_term(SectionDefinition *section, const TableRead *read, MemoryContext context)
{
	bool isnull;

	section->retake_is_bounded =
		copy_numeric(read, TERM_RETAKE_CUTOFF, &section->retake_cutoff, context);
	section->enroll_opens_at =
		DatumGetTimestampTz(table_read_value(read, TERM_ENROLL_OPENS_AT, &isnull));
	section->enroll_closes_at =
		DatumGetTimestampTz(table_read_value(read, TERM_ENROLL_CLOSES_AT, &isnull));
	section->has_min_credits = copy_numeric(read, TERM_MIN_CREDITS, &section->min_credits, context);
	(void) copy_numeric(read, TERM_MAX_CREDITS, &section->max_credits, context);
	section->time_zone = definition_copy(table_read_value(read, TERM_TIME_ZONE, &isnull), context);
	section->last_day = DatumGetDateADT(table_read_value(read, TERM_STARTS_ON, &isnull)) -
						DatumGetInt32(table_read_value(read, TERM_CANCEL_DAYS, &isnull));
}

static bool
load_term(SectionDefinition *section, Snapshot snapshot, MemoryContext context)
{
	TableRead read;
	bool found = table_read_by_id(&read, &terms, 0, section->term_id, snapshot);

	if (found)
		read_term(section, &read, context);
	table_read_end(&read);
	return found;
}

static void
load_waves(SectionDefinition *section, Snapshot snapshot, MemoryContext context)
{
	static const int columns[] = {WAVE_TERM_ID};
	Datum key = Int64GetDatum(section->term_id);
	TableRead read;
	Wave wave;
	bool isnull;

	table_read_begin(&read, &waves, 0, snapshot, lengthof(columns), columns, &key);
	while (table_read_next(&read))
	{
		wave.group_id = DatumGetInt64(table_read_value(&read, WAVE_GROUP_ID, &isnull));
		wave.for_all = isnull;
		wave.opens_at = DatumGetTimestampTz(table_read_value(&read, WAVE_OPENS_AT, &isnull));
		wave.closes_at = DatumGetTimestampTz(table_read_value(&read, WAVE_CLOSES_AT, &isnull));
		section->waves = with_room(section->waves, section->wave_count, sizeof(Wave), context);
		section->waves[section->wave_count++] = wave;
	}
	table_read_end(&read);
}

static bool
load_course(SectionDefinition *section, Snapshot snapshot, MemoryContext context)
{
	TableRead read;
	bool found = table_read_by_id(&read, &courses, 0, section->course_id, snapshot);
	Datum attempts;
	bool isnull;

	if (found)
	{
		(void) copy_numeric(&read, COURSE_CREDITS, &section->credits, context);
		if (copy_numeric(&read, COURSE_RETAKE_CUTOFF, &section->retake_cutoff, context))
			section->retake_is_bounded = true;
		attempts = table_read_value(&read, COURSE_MAX_ATTEMPTS, &isnull);
		section->max_attempts = isnull ? 0 : DatumGetInt32(attempts);
	}
	table_read_end(&read);
	return found;
}

/* What the course requires, or what requires it, by index; in order of the other's id. */
static int
load_prerequisites(int64 course_id, PrerequisiteIndex index, Prerequisite **list, Snapshot snapshot,
				   MemoryContext context)
{
	int by = index == PREREQUISITE_BY_COURSE ? PREREQUISITE_COURSE_ID : PREREQUISITE_REQUIRED_ID;
	int other = index == PREREQUISITE_BY_COURSE ? PREREQUISITE_REQUIRED_ID : PREREQUISITE_COURSE_ID;
	Datum key = Int64GetDatum(course_id);
	TableRead read;
	Prerequisite found;
	int count = 0;
	bool isnull;

	table_read_begin(&read, &prerequisites, index, snapshot, 1, &by, &key);
	while (table_read_next(&read))
	{
		found.course_id = table_read_int64(&read, other);
		found.has_points = copy_numeric(&read, PREREQUISITE_MIN_POINTS, &found.min_points, context);
		found.concurrent = DatumGetBool(table_read_value(&read, PREREQUISITE_CONCURRENT, &isnull));
		/* What was required before stays true, whatever is dropped. */
		if (index == PREREQUISITE_BY_REQUIRED && !found.concurrent)
			continue;
		*list = with_room(*list, count, sizeof(Prerequisite), context);
		(*list)[count++] = found;
	}
	table_read_end(&read);
	return count;
}

/* Credits that are not stated are those of the course, within what the section has. */
static void
fit_credits(SectionDefinition *section)
{
	if (!section->credits_vary)
		return;
	if (number_is_less(section->credits, section->least_credits))
		section->credits = section->least_credits;
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, section->credits, section->most_credits)))
		section->credits = section->most_credits;
}

static bool
load_definition(void *definition, int64 id, Snapshot snapshot, MemoryContext context)
{
	SectionDefinition *section = definition;

	if (!load_section(section, id, snapshot, context) || !load_term(section, snapshot, context) ||
		!load_course(section, snapshot, context))
		return false;
	load_reservations(section, id, snapshot, context);
	load_waves(section, snapshot, context);
	section->prerequisite_count = load_prerequisites(section->course_id, PREREQUISITE_BY_COURSE,
													 &section->prerequisites, snapshot, context);
	section->dependent_count = load_prerequisites(section->course_id, PREREQUISITE_BY_REQUIRED,
												  &section->dependents, snapshot, context);
	fit_credits(section);
	return true;
}

static DefinitionKind section_definitions = {
	.tables = {&sections, &reserved_seats, &terms, &waves, &courses, &prerequisites},
	.size = sizeof(SectionDefinition),
	.load = load_definition};

/* The definition of a pinned section; NULL if it, or its course, is gone by our
 * own doing. */
const SectionDefinition *
section_definition(EscrowEntry *entry, int64 section_id)
{
	return definition_get(&section_definitions, entry, section_id);
}
