/*
 * Counting: take, give, take again what one gave, change of capacity,
 * savepoints, commit, abort, load, evict and crash.
 *
 * Three transactions do things to two pools, one with a free unit and one
 * without, while slots are evicted whenever they may be and the server crashes
 * once. Claims that are made never exceed the capacity; what remains is never
 * below zero; and a slot that nobody has pinned says just what the tables say.
 *
 * Each step below is one that others can see: what a transaction does to its own
 * rows and ledger is part of the step next to it. Not here: waiting. Who finds a
 * pool uncertain is answered sold out.
 */
#include "escrow.pml"

#define THINGS 3 /* that all of them do in all */

#define GIVE_AT_ONCE       MISTAKE(1, 1)  /* a give counts before the commit */
#define UNITS_TOO_EARLY    MISTAKE(2, 1)  /* units come back before the commit is visible */
#define UNPINNED_TOO_EARLY MISTAKE(3, 1)  /* the slot is unpinned before the commit is visible */
#define EVICT_PINNED       MISTAKE(4, 1)  /* a pinned slot is evicted */
#define LOAD_OWN_ROWS      MISTAKE(5, 1)  /* a load counts rows of its own transaction */
#define LOAD_UNLOCKED      MISTAKE(6, 1)  /* two load one pool at once */
#define LOAD_OLD_SNAPSHOT  MISTAKE(7, 1)  /* a load counts by a snapshot from before it looked for the slot */
#define TAKE_NOT_UNDONE    MISTAKE(8, 1)  /* a rollback to a savepoint leaves a take counted */
#define GIVE_NOT_UNDONE    MISTAKE(9, 1)  /* a rollback to a savepoint leaves a give to be done */
#define TAKE_KEPT          MISTAKE(10, 1) /* an abort does not return what was taken */
#define GIVE_KEPT          MISTAKE(11, 1) /* what was given and taken again comes back all the same */
#define CAPACITY_OF_SLOT   MISTAKE(12, 2) /* a change of capacity is measured from the slot, not from the row */
#define PIN_NOT_KEPT       MISTAKE(13, 1) /* a rollback to a savepoint drops the pin of what came before it */
#define LOOK_THEN_TAKE     MISTAKE(14, 1) /* looking and taking are two steps */

/* Two runs: claims that are made and removed, with savepoints and the crash; and
 * capacities that change while claims are made. */
#define RUNS 2
#define OPTIONS -E /* who waits for a row of somebody for ever is not looked for here */
#define CAPACITIES (run_number == 2)

/* What LOOK_THEN_TAKE has seen. */
#define NOT_YET 0
#define ENOUGH 1
#define TOO_LITTLE 2

/* Claims that a transaction has written and removed, and its change of the
 * capacity in the pool's row. */
typedef Rows {
	byte added;
	byte removed;
	short capacity
};

typedef Entry {
	byte level;  /* that pinned it, 0: not pinned */
	Sums sums;   /* of the transaction */
	Sums change; /* the part of level 2 */
	Rows rows;
	Rows rows_change
};

Table table[POOLS];
Slot slot[POOLS];
Entry entry[TXNS * POOLS];
byte load_lock[POOLS] = NOBODY;
byte row_lock[POOLS] = NOBODY; /* of the pool's row */
byte things;                   /* done so far */
byte started;
bool visible[TXNS], killed[TXNS];

#define OF(t, p) entry[(t) * POOLS + p]
#define E(p) OF(me, p)

/* What open transactions have made of the slot, as it must be at any moment. */
#define SHARE(t, p) (visible[t] -> OF(t, p).sums.pending : OF(t, p).sums.taken)
#define EXACT(p) (!slot[p].used || (slot[p].remaining + SHARE(0, p) + SHARE(1, p) + SHARE(2, p) == table[p].capacity - table[p].claims \
		&& slot[p].in_flight == OF(0, p).sums.in_flight + OF(1, p).sums.in_flight + OF(2, p).sums.in_flight))
#define AS_TABLES(p) (slot[p].remaining == table[p].capacity - table[p].claims \
		&& slot[p].capacity == table[p].capacity && slot[p].in_flight == 0)
#define CHECK(p) INSIDE(EXACT(p)); assert(!slot[p].used || slot[p].remaining >= 0)

#define NOTE(p, what, n) \
	E(p).sums.what = E(p).sums.what + (n); \
	E(p).change.what = (level == 2 -> E(p).change.what + (n) : 0)
#define WRITE(p, what, n) \
	E(p).rows.what = E(p).rows.what + (n); \
	E(p).rows_change.what = (level == 2 -> E(p).rows_change.what + (n) : 0)

