/*
 * enrollment.h
 *
 * What functions that enrol have in common.
 */
#ifndef FCFS_ENROLLMENT_H
#define FCFS_ENROLLMENT_H

#include "postgres.h"

#include "timetable.h"

extern void enrollment_state_credits(ScheduleAdd *add, Datum credits);

#endif /* FCFS_ENROLLMENT_H */
