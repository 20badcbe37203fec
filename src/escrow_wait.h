/*
 * escrow_wait.h
 *
 * Waiting for a slot to change. Private to the escrow.
 */
#ifndef FCFS_ESCROW_WAIT_H
#define FCFS_ESCROW_WAIT_H

#include "postgres.h"

#include "escrow_shmem.h"

/* Something to wait for: true once it is decided. Called with the mutex held. */
typedef bool (*EscrowDecide)(EscrowSlot *slot, TimestampTz now, void *state);

/* A wait, which may be for more than one thing in turn. */
typedef struct EscrowWait
{
	EscrowSlot *slot;
	LockName name; /* of the pool */
	bool in_line;  /* in its line, where only the first looks at the slot */
	bool by_clock; /* time alone may decide it: what sleeps wakes now and then */
	TimestampTz since;
	TimestampTz turn; /* when it was our turn to look at the slot */
	uint64 sleeps;    /* how often we have slept: what we saw before may be over */
	int holder_pid;   /* who was waited for last, 0 if nobody */
} EscrowWait;

extern bool escrow_decided(EscrowSlot *slot, EscrowDecide decide, void *state);
extern EscrowAnswer escrow_wait_begin(EscrowWait *wait, EscrowSlot *slot, LockName name,
									  bool in_line);
extern EscrowAnswer escrow_wait(EscrowWait *wait, EscrowDecide decide, void *state, bool any_pin);
extern void escrow_wait_end(const EscrowWait *wait);
extern void escrow_wait_log(const EscrowWait *wait);
extern EscrowAnswer escrow_answer_of_lock(LockAnswer answer);

#endif /* FCFS_ESCROW_WAIT_H */
