/*
 * seat_line.c
 *
 * Who goes before somebody who comes new: those in line for the section, and for a seat
 * of a cross list those in line for any of its sections who lack nothing else.
 *
 * That somebody is just joining a line is not certain: whoever comes new waits for it, as
 * for a seat, and so is never told of a line that then was none. Whoever passes seats
 * on comes from the line, and is not asked.
 *
 * Accepted: whether another section of a cross list has a seat of its own is looked up in
 * the tables. While one is being taken or given up there, its line may be let go before
 * somebody who comes new, or not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "plan_cache.h"
#include "pool.h"
#include "seat_line.h"

static CachedQuery find_lines = {"SELECT s.id FROM fcfs.section s WHERE s.cross_list_id = $1 AND "
								 "s.waitlist_capacity IS DISTINCT FROM 0",
								 1,
								 {INT8OID},
								 NULL,
								 0};

/* Finds the lines that may go before an addition; how many. They are to be pinned. */
int
seat_line_find(const ScheduleChange *change, ScheduleAdd *add)
{
	Datum cross_list_id = Int64GetDatum(add->section->cross_list_id);

	add->line_count = 0;
	if (!add->section->is_cross_listed || change->passing_on)
	{
		add->lines = palloc(sizeof(int64));
		if (add->section->has_line)
			add->lines[add->line_count++] = add->section_id;
		return add->line_count;
	}
	add->line_count = (int) query_read(&find_lines, &cross_list_id, NULL, 0);
	add->lines = palloc(Max(add->line_count, 1) * sizeof(int64));
	for (int i = 0; i < add->line_count; i++)
		add->lines[i] = query_int64(i, 1, 0);
	return add->line_count;
}

/* Is anybody in the line of a section? */
static RefusalCode
look(int64 section_id, bool *waiting)
{
	bool unclaimed;
	EscrowAnswer answer =
		escrow_wait_unclaimed(pool_pin_or_raise(&waitlist_pool, section_id), &unclaimed);

	*waiting = answer == ESCROW_OK && !unclaimed;
	return pool_refusal(&waitlist_pool, answer);
}

/* Is anybody in line for the section? */
RefusalCode
seat_line_look(const ScheduleChange *change, const ScheduleAdd *add, bool *waiting)
{
	*waiting = false;
	if (change->passing_on || !add->section->has_line)
		return REFUSAL_NONE;
	return look(add->section_id, waiting);
}

static CachedQuery find_member = {
	"SELECT 1 FROM fcfs.enrollment e JOIN fcfs.student_group_member m ON m.student_id = "
	"e.student_id WHERE e.section_id = $1 AND e.status = 'waitlisted' AND m.student_group_id = $2",
	2,
	{INT8OID, INT8OID},
	NULL,
	0};

/* Is somebody in line who could take one of the reserved seats of a group? */
bool
seat_line_has_member(const ScheduleAdd *add, int64 group_id)
{
	Datum values[2] = {Int64GetDatum(add->section_id), Int64GetDatum(group_id)};

	return query_read(&find_member, values, NULL, 1) > 0;
}

/* A place in line of a section that has an open seat of its own. */
static CachedQuery find_waiting_for_shared = {
	"SELECT 1 FROM fcfs.section s WHERE s.cross_list_id = $1"
	" AND EXISTS (SELECT FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = "
	"'waitlisted')"
	" AND (s.capacity IS NULL OR s.capacity"
	" - (SELECT coalesce(sum(r.capacity), 0) FROM fcfs.reserved_seats r WHERE r.section_id = s.id)"
	" > (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id AND e.status = 'enrolled'"
	" AND e.reserved_seats_id IS NULL AND 'capacity' <> ALL (e.override)))",
	1,
	{INT8OID},
	NULL,
	0};

/* Is somebody in line, for any section of the cross list, who lacks nothing but a seat of
 * the cross list? */
RefusalCode
seat_line_look_shared(const ScheduleChange *change, const ScheduleAdd *add, bool *waiting)
{
	Datum cross_list_id = Int64GetDatum(add->section->cross_list_id);
	RefusalCode refused = REFUSAL_NONE;

	*waiting = false;
	for (int i = 0; i < add->line_count && !change->passing_on && !*waiting; i++)
	{
		refused = look(add->lines[i], waiting);
		if (refused != REFUSAL_NONE)
			return refused;
	}
	if (*waiting)
		*waiting = query_read(&find_waiting_for_shared, &cross_list_id, NULL, 1) > 0;
	return refused;
}
