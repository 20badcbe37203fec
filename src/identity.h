/*
 * identity.h
 *
 * Identities go on above the ids that administrators bring.
 */
#ifndef FCFS_IDENTITY_H
#define FCFS_IDENTITY_H

#include "postgres.h"

#include "utils/relcache.h"

extern void identity_init(void);
extern void identity_row_written(Relation table, int64 id);

#endif /* FCFS_IDENTITY_H */