/* Looking up, loading ---------------------------------------------------------- */

inline escrow_slot_pin(p)
{
	slot[p].pins++;
	E(p).level = level
}

inline pool_load(p)
{
	counted_capacity = table[p].capacity;
	counted_claims = table[p].claims + (LOAD_OWN_ROWS -> E(p).rows.added : 0)
}

inline escrow_slot_insert(p)
{
	slot[p].used = true;
	slot[p].capacity = counted_capacity;
	slot[p].remaining = counted_capacity - counted_claims;
	slot[p].in_flight = 0;
	slot[p].pins = 1;
	E(p).level = level;
	CHECK(p);
	counted_capacity = 0;
	counted_claims = 0
}

/* Who finds no slot asks for the load lock, and looks once more when it has it. */
inline escrow_pin(p)
{
	if
	:: atomic { LOAD_OLD_SNAPSHOT && E(p).level == 0 -> pool_load(p) }
	:: !LOAD_OLD_SNAPSHOT || E(p).level > 0
	fi;
	if
	:: E(p).level > 0
	:: d_step { E(p).level == 0 && slot[p].used -> escrow_slot_pin(p) }
	:: d_step { E(p).level == 0 && !slot[p].used && (load_lock[p] == NOBODY || LOAD_UNLOCKED) -> load_lock[p] = me }
		if
		:: d_step { slot[p].used -> escrow_slot_pin(p); load_lock[p] = NOBODY }
		:: !slot[p].used && !LOAD_OLD_SNAPSHOT ->
			d_step { pool_load(p) }
			d_step { escrow_slot_insert(p); load_lock[p] = NOBODY }
		:: d_step { !slot[p].used && LOAD_OLD_SNAPSHOT -> escrow_slot_insert(p); load_lock[p] = NOBODY }
		fi
	fi
}

/* Taking and giving ------------------------------------------------------------- */

#define IS_ENOUGH(p) (E(p).sums.pending > 0 || (looked == NOT_YET && slot[p].remaining > 0) || looked == ENOUGH)

inline decide_take(p)
{
	if
	:: E(p).sums.pending > 0 && !GIVE_KEPT -> NOTE(p, pending, -1)
	:: E(p).sums.pending > 0 && GIVE_KEPT
	:: else ->
		slot[p].remaining--;
		slot[p].in_flight++;
		NOTE(p, taken, 1);
		NOTE(p, in_flight, 1)
	fi;
	looked = NOT_YET;
	CHECK(p)
}

inline escrow_give(p)
{
	NOTE(p, pending, 1);
	slot[p].remaining = slot[p].remaining + (GIVE_AT_ONCE -> 1 : 0);
	CHECK(p)
}

/* Ends ---------------------------------------------------------------------------- */

inline apply_sums(p, committed)
{
	if
	:: committed -> slot[p].remaining = slot[p].remaining + (GIVE_AT_ONCE -> 0 : E(p).sums.pending)
	:: else ->
		slot[p].remaining = slot[p].remaining + (TAKE_KEPT -> 0 : E(p).sums.taken);
		slot[p].remaining = slot[p].remaining - (GIVE_AT_ONCE -> E(p).sums.pending : 0)
	fi;
	slot[p].capacity = slot[p].capacity + (committed -> E(p).sums.capacity : 0);
	slot[p].in_flight = slot[p].in_flight - E(p).sums.in_flight;
	E(p).sums.taken = 0;
	E(p).sums.pending = 0;
	E(p).sums.in_flight = 0;
	E(p).sums.capacity = 0;
	CHECK(p)
}

inline unpin(p)
{
	assert(slot[p].used && slot[p].pins > 0);
	slot[p].pins--;
	E(p).level = 0;
	assert(slot[p].pins > 0 || AS_TABLES(p))
}

/* finish_entry for each pool pinned at that level or above: apply_sums and the
 * unpinning are two steps. */
#define PINNED(p, least) (E(p).level >= least || (PIN_NOT_KEPT && E(p).level > 0))

inline finish_entries(committed, least)
{
	do
	:: d_step { PINNED(0, least) && !told -> apply_sums(0, committed); told = true }
	:: d_step { PINNED(0, least) && told -> unpin(0); told = false }
	:: d_step { !PINNED(0, least) && PINNED(1, least) && !told -> apply_sums(1, committed); told = true }
	:: d_step { !PINNED(0, least) && PINNED(1, least) && told -> unpin(1); told = false }
	:: else -> break
	od;
	true
}

inline forget_rows(p)
{
	E(p).rows.added = 0;
	E(p).rows.removed = 0;
	E(p).rows.capacity = 0;
	row_lock[p] = (row_lock[p] == me -> NOBODY : row_lock[p])
}

