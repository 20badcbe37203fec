/*
 * seat_line.h
 *
 * Who goes before somebody who comes new.
 */
#ifndef FCFS_SEAT_LINE_H
#define FCFS_SEAT_LINE_H

#include "postgres.h"

#include "schedule_change.h"

extern int seat_line_find(const ScheduleChange *change, ScheduleAdd *add);
extern RefusalCode seat_line_look(const ScheduleChange *change, const ScheduleAdd *add,
								  bool *waiting);
extern bool seat_line_has_member(const ScheduleAdd *add, int64 group_id);
extern RefusalCode seat_line_look_shared(const ScheduleChange *change, const ScheduleAdd *add,
										 bool *waiting);

#endif /* FCFS_SEAT_LINE_H */
