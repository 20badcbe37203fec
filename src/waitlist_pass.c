/*
 * waitlist_pass.c
 *
 * Passes free seats of a section on to its line: to the first, by arrival, who passes
 * every rule at this moment. Who does not keeps the place, and is passed over.
 *
 * A seat that is given up is passed on in the transaction that gives it up, so that
 * nobody ever sees it free. Whoever does that waits for nobody: what would have to be
 * waited for is left where it is, and nobody else may take it (seat_claim.c); the
 * worker, or who else calls pass_waitlists(), looks again. Left are seats
 *   - while somebody is joining the line: who comes first is not certain;
 *   - for somebody whose lock is held by another call;
 *   - behind the first few in line, where those do not pass the rules;
 *   - for which an error came up that may not come up again.
 *
 * Each in line is tried in a subtransaction: an error, or a rule that refuses when
 * something was taken already, undoes that one only.
 *
 * In a cross list the lines of all its sections stand for the shared seats, in the
 * order of arrival.
 *
 * Locks: the lock of each student who is tried, if it is free; it is kept of those who
 * get a seat. Bounded waits remain for a section that somebody has alone, and for rows
 * that raw SQL has locked (PATIENCE).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "plan_cache.h"
#include "pool.h"
#include "schedule_change.h"
#include "subtransaction.h"
#include "waitlist_pass.h"

/* Milliseconds to wait for what is not a student's lock. */
#define PATIENCE 100

/* Sections whose seats one call passes on: a seat that is given up for another is
 * free in its turn. */
#define MOST_SECTIONS 8

typedef struct Waiter
{
	int64 student_id;
	int64 section_id;
} Waiter;

typedef enum TryResult
{
	TRY_SEATED,
	TRY_BARRED, /* by a rule: the next may have the seat */
	TRY_LEFT    /* it may be theirs a moment later */
} TryResult;

typedef struct Try
{
	Waiter waiter;
	TryResult result;
	int64 given_up; /* a section that was given up for the seat, 0 if none */
} Try;

/* One in line ---------------------------------------------------------------------------- */

/* Does the refusal stand for the moment only? */
static bool
is_passing(RefusalCode refused)
{
	return refusal_get(refused)->retryable;
}

/* What a place in line asks for; the section given up for it, if the student is still
 * in it. */
static void
set_up(ScheduleChange *change, Call *call, int64 student_id, const FoundEnrollment *place,
	   ScheduleDrop *drop, ScheduleAdd *add, Snapshot snapshot)
{
	bool swaps = place->swap_section_id != 0 &&
				 timetable_is_enrolled(student_id, place->swap_section_id, snapshot);

	*drop = (ScheduleDrop){.section_id = place->swap_section_id};
	*add = (ScheduleAdd){.section_id = place->section_id, .place = place};
	schedule_change_init(change, call, student_id, drop, swaps ? 1 : 0, add, 1);
	change->passing_on = true;
}

/* Seats one whose lock we have, if all rules are passed. */
static bool
seat(Try *try, const FoundEnrollment *place, Snapshot snapshot)
{
	Call call = {.arrived_at = GetCurrentTimestamp(), .context = CurrentMemoryContext};
	ScheduleChange change;
	ScheduleDrop drop;
	ScheduleAdd add;

	set_up(&change, &call, try->waiter.student_id, place, &drop, &add, snapshot);
	if (schedule_change_pin(&change))
	{
		if (add.section->credits_vary)
		{
			add.credits = place->credits;
			add.credits_stated = true;
		}
		if (schedule_change_judge(&change, snapshot) && schedule_change_claim(&change, snapshot))
		{
			schedule_change_write(&change, snapshot);
			try->given_up = change.timetable.drop_count > 0 ? drop.section_id : 0;
			return true;
		}
	}
	try->result = is_passing(call.refused) ? TRY_LEFT : TRY_BARRED;
	return false;
}

/* In a subtransaction, with a bound of its own for what is waited for. */
static bool
try_in_call(Try *try)
{
	FoundEnrollment place;
	Snapshot newest;
	bool seated = false;

	if (!lock_acquire_if_free((LockName){LOCK_STUDENT, try->waiter.student_id}, ExclusiveLock))
	{
		try->result = TRY_LEFT;
		return false;
	}
	newest = table_newest();
	if (timetable_find_place(try->waiter.student_id, try->waiter.section_id, newest, &place))
		seated = seat(try, &place, newest);
	else
		try->result = TRY_BARRED; /* they have left */
	UnregisterSnapshot(newest);
	return seated;
}

