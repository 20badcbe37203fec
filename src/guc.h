/*
 * guc.h
 *
 * The settings of the extension.
 */
#ifndef FCFS_GUC_H
#define FCFS_GUC_H

#include "postgres.h"

extern char *fcfs_database;       /* names, separated by commas */
extern int fcfs_hold_for;         /* seconds */
extern int fcfs_idempotency_keep; /* seconds */
extern int fcfs_lock_timeout;     /* milliseconds, 0 waits for ever */
extern int fcfs_max_pools;
extern int fcfs_max_waiters; /* 0 is no bound */
extern int fcfs_slow_wait;   /* milliseconds, -1 is off */
extern bool fcfs_wait_for_uncertain;
extern bool fcfs_worker;
extern int fcfs_worker_interval; /* milliseconds */
#ifdef USE_ASSERT_CHECKING
extern char *fcfs_test_point;
#endif

extern void guc_init(void);

#endif /* FCFS_GUC_H */
