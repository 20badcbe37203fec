/*
 * enrollment.c
 *
 * enroll and cancel_enrollment: the rules of a registration office, in the
 * order in which they are documented.
 *
 * Everything about the student is judged under the student's lock; everything
 * about the section while it is pinned, so that its definition cannot change
 * before the enrollment is written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/multirangetypes.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "enrollment.h"
#include "operation.h"
#include "pool.h"
#include "student.h"
#include "table.h"

/* What a student is enrolled in ---------------------------------------------------- */

typedef enum EnrollmentColumn
{
	ENROLLMENT_ID,
	ENROLLMENT_STUDENT_ID,
	ENROLLMENT_SECTION_ID,
	ENROLLMENT_TERM_ID,
	ENROLLMENT_COURSE_ID,
	ENROLLMENT_CREDITS,
	ENROLLMENT_SCHEDULE,
	ENROLLMENT_STATUS,
	ENROLLMENT_ARRIVED_AT,
	ENROLLMENT_ENDED_AT
} EnrollmentColumn;

typedef enum EnrollmentIndex
{
	ENROLLMENT_BY_COURSE,
	ENROLLMENT_BY_ID
} EnrollmentIndex;

/* The student is there: see student.c; so is the section, which is pinned. */
static Table enrollments = {.name = "enrollment",
							.lock = RowExclusiveLock,
							.columns = {"id", "student_id", "section_id", "term_id", "course_id",
										"credits", "schedule", "status", "arrived_at", "ended_at"},
							.types = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, NUMERICOID,
									  TSTZMULTIRANGEOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
							.indexes = {"enrollment_once_a_course", "enrollment_pkey"},
							.ensured = {"enrollment_student_id_fkey", "enrollment_section_id_fkey"},
							.updated = {[ENROLLMENT_STATUS] = true, [ENROLLMENT_ENDED_AT] = true}};

/* What one is enrolled in, seen from a section. */
typedef struct Timetable
{
	bool in_course; /* of the section, in its term */
	int64 same_section;
	Datum credits; /* numeric, taken in its term */
	bool clashes;  /* with its calendar */
	int64 clash_section;
} Timetable;

static bool
overlap(Datum calendar, Datum other)
{
	static TypeCacheEntry *type = NULL;

	if (type == NULL)
		type = lookup_type_cache(TSTZMULTIRANGEOID, TYPECACHE_MULTIRANGE_INFO);
	return multirange_overlaps_multirange_internal(type->rngtype, DatumGetMultirangeTypeP(calendar),
												   DatumGetMultirangeTypeP(other));
}

/* Notes one of the sections that a student is enrolled in. */
static void
note_enrollment(Timetable *timetable, const TableRead *row, const SectionDefinition *section)
{
	int64 section_id = table_read_int64(row, ENROLLMENT_SECTION_ID);
	bool isnull;

	if (!pool_text_is(table_read_value(row, ENROLLMENT_STATUS, &isnull), "enrolled"))
		return;
	if (table_read_int64(row, ENROLLMENT_TERM_ID) == section->term_id)
	{
		timetable->credits = DirectFunctionCall2(
			numeric_add, timetable->credits, table_read_value(row, ENROLLMENT_CREDITS, &isnull));
		if (table_read_int64(row, ENROLLMENT_COURSE_ID) == section->course_id)
		{
			timetable->in_course = true;
			timetable->same_section = section_id;
		}
	}
	if ((!timetable->clashes || section_id < timetable->clash_section) &&
		overlap(table_read_value(row, ENROLLMENT_SCHEDULE, &isnull), section->schedule))
	{
		timetable->clashes = true;
		timetable->clash_section = section_id;
	}
}

static Timetable
read_timetable(const Student *student, const SectionDefinition *section, Snapshot snapshot)
{
	static const int columns[] = {ENROLLMENT_STUDENT_ID};
	Datum keys[] = {Int64GetDatum(student->id)};
	Timetable timetable = {.credits = NumericGetDatum(int64_to_numeric(0))};
	TableRead read;

	table_read_begin(&read, &enrollments, ENROLLMENT_BY_COURSE, snapshot, lengthof(keys), columns,
					 keys);
	while (table_read_next(&read))
		note_enrollment(&timetable, &read, section);
	table_read_end(&read);
	return timetable;
}

