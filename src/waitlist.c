/*
 * waitlist.c
 *
 * join_waitlist, leave_waitlist: a place in the line of a section, kept in the order
 * of arrival; and pass_waitlists(), which passes on what was left (waitlist_pass.c).
 *
 * A place is a claim on the section's line, whose capacity is waitlist_capacity.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "enrollment.h"
#include "operation.h"
#include "pool.h"
#include "test_point.h"
#include "waitlist.h"
#include "waitlist_pass.h"

/* How many in a line a call looks at, of which the seat of the first who passes the
 * rules is. The rest is left to pass_waitlists(), which looks at all. */
#define FIRST_IN_LINE 20

/* join_waitlist ------------------------------------------------------------------------- */

enum JoinWaitlistArgument
{
	JOINING_STUDENT_ID,
	JOINED_SECTION_ID,
	JOIN_KEY,
	SWAP_FROM_SECTION_ID,
	CREDITS
};

/* Passes on what is free of a section. Not at higher isolation levels, where rows that
 * others have changed meanwhile would fail. */
static void
pass_on_in_call(int64 section_id, const SectionDefinition *section)
{
	if (IsolationUsesXactSnapshot() || !(section->has_line || section->is_cross_listed))
		return;
	if (!section->is_cross_listed &&
		escrow_claimed(pool_pin_or_raise(&waitlist_pool, section_id)) == 0)
		return;
	(void) waitlist_pass_on(section_id, FIRST_IN_LINE, FIRST_IN_LINE);
}

/* Takes a place and writes it. */
static bool
line_up(ScheduleChange *change, const ScheduleDrop *drop, ScheduleAdd *add)
{
	Call *call = change->call;
	EscrowEntry *line;
	RefusalCode refused;
	uint64 counted;

	if (!add->section->has_line)
		return call_refuse(call, REFUSAL_WAITLIST_FULL, "section " INT64_FORMAT " has no wait list",
						   add->section_id);
	line = pool_pin_or_raise(&waitlist_pool, add->section_id);
	refused = pool_claim(&waitlist_pool, line, add->section_id, false, 1, NULL);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "section " INT64_FORMAT, add->section_id);
	counted = pool_rows_counted();
	add->enrollment_id = enrollment_line_up(change->student.id, add,
											change->timetable.drop_count > 0 ? drop->section_id : 0,
											call->arrived_at);
	pool_claim_written(line, counted);
	TEST_POINT("lined up");
	return true;
}

/* try_join_waitlist() says in its detail what has become of it. */
static void
tell_status(Call *call, int64 enrollment_id)
{
	Snapshot newest = table_newest();
	TableRead read;
	bool isnull;

	if (table_read_by_id(&read, &enrollments, ENROLLMENT_BY_ID, enrollment_id, newest))
		call->detail = MemoryContextStrdup(call->context, TextDatumGetCString(table_read_value(
															  &read, ENROLLMENT_STATUS, &isnull)));
	table_read_end(&read);
	UnregisterSnapshot(newest);
}

/* Is nobody in line, although there are seats? Then there is nothing to wait for. */
static bool
is_idle(const ScheduleAdd *add)
{
	const SectionDefinition *section = add->section;
	bool has_seat = escrow_available(add->entry) > 0;
	EscrowEntry *entry;

	if (section->has_line && escrow_claimed(pool_pin_or_raise(&waitlist_pool, add->section_id)) > 0)
		return false;
	for (int i = 0; i < section->reservation_count && !has_seat; i++)
		has_seat =
			pool_pin(&reserved_seats_pool, section->reservations[i].id, &entry) == REFUSAL_NONE &&
			escrow_available(entry) > 0;
	return has_seat &&
		   (!section->is_cross_listed ||
			escrow_available(pool_pin_or_raise(&cross_list_pool, section->cross_list_id)) > 0);
}

