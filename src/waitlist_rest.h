/*
 * waitlist_rest.h
 *
 * Lines that the worker need not look at again yet.
 */
#ifndef FCFS_WAITLIST_REST_H
#define FCFS_WAITLIST_REST_H

#include "postgres.h"

#include "waitlist_line.h"

extern void line_rest_begin(void);
extern uint64 line_counts(const Line *line);
extern bool line_rests(int64 section_id, uint64 counts);
extern void line_note_look(int64 section_id, uint64 counts, bool barred);

#endif /* FCFS_WAITLIST_REST_H */
