/*
 * seat_pins.c
 *
 * What a change of a timetable pins besides its sections, before it takes seats: lines,
 * reserved seats and cross lists.
 *
 * Locks: in that order, each kind by id.
 */
#include "postgres.h"

#include "lock.h"
#include "pool.h"
#include "schedule_change.h"
#include "seat_line.h"

static RefusalCode
pin_sorted(PoolKind *kind, int64 *ids, int count)
{
	RefusalCode refused = REFUSAL_NONE;
	EscrowEntry *entry;

	qsort(ids, count, sizeof(int64), lock_compare_ids);
	for (int i = 0; i < count && refused == REFUSAL_NONE; i++)
	{
		refused = pool_pin(kind, ids[i], &entry);
		/* Reserved seats may have gone since the section was looked at. */
		if (kind == &reserved_seats_pool && refused == kind->not_found)
			refused = REFUSAL_NONE;
	}
	return refused;
}

/* The lines of what is given up, whose seats are passed on, and those that go before what
 * is added. */
static RefusalCode
pin_lines(const ScheduleChange *change)
{
	const Timetable *timetable = &change->timetable;
	int room = timetable->drop_count;
	int count = 0;
	int64 *ids;

	for (int i = 0; i < timetable->add_count; i++)
		room += seat_line_find(change, &timetable->adds[i]);
	ids = palloc(room * sizeof(int64));
	for (int i = 0; i < timetable->drop_count; i++)
	{
		if (timetable->drops[i].section->has_line)
			ids[count++] = timetable->drops[i].section_id;
	}
	for (int i = 0; i < timetable->add_count; i++)
	{
		const ScheduleAdd *add = &timetable->adds[i];

		memcpy(ids + count, add->lines, add->line_count * sizeof(int64));
		count += add->line_count;
	}
	return pin_sorted(&waitlist_pool, ids, count);
}

static RefusalCode
pin_reserved_seats(const Timetable *timetable)
{
	int room = timetable->drop_count;
	int count = 0;
	int64 *ids;

	for (int i = 0; i < timetable->add_count; i++)
		room += timetable->adds[i].section->reservation_count;
	ids = palloc(room * sizeof(int64));
	for (int i = 0; i < timetable->drop_count; i++)
	{
		if (timetable->drops[i].enrollment.reserved_seats_id != 0)
			ids[count++] = timetable->drops[i].enrollment.reserved_seats_id;
	}
	for (int i = 0; i < timetable->add_count; i++)
	{
		const SectionDefinition *section = timetable->adds[i].section;

		for (int j = 0; j < section->reservation_count; j++)
			ids[count++] = section->reservations[j].id;
	}
	return pin_sorted(&reserved_seats_pool, ids, count);
}

static RefusalCode
pin_cross_lists(const Timetable *timetable)
{
	int64 *ids = palloc((timetable->drop_count + timetable->add_count) * sizeof(int64));
	int count = 0;

	for (int i = 0; i < timetable->drop_count; i++)
	{
		if (timetable->drops[i].enrollment.cross_list_id != 0)
			ids[count++] = timetable->drops[i].enrollment.cross_list_id;
	}
	for (int i = 0; i < timetable->add_count; i++)
	{
		if (timetable->adds[i].section->is_cross_listed)
			ids[count++] = timetable->adds[i].section->cross_list_id;
	}
	return pin_sorted(&cross_list_pool, ids, count);
}

/* Pins all that a change may take or give, but for the sections, in lock order. */
RefusalCode
schedule_change_pin_seats(const ScheduleChange *change)
{
	RefusalCode refused = pin_lines(change);

	if (refused == REFUSAL_NONE)
		refused = pin_reserved_seats(&change->timetable);
	if (refused == REFUSAL_NONE)
		refused = pin_cross_lists(&change->timetable);
	return refused;
}
