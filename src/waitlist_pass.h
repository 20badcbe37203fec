/*
 * waitlist_pass.h
 *
 * Passing free seats on; for waitlist.c.
 */
#ifndef FCFS_WAITLIST_PASS_H
#define FCFS_WAITLIST_PASS_H

#include "postgres.h"

extern int waitlist_pass_on(int64 section_id, int most_seated, int most_judged);

#endif /* FCFS_WAITLIST_PASS_H */
