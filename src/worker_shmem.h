/*
 * worker_shmem.h
 *
 * Which workers there are, and what the launcher has been told.
 */
#ifndef FCFS_WORKER_SHMEM_H
#define FCFS_WORKER_SHMEM_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* A worker; all fields are written under the lock, by the worker itself. */
typedef struct WorkerEntry
{
	Oid database;         /* that it is for; stays when it has ended */
	int pid;              /* 0 when it has ended, and its session is no more */
	bool serving;         /* it has found the extension */
	int again;            /* milliseconds from its end to another try */
	int failing;          /* duties that failed when they were last done */
	TimestampTz round_at; /* when it last came to the end of its duties */
} WorkerEntry;

extern void worker_shmem_init(void);
extern bool worker_shared(void);

/* For workers */
extern bool worker_claim(Oid database, int again);
extern void worker_note_serving(void);
extern void worker_note_round(int failing);
extern void worker_note_again(int again);

/* For the launcher */
extern void worker_launcher_is_here(void);
extern void worker_take_told(void (*told)(Oid database));

/* For others */
extern bool worker_find(Oid database, WorkerEntry *copy);
extern void worker_tell_launcher(Oid database);
extern void worker_end(Oid database);

#endif /* FCFS_WORKER_SHMEM_H */
