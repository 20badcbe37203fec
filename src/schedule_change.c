/*
 * schedule_change.c
 *
 * A change of one student's timetable: enrolling is a change that adds one section,
 * cancelling one that gives one up; a seat that is passed on to somebody in line is
 * such a change too.
 *
 * It is judged as a whole (schedule_rules.c), its seats are taken (seat_claim.c), and
 * only then is anything written.
 *
 * Everything about the student is judged under the student's lock; everything
 * about the sections while they are pinned, so that their definitions cannot
 * change before the enrollments are written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/snapmgr.h"

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

/* Pinning ------------------------------------------------------------------------------ */

static CachedQuery find_student = {
	"SELECT 1 FROM fcfs.student s WHERE s.id = $1", 1, {INT8OID}, NULL, 0};

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
