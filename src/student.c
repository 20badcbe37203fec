/*
 * student.c
 *
 * Students and their grades, read for the rules of enrolment; and what keeps a
 * student there for as long as somebody enrols them.
 *
 * An enrollment that a function writes is not looked at by its foreign key to
 * the student: the function has seen the student under the student's lock. Who
 * deletes a student, or gives them another id, takes that lock before the row
 * goes. So either the enrollment is committed by then, and the foreign key's own
 * check finds it; or the function comes later, and finds no student. With very
 * many students the table of enrollments is locked instead, as every function
 * locks it for itself before it looks for the student.
 *
 * The row is locked already when the student's lock is waited for. Functions lock
 * no row of a student, unless triggers of others have their enrollments written by
 * a query: then the two can meet crosswise, and the deadlock detector decides.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "compat.h"
#include "lock.h"
#include "pool.h"
#include "refusal.h"
#include "student.h"
#include "table.h"
#include "trigger.h"

/* Locks of students that one transaction may take because they go. */
#define MAX_LEAVING 64

/* Reading ------------------------------------------------------------------------- */

typedef enum StudentColumn
{
	STUDENT_ID,
	STUDENT_MAX_CREDITS
} StudentColumn;

static Table students = {.name = "student",
						 .columns = {"id", "max_credits"},
						 .types = {INT8OID, NUMERICOID},
						 .indexes = {"student_pkey"}};

typedef enum GradeColumn
{
	GRADE_STUDENT_ID,
	GRADE_COURSE_ID,
	GRADE_POINTS
} GradeColumn;

static Table grades = {.name = "grade",
					   .columns = {"student_id", "course_id", "points"},
					   .types = {INT8OID, INT8OID, NUMERICOID},
					   .indexes = {"grade_pkey"}};

typedef enum MemberColumn
{
	MEMBER_STUDENT_ID,
	MEMBER_GROUP_ID
} MemberColumn;

static Table members = {.name = "student_group_member",
						.columns = {"student_id", "student_group_id"},
						.types = {INT8OID, INT8OID},
						.indexes = {"student_group_member_pkey"}};

/* The student with that id; false if there is none. */
bool
student_find(Student *student, int64 id, Snapshot snapshot)
{
	TableRead read;
	bool found = table_read_by_id(&read, &students, 0, id, snapshot);
	bool isnull;

	*student = (Student){0};
	if (found)
	{
		Datum limit = table_read_value(&read, STUDENT_MAX_CREDITS, &isnull);

		student->id = id;
		student->has_limit = !isnull;
		student->max_credits = isnull ? (Datum) 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(limit));
	}
	table_read_end(&read);
	return found;
}

/* The student's grades in a course: how many, and the best. */
StudentGrades
student_grades(const Student *student, int64 course_id, Snapshot snapshot)
{
	static const int columns[] = {GRADE_STUDENT_ID, GRADE_COURSE_ID};
	Datum keys[] = {Int64GetDatum(student->id), Int64GetDatum(course_id)};
	StudentGrades found = {0};
	TableRead read;
	bool isnull;

	table_read_begin(&read, &grades, 0, snapshot, lengthof(keys), columns, keys);
	while (table_read_next(&read))
	{
		Datum points = table_read_value(&read, GRADE_POINTS, &isnull);

		if (found.count++ == 0 || DatumGetBool(DirectFunctionCall2(numeric_gt, points, found.best)))
			found.best = PointerGetDatum(PG_DETOAST_DATUM_COPY(points));
	}
	table_read_end(&read);
	return found;
}

/* Reads which groups the student is in. */
static void
read_groups(Student *student, Snapshot snapshot)
{
	static const int columns[] = {MEMBER_STUDENT_ID};
	Datum key = Int64GetDatum(student->id);
	int room = 8;
	TableRead read;

	student->groups = palloc(room * sizeof(int64));
	table_read_begin(&read, &members, 0, snapshot, lengthof(columns), columns, &key);
	while (table_read_next(&read))
	{
		if (student->group_count == room)
		{
			room *= 2;
			student->groups = repalloc(student->groups, room * sizeof(int64));
		}
		student->groups[student->group_count++] = table_read_int64(&read, MEMBER_GROUP_ID);
	}
	table_read_end(&read);
}

/* Is the student in a group? All are read at once, the first time. */
bool
student_in_group(Student *student, int64 group_id, Snapshot snapshot)
{
	if (student->groups == NULL)
		read_groups(student, snapshot);
	for (int i = 0; i < student->group_count; i++)
	{
		if (student->groups[i] == group_id)
			return true;
	}
	return false;
}

/* Leaving ------------------------------------------------------------------------------ */

/* Keeps functions from enrolling a student, to the end of the transaction. */
static LockAnswer
lock_leaving(int64 student_id)
{
	static LocalTransactionId leaving_in = InvalidLocalTransactionId;
	static int leaving = 0;

	if (leaving_in != compat_my_lxid())
	{
		leaving_in = compat_my_lxid();
		leaving = 0;
	}
	if (leaving < MAX_LEAVING)
	{
		leaving++;
		return lock_acquire((LockName){LOCK_STUDENT, student_id}, ExclusiveLock);
	}
	pool_resolve(&section_pool);
	return lock_table(section_pool.escrow.claim_table, ShareRowExclusiveLock);
}

/* Does the statement take the id away? */
static bool
student_leaves(const TriggerData *trigger, int64 student_id)
{
	bool isnull;

	return TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		   DatumGetInt64(pool_column(trigger->tg_newtuple, RelationGetDescr(trigger->tg_relation),
									 "id", &isnull)) != student_id;
}

static void
student_change(const TriggerData *trigger)
{
	bool isnull;
	int64 student_id = DatumGetInt64(
		pool_column(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation), "id", &isnull));

	if (!student_leaves(trigger, student_id))
		return;
	switch (lock_leaving(student_id))
	{
		case LOCK_GRANTED:
			return;
		case LOCK_CROWDED:
			refusal_raise(REFUSAL_TOO_MANY_WAITERS, NULL);
		case LOCK_TIMED_OUT:
			break;
	}
	refusal_raise(REFUSAL_LOCK_TIMEOUT, NULL);
}

PG_FUNCTION_INFO_V1(fcfs_student_changed);

/* BEFORE UPDATE OR DELETE ROW trigger of fcfs.student. */
Datum
fcfs_student_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_check(fcinfo, TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW,
					  TRIGGER_BY(TRIGGER_EVENT_UPDATE) | TRIGGER_BY(TRIGGER_EVENT_DELETE),
					  "a BEFORE UPDATE OR DELETE ROW");

	trigger_check_table(trigger, "student");
	pool_run_trigger(trigger, student_change);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}
