/*
 * worker.h
 *
 * The background workers: a launcher, and one worker for each database that
 * has the extension.
 */
#ifndef FCFS_WORKER_H
#define FCFS_WORKER_H

#include "postgres.h"

#include "catalog/pg_database.h"

extern void worker_init(void);

/* worker_launcher.c */
extern void worker_launcher_register(void);
extern bool worker_wanted(Form_pg_database database);
extern bool worker_must_give_way(Oid database);

/* worker_state.c */
extern bool worker_database_is_copy(void);

/* worker_hooks.c */
extern void worker_hooks_init(void);

#endif /* FCFS_WORKER_H */