/* With a seat free and nobody in line it is an enrolment like any other: a place in line
 * that cannot be seated would keep the seats from everybody else. False if there is no
 * seat after all, and if the call is answered with why not. */
static bool
enroll_instead(ScheduleChange *change, ScheduleAdd *add, Snapshot snapshot)
{
	uint32 overridden = add->overridden;

	if (!is_idle(add))
		return false;
	change->lining_up = false;
	if (!schedule_change_judge(change, snapshot) || !schedule_change_claim(change, snapshot))
	{
		change->lining_up = change->call->refused == REFUSAL_COURSE_FULL;
		/* Nothing of it holds for a place: the seat, the rules passed over. */
		add->reserved_seats_id = 0;
		add->overridden = overridden;
		return false;
	}
	schedule_change_write(change, snapshot);
	return true;
}

/* Enrols, if that can be, or takes a place; false if the call is answered. */
static bool
enroll_or_line_up(ScheduleChange *change, const ScheduleDrop *drop, ScheduleAdd *add)
{
	Snapshot newest = table_newest();
	bool granted = schedule_change_judge(change, newest);
	bool enrolled = false;
	RefusalCode refused = granted ? schedule_change_pin_seats(change) : REFUSAL_NONE;

	if (refused != REFUSAL_NONE)
		granted = call_refuse(change->call, refused, NULL);
	if (granted)
		enrolled = enroll_instead(change, add, newest);
	if (granted && !enrolled)
		granted = change->lining_up && line_up(change, drop, add);
	UnregisterSnapshot(newest);
	if (enrolled)
		waitlist_pass_on_freed(change);
	else if (granted)
		pass_on_in_call(add->section_id, add->section);
	return granted;
}

/* join_waitlist(student_id, section_id, key, swap_from_section_id, credits) */
static bool
run_join_waitlist(Call *call)
{
	const ArgumentValue *swap_from = &call->values[SWAP_FROM_SECTION_ID];
	ScheduleDrop drop = {.section_id = swap_from->given ? swap_from->integer : 0};
	ScheduleAdd add = {.section_id = call->arguments[JOINED_SECTION_ID]};
	ScheduleChange change;

	if (swap_from->given && drop.section_id == add.section_id)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a section cannot be swapped for itself")));
	if (call->values[CREDITS].given)
		enrollment_state_credits(&add, call->values[CREDITS].numeric);
	schedule_change_init(&change, call, call->arguments[JOINING_STUDENT_ID], &drop,
						 swap_from->given ? 1 : 0, &add, 1);
	change.lining_up = true;
	if (!call_begin(call, LOCK_STUDENT, change.student.id) || !schedule_change_pin(&change) ||
		!enroll_or_line_up(&change, &drop, &add))
		return false;
	tell_status(call, add.enrollment_id);
	return call_done(call, add.enrollment_id);
}

