/*
 * schedule_rules.c
 *
 * The rules about a change of a timetable, which is judged as a whole: what is given
 * up does not conflict, its credits do not count.
 *
 * They come one after the other, each for all sections in the order in which they were
 * named; the first that refuses is the answer. Credits are in schedule_credits.c;
 * capacity is the last of the rules (seat_claim.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "number.h"
#include "schedule_change.h"
#include "schedule_rules.h"

/* Refusing ---------------------------------------------------------------------------- */

static CachedQuery name_section = {
	"SELECT format('%s %s (section %s)', c.code, s.code, s.id)"
	" FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id WHERE s.id = $1",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery name_course = {
	"SELECT c.code FROM fcfs.course c WHERE c.id = $1", 1, {INT8OID}, NULL, 0};

/* What a query says of an id; where nobody reads it, nobody is asked. */
static const char *
name_by(const ScheduleChange *change, CachedQuery *query, const char *kind, int64 id)
{
	Datum argument = Int64GetDatum(id);

	if (change->passing_on || query_read(query, &argument, NULL, 1) == 0)
		return psprintf("%s " INT64_FORMAT, kind, id);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* "MATH 101 A (section 7)", for details. */
static const char *
section_name(const ScheduleChange *change, int64 section_id)
{
	return name_by(change, &name_section, "section", section_id);
}

static const char *
course_name(const ScheduleChange *change, int64 course_id)
{
	return name_by(change, &name_course, "course", course_id);
}

/* May the student pass over a rule for the section that is added? Then it is noted. */
bool
schedule_change_passes_over(const ScheduleChange *change, ScheduleAdd *add, OverrideRule rule,
							Snapshot snapshot)
{
	if (!override_is_permitted(change->student.id, add->section_id, rule, snapshot))
		return false;
	add->overridden |= 1U << rule;
	return true;
}

/* Has the section that is added passed over the rule already, or may it? */
static bool
is_let_pass(const ScheduleChange *change, ScheduleAdd *add, OverrideRule rule, Snapshot snapshot)
{
	return (add->overridden & (1U << rule)) != 0 ||
		   schedule_change_passes_over(change, add, rule, snapshot);
}

/* Not found ---------------------------------------------------------------------------- */

static bool
judge_found(ScheduleChange *change)
{
	for (int i = 0; i < change->timetable.drop_count; i++)
	{
		if (!change->timetable.drops[i].found)
			return call_refuse(change->call, REFUSAL_NOT_ENROLLED,
							   "student " INT64_FORMAT ", section " INT64_FORMAT,
							   change->student.id, change->timetable.drops[i].section_id);
	}
	return true;
}

/* Windows ------------------------------------------------------------------------------ */

/* Is it too late to give up a section, by the calendar of its term? */
static bool
judge_last_day(ScheduleChange *change, const ScheduleDrop *drop, Snapshot snapshot)
{
	const SectionDefinition *section = drop->section;
	Datum local = DirectFunctionCall2(timestamptz_zone, section->time_zone,
									  TimestampTzGetDatum(change->call->arrived_at));
	DateADT today = DatumGetDateADT(DirectFunctionCall1(timestamp_date, local));

	if (today <= section->last_day ||
		override_is_permitted(change->student.id, drop->section_id, OVERRIDE_WINDOW, snapshot))
		return true;
	return call_refuse(
		change->call, REFUSAL_CANCELLATION_DEADLINE_PASSED,
		"the last day to cancel section " INT64_FORMAT " was %s", drop->section_id,
		DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(section->last_day))));
}

/* What a student sees of the waves of a term: DT_NOBEGIN: one is open; DT_NOEND: none
 * is and none comes; else when the next one opens. */
static TimestampTz
next_wave(ScheduleChange *change, const SectionDefinition *section, Snapshot snapshot)
{
	TimestampTz now = change->call->arrived_at;
	TimestampTz next = DT_NOEND;

	for (int i = 0; i < section->wave_count; i++)
	{
		const Wave *wave = &section->waves[i];

		if (now >= wave->closes_at || wave->opens_at >= next)
			continue;
		if (wave->for_all || student_in_group(&change->student, wave->group_id, snapshot))
			next = wave->opens_at <= now ? DT_NOBEGIN : wave->opens_at;
	}
	return next;
}

static bool
judge_wave(ScheduleChange *change, ScheduleAdd *add, Snapshot snapshot)
{
	TimestampTz next;

	if (add->section->wave_count == 0)
		return true;
	next = next_wave(change, add->section, snapshot);
	if (next == DT_NOBEGIN || schedule_change_passes_over(change, add, OVERRIDE_WINDOW, snapshot))
		return true;
	if (next == DT_NOEND)
		return call_refuse(change->call, REFUSAL_ENROLLMENT_CLOSED,
						   "section " INT64_FORMAT ": no wave is open to the student",
						   add->section_id);
	return call_refuse(change->call, REFUSAL_ENROLLMENT_NOT_STARTED,
					   "section " INT64_FORMAT " opens to the student at %s", add->section_id,
					   timestamptz_to_str(next));
}

