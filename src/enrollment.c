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

#include "enrollment.h"
#include "operation.h"
#include "pool.h"

/* The pool ---------------------------------------------------------------------- */

static int64
enrollment_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return pool_text_is(heap_getattr(row, kind->claim_attributes[1], desc, &isnull), "enrolled")
			   ? 1
			   : 0;
}

PoolKind section_pool = {
	.escrow = {.lock_class = LOCK_SECTION},
	.name = "section",
	.pool_table = "section",
	.claim_table = "enrollment",
	.capacity_column = "capacity",
	.capacity_constraint = "section_capacity",
	.not_found = REFUSAL_COURSE_NOT_FOUND,
	.sold_out = REFUSAL_COURSE_FULL,
	.claim_columns = {"section_id", "status"},
	.definition = {"term_id", "course_id", "schedule", "strict_order"},
	.load = {"SELECT s.capacity::bigint,"
			 " (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = "
			 "'enrolled'),"
			 " NULL::bigint"
			 " FROM fcfs.section s WHERE s.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.referenced =
		{"SELECT 1 FROM fcfs.enrollment e WHERE e.section_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = enrollment_units,
	.changes_alone = section_changes_alone,
	.changed = section_changed};

/* enroll ------------------------------------------------------------------------ */

/*
 * All that the rules of enroll() need to know of student $1 and section $2 in
 * one row. "mine" is what the student is enrolled in now.
 */
static CachedQuery judge_enroll = {
	"SELECT st.id IS NOT NULL, t.enroll_opens_at, t.enroll_closes_at, s.strict_order,"
	" s.term_id, s.course_id, c.credits, s.schedule,"
	" mine.section_id,"
	" (SELECT max(g.points) FROM fcfs.grade g WHERE g.student_id = $1 AND g.course_id = "
	"s.course_id)"
	" >= t.retake_cutoff,"
	" mine.credits + c.credits > coalesce(st.max_credits, t.max_credits),"
	" format('%s of %s credits are taken, the section has %s',"
	" mine.credits, coalesce(st.max_credits, t.max_credits), c.credits),"
	" mine.conflict_id"
	" FROM fcfs.section s"
	" JOIN fcfs.term t ON t.id = s.term_id"
	" JOIN fcfs.course c ON c.id = s.course_id"
	" LEFT JOIN fcfs.student st ON st.id = $1"
	" CROSS JOIN LATERAL ("
	" SELECT min(e.section_id) FILTER (WHERE e.term_id = s.term_id AND e.course_id = s.course_id) "
	"AS section_id,"
	" coalesce(sum(e.credits) FILTER (WHERE e.term_id = s.term_id), 0) AS credits,"
	" min(e.section_id) FILTER (WHERE e.schedule && s.schedule) AS conflict_id"
	" FROM fcfs.enrollment e WHERE e.student_id = $1 AND e.status = 'enrolled') AS mine"
	" WHERE s.id = $2",
	2,
	{INT8OID, INT8OID},
	NULL,
	0};

static CachedQuery find_student = {
	"SELECT 1 FROM fcfs.student s WHERE s.id = $1", 1, {INT8OID}, NULL, 0};

static CachedQuery name_section = {
	"SELECT format('%s %s (section %s)', c.code, s.code, s.id)"
	" FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id WHERE s.id = $1",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery insert_enrollment = {
	"INSERT INTO fcfs.enrollment (student_id, section_id, term_id, course_id, credits, schedule, "
	"arrived_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
	7,
	{INT8OID, INT8OID, INT8OID, INT8OID, NUMERICOID, TSTZMULTIRANGEOID, TIMESTAMPTZOID},
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

/* The rules before capacity, on the row of judge_enroll. */
static bool
judge_rules(Call *call, int64 student_id)
{
	int64 same_course = query_int64(0, 9, 0);
	int64 conflict = query_int64(0, 13, 0);
	bool isnull;

	if (!query_bool(0, 1))
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	if (call->arrived_at < query_time(0, 2, DT_NOEND))
		return call_refuse(call, REFUSAL_ENROLLMENT_NOT_STARTED, NULL);
	if (call->arrived_at >= query_time(0, 3, DT_NOBEGIN))
		return call_refuse(call, REFUSAL_ENROLLMENT_CLOSED, NULL);
	(void) query_value(0, 9, &isnull);
	if (!isnull)
		return call_refuse(call, REFUSAL_ALREADY_ENROLLED, "enrolled in %s",
						   section_name(same_course));
	if (query_bool(0, 10))
		return call_refuse(call, REFUSAL_REENROLL_NOT_ALLOWED, NULL);
	if (query_bool(0, 11))
		return call_refuse(call, REFUSAL_CREDIT_LIMIT_EXCEEDED, "%s",
						   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 12));
	(void) query_value(0, 13, &isnull);
	if (!isnull)
		return call_refuse(call, REFUSAL_SCHEDULE_CONFLICT, "clashes with %s",
						   section_name(conflict));
	return true;
}

/* Writes the enrollment; section is what it copies. */
static int64
write_enrollment(const Call *call, int64 student_id, int64 section_id,
				 const SectionDefinition *section)
{
	Datum values[7];

	values[0] = Int64GetDatum(student_id);
	values[1] = Int64GetDatum(section_id);
	values[2] = Int64GetDatum(section->term_id);
	values[3] = Int64GetDatum(section->course_id);
	values[4] = section->credits;
	values[5] = section->schedule;
	values[6] = TimestampTzGetDatum(call->arrived_at);
	query_must_see(&find_student, values);
	query_wrote_one(query_write(&insert_enrollment, values, NULL), "enrollment");
	return query_int64(0, 1, 0);
}

/* enroll(student_id, section_id) */
static bool
run_enroll(Call *call)
{
	int64 student_id = call->arguments[0];
	int64 section_id = call->arguments[1];
	Datum values[2] = {Int64GetDatum(student_id), Int64GetDatum(section_id)};
	const SectionDefinition *section;
	EscrowEntry *entry;
	RefusalCode refused;
	uint64 counted;
	int64 id;

	if (!call_begin(call, LOCK_STUDENT, student_id))
		return false;
	refused = pool_pin(&section_pool, section_id, &entry);
	if (refused == REFUSAL_COURSE_NOT_FOUND)
		return refuse_missing_section(call, student_id, section_id);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	if (query_read(&judge_enroll, values, NULL, 1) == 0)
		return refuse_missing_section(call, student_id, section_id);
	if (!judge_rules(call, student_id))
		return false;
	section = section_definition(entry, section_id);
	if (section == NULL)
		return refuse_missing_section(call, student_id, section_id);
	refused = pool_claim(&section_pool, entry, section_id, section->strict_order, 1, NULL);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "section " INT64_FORMAT, section_id);
	counted = pool_rows_counted();
	id = write_enrollment(call, student_id, section_id, section);
	pool_claim_written(entry, counted);
	return call_done(call, id);
}

static Operation enroll = {
	.name = "enroll",
	.arguments = {"student_id", "section_id"},
	.run = run_enroll,
	.row = {"SELECT e FROM fcfs.enrollment_summary e WHERE e.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(enroll, enroll);

/* cancel_enrollment --------------------------------------------------------------- */

/* By the calendar of the term: is student $1 enrolled in section $2, and is
 * $3 past the last day to cancel? */
static CachedQuery judge_cancel = {
	"SELECT st.id IS NOT NULL, e.id,"
	" ($3 AT TIME ZONE t.time_zone)::date > t.starts_on - t.cancel_days,"
	" t.starts_on - t.cancel_days"
	" FROM fcfs.section s"
	" JOIN fcfs.term t ON t.id = s.term_id"
	" LEFT JOIN fcfs.student st ON st.id = $1"
	" LEFT JOIN fcfs.enrollment e ON e.student_id = $1 AND e.section_id = s.id"
	" AND e.term_id = s.term_id AND e.course_id = s.course_id AND e.status = 'enrolled'"
	" WHERE s.id = $2",
	3,
	{INT8OID, INT8OID, TIMESTAMPTZOID},
	NULL,
	0};

static CachedQuery end_enrollment = {"UPDATE fcfs.enrollment e SET status = 'cancelled', ended_at "
									 "= $2 WHERE e.id = $1 AND e.status = 'enrolled'",
									 2,
									 {INT8OID, TIMESTAMPTZOID},
									 NULL,
									 0};

/* cancel_enrollment(student_id, section_id) */
static bool
run_cancel_enrollment(Call *call)
{
	int64 student_id = call->arguments[0];
	int64 section_id = call->arguments[1];
	Datum values[3] = {Int64GetDatum(student_id), Int64GetDatum(section_id),
					   TimestampTzGetDatum(call->arrived_at)};
	EscrowEntry *entry;
	RefusalCode refused;
	Datum enrollment;
	bool not_enrolled;

	if (!call_begin(call, LOCK_STUDENT, student_id))
		return false;
	refused = pool_pin(&section_pool, section_id, &entry);
	if (refused == REFUSAL_COURSE_NOT_FOUND || query_read(&judge_cancel, values, NULL, 1) == 0)
		return refuse_missing_section(call, student_id, section_id);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	if (!query_bool(0, 1))
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	enrollment = query_value(0, 2, &not_enrolled);
	if (not_enrolled)
		return call_refuse(call, REFUSAL_NOT_ENROLLED,
						   "student " INT64_FORMAT ", section " INT64_FORMAT, student_id,
						   section_id);
	if (query_bool(0, 3))
		return call_refuse(call, REFUSAL_CANCELLATION_DEADLINE_PASSED, "the last day was %s",
						   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 4));

	values[0] = enrollment;
	values[1] = TimestampTzGetDatum(call->arrived_at);
	if (query_write(&end_enrollment, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update of an enrollment")));
	return call_done(call, DatumGetInt64(enrollment));
}

static Operation cancel_enrollment = {
	.name = "cancel_enrollment",
	.arguments = {"student_id", "section_id"},
	.run = run_cancel_enrollment,
	.row = {"SELECT e FROM fcfs.enrollment_summary e WHERE e.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(cancel_enrollment, cancel_enrollment);

void
enrollment_init(void)
{
	operation_register(&enroll);
	operation_register(&cancel_enrollment);
}