static Operation join_waitlist = {.name = "join_waitlist",
								  .arguments = {{"student_id", ARGUMENT_BIGINT},
												{"section_id", ARGUMENT_BIGINT},
												{"idempotency_key", ARGUMENT_KEY},
												{"swap_from_section_id", ARGUMENT_OPTIONAL_BIGINT},
												{"credits", ARGUMENT_OPTIONAL_NUMERIC}},
								  .run = run_join_waitlist,
								  .made = &enrollments,
								  .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(join_waitlist, join_waitlist);

/* leave_waitlist ------------------------------------------------------------------------- */

/* Ends the place of a student in a line; false if there is none. */
static bool
give_up_place(Call *call, Student *student, int64 section_id, EscrowEntry *line, Snapshot snapshot)
{
	int64 student_id = student->id;
	FoundEnrollment place;

	if (!student_find(student, student_id, snapshot))
		return call_refuse(call, REFUSAL_STUDENT_NOT_FOUND, "student " INT64_FORMAT, student_id);
	if (!timetable_find_place(student_id, section_id, snapshot, &place))
		return call_refuse(call, REFUSAL_NOT_WAITLISTED,
						   "student " INT64_FORMAT ", section " INT64_FORMAT, student_id,
						   section_id);
	enrollment_end(&place, line, true, call->arrived_at, snapshot);
	return call_done(call, place.id);
}

/* leave_waitlist(student_id, section_id, key). A seat may have been left because nobody
 * knew whether who leaves would have it: it goes to the next. */
static bool
run_leave_waitlist(Call *call)
{
	ScheduleAdd add = {.section_id = call->arguments[1]};
	ScheduleChange change;
	EscrowEntry *line;
	RefusalCode refused;
	Snapshot newest;
	bool left;

	schedule_change_init(&change, call, call->arguments[0], NULL, 0, &add, 1);
	if (!call_begin(call, LOCK_STUDENT, change.student.id) || !schedule_change_pin(&change))
		return false;
	refused = pool_pin(&waitlist_pool, add.section_id, &line);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	newest = table_newest();
	left = give_up_place(call, &change.student, add.section_id, line, newest);
	UnregisterSnapshot(newest);
	if (left)
		pass_on_in_call(add.section_id, add.section);
	return left;
}

static Operation leave_waitlist = {.name = "leave_waitlist",
								   .arguments = {{"student_id", ARGUMENT_BIGINT},
												 {"section_id", ARGUMENT_BIGINT},
												 {"idempotency_key", ARGUMENT_KEY}},
								   .run = run_leave_waitlist,
								   .made = &enrollments,
								   .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(leave_waitlist, leave_waitlist);

/* Passing on ------------------------------------------------------------------------------ */

/* A change was made, and gave up seats. */
void
waitlist_pass_on_freed(const ScheduleChange *change)
{
	for (int i = 0; i < change->timetable.drop_count; i++)
		pass_on_in_call(change->timetable.drops[i].section_id, change->timetable.drops[i].section);
}

/* From one section that has a line to the next, by the index: not through all who wait. */
static CachedQuery find_lines = {
	"WITH RECURSIVE line AS ("
	"(SELECT e.section_id FROM fcfs.enrollment e WHERE e.status = 'waitlisted'"
	" ORDER BY e.section_id LIMIT 1)"
	" UNION ALL SELECT (SELECT e.section_id FROM fcfs.enrollment e WHERE e.status = 'waitlisted'"
	" AND e.section_id > line.section_id ORDER BY e.section_id LIMIT 1)"
	" FROM line WHERE line.section_id IS NOT NULL)"
	" SELECT line.section_id FROM line WHERE line.section_id IS NOT NULL",
	0,
	{0},
	NULL,
	0};

/* Passes on what is free of all sections that have a line; the worker's duty. */
static int
pass_all(int max_rows)
{
	static int64 last_section_id = PG_INT64_MAX;
	int count;
	int64 *section_ids;
	int first = 0;
	int seated = 0;

	SPI_connect();
	count = (int) query_read(&find_lines, NULL, NULL, 0);
	section_ids = palloc(Max(count, 1) * sizeof(int64));
	for (int i = 0; i < count; i++)
		section_ids[i] = query_int64(i, 1, 0);
	/* After the one where we stopped, so that all have their turn. */
	while (first < count && section_ids[first] <= last_section_id)
		first++;
	for (int i = 0; i < count && seated < max_rows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		last_section_id = section_ids[(first + i) % count];
		seated += waitlist_pass_on(last_section_id, max_rows - seated, INT_MAX);
	}
	SPI_finish();
	return seated;
}

PG_FUNCTION_INFO_V1(fcfs_pass_waitlists);

/* pass_waitlists(max_rows) */
Datum
fcfs_pass_waitlists(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(pass_all(argument_max_rows(fcinfo, "pass_waitlists()")));
}

void
waitlist_init(void)
{
	operation_register(&join_waitlist);
	operation_register(&leave_waitlist);
}
