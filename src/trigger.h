/*
 * trigger.h
 *
 * What a trigger function makes sure of before it looks at a row.
 */
#ifndef FCFS_TRIGGER_H
#define FCFS_TRIGGER_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

/* A set of operations, of TRIGGER_EVENT_INSERT and its like. */
#define TRIGGER_BY(operation) (1 << (operation))

#define TRIGGER_BY_ANY_CHANGE \
	(TRIGGER_BY(TRIGGER_EVENT_INSERT) | TRIGGER_BY(TRIGGER_EVENT_UPDATE) | \
	 TRIGGER_BY(TRIGGER_EVENT_DELETE))

/* For rows or for statements. */
#define TRIGGER_EITHER_LEVEL ((TriggerEvent) 1 << 30)

extern TriggerData *trigger_check(FunctionCallInfo fcinfo, TriggerEvent when, int operations,
								  const char *described);
extern void trigger_check_table(const TriggerData *trigger, const char *table);

#endif /* FCFS_TRIGGER_H */
