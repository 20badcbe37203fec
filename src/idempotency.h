/*
 * idempotency.h
 *
 * The same call under the same key is done once.
 */
#ifndef FCFS_IDEMPOTENCY_H
#define FCFS_IDEMPOTENCY_H

#include "operation.h"

extern bool idempotency_judge(Call *call);
extern void idempotency_store(const Call *call);

#endif /* FCFS_IDEMPOTENCY_H */
