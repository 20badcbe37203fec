/*
 * reserved_seats.h
 *
 * What a change of reserved seats means for others; told by the pool of seats.c.
 */
#ifndef FCFS_RESERVED_SEATS_H
#define FCFS_RESERVED_SEATS_H

#include "postgres.h"

#include "access/htup_details.h"

#include "pool.h"

extern void reserved_seats_check_claim(const PoolKind *kind, EscrowEntry *entry, HeapTuple row,
									   TupleDesc desc);
extern void reserved_seats_change_section(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
extern bool reserved_seats_change_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc);
extern void reserved_seats_changed(EscrowEntry *entry, HeapTuple old_row, HeapTuple new_row,
								   TupleDesc desc);

#endif /* FCFS_RESERVED_SEATS_H */
