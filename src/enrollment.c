/*
 * enrollment.c
 *
 * enroll, cancel_enrollment, swap_enrollment and change_schedule: the functions of
 * a registration office. Each is a change of one student's timetable, which
 * schedule_change.c makes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "enrollment.h"
#include "number.h"
#include "operation.h"
#include "schedule_change.h"

/* Is it a number that a column of credits can have? */
static bool
in_range(Datum credits)
{
	Datum least = NumericGetDatum(int64_to_numeric(0));
	Datum too_many = NumericGetDatum(int64_to_numeric(1000));

	return !number_is_less(credits, least) && number_is_less(credits, too_many);
}

/* Credits that a caller states for a section. */
void
enrollment_state_credits(ScheduleAdd *add, Datum credits)
{
	Datum tenths = DirectFunctionCall2(numeric_round, credits, Int32GetDatum(1));

	if (!in_range(credits))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("credits must be between 0 and 999.9")));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, tenths, credits)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("credits must not have more than one decimal place")));
	add->credits = credits;
	add->credits_stated = true;
}

/* enroll ------------------------------------------------------------------------ */

/* enroll(student_id, section_id, key, credits) */
static bool
run_enroll(Call *call)
{
	ScheduleAdd add = {.section_id = call->arguments[1]};
	ScheduleChange change;

	if (call->values[3].given)
		enrollment_state_credits(&add, call->values[3].numeric);
	schedule_change_init(&change, call, call->arguments[0], NULL, 0, &add, 1);
	return schedule_change_run(&change) && call_done(call, add.enrollment_id);
}

static Operation enroll = {.name = "enroll",
						   .arguments = {{"student_id", ARGUMENT_BIGINT},
										 {"section_id", ARGUMENT_BIGINT},
										 {"idempotency_key", ARGUMENT_KEY},
										 {"credits", ARGUMENT_OPTIONAL_NUMERIC}},
						   .run = run_enroll,
						   .made = &enrollments,
						   .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(enroll, enroll);

/* cancel_enrollment --------------------------------------------------------------- */

/* cancel_enrollment(student_id, section_id, key) */
static bool
run_cancel_enrollment(Call *call)
{
	ScheduleDrop drop = {.section_id = call->arguments[1]};
	ScheduleChange change;

	schedule_change_init(&change, call, call->arguments[0], &drop, 1, NULL, 0);
	return schedule_change_run(&change) && call_done(call, drop.enrollment.id);
}

static Operation cancel_enrollment = {.name = "cancel_enrollment",
									  .arguments = {{"student_id", ARGUMENT_BIGINT},
													{"section_id", ARGUMENT_BIGINT},
													{"idempotency_key", ARGUMENT_KEY}},
									  .run = run_cancel_enrollment,
									  .made = &enrollments,
									  .by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(cancel_enrollment, cancel_enrollment);

/* swap_enrollment ------------------------------------------------------------------ */

/* swap_enrollment(student_id, from_section_id, to_section_id, key, credits) */
static bool
run_swap_enrollment(Call *call)
{
	ScheduleDrop drop = {.section_id = call->arguments[1]};
	ScheduleAdd add = {.section_id = call->arguments[2]};
	ScheduleChange change;

	if (drop.section_id == add.section_id)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a section cannot be swapped for itself")));
	if (call->values[4].given)
		enrollment_state_credits(&add, call->values[4].numeric);
	schedule_change_init(&change, call, call->arguments[0], &drop, 1, &add, 1);
	return schedule_change_run(&change) && call_done(call, add.enrollment_id);
}

static Operation swap_enrollment = {.name = "swap_enrollment",
									.arguments = {{"student_id", ARGUMENT_BIGINT},
												  {"from_section_id", ARGUMENT_BIGINT},
												  {"to_section_id", ARGUMENT_BIGINT},
												  {"idempotency_key", ARGUMENT_KEY},
												  {"credits", ARGUMENT_OPTIONAL_NUMERIC}},
									.run = run_swap_enrollment,
									.made = &enrollments,
									.by_id = ENROLLMENT_BY_ID};

OPERATION_FACES(swap_enrollment, swap_enrollment);

/* change_schedule ------------------------------------------------------------------- */

enum ChangeScheduleArgument
{
	CHANGED_STUDENT_ID,
	DROP_IDS,
	ADD_IDS,
	CHANGE_KEY,
	CREDITS
};

/* No section may be given up and added, nor twice either of it. */
static void
check_ids(const Call *call)
{
	const ArgumentValue *drop_ids = &call->values[DROP_IDS];
	const ArgumentValue *add_ids = &call->values[ADD_IDS];
	int64 *ids = palloc((drop_ids->count + add_ids->count) * sizeof(int64));

	argument_check_distinct(call, DROP_IDS);
	argument_check_distinct(call, ADD_IDS);
	if (drop_ids->count + add_ids->count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("drop_ids and add_ids must not both be empty")));
	memcpy(ids, drop_ids->integers, drop_ids->count * sizeof(int64));
	memcpy(ids + drop_ids->count, add_ids->integers, add_ids->count * sizeof(int64));
	qsort(ids, drop_ids->count + add_ids->count, sizeof(int64), lock_compare_ids);
	for (int i = 1; i < drop_ids->count + add_ids->count; i++)
	{
		if (ids[i] == ids[i - 1])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("section " INT64_FORMAT " is in both drop_ids and add_ids", ids[i])));
	}
}

