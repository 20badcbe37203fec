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
typedef bool (*EscrowDecide)(EscrowSlot *slot, void *state);

extern bool escrow_decided(EscrowSlot *slot, EscrowDecide decide, void *state);
extern EscrowAnswer escrow_wait(EscrowSlot *slot, EscrowDecide decide, void *state, bool any_pin,
								LockName what, bool in_line);
extern void escrow_log_wait(LockName name);
extern EscrowAnswer escrow_answer_of_lock(LockAnswer answer);

#endif /* FCFS_ESCROW_WAIT_H */