/* Is it open? */
static bool
judge_window(ScheduleChange *change, ScheduleAdd *add, Snapshot snapshot)
{
	const SectionDefinition *section = add->section;
	TimestampTz now = change->call->arrived_at;
	bool in_term = section->enroll_opens_at <= now && now < section->enroll_closes_at;

	if (section->cancelled)
		return call_refuse(change->call, REFUSAL_ENROLLMENT_CLOSED,
						   "section " INT64_FORMAT " is cancelled", add->section_id);
	if (in_term || schedule_change_passes_over(change, add, OVERRIDE_WINDOW, snapshot))
		return judge_wave(change, add, snapshot);
	if (now < section->enroll_opens_at)
		return call_refuse(change->call, REFUSAL_ENROLLMENT_NOT_STARTED,
						   "section " INT64_FORMAT " opens at %s", add->section_id,
						   timestamptz_to_str(section->enroll_opens_at));
	return call_refuse(change->call, REFUSAL_ENROLLMENT_CLOSED,
					   "section " INT64_FORMAT " closed at %s", add->section_id,
					   timestamptz_to_str(section->enroll_closes_at));
}

static bool
judge_time(ScheduleChange *change, Snapshot snapshot)
{
	Timetable *timetable = &change->timetable;
	bool granted = true;

	for (int i = 0; i < timetable->drop_count && granted; i++)
		granted = judge_last_day(change, &timetable->drops[i], snapshot);
	for (int i = 0; i < timetable->add_count && granted; i++)
		granted = judge_window(change, &timetable->adds[i], snapshot);
	return granted;
}

/* The course --------------------------------------------------------------------------- */

/* An addition before this one to the same course and term, if there is one. */
static const ScheduleAdd *
same_course_before(const Timetable *timetable, int number)
{
	const SectionDefinition *section = timetable->adds[number].section;

	for (int i = 0; i < number; i++)
	{
		if (timetable->adds[i].section->course_id == section->course_id &&
			timetable->adds[i].section->term_id == section->term_id)
			return &timetable->adds[i];
	}
	return NULL;
}

/* Is the student in the course, or in its line, already? */
static bool
judge_duplicate(ScheduleChange *change, int number, Snapshot snapshot)
{
	ScheduleAdd *add = &change->timetable.adds[number];
	const ScheduleAdd *other = same_course_before(&change->timetable, number);
	FoundEnrollment place;

	if (add->in_course)
		return call_refuse(change->call, REFUSAL_ALREADY_ENROLLED, "enrolled in %s",
						   section_name(change, add->same_section));
	if (other)
		return call_refuse(change->call, REFUSAL_ALREADY_ENROLLED,
						   "section " INT64_FORMAT " is of the same course as %s", add->section_id,
						   section_name(change, other->section_id));
	if (add->place == NULL && add->section->has_line &&
		timetable_find_place(change->student.id, add->section_id, snapshot, &place))
		return call_refuse(change->call, REFUSAL_ALREADY_WAITLISTED, "section " INT64_FORMAT,
						   add->section_id);
	return true;
}

/* May the course be taken again? */
static bool
judge_retake(ScheduleChange *change, const ScheduleAdd *add, Snapshot snapshot)
{
	const SectionDefinition *section = add->section;
	StudentGrades grades;

	if (!section->retake_is_bounded && section->max_attempts == 0)
		return true;
	grades = student_grades(&change->student, section->course_id, snapshot);
	if (section->retake_is_bounded && grades.count > 0 &&
		!number_is_less(grades.best, section->retake_cutoff))
		return call_refuse(change->call, REFUSAL_REENROLL_NOT_ALLOWED,
						   "the best grade in %s is %s, from %s on it is not taken again",
						   course_name(change, section->course_id), number_text(grades.best),
						   number_text(section->retake_cutoff));
	if (section->max_attempts > 0 && grades.count >= section->max_attempts)
		return call_refuse(
			change->call, REFUSAL_REENROLL_NOT_ALLOWED, "attempts at %s: %d, the maximum is %d",
			course_name(change, section->course_id), grades.count, section->max_attempts);
	return true;
}

/* Does the student have the grade that is required? */
static bool
has_grade(const ScheduleChange *change, const Prerequisite *required, int64 course_id,
		  Snapshot snapshot)
{
	StudentGrades grades = student_grades(&change->student, course_id, snapshot);

	return grades.count > 0 &&
		   !(required->has_points && number_is_less(grades.best, required->min_points));
}