/* Refusing ---------------------------------------------------------------------------- */

static CachedQuery find_student = {
	"SELECT 1 FROM fcfs.student s WHERE s.id = $1", 1, {INT8OID}, NULL, 0};

static CachedQuery name_section = {
	"SELECT format('%s %s (section %s)', c.code, s.code, s.id)"
	" FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id WHERE s.id = $1",
	1,
	{INT8OID},
	NULL,
	0};

/* "MATH 101 A (section 7)", for details. */
static const char *
section_name(int64 section_id)
{
	Datum argument = Int64GetDatum(section_id);

	if (query_read(&name_section, &argument, NULL, 1) == 0)
		return psprintf("section " INT64_FORMAT, section_id);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* There is no such section, but a student who does not exist is said first. */
static bool
refuse_missing_section(Call *call, int64 student_id, int64 section_id)
{
	Datum argument = Int64GetDatum(student_id);

	if (query_read(&find_student, &argument, NULL, 1) == 0)
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	return call_refuse(call, REFUSAL_COURSE_NOT_FOUND, "section " INT64_FORMAT, section_id);
}

/* Pins the section of a call; NULL if the call is answered. */
static const SectionDefinition *
pin_section(Call *call, int64 student_id, int64 section_id, EscrowEntry **entry)
{
	const SectionDefinition *section = NULL;
	RefusalCode refused = pool_pin(&section_pool, section_id, entry);

	if (refused == REFUSAL_NONE)
		section = section_definition(*entry, section_id);
	if (section)
		return section;
	if (refused == REFUSAL_NONE || refused == REFUSAL_COURSE_NOT_FOUND)
		(void) refuse_missing_section(call, student_id, section_id);
	else
		(void) call_refuse(call, refused, NULL);
	return NULL;
}

/* enroll ------------------------------------------------------------------------ */

/* As SQL shows it. */
static const char *
numeric_text(Datum number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* Would the student have more credits in the term than they may? */
static bool
judge_credits(Call *call, const Student *student, const SectionDefinition *section,
			  const Timetable *timetable)
{
	Datum limit = student->has_limit ? student->max_credits : section->max_credits;
	Datum sum = DirectFunctionCall2(numeric_add, timetable->credits, section->credits);

	if (!DatumGetBool(DirectFunctionCall2(numeric_gt, sum, limit)))
		return true;
	return call_refuse(
		call, REFUSAL_CREDIT_LIMIT_EXCEEDED, "%s of %s credits are taken, the section has %s",
		numeric_text(timetable->credits), numeric_text(limit), numeric_text(section->credits));
}

/* The rules before capacity, all on one snapshot. */
static bool
judge_enroll(Call *call, const SectionDefinition *section, Snapshot newest)
{
	int64 student_id = call->arguments[0];
	Student student;
	Timetable timetable;

	if (!student_find(&student, student_id, newest))
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	if (call->arrived_at < section->enroll_opens_at)
		return call_refuse(call, REFUSAL_ENROLLMENT_NOT_STARTED, NULL);
	if (call->arrived_at >= section->enroll_closes_at)
		return call_refuse(call, REFUSAL_ENROLLMENT_CLOSED, NULL);
	timetable = read_timetable(&student, section, newest);
	if (timetable.in_course)
		return call_refuse(call, REFUSAL_ALREADY_ENROLLED, "enrolled in %s",
						   section_name(timetable.same_section));
	if (section->retake_is_bounded &&
		student_has_points(&student, section->course_id, section->retake_cutoff, newest))
		return call_refuse(call, REFUSAL_REENROLL_NOT_ALLOWED, NULL);
	if (!judge_credits(call, &student, section, &timetable))
		return false;
	if (timetable.clashes)
		return call_refuse(call, REFUSAL_SCHEDULE_CONFLICT, "clashes with %s",
						   section_name(timetable.clash_section));
	return true;
}

/* Writes the enrollment; section is what it copies. */
static int64
write_enrollment(const Call *call, const SectionDefinition *section)
{
	TableRow row = {0};

	table_row_set(&row, ENROLLMENT_STUDENT_ID, Int64GetDatum(call->arguments[0]));
	table_row_set(&row, ENROLLMENT_SECTION_ID, Int64GetDatum(call->arguments[1]));
	table_row_set(&row, ENROLLMENT_TERM_ID, Int64GetDatum(section->term_id));
	table_row_set(&row, ENROLLMENT_COURSE_ID, Int64GetDatum(section->course_id));
	table_row_set(&row, ENROLLMENT_CREDITS, section->credits);
	table_row_set(&row, ENROLLMENT_SCHEDULE, section->schedule);
	table_row_set(&row, ENROLLMENT_ARRIVED_AT, TimestampTzGetDatum(call->arrived_at));
	query_must_see(&find_student, &row.values[ENROLLMENT_STUDENT_ID]);
	return DatumGetInt64(table_insert(&enrollments, &row, "enrollment"));
}

/* enroll(student_id, section_id) */
static bool
run_enroll(Call *call)
{
	int64 student_id = call->arguments[0];
	int64 section_id = call->arguments[1];
	const SectionDefinition *section;
	EscrowEntry *entry;
	Snapshot newest;
	RefusalCode refused;
	uint64 counted;
	int64 id;
	bool granted;

	if (!call_begin(call, LOCK_STUDENT, student_id))
		return false;
	section = pin_section(call, student_id, section_id, &entry);
	if (section == NULL)
		return false;
	newest = table_newest();
	granted = judge_enroll(call, section, newest);
	UnregisterSnapshot(newest);
	if (!granted)
		return false;
	refused = pool_claim(&section_pool, entry, section_id, section->strict_order, 1, NULL);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "section " INT64_FORMAT, section_id);
	counted = pool_rows_counted();
	id = write_enrollment(call, section);
	pool_claim_written(entry, counted);
	return call_done(call, id);
}

static Operation enroll = {.name = "enroll",
						   .arguments = {{"student_id", ARGUMENT_BIGINT},
										 {"section_id", ARGUMENT_BIGINT},
										 {"idempotency_key", ARGUMENT_KEY},
										 {"credits", ARGUMENT_OPTIONAL_NUMERIC}},
						   .run = run_enroll,
						   .made = &enrollments,
						   .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(enroll, enroll);

/* cancel_enrollment --------------------------------------------------------------- */

static CachedQuery end_enrollment = {"UPDATE fcfs.enrollment e SET status = 'cancelled', ended_at "
									 "= $2 WHERE e.id = $1 AND e.status = 'enrolled'",
									 2,
									 {INT8OID, TIMESTAMPTZOID},
									 NULL,
									 0};

/* An enrollment, and where its row was found. */
typedef struct FoundEnrollment
{
	int64 id;
	ItemPointerData row;
} FoundEnrollment;

/* The enrollment of a student in a section, if there is one. */
static bool
find_enrollment(int64 student_id, int64 section_id, const SectionDefinition *section,
				Snapshot snapshot, FoundEnrollment *enrollment)
{
	static const int columns[] = {ENROLLMENT_STUDENT_ID, ENROLLMENT_TERM_ID, ENROLLMENT_COURSE_ID};
	Datum keys[] = {Int64GetDatum(student_id), Int64GetDatum(section->term_id),
					Int64GetDatum(section->course_id)};
	TableRead read;
	bool found = false;
	bool isnull;

	table_read_begin(&read, &enrollments, ENROLLMENT_BY_COURSE, snapshot, lengthof(keys), columns,
					 keys);
	while (!found && table_read_next(&read))
	{
		found = table_read_int64(&read, ENROLLMENT_SECTION_ID) == section_id &&
				pool_text_is(table_read_value(&read, ENROLLMENT_STATUS, &isnull), "enrolled");
		enrollment->id = table_read_int64(&read, ENROLLMENT_ID);
		enrollment->row = read.row->t_self;
	}
	table_read_end(&read);
	return found;
}

/* Is it too late to cancel, by the calendar of the term? */
static bool
judge_last_day(Call *call, const SectionDefinition *section)
{
	Datum local = DirectFunctionCall2(timestamptz_zone, section->time_zone,
									  TimestampTzGetDatum(call->arrived_at));
	DateADT today = DatumGetDateADT(DirectFunctionCall1(timestamp_date, local));

	if (today <= section->last_day)
		return true;
	return call_refuse(
		call, REFUSAL_CANCELLATION_DEADLINE_PASSED, "the last day was %s",
		DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(section->last_day))));
}

