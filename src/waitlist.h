/*
 * waitlist.h
 *
 * Lines of sections, and passing free seats on to them.
 */
#ifndef FCFS_WAITLIST_H
#define FCFS_WAITLIST_H

#include "postgres.h"

#include "schedule_change.h"

extern void waitlist_pass_on_freed(const ScheduleChange *change);

#endif /* FCFS_WAITLIST_H */
