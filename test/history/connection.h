/*
 * connection.h
 *
 * One connection of the load driver: makes the calls that are planned for it.
 */
#ifndef FCFS_CONNECTION_H
#define FCFS_CONNECTION_H

#include <pthread.h>
#include <stdatomic.h>

#include <libpq-fe.h>

#include "plan.h"

typedef struct Connection
{
	int number;
	PGconn *server;
	int64_t statements;
	Planner planner;
	void (*plan)(Planner *planner, Transaction *transaction);
	pthread_t thread;
} Connection;

extern int64_t run_id; /* what the keys of this run begin with */
extern atomic_bool stopping;

extern void *run_connection(void *connection);
extern void run_step_alone(Connection *connection, const Step *step, int times);

#endif /* FCFS_CONNECTION_H */
