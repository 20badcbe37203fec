/*
 * section.h
 *
 * Sections as enrollments know them.
 */
#ifndef FCFS_SECTION_H
#define FCFS_SECTION_H

#include "postgres.h"

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "utils/date.h"

#include "escrow.h"

/* A course that must have been taken before another, or (concurrent) with it. */
typedef struct Prerequisite
{
	int64 course_id; /* which is required; of a dependent, which requires */
	bool has_points;
	Datum min_points; /* numeric */
	bool concurrent;
} Prerequisite;

/* When a group of students, or everybody, may enrol. */
typedef struct Wave
{
	bool for_all;
	int64 group_id;
	TimestampTz opens_at;
	TimestampTz closes_at;
} Wave;

/* Seats for a group of students, not released yet. */
typedef struct SeatReservation
{
	int64 id;
	int64 group_id;
} SeatReservation;

/* What the rules need of a section, its term and its course. */
typedef struct SectionDefinition
{
	/* copied by enrollments: exact for as long as the section is pinned, but for
	 * the credits */
	int64 term_id;
	int64 course_id;
	Datum credits;  /* numeric, if they are not stated */
	Datum schedule; /* tstzmultirange */
	bool is_cross_listed;
	int64 cross_list_id;

	/* of the section */
	bool strict_order;
	bool has_line;     /* a wait list */
	bool cancelled;    /* exact for as long as it is pinned, too */
	bool credits_vary; /* within these */
	Datum least_credits;
	Datum most_credits;
	int reservation_count;
	SeatReservation *reservations;

	/* of the term */
	TimestampTz enroll_opens_at;
	TimestampTz enroll_closes_at;
	int wave_count;
	Wave *waves;
	Datum max_credits; /* numeric */
	bool has_min_credits;
	Datum min_credits; /* numeric */
	DateADT last_day;  /* to cancel, by the calendar of time_zone */
	Datum time_zone;   /* text */

	/* of the course, or else of the term */
	bool retake_is_bounded;
	Datum retake_cutoff; /* numeric */
	int32 max_attempts;  /* 0: as many as one likes */
	int prerequisite_count;
	Prerequisite *prerequisites;
	int dependent_count; /* courses that require this one, concurrently at least */
	Prerequisite *dependents;
} SectionDefinition;

extern const SectionDefinition *section_definition(EscrowEntry *entry, int64 section_id);
extern bool section_changes_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
extern void section_changed(EscrowEntry *entry, HeapTuple old_row, HeapTuple new_row,
							TupleDesc desc);

#endif /* FCFS_SECTION_H */
