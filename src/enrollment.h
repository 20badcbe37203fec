/*
 * enrollment.h
 *
 * What enrollments copy from their section.
 */
#ifndef FCFS_ENROLLMENT_H
#define FCFS_ENROLLMENT_H

#include "postgres.h"

#include "escrow.h"

/* The part of a section that its enrollments copy. */
typedef struct SectionCopy
{
	int64 term_id;
	int64 course_id;
	Datum credits;  /* numeric, of the course */
	Datum schedule; /* tstzmultirange */
} SectionCopy;

extern const SectionCopy *section_copy(EscrowEntry *entry, int64 section_id);
extern void section_copy_keep(EscrowEntry *entry, const SectionCopy *copy);
extern bool section_changes_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
extern void section_changed(EscrowEntry *entry, HeapTuple old_row, HeapTuple new_row,
							TupleDesc desc);

#endif /* FCFS_ENROLLMENT_H */
