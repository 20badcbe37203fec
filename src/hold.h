/*
 * hold.h
 *
 * Lines of reservations, written together with their reservation.
 */
#ifndef FCFS_HOLD_H
#define FCFS_HOLD_H

#include "postgres.h"

#include "pool.h"

extern RefusalCode hold_pin_items(int64 reservation_id);
extern uint64 hold_write_lines(CachedQuery *query, const Datum *values, const char *nulls);

#endif /* FCFS_HOLD_H */
