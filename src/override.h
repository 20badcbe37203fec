/*
 * override.h
 *
 * Rules that an administrator lets one student pass over for one section.
 */
#ifndef FCFS_OVERRIDE_H
#define FCFS_OVERRIDE_H

#include "postgres.h"

#include "utils/snapshot.h"

/* Of which there can be overrides; enrollment.override and permission_override.rule
 * have their names. */
typedef enum OverrideRule
{
	OVERRIDE_CAPACITY,
	OVERRIDE_CREDITS,
	OVERRIDE_CONFLICT,
	OVERRIDE_PREREQUISITE,
	OVERRIDE_WINDOW,
	OVERRIDE_RULES
} OverrideRule;

extern bool override_is_permitted(int64 student_id, int64 section_id, OverrideRule rule,
								  Snapshot snapshot);
extern Datum override_names(uint32 rules);
extern bool override_has_capacity(Datum names);

#endif /* FCFS_OVERRIDE_H */
