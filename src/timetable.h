/*
 * timetable.h
 *
 * What a student is enrolled in: its rows, and a change of them.
 */
#ifndef FCFS_TIMETABLE_H
#define FCFS_TIMETABLE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "escrow.h"
#include "override.h"
#include "section.h"
#include "student.h"
#include "table.h"

typedef enum EnrollmentColumn
{
	ENROLLMENT_ID,
	ENROLLMENT_STUDENT_ID,
	ENROLLMENT_SECTION_ID,
	ENROLLMENT_TERM_ID,
	ENROLLMENT_COURSE_ID,
	ENROLLMENT_CREDITS,
	ENROLLMENT_SCHEDULE,
	ENROLLMENT_STATUS,
	ENROLLMENT_CROSS_LIST_ID,
	ENROLLMENT_RESERVED_SEATS_ID,
	ENROLLMENT_SWAP_SECTION_ID,
	ENROLLMENT_OVERRIDE,
	ENROLLMENT_ARRIVED_AT,
	ENROLLMENT_ENDED_AT
} EnrollmentColumn;

typedef enum EnrollmentIndex
{
	ENROLLMENT_BY_COURSE,
	ENROLLMENT_BY_ID,
	ENROLLMENT_BY_PLACE, /* student and section, of those in line */
	ENROLLMENT_BY_LINE   /* section, in order of arrival, of those in line */
} EnrollmentIndex;

extern Table enrollments;

/* A row of an enrollment, as it was found. */
typedef struct FoundEnrollment
{
	int64 id;
	int64 section_id;
	ItemPointerData row;
	TimestampTz arrived_at;
	Datum credits; /* numeric */
	int64 cross_list_id;
	int64 reserved_seats_id;
	int64 swap_section_id; /* 0 of these three: none */
	bool takes_seat;       /* of its pools: no administrator has let it pass over them */
} FoundEnrollment;

/* A section that a change gives up. */
typedef struct ScheduleDrop
{
	int64 section_id;
	EscrowEntry *entry; /* pinned */
	const SectionDefinition *section;

	/* what was found of the timetable */
	bool found;
	FoundEnrollment enrollment;
	Datum kept_credits; /* numeric: what stays in its term */
	int64 *needed_by;   /* of its dependents: the section that stays, 0: none does */
} ScheduleDrop;

/* A section that it adds. */
typedef struct ScheduleAdd
{
	int64 section_id;
	EscrowEntry *entry; /* pinned */
	const SectionDefinition *section;
	bool credits_stated;
	Datum credits;                /* numeric: stated, or else the section's */
	const FoundEnrollment *place; /* in line, that becomes the enrollment; NULL: none */

	/* what was found of the timetable */
	Datum kept_credits; /* numeric: what stays in its term */
	bool in_course;
	int64 same_section;
	bool clashes;
	int64 clash_section;
	bool *taken_with; /* of its prerequisites: which are taken in the same term */

	uint32 overridden; /* rules passed over, 1 << OverrideRule */

	/* its seat */
	int line_count; /* sections whose lines may go before it */
	int64 *lines;
	EscrowEntry *seat; /* taken of this pool; NULL: of none */
	int64 reserved_seats_id;
	EscrowEntry *shared_seat; /* of a cross list; NULL: of none, or that of a drop */
	int64 enrollment_id;      /* once it is written */
} ScheduleAdd;

typedef struct Timetable
{
	Student *student;
	int drop_count;
	ScheduleDrop *drops;
	int add_count;
	ScheduleAdd *adds;
} Timetable;

extern bool timetable_overlap(Datum calendar, Datum other);
extern void timetable_read(Timetable *timetable, Snapshot snapshot);
extern bool timetable_is_enrolled(int64 student_id, int64 section_id, Snapshot snapshot);
extern bool timetable_find_place(int64 student_id, int64 section_id, Snapshot snapshot,
								 FoundEnrollment *place);
extern void timetable_found(const TableRead *read, FoundEnrollment *found);

extern int64 enrollment_insert(int64 student_id, const ScheduleAdd *add, TimestampTz arrived_at);
extern int64 enrollment_line_up(int64 student_id, const ScheduleAdd *add, int64 swap_section_id,
								TimestampTz arrived_at);
extern int64 enrollment_seat(const ScheduleAdd *add, EscrowEntry *line, Snapshot snapshot);
extern void enrollment_end(const FoundEnrollment *enrollment, EscrowEntry *entry, bool waitlisted,
						   TimestampTz ended_at, Snapshot snapshot);

#endif /* FCFS_TIMETABLE_H */