/* The rules of cancelling, on one snapshot; which enrollment it is. */
static bool
judge_cancel(Call *call, const SectionDefinition *section, Snapshot newest,
			 FoundEnrollment *enrollment)
{
	int64 student_id = call->arguments[0];
	int64 section_id = call->arguments[1];
	Student student;

	if (!student_find(&student, student_id, newest))
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	if (!find_enrollment(student_id, section_id, section, newest, enrollment))
		return call_refuse(call, REFUSAL_NOT_ENROLLED,
						   "student " INT64_FORMAT ", section " INT64_FORMAT, student_id,
						   section_id);
	return judge_last_day(call, section);
}

/* Ends an enrollment and gives its seat back; false if it must be done by a query:
 * others have a say in it, or raw SQL has changed the row meanwhile. */
static bool
end_straight(const Call *call, EscrowEntry *entry, FoundEnrollment *enrollment, Snapshot newest)
{
	TableUpdate update;
	TableRow row = {0};
	bool same;
	bool isnull;

	if (!table_update_begin(&update, &enrollments, &enrollment->row, newest))
		return false;
	same = DatumGetInt64(table_update_value(&update, ENROLLMENT_ID, &isnull)) == enrollment->id &&
		   DatumGetInt64(table_update_value(&update, ENROLLMENT_SECTION_ID, &isnull)) ==
			   call->arguments[1] &&
		   pool_text_is(table_update_value(&update, ENROLLMENT_STATUS, &isnull), "enrolled");
	if (same)
	{
		table_row_set(&row, ENROLLMENT_STATUS, CStringGetTextDatum("cancelled"));
		table_row_set(&row, ENROLLMENT_ENDED_AT, TimestampTzGetDatum(call->arrived_at));
		table_update(&update, &row);
		escrow_give(entry, 1, false);
	}
	table_update_end(&update);
	return same;
}