static bool
try_waiter(void *state)
{
	LockCall locks;
	volatile bool seated = false;

	lock_call_begin(&locks, GetCurrentTimestamp());
	lock_call_bound(&locks, PATIENCE);
	PG_TRY();
	{
		seated = try_in_call(state);
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	return seated;
}

/* What an error means for the line. One that would come again is logged, and does not
 * keep the seat from the others. */
static TryResult
judge_error(const Waiter *waiter, ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_INSUFFICIENT_RESOURCES)
		ReThrowError(error);
	if (category == ERRCODE_TRANSACTION_ROLLBACK || error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return TRY_LEFT;
	ereport(LOG, (errcode(error->sqlerrcode),
				  errmsg("could not pass a seat of section " INT64_FORMAT
						 " on to student " INT64_FORMAT ": %s",
						 waiter->section_id, waiter->student_id, error->message)));
	return TRY_BARRED;
}

/* Tries one in line, and undoes what that did unless they are seated. */
static TryResult
try_one(const Waiter *waiter, int64 *given_up)
{
	Try try = {.waiter = *waiter};
	ErrorData *error = NULL;

	if (subtransaction_run(try_waiter, &try, &error))
	{
		*given_up = try.given_up;
		return TRY_SEATED;
	}
	*given_up = 0;
	return error ? judge_error(waiter, error) : try.result;
}

/* A line -------------------------------------------------------------------------------- */

static CachedQuery find_line = {
	"SELECT e.student_id, e.section_id FROM fcfs.enrollment e"
	" WHERE e.section_id = $1 AND e.status = 'waitlisted' ORDER BY e.arrived_at, e.id",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery find_lines_of_cross_list = {
	"SELECT e.student_id, e.section_id FROM fcfs.enrollment e"
	" JOIN fcfs.section s ON s.id = e.section_id"
	" WHERE s.cross_list_id = $1 AND e.status = 'waitlisted' ORDER BY e.arrived_at, e.id",
	1,
	{INT8OID},
	NULL,
	0};

/* Those in line for a section's seats, the first at most so many. */
static Waiter *
read_line(int64 section_id, const SectionDefinition *section, int most, int *count)
{
	Datum argument = Int64GetDatum(section->is_cross_listed ? section->cross_list_id : section_id);
	Waiter *line;

	*count = (int) query_read(section->is_cross_listed ? &find_lines_of_cross_list : &find_line,
							  &argument, NULL, most);
	line = palloc(Max(*count, 1) * sizeof(Waiter));
	for (int i = 0; i < *count; i++)
		line[i] = (Waiter){query_int64(i, 1, 0), query_int64(i, 2, 0)};
	SPI_freetuptable(SPI_tuptable);
	return line;
}

/* Is there anything to be had of the section? */
static bool
has_free_seat(EscrowEntry *entry, const SectionDefinition *section)
{
	if (section->is_cross_listed &&
		escrow_available(pool_pin_or_raise(&cross_list_pool, section->cross_list_id)) <= 0)
		return false;
	if (escrow_available(entry) > 0)
		return true;
	for (int i = 0; i < section->reservation_count; i++)
	{
		if (escrow_available(pool_pin_or_raise(&reserved_seats_pool, section->reservations[i].id)) >
			0)
			return true;
	}
	return false;
}

/* Is nobody in line, although there are seats? Then there is nothing to wait for. */
bool
waitlist_is_idle(int64 section_id, EscrowEntry *entry, const SectionDefinition *section)
{
	return escrow_claimed(pool_pin_or_raise(&waitlist_pool, section_id)) == 0 &&
		   has_free_seat(entry, section);
}

/* Can somebody be seated now? Not if somebody is just joining, who may be ahead. */
static bool
may_pass_on(int64 section_id, const SectionDefinition **section)
{
	EscrowEntry *entry = pool_pin_or_raise(&section_pool, section_id);
	EscrowEntry *line;

	*section = section_definition(entry, section_id);
	if (*section == NULL || !((*section)->has_line || (*section)->is_cross_listed) ||
		!has_free_seat(entry, *section))
		return false;
	if (!(*section)->has_line)
		return true;
	line = pool_pin_or_raise(&waitlist_pool, section_id);
	return (escrow_claimed(line) > 0 || (*section)->is_cross_listed) &&
		   !escrow_others_in_flight(line);
}

/* Sections whose seats are to be passed on. */
typedef struct Freed
{
	int count;
	int64 section_ids[MOST_SECTIONS];
} Freed;

static void
add_freed(Freed *freed, int64 section_id)
{
	if (section_id != 0 && freed->count < MOST_SECTIONS)
		freed->section_ids[freed->count++] = section_id;
}

/* Seats those in the line of one section; how many were. */
static int
pass_line(int64 section_id, int most_seated, int most_judged, Freed *freed)
{
	const SectionDefinition *section;
	Waiter *line;
	int count;
	int seated = 0;
	TryResult result = TRY_BARRED;

	if (!may_pass_on(section_id, &section))
		return 0;
	line = read_line(section_id, section, most_judged, &count);
	for (int i = 0; i < count && seated < most_seated && result != TRY_LEFT; i++)
	{
		int64 given_up;

		CHECK_FOR_INTERRUPTS();
		result = try_one(&line[i], &given_up);
		if (result != TRY_SEATED)
			continue;
		seated++;
		add_freed(freed, given_up);
		if (!may_pass_on(section_id, &section))
			break;
	}
	return seated;
}

/*
 * Passes what is free of a section on to its line, and what becomes free by that to
 * other lines: at most so many seats, and of each line only the first so many are
 * looked at. How many were seated. To be called with SPI connected.
 */
int
waitlist_pass_on(int64 section_id, int most_seated, int most_judged)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(caller, "pg_fcfs wait list", ALLOCSET_SMALL_SIZES);
	Freed freed = {1, {section_id}};
	int seated = 0;

	for (int i = 0; i < freed.count && seated < most_seated; i++)
	{
		MemoryContextSwitchTo(context);
		seated += pass_line(freed.section_ids[i], most_seated - seated, most_judged, &freed);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	return seated;
}
