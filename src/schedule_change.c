/*
 * schedule_change.c
 *
 * A change of one student's timetable, judged as a whole: what is given up does
 * not conflict, its credits do not count. Enrolling is a change that adds one
 * section, cancelling one that gives one up; a seat that is passed on to somebody
 * in line is such a change too.
 *
 * The rules come one after the other, each for all sections in the order in which
 * they were named; the first that refuses is the answer. Capacity is the last of
 * them (seat_claim.c). Only then is anything written.
 *
 * Everything about the student is judged under the student's lock; everything
 * about the sections while they are pinned, so that their definitions cannot
 * change before the enrollments are written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pool.h"
#include "schedule_change.h"
#include "waitlist.h"

void
schedule_change_init(ScheduleChange *change, Call *call, int64 student_id, ScheduleDrop *drops,
					 int drop_count, ScheduleAdd *adds, int add_count)
{
	*change = (ScheduleChange){.call = call, .student = {.id = student_id}};
	change->timetable = (Timetable){.student = &change->student,
									.drop_count = drop_count,
									.drops = drops,
									.add_count = add_count,
									.adds = adds};
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

/* There is no such section, but a student who does not exist is said first. */
static bool
refuse_missing_section(const ScheduleChange *change, int64 section_id)
{
	Datum argument = Int64GetDatum(change->student.id);

	if (query_read(&find_student, &argument, NULL, 1) == 0)
		return call_refuse(change->call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT,
						   change->student.id);
	return call_refuse(change->call, REFUSAL_COURSE_NOT_FOUND, "section " INT64_FORMAT, section_id);
}

/* May the student pass over a rule for the section that is added? Then it is noted. */
static bool
passes_over(const ScheduleChange *change, ScheduleAdd *add, OverrideRule rule, Snapshot snapshot)
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
	return (add->overridden & (1U << rule)) != 0 || passes_over(change, add, rule, snapshot);
}

/* Numbers ----------------------------------------------------------------------------- */

static Datum
sum_of(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_add, a, b);
}

static bool
is_less(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b));
}

