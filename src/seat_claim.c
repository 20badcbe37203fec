/*
 * seat_claim.c
 *
 * The last rule about a change of a timetable: is there a seat? An enrollment
 * takes a seat of its section, or one that is reserved for a group of the student's,
 * and one of the section's cross list.
 *
 * What a change gives up in a cross list it may have again; else a seat is taken
 * before anything is written, so that a refusal has nothing to undo but takes: with
 * more than one of them they are made in a subtransaction.
 *
 * Nobody who comes new takes a seat while somebody is in line for the section; one
 * that is reserved only while one of its group is. Nor one of a cross list while
 * somebody is in line for any of its sections that has a seat of its own left
 * (seat_line.c).
 *
 * Locks: turns of sections with strict order, then what seat_pins.c pins.
 *
 * Accepted: a student whose group has reserved seats looks at those first, and then at
 * the open ones. That none is left is certain of each, at a moment of its own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pool.h"
#include "schedule_change.h"
#include "seat_line.h"
#include "subtransaction.h"

typedef struct SeatClaim
{
	ScheduleChange *change;
	Snapshot snapshot;
	ScheduleAdd **by_section; /* the additions */
	ScheduleAdd **by_cross_list;
	bool undoable; /* it runs in a subtransaction */

	/* why there is none, and for which */
	RefusalCode refused;
	bool for_line; /* those in line come first */
	ScheduleAdd *refused_add;
} SeatClaim;

/* Does an administrator let the student in without a seat? */
static bool
needs_no_seat(const ScheduleAdd *add)
{
	return (add->overridden & (1U << OVERRIDE_CAPACITY)) != 0;
}

/* Does the addition take over the seat of a cross list that is given up? */
static bool
takes_over(const Timetable *timetable, const ScheduleAdd *add)
{
	int given = 0;

	if (!add->section->is_cross_listed)
		return false;
	for (int i = 0; i < timetable->drop_count; i++)
	{
		const FoundEnrollment *enrollment = &timetable->drops[i].enrollment;

		given += enrollment->takes_seat && enrollment->cross_list_id == add->section->cross_list_id;
	}
	/* Additions before this one come first. */
	for (const ScheduleAdd *other = timetable->adds; other < add; other++)
		given -= other->section->is_cross_listed && !needs_no_seat(other) &&
				 other->section->cross_list_id == add->section->cross_list_id;
	return given > 0;
}

/* Pinning ------------------------------------------------------------------------------ */

/* Whoever passes seats on waits for nobody's turn. */
static RefusalCode
wait_for_turns(SeatClaim *claim)
{
	RefusalCode refused = REFUSAL_NONE;

	for (int i = 0; i < claim->change->timetable.add_count && refused == REFUSAL_NONE; i++)
	{
		if (claim->by_section[i]->section->strict_order && !claim->change->passing_on)
			refused = pool_wait_turn(&section_pool, claim->by_section[i]->section_id);
	}
	return refused;
}

static RefusalCode
pin_all(SeatClaim *claim)
{
	RefusalCode refused = wait_for_turns(claim);

	return refused == REFUSAL_NONE ? schedule_change_pin_seats(claim->change) : refused;
}

/* Seats ---------------------------------------------------------------------------------- */

static RefusalCode
take(const SeatClaim *claim, PoolKind *kind, EscrowEntry *entry, bool at_once)
{
	bool passing_on = claim->change->passing_on;
	EscrowAnswer answer;

	/* Who waits for it came when nobody was in line. */
	if (passing_on && escrow_is_awaited(entry))
		return REFUSAL_LOCK_TIMEOUT;
	answer = at_once || passing_on ? escrow_take_now(entry, 1) : escrow_take(entry, 1, NULL);
	if (answer == ESCROW_OK)
		escrow_prepay(entry, 1);
	return pool_refusal(kind, answer);
}

