/*
 * waitlist_line.c
 *
 * The line of a section: whether there is a seat for it, whether it may move, and
 * who is in it, in the order of arrival. In a cross list the lines of all sections
 * are one, which stands for the shared seats.
 *
 * Locks: whoever asks is in a call that waits for no lock. What cannot be pinned at
 * once makes the line one that does not move.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "plan_cache.h"
#include "pool.h"
#include "timetable.h"
#include "waitlist_line.h"

/* Pinning ---------------------------------------------------------------------------- */

static CachedQuery find_listed = {
	"SELECT s.id FROM fcfs.section s WHERE s.cross_list_id = $1 AND s.waitlist_capacity IS DISTINCT"
	" FROM 0",
	1,
	{INT8OID},
	NULL,
	0};

/* The sections whose students are in this line. */
static void
find_places(Line *line)
{
	Datum cross_list_id = Int64GetDatum(line->section->cross_list_id);

	if (!line->section->is_cross_listed)
	{
		line->places_count = line->section->has_line ? 1 : 0;
		line->places = palloc(sizeof(LinePlaces));
		line->places[0].section_id = line->section_id;
		return;
	}
	line->places_count = (int) query_read(&find_listed, &cross_list_id, NULL, 0);
	line->places = palloc(Max(line->places_count, 1) * sizeof(LinePlaces));
	for (int i = 0; i < line->places_count; i++)
		line->places[i].section_id = query_int64(i, 1, 0);
}

static bool
pin(PoolKind *kind, int64 id, EscrowEntry **entry)
{
	return pool_pin(kind, id, entry) == REFUSAL_NONE;
}

/* Pins a line with its seats; false if that cannot be done at once, or there is none. */
bool
line_pin(Line *line, int64 section_id)
{
	*line = (Line){.section_id = section_id};
	if (!pin(&section_pool, section_id, &line->seats))
		return false;
	line->section = section_definition(line->seats, section_id);
	if (line->section == NULL || !(line->section->has_line || line->section->is_cross_listed))
		return false;
	line->reserved_seats = palloc(Max(line->section->reservation_count, 1) * sizeof(EscrowEntry *));
	for (int i = 0; i < line->section->reservation_count; i++)
	{
		RefusalCode refused = pool_pin(&reserved_seats_pool, line->section->reservations[i].id,
									   &line->reserved_seats[i]);

		if (refused == reserved_seats_pool.not_found) /* they have gone meanwhile */
			line->reserved_seats[i] = NULL;
		else if (refused != REFUSAL_NONE)
			return false;
	}
	if (line->section->is_cross_listed &&
		!pin(&cross_list_pool, line->section->cross_list_id, &line->shared_seats))
		return false;
	find_places(line);
	for (int i = 0; i < line->places_count; i++)
	{
		if (!pin(&waitlist_pool, line->places[i].section_id, &line->places[i].entry))
			return false;
	}
	return true;
}

/* Looking ---------------------------------------------------------------------------- */

static CachedQuery find_keeper = {
	"SELECT 1 FROM fcfs.enrollment e JOIN fcfs.section s ON s.id = e.swap_section_id"
	" WHERE e.section_id = $1 AND e.status = 'waitlisted' AND s.cross_list_id = $2",
	2,
	{INT8OID, INT8OID},
	NULL,
	0};

/* Has somebody in line a seat of the cross list, to be kept in a swap? */
static bool
keeps_shared_seat(const Line *line)
{
	Datum values[2] = {Int64GetDatum(line->section_id),
					   Int64GetDatum(line->section->cross_list_id)};

	return query_read(&find_keeper, values, NULL, 1) > 0;
}

/* Is there anything to be had of the section? */
bool
line_has_seat(const Line *line)
{
	bool has = escrow_available(line->seats) > 0;

	for (int i = 0; i < line->section->reservation_count && !has; i++)
		has = line->reserved_seats[i] && escrow_available(line->reserved_seats[i]) > 0;
	return has && (line->shared_seats == NULL || escrow_available(line->shared_seats) > 0 ||
				   keeps_shared_seat(line));
}

