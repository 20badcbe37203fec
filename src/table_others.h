/*
 * table_others.h
 *
 * Whether others have a say in it when a row of a table is written.
 */
#ifndef FCFS_TABLE_OTHERS_H
#define FCFS_TABLE_OTHERS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "table.h"

extern bool others_own(Oid function, void *context);
extern bool others_are_called(Node *node);
extern bool others_leave_alone(Relation relation, const ResultRelInfo *result);
extern bool others_watch_insert(const Table *table, Relation relation);
extern bool others_let_update(const Table *table, Relation relation);

#endif /* FCFS_TABLE_OTHERS_H */
