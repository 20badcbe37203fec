/*
 * waitlist_line.h
 *
 * A line: the seats that it is for, and who is in it.
 */
#ifndef FCFS_WAITLIST_LINE_H
#define FCFS_WAITLIST_LINE_H

#include "postgres.h"

#include "escrow.h"
#include "section.h"

/* The places of one section whose students are in line. */
typedef struct LinePlaces
{
	int64 section_id;
	EscrowEntry *entry;
} LinePlaces;

/* All that it needs is pinned. */
typedef struct Line
{
	int64 section_id; /* whose seats are looked at */
	const SectionDefinition *section;
	EscrowEntry *seats;
	EscrowEntry **reserved_seats; /* one of each of the section */
	EscrowEntry *shared_seats;    /* of its cross list, NULL if it is in none */
	int places_count;             /* of the section, or of all in the cross list */
	LinePlaces *places;
} Line;

typedef struct Waiter
{
	int64 id; /* of the enrollment */
	int64 student_id;
	int64 section_id;
	TimestampTz arrived_at;
	bool swaps; /* gives up another section for the seat */
} Waiter;

extern bool line_pin(Line *line, int64 section_id);
extern bool line_has_seat(const Line *line);
extern bool line_may_move(const Line *line);
extern Waiter *line_read(const Line *line, int most, int *count);

#endif /* FCFS_WAITLIST_LINE_H */
