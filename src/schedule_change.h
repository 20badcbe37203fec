/*
 * schedule_change.h
 *
 * One change of one student's timetable: sections given up, sections added.
 */
#ifndef FCFS_SCHEDULE_CHANGE_H
#define FCFS_SCHEDULE_CHANGE_H

#include "postgres.h"

#include "operation.h"
#include "timetable.h"

typedef struct ScheduleChange
{
	Call *call; /* whose answer a refusal is */
	Student student;
	Timetable timetable;
	/* A place in line is all that is wanted: what may change until there is a seat
	 * is not judged yet. */
	bool lining_up;
	/* A seat is passed on: nothing is waited for, nobody is overtaken, and nobody
	 * reads why it was refused. */
	bool passing_on;
	/* While it is: there was no seat of the cross list for this one, or for somebody
	 * ahead of them. Who has one keeps it. */
	bool list_full;
} ScheduleChange;

extern void schedule_change_init(ScheduleChange *change, Call *call, int64 student_id,
								 ScheduleDrop *drops, int drop_count, ScheduleAdd *adds,
								 int add_count);
extern bool schedule_change_pin(ScheduleChange *change);
extern void schedule_change_write(ScheduleChange *change, Snapshot snapshot);
extern bool schedule_change_run(ScheduleChange *change);

/* schedule_rules.c */
extern bool schedule_change_judge(ScheduleChange *change, Snapshot snapshot);

/* seat_claim.c */
extern RefusalCode schedule_change_pin_seats(const ScheduleChange *change);
extern bool schedule_change_claim(ScheduleChange *change, Snapshot snapshot);
extern void schedule_change_claim_freed(const ScheduleChange *change, ScheduleAdd *add);

#endif /* FCFS_SCHEDULE_CHANGE_H */
