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
 *   - for which an error came up that may not come up again;
 *   - that somebody waits for who came when nobody was in line.
 *
 * Each in line is tried in a subtransaction: an error, or a rule that refuses when
 * something was taken already, undoes that one only. The line as a whole is in one too:
 * what was pinned to find out that nobody passes is nobody's at the end, and no error
 * reaches whoever gave the seat up, but for a cancel and a shutdown.
 *
 * In a cross list the lines of all its sections stand for the shared seats, in the
 * order of arrival.
 *
 * Locks: the lock of each student who is tried, and what pins pools, if they are free, in
 * any order; kept of those who get a seat. The server's waits for rows and index
 * entries of raw SQL remain, each of PATIENCE at most.
 *
 * Memory: the times of what was logged, for the session.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pool.h"
#include "schedule_change.h"
#include "subtransaction.h"
#include "test_point.h"
#include "waitlist_line.h"
#include "waitlist_pass.h"
#include "waitlist_rest.h"

/* Milliseconds to wait for what raw SQL has locked. */
#define PATIENCE 100

/* Sections whose seats one call passes on: a seat that is given up for another is
 * free in its turn. */
#define MOST_SECTIONS 8

/* What keeps one from a seat is logged once in so many milliseconds, for a section. */
#define LOG_AGAIN_MS (60 * 1000)
#define LOGGED 16

typedef enum TryResult
{
	TRY_SEATED,
	TRY_BARRED, /* by a rule: the next may have the seat */
	TRY_FULL,   /* the section has no seat, and so none for who is behind them */
	TRY_LEFT    /* it may be theirs a moment later */
} TryResult;

typedef struct Try
{
	Waiter waiter;
	bool list_full; /* as of the change */
	TryResult result;
	int64 given_up; /* a section that was given up for the seat, 0 if none */
} Try;

/* Passing on the seats of one section. */
typedef struct Passing
{
	int64 section_id;
	int most_seated;
	int most_judged;
	bool list_full; /* somebody has been told so */
	int seated;
	int given_up_count;
	int64 given_up[MOST_SECTIONS]; /* sections */
} Passing;

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
	change.list_full = try->list_full;
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
			TEST_POINT("seated");
			try->given_up = change.timetable.drop_count > 0 ? drop.section_id : 0;
			return true;
		}
	}
	try->list_full = change.list_full;
	try->result = is_passing(call.refused) ? TRY_LEFT : TRY_BARRED;
	/* Of those that are reserved the next may have one. */
	if (call.refused == REFUSAL_COURSE_FULL && add.seat == NULL &&
		add.section->reservation_count == 0)
		try->result = TRY_FULL;
	return false;
}