/* The credits stated for each section that is added, NULL for those of the section. */
static void
state_all_credits(const ArgumentValue *credits, ScheduleAdd *adds, int count)
{
	if (!credits->given)
		return;
	if (credits->count != count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("credits must have as many elements as add_ids")));
	for (int i = 0; i < count; i++)
	{
		if (!credits->numerics[i].isnull)
			enrollment_state_credits(&adds[i], credits->numerics[i].value);
	}
}

/* change_schedule(student_id, drop_ids, add_ids, key, credits) */
static bool
run_change_schedule(Call *call)
{
	const ArgumentValue *drop_ids = &call->values[DROP_IDS];
	const ArgumentValue *add_ids = &call->values[ADD_IDS];
	ScheduleDrop *drops = palloc0(drop_ids->count * sizeof(ScheduleDrop));
	ScheduleAdd *adds = palloc0(add_ids->count * sizeof(ScheduleAdd));
	int64 student_id = call->arguments[CHANGED_STUDENT_ID];
	ScheduleChange change;

	check_ids(call);
	for (int i = 0; i < drop_ids->count; i++)
		drops[i].section_id = drop_ids->integers[i];
	for (int i = 0; i < add_ids->count; i++)
		adds[i].section_id = add_ids->integers[i];
	state_all_credits(&call->values[CREDITS], adds, add_ids->count);
	schedule_change_init(&change, call, student_id, drops, drop_ids->count, adds, add_ids->count);
	return schedule_change_run(&change) && call_done(call, student_id);
}

static CachedQuery show_timetable = {
	"SELECT t.* FROM fcfs.timetable t WHERE t.id = $1", 1, {INT8OID}, NULL, 0};

static Operation change_schedule = {.name = "change_schedule",
									.arguments = {{"student_id", ARGUMENT_BIGINT},
												  {"drop_ids", ARGUMENT_BIGINTS},
												  {"add_ids", ARGUMENT_BIGINTS},
												  {"idempotency_key", ARGUMENT_KEY},
												  {"credits", ARGUMENT_OPTIONAL_NUMERICS}},
									.run = run_change_schedule,
									.answer = &show_timetable};

OPERATION_FACES(change_schedule, change_schedule);

void
enrollment_init(void)
{
	operation_register(&enroll);
	operation_register(&cancel_enrollment);
	operation_register(&swap_enrollment);
	operation_register(&change_schedule);
}
