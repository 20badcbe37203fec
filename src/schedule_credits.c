/*
 * schedule_credits.c
 *
 * The rules about the credits of a change of a timetable: what a section can be taken
 * for, the most and the least in a term.
 */
#include "postgres.h"

#include "utils/numeric.h"

#include "number.h"
#include "schedule_change.h"
#include "schedule_rules.h"

/* Can the section be taken for so many? */
static bool
judge_stated_credits(ScheduleChange *change, const ScheduleAdd *add)
{
	const SectionDefinition *section = add->section;
	Datum least = section->credits_vary ? section->least_credits : section->credits;
	Datum most = section->credits_vary ? section->most_credits : section->credits;

	if (!add->credits_stated ||
		(!number_is_less(add->credits, least) && !number_is_less(most, add->credits)))
		return true;
	return call_refuse(change->call, REFUSAL_CREDITS_OUT_OF_RANGE,
					   "section " INT64_FORMAT " has %s to %s credits, asked for were %s",
					   add->section_id, number_text(least), number_text(most),
					   number_text(add->credits));
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
			sum = number_sum(sum, add->credits);
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
			sum = number_sum(sum, timetable->drops[i].enrollment.credits);
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
	return number_is_less(limit_of(change, add), number_sum(add->kept_credits, added));
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
			!schedule_change_passes_over(change, add, OVERRIDE_CREDITS, snapshot))
			granted = false;
	}
	for (int i = 0; i < timetable->add_count && !granted; i++)
	{
		const ScheduleAdd *add = &timetable->adds[i];
		Datum added = added_credits(timetable, add->section->term_id, false);

		if (!(add->overridden & (1U << OVERRIDE_CREDITS)) && exceeds_limit(change, add, added))
			return call_refuse(change->call, REFUSAL_CREDIT_LIMIT_EXCEEDED,
							   "%s of %s credits are taken, %s would be added",
							   number_text(add->kept_credits), number_text(limit_of(change, add)),
							   number_text(added));
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
	sum = number_sum(drop->kept_credits, added);
	if (!number_is_less(sum, section->min_credits) ||
		!number_is_less(added, dropped_credits(&change->timetable, section->term_id)) ||
		override_is_permitted(change->student.id, drop->section_id, OVERRIDE_CREDITS, snapshot))
		return true;
	return call_refuse(change->call, REFUSAL_CREDIT_MINIMUM_NOT_MET,
					   "%s credits would be left, the minimum is %s", number_text(sum),
					   number_text(section->min_credits));
}

/* All rules about credits. */
bool
schedule_change_judge_credits(ScheduleChange *change, Snapshot snapshot)
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