inline show_rows(p)
{
	table[p].claims = table[p].claims + E(p).rows.added - E(p).rows.removed;
	table[p].capacity = table[p].capacity + E(p).rows.capacity;
	assert(table[p].claims <= table[p].capacity);
	forget_rows(p)
}

/* The transaction leaves the list of running ones: others see what it did. */
inline become_visible()
{
	d_step {
		visible[me] = true;
		show_rows(0);
		show_rows(1);
		INSIDE(EXACT(0) && EXACT(1))
	}
}

inline unpin_first(p)
{
	slot[p].pins = slot[p].pins - (E(p).level > 0 -> 1 : 0)
}

inline pin_again(p)
{
	slot[p].pins = slot[p].pins + (E(p).level > 0 -> 1 : 0)
}

inline commit_transaction()
{
	if
	:: UNITS_TOO_EARLY ->
		finish_entries(true, 1);
		become_visible()
	:: UNPINNED_TOO_EARLY ->
		d_step { unpin_first(0); unpin_first(1) }
		become_visible();
		d_step { pin_again(0); pin_again(1) }
		finish_entries(true, 1)
	:: !UNITS_TOO_EARLY && !UNPINNED_TOO_EARLY ->
		become_visible();
		finish_entries(true, 1)
	fi
}

inline abort_transaction()
{
	d_step { forget_rows(0); forget_rows(1) }
	finish_entries(false, 1)
}

/* Savepoints ------------------------------------------------------------------------ */

inline forget_change(p)
{
	E(p).change.taken = 0;
	E(p).change.pending = 0;
	E(p).change.in_flight = 0;
	E(p).change.capacity = 0;
	E(p).rows_change.added = 0;
	E(p).rows_change.removed = 0;
	E(p).rows_change.capacity = 0
}

/* What level 2 did is from now on a part of what level 1 did. */
inline commit_subtransaction()
{
	E(0).level = (E(0).level == 2 -> 1 : E(0).level);
	E(1).level = (E(1).level == 2 -> 1 : E(1).level);
	forget_change(0);
	forget_change(1);
	level = 1
}

inline undo_rows(p)
{
	E(p).rows.added = E(p).rows.added - E(p).rows_change.added;
	E(p).rows.removed = E(p).rows.removed - E(p).rows_change.removed;
	E(p).rows.capacity = E(p).rows.capacity - E(p).rows_change.capacity;
	row_lock[p] = (E(p).rows_change.capacity != 0 -> NOBODY : row_lock[p])
}

inline undo_change(p)
{
	slot[p].remaining = slot[p].remaining + (TAKE_NOT_UNDONE -> 0 : E(p).change.taken);
	slot[p].in_flight = slot[p].in_flight - E(p).change.in_flight;
	E(p).sums.taken = E(p).sums.taken - E(p).change.taken;
	E(p).sums.pending = E(p).sums.pending - (GIVE_NOT_UNDONE -> 0 : E(p).change.pending);
	E(p).sums.in_flight = E(p).sums.in_flight - E(p).change.in_flight;
	E(p).sums.capacity = E(p).sums.capacity - E(p).change.capacity;
	forget_change(p);
	CHECK(p)
}

#define CHANGED(p) (E(p).level > 0 && (E(p).change.taken != 0 || E(p).change.pending != 0 || E(p).change.capacity != 0))

inline abort_subtransaction()
{
	d_step { undo_rows(0); undo_rows(1) }
	do
	:: d_step { CHANGED(0) -> undo_change(0) }
	:: d_step { CHANGED(1) -> undo_change(1) }
	:: else -> break
	od;
	finish_entries(false, 2);
	d_step { forget_change(0); forget_change(1); level = 1 }
}

/* Transactions ------------------------------------------------------------------------ */

#define REMOVABLE(p) (table[p].claims + E(p).rows.added \
		> OF(0, p).rows.removed + OF(1, p).rows.removed + OF(2, p).rows.removed)
#define ROW_FREE(p) (row_lock[p] == NOBODY || row_lock[p] == me)

/*
 * The row is there before its trigger takes the units; refused, it is gone again.
 * Any transaction may then go on or not, as any may at any time. That functions
 * take before they write makes no difference to anybody.
 */
inline claim(p)
{
	d_step { WRITE(p, added, 1) }
	escrow_pin(p);
	if
	:: d_step { LOOK_THEN_TAKE -> looked = (slot[p].remaining > 0 -> ENOUGH : TOO_LITTLE) }
	:: !LOOK_THEN_TAKE
	fi;
	if
	:: d_step { IS_ENOUGH(p) -> decide_take(p) }
	:: d_step { !IS_ENOUGH(p) -> looked = NOT_YET; WRITE(p, added, -1) }
	fi
}