/* Takes one that is reserved for a group of the student's. */
static RefusalCode
take_reserved(const SeatClaim *claim, ScheduleAdd *add, bool waiting, bool at_once)
{
	const SectionDefinition *section = add->section;
	RefusalCode refused = REFUSAL_COURSE_FULL;

	for (int i = 0; i < section->reservation_count && refused == REFUSAL_COURSE_FULL; i++)
	{
		const SeatReservation *reserved = &section->reservations[i];
		EscrowEntry *entry;

		if (!student_in_group(&claim->change->student, reserved->group_id, claim->snapshot) ||
			(waiting && seat_line_has_member(add, reserved->group_id)))
			continue;
		refused = pool_pin(&reserved_seats_pool, reserved->id, &entry);
		if (refused == REFUSAL_NONE)
			refused = take(claim, &reserved_seats_pool, entry, at_once);
		else if (refused == reserved_seats_pool.not_found)
			refused = REFUSAL_COURSE_FULL;
		if (refused != REFUSAL_NONE)
			continue;
		add->seat = entry;
		add->reserved_seats_id = reserved->id;
	}
	return refused;
}

static RefusalCode
take_open(const SeatClaim *claim, ScheduleAdd *add, bool waiting, bool at_once)
{
	RefusalCode refused =
		waiting ? REFUSAL_COURSE_FULL : take(claim, &section_pool, add->entry, at_once);

	if (refused == REFUSAL_NONE)
		add->seat = add->entry;
	return refused;
}

/* At once where there is one, of whatever kind; else by waiting for what is uncertain. */
static RefusalCode
take_seat(SeatClaim *claim, ScheduleAdd *add)
{
	bool waiting;
	RefusalCode refused = seat_line_look(claim->change, add, &waiting);

	claim->for_line = waiting;
	if (refused != REFUSAL_NONE)
		return refused;
	if (add->section->reservation_count == 0)
		return take_open(claim, add, waiting, false);
	refused = take_reserved(claim, add, waiting, true);
	if (refused == REFUSAL_COURSE_FULL)
		refused = take_open(claim, add, waiting, true);
	if (refused == REFUSAL_COURSE_FULL)
		refused = take_reserved(claim, add, waiting, false);
	if (refused == REFUSAL_COURSE_FULL)
		refused = take_open(claim, add, waiting, false);
	return refused;
}

static RefusalCode
take_shared_seat(SeatClaim *claim, ScheduleAdd *add)
{
	EscrowEntry *entry;
	RefusalCode refused;

	if (!add->section->is_cross_listed || takes_over(&claim->change->timetable, add))
		return REFUSAL_NONE;
	if (claim->change->list_full)
		return REFUSAL_COURSE_FULL;
	refused = seat_line_look_shared(claim->change, add, &claim->for_line);
	if (refused != REFUSAL_NONE || claim->for_line)
		return refused != REFUSAL_NONE ? refused : REFUSAL_COURSE_FULL;
	entry = pool_pin_or_raise(&cross_list_pool, add->section->cross_list_id);
	refused = take(claim, &cross_list_pool, entry, false);
	if (refused == REFUSAL_NONE)
		add->shared_seat = entry;
	claim->change->list_full = claim->change->passing_on && refused == REFUSAL_COURSE_FULL;
	return refused;
}

/* Seats of all sections come before those of cross lists: who waits for one holds nothing
 * that comes after it. */
static void
take_in_order(SeatClaim *claim)
{
	int count = claim->change->timetable.add_count;

	for (int i = 0; i < count && claim->refused == REFUSAL_NONE; i++)
	{
		claim->refused_add = claim->by_section[i];
		if (!needs_no_seat(claim->refused_add))
			claim->refused = take_seat(claim, claim->refused_add);
	}
	claim->for_line &= claim->refused != REFUSAL_NONE;
	for (int i = 0; i < count && claim->refused == REFUSAL_NONE; i++)
	{
		claim->refused_add = claim->by_cross_list[i];
		if (!needs_no_seat(claim->refused_add))
			claim->refused = take_shared_seat(claim, claim->refused_add);
	}
}

