/*
 * observer.h
 *
 * What the load driver sees of the server besides its answers.
 */
#ifndef FCFS_OBSERVER_H
#define FCFS_OBSERVER_H

#include <stdatomic.h>

extern void *run_observer(void *stopping);
extern void observe_end_of(int pid);

#endif /* FCFS_OBSERVER_H */