/* Is a course added in that term? */
static bool
adds_course(const Timetable *timetable, int64 course_id, int64 term_id)
{
	for (int i = 0; i < timetable->add_count; i++)
	{
		if (timetable->adds[i].section->course_id == course_id &&
			timetable->adds[i].section->term_id == term_id)
			return true;
	}
	return false;
}

/* "CHEM 1 with 2.00 points or more is required for MATH 101 A (section 7)". */
static bool
refuse_prerequisite(ScheduleChange *change, const Prerequisite *required, int64 course_id,
					int64 section_id)
{
	return call_refuse(
		change->call,
		required->concurrent ? REFUSAL_COREQUISITE_NOT_MET : REFUSAL_PREREQUISITE_NOT_MET,
		"%s%s%s%s is required for %s", course_name(change, course_id),
		required->has_points ? " with " : "",
		required->has_points ? number_text(required->min_points) : "",
		required->has_points ? " points or more" : "", section_name(change, section_id));
}

static bool
judge_prerequisites(ScheduleChange *change, ScheduleAdd *add, Snapshot snapshot)
{
	const SectionDefinition *section = add->section;

	for (int i = 0; i < section->prerequisite_count; i++)
	{
		const Prerequisite *required = &section->prerequisites[i];

		if (required->concurrent &&
			(change->lining_up || add->taken_with[i] ||
			 adds_course(&change->timetable, required->course_id, section->term_id)))
			continue;
		if (has_grade(change, required, required->course_id, snapshot))
			continue;
		return schedule_change_passes_over(change, add, OVERRIDE_PREREQUISITE, snapshot) ||
			   refuse_prerequisite(change, required, required->course_id, add->section_id);
	}
	return true;
}

/* Is what is given up a corequisite of what stays? */
static bool
judge_needed(ScheduleChange *change, const ScheduleDrop *drop, Snapshot snapshot)
{
	const SectionDefinition *section = drop->section;
	int64 student_id = change->student.id;

	if (change->lining_up || adds_course(&change->timetable, section->course_id, section->term_id))
		return true;
	for (int i = 0; i < section->dependent_count; i++)
	{
		const Prerequisite *required = &section->dependents[i];
		int64 needed_by = drop->needed_by[i];

		if (needed_by != 0 && !has_grade(change, required, section->course_id, snapshot) &&
			!override_is_permitted(student_id, needed_by, OVERRIDE_PREREQUISITE, snapshot))
			return refuse_prerequisite(change, required, section->course_id, needed_by);
	}
	return true;
}

static bool
judge_courses(ScheduleChange *change, Snapshot snapshot)
{
	Timetable *timetable = &change->timetable;
	bool granted = true;

	for (int i = 0; i < timetable->add_count && granted; i++)
		granted = judge_duplicate(change, i, snapshot);
	for (int i = 0; i < timetable->add_count && granted; i++)
		granted = judge_retake(change, &timetable->adds[i], snapshot);
	for (int i = 0; i < timetable->drop_count && granted; i++)
		granted = judge_needed(change, &timetable->drops[i], snapshot);
	for (int i = 0; i < timetable->add_count && granted; i++)
		granted = judge_prerequisites(change, &timetable->adds[i], snapshot);
	return granted;
}

/* The timetable ------------------------------------------------------------------------- */

static bool
refuse_clash(ScheduleChange *change, int64 section_id)
{
	return call_refuse(change->call, REFUSAL_SCHEDULE_CONFLICT, "clashes with %s",
					   section_name(change, section_id));
}

/* Of two additions that overlap an administrator must let one pass over it. */
static bool
judge_conflict(ScheduleChange *change, int number, Snapshot snapshot)
{
	ScheduleAdd *add = &change->timetable.adds[number];

	if (add->clashes && !schedule_change_passes_over(change, add, OVERRIDE_CONFLICT, snapshot))
		return refuse_clash(change, add->clash_section);
	for (ScheduleAdd *other = change->timetable.adds; other < add; other++)
	{
		if (timetable_overlap(other->section->schedule, add->section->schedule) &&
			!is_let_pass(change, add, OVERRIDE_CONFLICT, snapshot) &&
			!is_let_pass(change, other, OVERRIDE_CONFLICT, snapshot))
			return refuse_clash(change, other->section_id);
	}
	return true;
}

/* All rules before capacity, on one snapshot. */
bool
schedule_change_judge(ScheduleChange *change, Snapshot snapshot)
{
	int64 student_id = change->student.id;
	bool granted;

	if (!student_find(&change->student, student_id, snapshot))
		return call_refuse(change->call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT,
						   student_id);
	timetable_read(&change->timetable, snapshot);
	granted = judge_found(change) && judge_time(change, snapshot) &&
			  judge_courses(change, snapshot) && schedule_change_judge_credits(change, snapshot);
	for (int i = 0; i < change->timetable.add_count && granted && !change->lining_up; i++)
		granted = judge_conflict(change, i, snapshot);
	return granted;
}