static void
end_by_query(const Call *call, int64 enrollment_id)
{
	Datum values[2] = {Int64GetDatum(enrollment_id), TimestampTzGetDatum(call->arrived_at)};

	if (query_write(&end_enrollment, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update of an enrollment")));
}

/* cancel_enrollment(student_id, section_id) */
static bool
run_cancel_enrollment(Call *call)
{
	const SectionDefinition *section;
	EscrowEntry *entry;
	Snapshot newest;
	FoundEnrollment enrollment;
	bool granted;

	if (!call_begin(call, LOCK_STUDENT, call->arguments[0]))
		return false;
	section = pin_section(call, call->arguments[0], call->arguments[1], &entry);
	if (section == NULL)
		return false;
	newest = table_newest();
	granted = judge_cancel(call, section, newest, &enrollment);
	if (granted && !end_straight(call, entry, &enrollment, newest))
		end_by_query(call, enrollment.id);
	UnregisterSnapshot(newest);
	return granted && call_done(call, enrollment.id);
}

static Operation cancel_enrollment = {.name = "cancel_enrollment",
									  .arguments = {{"student_id", ARGUMENT_BIGINT},
													{"section_id", ARGUMENT_BIGINT},
													{"idempotency_key", ARGUMENT_KEY}},
									  .run = run_cancel_enrollment,
									  .made = &enrollments,
									  .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(cancel_enrollment, cancel_enrollment);

void
enrollment_init(void)
{
	operation_register(&enroll);
	operation_register(&cancel_enrollment);
}