/* Takes all seats; false if one is not to be had. */
static bool
take_all(SeatClaim *claim)
{
	Timetable *timetable = &claim->change->timetable;

	for (int i = 0; i < timetable->add_count; i++)
	{
		timetable->adds[i].seat = timetable->adds[i].shared_seat = NULL;
		timetable->adds[i].reserved_seats_id = 0;
	}
	claim->refused_add = NULL;
	claim->refused = pin_all(claim);
	if (claim->refused == REFUSAL_NONE)
		take_in_order(claim);
	return claim->refused == REFUSAL_NONE;
}

/* Has an order of locks of its own: what was undone may be locked again. */
static bool
claim_undoably(void *state)
{
	SeatClaim *claim = state;
	LockCall locks;
	volatile bool taken = false;

	lock_call_begin(&locks, claim->change->call->arrived_at);
	PG_TRY();
	{
		taken = take_all(claim);
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	return taken;
}

static int
compare_sections(const void *a, const void *b)
{
	int64 left = (*(ScheduleAdd *const *) a)->section_id;
	int64 right = (*(ScheduleAdd *const *) b)->section_id;

	return left < right ? -1 : left > right;
}

/* Those in none come first. */
static int
compare_cross_lists(const void *a, const void *b)
{
	const SectionDefinition *left = (*(ScheduleAdd *const *) a)->section;
	const SectionDefinition *right = (*(ScheduleAdd *const *) b)->section;

	if (left->is_cross_listed != right->is_cross_listed)
		return left->is_cross_listed ? 1 : -1;
	if (left->is_cross_listed && left->cross_list_id != right->cross_list_id)
		return left->cross_list_id < right->cross_list_id ? -1 : 1;
	return compare_sections(a, b);
}

static ScheduleAdd **
sorted_adds(const Timetable *timetable, int (*compare)(const void *a, const void *b))
{
	ScheduleAdd **order = palloc(timetable->add_count * sizeof(ScheduleAdd *));

	for (int i = 0; i < timetable->add_count; i++)
		order[i] = &timetable->adds[i];
	qsort(order, timetable->add_count, sizeof(ScheduleAdd *), compare);
	return order;
}

/* May part of it be taken and the rest not? */
static bool
may_be_partial(const Timetable *timetable)
{
	return timetable->add_count > 1 ||
		   (timetable->add_count == 1 && timetable->adds[0].section->is_cross_listed);
}

/*
 * Takes the seats of all that is added; false if the call is answered. Sections come in
 * order of their ids. Where an administrator has permitted it, one that has no seat is
 * added without, and it begins anew.
 */
bool
schedule_change_claim(ScheduleChange *change, Snapshot snapshot)
{
	SeatClaim claim = {.change = change,
					   .snapshot = snapshot,
					   .by_section = sorted_adds(&change->timetable, compare_sections),
					   .by_cross_list = sorted_adds(&change->timetable, compare_cross_lists),
					   .undoable = may_be_partial(&change->timetable)};

	for (;;)
	{
		if (claim.undoable ? subtransaction_run(claim_undoably, &claim, NULL) : take_all(&claim))
			return true;
		if (claim.refused != REFUSAL_COURSE_FULL || claim.refused_add == NULL ||
			!override_is_permitted(change->student.id, claim.refused_add->section_id,
								   OVERRIDE_CAPACITY, snapshot))
			break;
		claim.refused_add->overridden |= 1U << OVERRIDE_CAPACITY;
	}
	if (claim.refused_add)
		return call_refuse(change->call, claim.refused, "section " INT64_FORMAT "%s",
						   claim.refused_add->section_id,
						   claim.for_line ? ", whose seats are for those in line" : "");
	return call_refuse(change->call, claim.refused, NULL);
}

/* What is given up is written by now: takes a seat of a cross list that goes over. */
void
schedule_change_claim_freed(const ScheduleChange *change, ScheduleAdd *add)
{
	if (needs_no_seat(add) || !takes_over(&change->timetable, add))
		return;
	add->shared_seat = pool_pin_or_raise(&cross_list_pool, add->section->cross_list_id);
	if (escrow_take_now(add->shared_seat, 1) != ESCROW_OK)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update of an "
							   "enrollment")));
	escrow_prepay(add->shared_seat, 1);
}
