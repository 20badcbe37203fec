/*
 * offer.h
 *
 * What is on sale: an item, on the terms of its event.
 */
#ifndef FCFS_OFFER_H
#define FCFS_OFFER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "escrow.h"

typedef struct Offer
{
	bool strict_order;
	int64 price;
	Datum currency;

	bool has_event; /* else it is always on sale, and the rest is nothing */
	int64 event_id;
	TimestampTz opens_at;
	TimestampTz closes_at;
	Interval hold_for;
	bool has_limit;
	int32 limit; /* of units a customer */
} Offer;

extern const Offer *offer_get(EscrowEntry *entry, int64 item_id);

#endif /* FCFS_OFFER_H */
