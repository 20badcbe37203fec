/*
 * schedule_rules.h
 *
 * What the rules about a change of a timetable share.
 */
#ifndef FCFS_SCHEDULE_RULES_H
#define FCFS_SCHEDULE_RULES_H

#include "postgres.h"

#include "schedule_change.h"

/* schedule_rules.c */
extern bool schedule_change_passes_over(const ScheduleChange *change, ScheduleAdd *add,
										OverrideRule rule, Snapshot snapshot);

/* schedule_credits.c */
extern bool schedule_change_judge_credits(ScheduleChange *change, Snapshot snapshot);

#endif /* FCFS_SCHEDULE_RULES_H */
