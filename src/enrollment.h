/*
 * enrollment.h
 *
 * Sections as enrollments know them.
 */
#ifndef FCFS_ENROLLMENT_H
#define FCFS_ENROLLMENT_H

#include "postgres.h"

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "utils/date.h"

#include "escrow.h"

/* What the rules need of a section, its term and its course. */
typedef struct SectionDefinition
{
	/* copied by enrollments: exact for as long as the section is pinned, but for
	 * the credits */
	int64 term_id;
	int64 course_id;
	bool has_cross_list;
	int64 cross_list_id;
	Datum credits;  /* numeric, of the course */
	Datum schedule; /* tstzmultirange */

	bool strict_order;
	TimestampTz enroll_opens_at;
	TimestampTz enroll_closes_at;
	Datum max_credits; /* numeric, of the term */
	bool retake_is_bounded;
	Datum retake_cutoff; /* numeric */
	DateADT last_day;    /* to cancel, by the calendar of time_zone */
	Datum time_zone;     /* text */
} SectionDefinition;

extern const SectionDefinition *section_definition(EscrowEntry *entry, int64 section_id);
extern bool section_changes_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
extern void section_changed(EscrowEntry *entry, HeapTuple old_row, HeapTuple new_row,
							TupleDesc desc);

#endif /* FCFS_ENROLLMENT_H */