/* In a subtransaction. */
static bool
try_waiter(void *state)
{
	Try *try = state;
	FoundEnrollment place;
	Snapshot newest;
	bool seated = false;

	if (lock_acquire((LockName){LOCK_STUDENT, try->waiter.student_id}, ExclusiveLock) !=
		LOCK_GRANTED)
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

/* Errors ---------------------------------------------------------------------------------- */

/* Is it time to log an error of a section again? */
static bool
time_to_log(int64 section_id, int sqlstate)
{
	static struct
	{
		int64 section_id;
		int sqlstate;
		TimestampTz at;
	} logged[LOGGED];
	static int next = 0;
	TimestampTz now = GetCurrentTimestamp();
	int place;

	for (place = 0; place < LOGGED; place++)
	{
		if (logged[place].section_id == section_id && logged[place].sqlstate == sqlstate)
			break;
	}
	if (place < LOGGED && now < TimestampTzPlusMilliseconds(logged[place].at, LOG_AGAIN_MS))
		return false;
	if (place == LOGGED)
		place = next++ % LOGGED;
	logged[place].section_id = section_id;
	logged[place].sqlstate = sqlstate;
	logged[place].at = now;
	return true;
}

/*
 * What an error means for the line, whoever it came up for (0: for nobody). One that
 * would come again does not keep the seat from the others.
 */
static TryResult
judge_error(int64 section_id, int64 student_id, ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (category == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	if (category == ERRCODE_TRANSACTION_ROLLBACK || error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return TRY_LEFT;
	if (time_to_log(section_id, error->sqlerrcode))
		ereport(LOG,
				(errcode(error->sqlerrcode), errmsg("could not pass a seat of section " INT64_FORMAT
													" on to student " INT64_FORMAT ": %s",
													section_id, student_id, error->message)));
	return category == ERRCODE_INSUFFICIENT_RESOURCES ? TRY_LEFT : TRY_BARRED;
}

/* A line ---------------------------------------------------------------------------------- */

/* Tries one in line, and undoes what that did unless they are seated. */
static TryResult
try_one(Passing *passing, const Waiter *waiter)
{
	Try try = {.waiter = *waiter, .list_full = passing->list_full};
	bool seated;
	ErrorData *error = NULL;

	CHECK_FOR_INTERRUPTS();
	seated = subtransaction_run(try_waiter, &try, &error);
	passing->list_full = try.list_full;
	if (!seated)
		return error ? judge_error(waiter->section_id, waiter->student_id, error) : try.result;
	passing->seated++;
	if (try.given_up != 0 && passing->given_up_count < MOST_SECTIONS)
		passing->given_up[passing->given_up_count++] = try.given_up;
	return TRY_SEATED;
}

/* Leaves out who is in line for a section, from one place on; how many remain. A seat that
 * becomes free meanwhile is for who was ahead of them. */
static int
leave_out(Waiter *waiters, int first, int count, int64 section_id)
{
	int kept = first;

	for (int i = first; i < count; i++)
	{
		if (waiters[i].section_id != section_id)
			waiters[kept++] = waiters[i];
	}
	return kept;
}

/* Seats those in a line; true if there were any. In a subtransaction. */
static bool
pass_line(void *state)
{
	Passing *passing = state;
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(outer, "pg_fcfs in line", ALLOCSET_DEFAULT_SIZES);
	TryResult result = TRY_BARRED;
	Waiter *waiters;
	uint64 counts;
	int count;
	bool whole;
	Line line;

	if (!line_pin(&line, passing->section_id) || !line_may_move(&line))
		return false;
	counts = line_counts(&line);
	if (line_rests(passing->section_id, counts))
		return false;
	waiters = line_read(&line, passing->most_judged, &count);
	whole = count < passing->most_judged;
	TEST_POINT("passing");
	MemoryContextSwitchTo(context);
	for (int i = 0; i < count && passing->seated < passing->most_seated && result != TRY_LEFT; i++)
	{
		if (result == TRY_SEATED && !line_may_move(&line))
			break;
		if (passing->list_full && !waiters[i].swaps)
			continue;
		result = try_one(passing, &waiters[i]);
		TEST_POINT("tried");
		if (result == TRY_FULL)
			count = leave_out(waiters, i + 1, count, waiters[i].section_id);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(outer);
	line_note_look(passing->section_id, counts,
				   whole && passing->seated == 0 && result != TRY_LEFT);
	return passing->seated > 0;
}

/* What becomes free of a section goes to its line, or stays where it is. */
static int
pass_section(Passing *passing)
{
	ErrorData *error = NULL;
	LockCall locks;
	volatile bool passed = false;

	lock_call_begin(&locks, GetCurrentTimestamp());
	lock_call_at_once(&locks, PATIENCE);
	PG_TRY();
	{
		passed = subtransaction_run(pass_line, passing, &error);
		if (error)
			(void) judge_error(passing->section_id, 0, error);
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	if (!passed)
		passing->seated = passing->given_up_count = 0;
	return passing->seated;
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
	int64 section_ids[MOST_SECTIONS] = {section_id};
	int count = 1;
	int seated = 0;

	for (int i = 0; i < count && seated < most_seated; i++)
	{
		Passing passing = {.section_id = section_ids[i],
						   .most_seated = most_seated - seated,
						   .most_judged = most_judged};

		MemoryContextSwitchTo(context);
		seated += pass_section(&passing);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
		for (int j = 0; j < passing.given_up_count && count < MOST_SECTIONS; j++)
			section_ids[count++] = passing.given_up[j];
	}
	MemoryContextDelete(context);
	return seated;
}
