/*
 * subtransaction.h
 *
 * Doing something that may have to be undone.
 */
#ifndef FCFS_SUBTRANSACTION_H
#define FCFS_SUBTRANSACTION_H

#include "postgres.h"

extern bool subtransaction_run(bool (*run)(void *state), void *state, ErrorData **error);

#endif /* FCFS_SUBTRANSACTION_H */