inline remove_row(p)
{
	d_step { REMOVABLE(p) -> WRITE(p, removed, 1) }
	escrow_pin(p);
	d_step { escrow_give(p) }
}

/* By how much the capacity changes is what escrow_change_capacity is told, or, in
 * error, what the slot says. */
inline raise_capacity(p)
{
	d_step { ROW_FREE(p) -> row_lock[p] = me; WRITE(p, capacity, 1) }
	escrow_pin(p);
	d_step {
		difference = (CAPACITY_OF_SLOT -> table[p].capacity + E(p).rows.capacity - slot[p].capacity - E(p).sums.capacity : 1);
		NOTE(p, pending, difference);
		NOTE(p, capacity, difference);
		difference = 0
	}
}

inline lower_capacity(p)
{
	d_step {
		ROW_FREE(p) && table[p].capacity + E(p).rows.capacity > 0 -> row_lock[p] = me;
		WRITE(p, capacity, -1)
	}
	escrow_pin(p);
	if
	:: d_step { IS_ENOUGH(p) -> decide_take(p); NOTE(p, capacity, -1) }
	:: d_step { !IS_ENOUGH(p) -> WRITE(p, capacity, 1) }
	fi
}

proctype transaction(byte me)
{
	byte level = 1, looked = NOT_YET;
	short counted_capacity, counted_claims, difference;
	bool told;

end:
	if
	:: d_step { started == me && things < THINGS -> started++; things++ }
	:: d_step { started == me && me == 0 && !CAPACITIES && things < THINGS -> started++; things++; level = 2 }
	fi;
	{
		true;
another:
		if
		:: claim(0)
		:: claim(1)
		:: !CAPACITIES -> remove_row(1)
		:: CAPACITIES -> raise_capacity(1)
		:: CAPACITIES -> lower_capacity(0)
		fi;
		do
		:: d_step { things < THINGS -> things++ }
			goto another
		:: d_step { me == 0 && !CAPACITIES && things < THINGS && level == 1 -> things++; level = 2 }
			goto another
		:: d_step { level == 2 -> commit_subtransaction() }
		:: level == 2 -> abort_subtransaction()
		:: level == 1 -> break
		od;
		if
		:: commit_transaction()
		:: abort_transaction()
		fi
	} unless { killed[me] }
}

/* Somebody else needs a slot. */
inline escrow_slot_evict(p)
{
	d_step {
		slot[p].used && (slot[p].pins == 0 || EVICT_PINNED) ->
		slot[p].used = false;
		slot[p].pins = 0;
		slot[p].capacity = 0;
		slot[p].remaining = 0;
		slot[p].in_flight = 0
	}
}

active proctype evictor()
{
end:
	do
	:: escrow_slot_evict(0)
	:: escrow_slot_evict(1)
	od
}

inline lose_pool(p)
{
	slot[p].used = false;
	slot[p].pins = 0;
	slot[p].capacity = 0;
	slot[p].remaining = 0;
	slot[p].in_flight = 0;
	load_lock[p] = NOBODY;
	row_lock[p] = NOBODY
}

inline lose_entry(t, p)
{
	OF(t, p).level = 0;
	OF(t, p).sums.taken = 0;
	OF(t, p).sums.pending = 0;
	OF(t, p).sums.in_flight = 0;
	OF(t, p).sums.capacity = 0;
	OF(t, p).change.taken = 0;
	OF(t, p).change.pending = 0;
	OF(t, p).change.in_flight = 0;
	OF(t, p).change.capacity = 0;
	OF(t, p).rows.added = 0;
	OF(t, p).rows.removed = 0;
	OF(t, p).rows.capacity = 0;
	OF(t, p).rows_change.added = 0;
	OF(t, p).rows_change.removed = 0;
	OF(t, p).rows_change.capacity = 0
}

inline lose_transaction(t)
{
	killed[t] = started > t;
	lose_entry(t, 0);
	lose_entry(t, 1)
}

/* Slots and transactions are lost; the tables stay. */
active proctype crash()
{
end:
	d_step {
		started < TXNS && !CAPACITIES ->
		lose_pool(0);
		lose_pool(1);
		lose_transaction(0);
		lose_transaction(1);
		lose_transaction(2)
	}
}

init {
	READ_MISTAKE
	d_step {
		table[0].capacity = 1;
		table[1].capacity = 1;
		table[1].claims = 1
	}
	atomic {
		run transaction(0);
		run transaction(1);
		run transaction(2)
	}
}