/* As SQL shows it. */
static const char *
numeric_text(Datum number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* Pinning ------------------------------------------------------------------------------ */

/* The sections of a change, in lock order. */
static int64 *
sorted_sections(const Timetable *timetable)
{
	int count = timetable->drop_count + timetable->add_count;
	int64 *ids = palloc(count * sizeof(int64));
	int next = 0;

	for (int i = 0; i < timetable->drop_count; i++)
		ids[next++] = timetable->drops[i].section_id;
	for (int i = 0; i < timetable->add_count; i++)
		ids[next++] = timetable->adds[i].section_id;
	qsort(ids, count, sizeof(int64), lock_compare_ids);
	return ids;
}

/* Gives a pinned section to whoever of the change it is. */
static void
set_section(Timetable *timetable, int64 section_id, EscrowEntry *entry,
			const SectionDefinition *section)
{
	for (int i = 0; i < timetable->drop_count; i++)
	{
		ScheduleDrop *drop = &timetable->drops[i];

		if (drop->section_id != section_id)
			continue;
		drop->entry = entry;
		drop->section = section;
		return;
	}
	for (int i = 0; i < timetable->add_count; i++)
	{
		ScheduleAdd *add = &timetable->adds[i];

		if (add->section_id != section_id)
			continue;
		add->entry = entry;
		add->section = section;
		if (!add->credits_stated)
			add->credits = section->credits;
		return;
	}
}

static bool
pin_section(ScheduleChange *change, int64 section_id)
{
	const SectionDefinition *section = NULL;
	EscrowEntry *entry;
	RefusalCode refused = pool_pin(&section_pool, section_id, &entry);

	if (refused == REFUSAL_NONE)
		section = section_definition(entry, section_id);
	if (section)
	{
		set_section(&change->timetable, section_id, entry, section);
		return true;
	}
	if (refused == REFUSAL_NONE || refused == REFUSAL_COURSE_NOT_FOUND)
		return refuse_missing_section(change, section_id);
	return call_refuse(change->call, refused, NULL);
}

/* Pins all sections, in lock order; false if the call is answered. */
bool
schedule_change_pin(ScheduleChange *change)
{
	int count = change->timetable.drop_count + change->timetable.add_count;
	int64 *ids = sorted_sections(&change->timetable);
	bool pinned = true;

	for (int i = 0; i < count && pinned; i++)
		pinned = pin_section(change, ids[i]);
	return pinned;
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
	if (next == DT_NOBEGIN || passes_over(change, add, OVERRIDE_WINDOW, snapshot))
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
	if (in_term || passes_over(change, add, OVERRIDE_WINDOW, snapshot))
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
		!is_less(grades.best, section->retake_cutoff))
		return call_refuse(change->call, REFUSAL_REENROLL_NOT_ALLOWED,
						   "the best grade in %s is %s, from %s on it is not taken again",
						   course_name(change, section->course_id), numeric_text(grades.best),
						   numeric_text(section->retake_cutoff));
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
		   !(required->has_points && is_less(grades.best, required->min_points));
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
		required->has_points ? numeric_text(required->min_points) : "",
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
		return passes_over(change, add, OVERRIDE_PREREQUISITE, snapshot) ||
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

/* Credits ------------------------------------------------------------------------------- */

/* Can the section be taken for so many? */
static bool
judge_stated_credits(ScheduleChange *change, const ScheduleAdd *add)
{
	const SectionDefinition *section = add->section;
	Datum least = section->credits_vary ? section->least_credits : section->credits;
	Datum most = section->credits_vary ? section->most_credits : section->credits;

	if (!add->credits_stated || (!is_less(add->credits, least) && !is_less(most, add->credits)))
		return true;
	return call_refuse(change->call, REFUSAL_CREDITS_OUT_OF_RANGE,
					   "section " INT64_FORMAT " has %s to %s credits, asked for were %s",
					   add->section_id, numeric_text(least), numeric_text(most),
					   numeric_text(add->credits));
}

/* The credits that are added in a term, with what passes over the limit or without. */
static Datum
added_credits(const Timetable *timetable, int64 term_id, bool all)
{
	Datum sum = NumericGetDatum(int64_to_numeric(0));

	for (int i = 0; i < timetable->add_count; i++)
	{
		const ScheduleAdd *add = &timetable->adds[i];

		if (add->section->term_id == term_id &&
			(all || !(add->overridden & (1U << OVERRIDE_CREDITS))))
			sum = sum_of(sum, add->credits);
	}
	return sum;
}

/* The credits that are given up in a term. */
static Datum
dropped_credits(const Timetable *timetable, int64 term_id)
{
	Datum sum = NumericGetDatum(int64_to_numeric(0));

	for (int i = 0; i < timetable->drop_count; i++)
	{
		if (timetable->drops[i].section->term_id == term_id)
			sum = sum_of(sum, timetable->drops[i].enrollment.credits);
	}
	return sum;
}

static Datum
limit_of(const ScheduleChange *change, const ScheduleAdd *add)
{
	return change->student.has_limit ? change->student.max_credits : add->section->max_credits;
}

static bool
exceeds_limit(const ScheduleChange *change, const ScheduleAdd *add, Datum added)
{
	return is_less(limit_of(change, add), sum_of(add->kept_credits, added));
}

/* Would the student have more credits in a term than they may? What an administrator lets
 * pass over the limit does not count for the rest of the change. */
static bool
judge_most_credits(ScheduleChange *change, Snapshot snapshot)
{
	const Timetable *timetable = &change->timetable;
	bool granted = true;

	for (int i = 0; i < timetable->add_count; i++)
	{
		ScheduleAdd *add = &timetable->adds[i];
		Datum added = added_credits(timetable, add->section->term_id, false);

		if (exceeds_limit(change, add, added) &&
			!passes_over(change, add, OVERRIDE_CREDITS, snapshot))
			granted = false;
	}
	for (int i = 0; i < timetable->add_count && !granted; i++)
	{
		const ScheduleAdd *add = &timetable->adds[i];
		Datum added = added_credits(timetable, add->section->term_id, false);

		if (!(add->overridden & (1U << OVERRIDE_CREDITS)) && exceeds_limit(change, add, added))
			return call_refuse(change->call, REFUSAL_CREDIT_LIMIT_EXCEEDED,
							   "%s of %s credits are taken, %s would be added",
							   numeric_text(add->kept_credits), numeric_text(limit_of(change, add)),
							   numeric_text(added));
	}
	return true;
}

/* Would they fall below the term's minimum? Who is below it already may add. */
static bool
judge_least_credits(ScheduleChange *change, const ScheduleDrop *drop, Snapshot snapshot)
{
	const SectionDefinition *section = drop->section;
	Datum added;
	Datum sum;

	if (!section->has_min_credits)
		return true;
	added = added_credits(&change->timetable, section->term_id, true);
	sum = sum_of(drop->kept_credits, added);
	if (!is_less(sum, section->min_credits) ||
		!is_less(added, dropped_credits(&change->timetable, section->term_id)) ||
		override_is_permitted(change->student.id, drop->section_id, OVERRIDE_CREDITS, snapshot))
		return true;
	return call_refuse(change->call, REFUSAL_CREDIT_MINIMUM_NOT_MET,
					   "%s credits would be left, the minimum is %s", numeric_text(sum),
					   numeric_text(section->min_credits));
}

static bool
judge_credits(ScheduleChange *change, Snapshot snapshot)
{
	Timetable *timetable = &change->timetable;
	bool granted = true;

	for (int i = 0; i < timetable->add_count && granted; i++)
		granted = judge_stated_credits(change, &timetable->adds[i]);
	if (change->lining_up)
		return granted;
	granted = granted && judge_most_credits(change, snapshot);
	for (int i = 0; i < timetable->drop_count && granted; i++)
		granted = judge_least_credits(change, &timetable->drops[i], snapshot);
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

	if (add->clashes && !passes_over(change, add, OVERRIDE_CONFLICT, snapshot))
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
			  judge_courses(change, snapshot) && judge_credits(change, snapshot);
	for (int i = 0; i < change->timetable.add_count && granted && !change->lining_up; i++)
		granted = judge_conflict(change, i, snapshot);
	return granted;
}

/* Writing ------------------------------------------------------------------------------- */

static void
write_add(ScheduleChange *change, ScheduleAdd *add, Snapshot snapshot)
{
	uint64 counted;

	schedule_change_claim_freed(change, add);
	counted = pool_rows_counted();
	if (add->place)
		add->enrollment_id =
			enrollment_seat(add, pool_pin_or_raise(&waitlist_pool, add->section_id), snapshot);
	else
		add->enrollment_id = enrollment_insert(change->student.id, add, change->call->arrived_at);
	if (add->seat)
		pool_claim_written(add->seat, counted);
	if (add->shared_seat)
		pool_claim_written(add->shared_seat, counted);
}

/* Writes a change that was granted, and whose seats are taken: first what is given up,
 * so that the constraints see the new timetable only. */
void
schedule_change_write(ScheduleChange *change, Snapshot snapshot)
{
	Timetable *timetable = &change->timetable;

	for (int i = 0; i < timetable->drop_count; i++)
		enrollment_end(&timetable->drops[i].enrollment, timetable->drops[i].entry, false,
					   change->call->arrived_at, snapshot);
	for (int i = 0; i < timetable->add_count; i++)
		write_add(change, &timetable->adds[i], snapshot);
}

/* Does it all, for who has called; false if the call is answered. */
bool
schedule_change_run(ScheduleChange *change)
{
	Snapshot newest;
	bool granted;

	if (!call_begin(change->call, LOCK_STUDENT, change->student.id) || !schedule_change_pin(change))
		return false;
	newest = table_newest();
	granted = schedule_change_judge(change, newest) && schedule_change_claim(change, newest);
	if (granted)
		schedule_change_write(change, newest);
	UnregisterSnapshot(newest);
	if (granted)
		waitlist_pass_on_freed(change);
	return granted;
}
