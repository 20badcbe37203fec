/*
 * waitlist_rest.c
 *
 * Lines that the worker need not look at again yet: there is a seat, and a rule bars
 * everybody in line from it. To judge them all each time that it wakes would be a load
 * for as long as that is so.
 *
 * Whether the seats or the line have changed since is seen by their counts, which
 * costs next to nothing: then it looks at once. What else may let somebody in (what
 * they are enrolled in, a grade, a group, an override, a wave, a rule) is not seen: so
 * it looks again after a second, and then after twice as long each time, but for
 * LONGEST_REST.
 *
 * Memory: an entry for each such line, of this session, which is the worker. Others
 * look whenever they are asked to.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "waitlist_rest.h"

/* Milliseconds from one look to the next. */
#define FIRST_REST 1000
#define LONGEST_REST (60 * 1000)

/* When there are more all are forgotten, those too whose lines are no more. */
#define MOST_LINES 10000

typedef struct Rest
{
	int64 section_id;
	uint64 counts; /* when it was looked at */
	int length;    /* milliseconds */
	TimestampTz looked_at;
} Rest;

static HTAB *rests = NULL;

/* From now on lines rest in this session. */
void
line_rest_begin(void)
{
	HASHCTL info = {.keysize = sizeof(int64), .entrysize = sizeof(Rest)};

	rests = hash_create("pg_fcfs lines at rest", 64, &info, HASH_ELEM | HASH_BLOBS);
}

/* How many seats there are to be had, and how many places in line are taken, as a hash. */
uint64
line_counts(const Line *line)
{
	uint64 hash = hash_combine64(0, (uint64) escrow_available(line->seats));

	for (int i = 0; i < line->section->reservation_count; i++)
	{
		EscrowEntry *reserved = line->reserved_seats[i];

		hash = hash_combine64(hash, reserved ? (uint64) escrow_available(reserved) : 0);
	}
	if (line->shared_seats)
		hash = hash_combine64(hash, (uint64) escrow_available(line->shared_seats));
	for (int i = 0; i < line->places_count; i++)
		hash = hash_combine64(hash, (uint64) escrow_claimed(line->places[i].entry));
	return hash;
}

/* Was everybody in a line barred a short while ago, when it had these counts? */
bool
line_rests(int64 section_id, uint64 counts)
{
	TimestampTz now = GetCurrentTimestamp();
	Rest *rest = rests ? hash_search(rests, &section_id, HASH_FIND, NULL) : NULL;

	/* The clock may have been put back. */
	return rest && rest->counts == counts && rest->looked_at <= now &&
		   now < TimestampTzPlusMilliseconds(rest->looked_at, rest->length);
}

/* All in a line were judged, which had these counts. Were all barred? */
void
line_note_look(int64 section_id, uint64 counts, bool barred)
{
	Rest *rest;
	bool again;

	if (rests == NULL)
		return;
	if (!barred)
	{
		(void) hash_search(rests, &section_id, HASH_REMOVE, NULL);
		return;
	}
	if (hash_get_num_entries(rests) >= MOST_LINES)
	{
		hash_destroy(rests);
		line_rest_begin();
	}
	rest = hash_search(rests, &section_id, HASH_ENTER, &again);
	again = again && rest->counts == counts;
	rest->length = again ? Min(2 * rest->length, LONGEST_REST) : FIRST_REST;
	rest->counts = counts;
	rest->looked_at = GetCurrentTimestamp();
}