static CachedQuery find_window_override = {
	"SELECT 1 FROM fcfs.permission_override p WHERE p.section_id = $1 AND p.rule = 'window'",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery find_open_listed = {
	"SELECT 1 FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id WHERE s.cross_list_id = $1"
	" AND s.cancelled_at IS NULL AND (($2 >= t.enroll_opens_at AND $2 < t.enroll_closes_at)"
	" OR EXISTS (SELECT FROM fcfs.permission_override p WHERE p.section_id = s.id AND p.rule = "
	"'window'))",
	2,
	{INT8OID, TIMESTAMPTZOID},
	NULL,
	0};

/* Is the section, or of a cross list each of them, closed to all who are in line? Then it
 * costs nothing to look again. */
static bool
is_shut(const Line *line)
{
	const SectionDefinition *section = line->section;
	TimestampTz now = GetCurrentTimestamp();
	Datum values[2] = {Int64GetDatum(section->cross_list_id), TimestampTzGetDatum(now)};
	Datum argument = Int64GetDatum(line->section_id);

	if (section->is_cross_listed)
		return query_read(&find_open_listed, values, NULL, 1) == 0;
	return section->cancelled ||
		   ((now < section->enroll_opens_at || now >= section->enroll_closes_at) &&
			query_read(&find_window_override, &argument, NULL, 1) == 0);
}

/* Is there a seat, and somebody to have it? Not while somebody is joining, who may be
 * ahead of the others. */
bool
line_may_move(const Line *line)
{
	bool claimed = false;

	if (!line_has_seat(line))
		return false;
	for (int i = 0; i < line->places_count; i++)
	{
		if (escrow_others_in_flight(line->places[i].entry))
			return false;
		claimed |= escrow_claimed(line->places[i].entry) > 0;
	}
	return claimed && !is_shut(line);
}

/* Reading ---------------------------------------------------------------------------- */

static int
compare_arrivals(const void *a, const void *b)
{
	const Waiter *left = a;
	const Waiter *right = b;

	if (left->arrived_at != right->arrived_at)
		return left->arrived_at < right->arrived_at ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

typedef struct Waiters
{
	Waiter *waiters;
	int count;
	int room;
} Waiters;

static void
note_waiter(Waiters *waiters, const TableRead *row)
{
	bool swaps_nothing;
	bool isnull;

	(void) table_read_value(row, ENROLLMENT_SWAP_SECTION_ID, &swaps_nothing);
	if (waiters->count == waiters->room)
	{
		waiters->room *= 2;
		waiters->waiters = repalloc(waiters->waiters, waiters->room * sizeof(Waiter));
	}
	waiters->waiters[waiters->count++] = (Waiter){
		.id = table_read_int64(row, ENROLLMENT_ID),
		.student_id = table_read_int64(row, ENROLLMENT_STUDENT_ID),
		.section_id = table_read_int64(row, ENROLLMENT_SECTION_ID),
		.arrived_at = DatumGetTimestampTz(table_read_value(row, ENROLLMENT_ARRIVED_AT, &isnull)),
		.swaps = !swaps_nothing};
}

/* The first of one section: the index has them in order. Without it all are read. */
static void
read_places(Waiters *waiters, int64 section_id, int most, Snapshot snapshot)
{
	static const int columns[] = {ENROLLMENT_SECTION_ID};
	Datum keys[] = {Int64GetDatum(section_id)};
	int found = 0;
	TableRead read;
	bool isnull;

	table_read_begin(&read, &enrollments, ENROLLMENT_BY_LINE, snapshot, lengthof(keys), columns,
					 keys);
	while ((found < most || read.index == NULL) && table_read_next(&read))
	{
		if (!pool_text_is(table_read_value(&read, ENROLLMENT_STATUS, &isnull), "waitlisted"))
			continue;
		note_waiter(waiters, &read);
		found++;
	}
	table_read_end(&read);
}

/* Who is in line, the first of all, at most so many. */
Waiter *
line_read(const Line *line, int most, int *count)
{
	Waiters waiters = {.room = 32};
	Snapshot newest = table_newest();

	waiters.waiters = palloc(waiters.room * sizeof(Waiter));
	for (int i = 0; i < line->places_count; i++)
		read_places(&waiters, line->places[i].section_id, most, newest);
	UnregisterSnapshot(newest);
	qsort(waiters.waiters, waiters.count, sizeof(Waiter), compare_arrivals);
	*count = Min(waiters.count, most);
	return waiters.waiters;
}
