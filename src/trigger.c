/*
 * trigger.c
 *
 * What a trigger function makes sure of before it looks at a row: that it is
 * called as the trigger it was written for, of the table it was written for.
 * Columns are read by the types which they have there; those of another table
 * would be taken for something else.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/rel.h"

#include "trigger.h"

static bool
fired_as(TriggerEvent event, TriggerEvent when, int operations)
{
	if (when & TRIGGER_EITHER_LEVEL)
		when = (when & ~TRIGGER_EITHER_LEVEL) | (event & TRIGGER_EVENT_ROW);
	return (event & (TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_ROW)) == when &&
		   (TRIGGER_BY(event & TRIGGER_EVENT_OPMASK) & operations) != 0;
}

/*
 * The trigger that a function is called for. when: TRIGGER_EVENT_AFTER or
 * TRIGGER_EVENT_BEFORE, with or without TRIGGER_EVENT_ROW; described says it.
 */
TriggerData *
trigger_check(FunctionCallInfo fcinfo, TriggerEvent when, int operations, const char *described)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !fired_as(trigger->tg_event, when, operations))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be fired by %s trigger", described)));
	return trigger;
}

/* Is it a trigger of that table of the extension? */
void
trigger_check_table(const TriggerData *trigger, const char *table)
{
	Relation relation = trigger->tg_relation;

	if (strcmp(RelationGetRelationName(relation), table) != 0 ||
		RelationGetNamespace(relation) != get_namespace_oid("fcfs", true))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be fired by a trigger of table fcfs.%s", table)));
}
