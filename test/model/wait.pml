/*
 * Waiting: the line, sleeping on the condition variable, watching holders, the
 * deadlock detector, and having a pool alone.
 *
 * Three transactions take, give, roll back to a savepoint and freeze, on two
 * pools, and may fail at any point of a wait. Every run ends: no waiter is left,
 * no one waits in a circle: a run that cannot go on is an invalid end state, and
 * every transaction only goes forward.
 * Nobody overtakes the line. Nothing is left in flight.
 *
 * Time: a sleeper is ended by the clock only when nothing else can happen; then
 * its answer must not be there, or a wakeup was lost. In the third run the clock
 * may end it at any time. The slices of watch_holders are one state: between two
 * of them it looks at the slot, chooses anew whom to watch, and has the detector
 * look, so each of these can happen in it. That sleep_on_slot, too, looks once a
 * slice is not relied on.
 */
#include "escrow.pml"

#define NO_WAKE_AT_END       MISTAKE(1, 1)  /* the end of a transaction wakes nobody */
#define NO_WAKE_AT_SAVEPOINT MISTAKE(2, 1)  /* a rollback to a savepoint wakes nobody */
#define LOOK_THEN_PREPARE    MISTAKE(3, 1)  /* the sleeper looks before it is on the condition variable */
#define COUNTED_LATE         MISTAKE(4, 1)  /* the sleeper is counted as one only after it has looked */
#define SLEEPERS_OF_BEFORE   MISTAKE(5, 2)  /* who forgets a slot wakes only those who slept before */
#define NEWCOMER_OVERTAKES   MISTAKE(6, 1)  /* a newcomer takes although there is a line */
#define WAITS_FOR_ITSELF     MISTAKE(7, 1)  /* what the caller has in flight counts as uncertain */
#define NO_DETECTOR          MISTAKE(8, 2)  /* the deadlock detector never looks */
#define NEVER_WATCHES        MISTAKE(9, 2)  /* the sleeper sleeps on, unseen by the detector */
#define LINE_NOT_LEFT        MISTAKE(10, 1) /* an error leaves the waiter counted in line */
#define UNITS_STAY_IN_FLIGHT MISTAKE(11, 1) /* an abort leaves its units in flight */
#define FREEZER_HOLDS_UNITS  MISTAKE(12, 2) /* who has a pool alone is taken for a holder of units */
#define FREEZE_KEEPS_NO_ONE  MISTAKE(13, 2) /* a frozen pool is pinned all the same */

#ifndef THINGS
#define THINGS 3
#endif

/* Three runs: takes, gives and savepoints, then pools that are had alone, both with
 * a clock that comes last; and takes of both pools, with one that may always come. */
#define FREEZING (run_number == 2)
#define RUNS 3
#define GIVING   (run_number == 1)
#define EARLY    (run_number == 3)

#define CANCELS (things >= THINGS && me == 0 && !EARLY) /* one of them may be cancelled, at any time */

#define UNITS 1
#define ALONE 2
#define THAW 3

typedef Ledger {
	bool pinned;
	byte taken;
	byte pending;
	byte in_flight;
	bool frozen;
	byte shown;    /* EscrowHolder: 0 nothing, 1 pinned, 2 holds units */
	bool ever_held
};

typedef Waiters {
	byte frozen_by = NOBODY;
	byte queue;
	byte waiters;
	byte asleep;        /* the condition variable: a bit for each on it */
	byte line[TXNS] = NOBODY /* the lock of the line, in order; the first has it */
};

Table table[POOLS];
Slot slot[POOLS];
Waiters at[POOLS];
Ledger ledger[TXNS * POOLS];
byte waits_for[TXNS + 1] = NOBODY; /* what the deadlock detector sees */
bool running[TXNS + 1];            /* its virtual transaction can be found */
bool ended[TXNS + 1];              /* and its locks are gone */
byte things;
byte started;

#define OF(t, p) ledger[(t) * POOLS + p]
#define E(p) OF(me, p)
#define BIT (1 << me)
#define ON_CV(p) (at[p].asleep & BIT)
#define FIRST(p) at[p].line[0]

/* Deciding ----------------------------------------------------------------------- */

#define OWN(p) (WAITS_FOR_ITSELF -> 0 : E(p).in_flight)
#define CAN_TAKE(p) (slot[p].remaining > 0 && (at[p].queue == 0 || may_overtake || NEWCOMER_OVERTAKES))
#define SOLD_OUT(p) (slot[p].remaining + slot[p].in_flight - OWN(p) < 1)
#define IS_ALONE(p) ((at[p].frozen_by == NOBODY || at[p].frozen_by == me) && slot[p].pins == 1)
#define IS_THAWED(p) (!slot[p].used || at[p].frozen_by == NOBODY)
#define DECIDED(p) ((kind == UNITS && (CAN_TAKE(p) || SOLD_OUT(p))) || (kind == ALONE && IS_ALONE(p)) || (kind == THAW && IS_THAWED(p)))

/* Nobody who waits in line is overtaken, but by who holds units already. */
#define IN_ORDER(p) (E(p).in_flight > 0 || FIRST(p) == me || !running[FIRST(p)])

inline decide_take(p)
{
	if
	:: CAN_TAKE(p) ->
		assert(IN_ORDER(p));
		slot[p].remaining--;
		slot[p].in_flight++;
		E(p).taken++;
		E(p).in_flight++;
		E(p).ever_held = true;
		assert(slot[p].remaining >= 0);
		result = 1
	:: !CAN_TAKE(p) && SOLD_OUT(p) -> result = 1
	:: else -> result = 0
	fi
}

inline decide_alone(p)
{
	at[p].frozen_by = (at[p].frozen_by == NOBODY -> me : at[p].frozen_by);
	result = IS_ALONE(p)
}

inline decide_thawed(p)
{
	result = IS_THAWED(p)
}

inline escrow_decided(p)
{
	if
	:: kind == UNITS -> decide_take(p)
	:: kind == ALONE -> decide_alone(p)
	:: kind == THAW -> decide_thawed(p)
	fi
}

/* Waiting ------------------------------------------------------------------------- */

inline ledger_wait_begin(p)
{
	at[p].waiters++;
	at[p].queue = at[p].queue + in_line;
	counted = true
}

inline ledger_wait_end(p)
{
	at[p].waiters = at[p].waiters - counted;
	at[p].queue = at[p].queue - (counted && !(failed && LINE_NOT_LEFT) -> in_line : 0);
	counted = false;
	kind = 0;
	in_line = 0;
	may_overtake = false
}

/* Those behind the first wait for it. */
inline line_edges(p)
{
	waits_for[at[p].line[1]] = (at[p].line[1] == NOBODY -> NOBODY : FIRST(p));
	waits_for[at[p].line[2]] = (at[p].line[2] == NOBODY -> NOBODY : FIRST(p))
}

inline lock_acquire(p)
{
	if
	:: FIRST(p) == NOBODY -> FIRST(p) = me
	:: FIRST(p) != NOBODY && at[p].line[1] == NOBODY -> at[p].line[1] = me
	:: else -> at[p].line[2] = me
	fi;
	line_edges(p)
}

inline lock_release(p)
{
	if
	:: FIRST(p) == me -> FIRST(p) = at[p].line[1]; at[p].line[1] = at[p].line[2]; at[p].line[2] = NOBODY
	:: FIRST(p) != me && at[p].line[1] == me -> at[p].line[1] = at[p].line[2]; at[p].line[2] = NOBODY
	:: FIRST(p) != me && at[p].line[1] != me && at[p].line[2] == me -> at[p].line[2] = NOBODY
	:: else
	fi;
	waits_for[me] = NOBODY;
	waits_for[FIRST(p)] = NOBODY;
	line_edges(p)
}

#define IN_CIRCLE (waits_for[me] == me || waits_for[waits_for[me]] == me || waits_for[waits_for[waits_for[me]]] == me)
#define HOLDS(t, p) (t != me && running[t] && OF(t, p).shown >= (kind == UNITS -> 2 : 1))
#define SOME_HOLDER(p) (HOLDS(0, p) || HOLDS(1, p) || HOLDS(2, p))

inline watch(t, p)
{
	waits_for[me] = t;
	/* Whom nobody can wait for makes a circle that is none. */
	assert(kind != UNITS || OF(t, p).ever_held)
}

inline escrow_find_holder(p)
{
	if
	:: HOLDS(0, p) -> watch(0, p)
	:: HOLDS(1, p) -> watch(1, p)
	:: HOLDS(2, p) -> watch(2, p)
	fi
}

/* Fails where it may be cancelled or a deadlock is found: failed. */
#define PREPARE(p) at[p].asleep = at[p].asleep | BIT
#define CANCEL_SLEEP(p) at[p].asleep = at[p].asleep & (7 - BIT)

inline sleep_on_slot(p)
{
	do
	:: d_step { DECIDED(p) -> escrow_decided(p); CANCEL_SLEEP(p) }
		break
	:: d_step { !DECIDED(p) -> escrow_decided(p) }
		if
		:: d_step { LOOK_THEN_PREPARE -> PREPARE(p) }
		:: d_step { COUNTED_LATE && !counted -> ledger_wait_begin(p) }
		:: !LOOK_THEN_PREPARE && (!COUNTED_LATE || counted)
		fi;
		if
		:: d_step { !ON_CV(p) -> PREPARE(p) }
		:: d_step { EARLY && ON_CV(p) -> CANCEL_SLEEP(p) }
			break
		:: timeout -> assert(!DECIDED(p));
			d_step { !NEVER_WATCHES -> CANCEL_SLEEP(p) }
			break
		:: d_step { CANCELS && ON_CV(p) -> failed = true; CANCEL_SLEEP(p) }
			break
		fi
	od;
	true
}

/* Where it is cancelled, or a deadlock is found, it has failed: what it leaves is
 * for abandon_waits(). */
inline escrow_wait(p)
{
	d_step {
		if
		:: COUNTED_LATE
		:: else -> ledger_wait_begin(p)
		fi
	}
	if
	:: d_step { in_line == 1 -> lock_acquire(p) }
	:: in_line == 0
	fi;
	if
	:: d_step { in_line == 0 || FIRST(p) == me -> at[p].asleep = (LOOK_THEN_PREPARE -> at[p].asleep : at[p].asleep | BIT) }
		sleep_on_slot(p);
		if
		:: !failed && result == 0 -> watch_holders(p)
		:: failed || result == 1
		fi
	:: d_step { in_line == 1 && FIRST(p) != me && CANCELS -> failed = true }
	fi;
}

inline escrow_wait_end(p)
{
	if
	:: failed
	:: d_step { !failed && in_line == 1 -> lock_release(p) }
		d_step { ledger_wait_end(p) }
	:: d_step { !failed && in_line == 0 -> ledger_wait_end(p) }
	fi
}

inline watch_holders(p)
{
	do
	:: d_step { DECIDED(p) -> escrow_decided(p); waits_for[me] = NOBODY } break
	:: atomic { !DECIDED(p) && waits_for[me] == NOBODY && SOME_HOLDER(p) -> escrow_find_holder(p) }
	:: d_step { waits_for[me] != NOBODY && (ended[waits_for[me]] || OF(waits_for[me], p).shown < (kind == UNITS -> 2 : 1)) -> waits_for[me] = NOBODY }
	:: d_step { waits_for[me] != NOBODY && IN_CIRCLE && !NO_DETECTOR -> failed = true } break
	:: d_step { CANCELS -> failed = true } break
	od;
	true
}

/* Pinning and having alone --------------------------------------------------------- */

inline escrow_slot_pin(p)
{
	slot[p].pins++;
	E(p).pinned = true;
	E(p).shown = 1
}

/* Counted and inserted in one step: that this is right is what count.pml shows. */
inline escrow_slot_insert(p)
{
	slot[p].used = true;
	slot[p].pins = 1;
	slot[p].remaining = table[p].capacity - table[p].claims;
	slot[p].in_flight = 0;
	E(p).pinned = true;
	E(p).shown = 1
}

inline escrow_pin(p)
{
	do
	:: E(p).pinned || failed -> break
	:: d_step { !E(p).pinned && slot[p].used && (at[p].frozen_by == NOBODY || FREEZE_KEEPS_NO_ONE) -> escrow_slot_pin(p) }
	:: d_step { !E(p).pinned && !slot[p].used && slot[p].pins == 0 -> escrow_slot_insert(p) }
	:: d_step { !E(p).pinned && !failed && slot[p].used && at[p].frozen_by != NOBODY && !FREEZE_KEEPS_NO_ONE -> kind = THAW }
		escrow_wait(p);
		escrow_wait_end(p)
	od
}

inline escrow_take(p)
{
	escrow_pin(p);
	if
	:: failed
	:: d_step { !failed ->
			kind = UNITS;
			may_overtake = E(p).in_flight > 0;
			in_line = (may_overtake -> 0 : 1);
			escrow_decided(p)
		}
		if
		:: d_step { result == 1 -> in_line = 0; may_overtake = false; kind = 0 }
		:: d_step { result == 0 -> may_overtake = true }
			escrow_wait(p)
		fi;
		/* ledger_note: whoever looks for a holder sees it from here on. */
		d_step { E(p).shown = (E(p).in_flight > 0 -> 2 : E(p).shown) }
		if
		:: kind != 0 -> escrow_wait_end(p)
		:: kind == 0
		fi
	fi
}

#define REMOVABLE(p) (table[p].claims > OF(0, p).pending + OF(1, p).pending + OF(2, p).pending)

/* One claim of the pool goes. An expected one is worth waiting for. */
inline escrow_give(p, expected)
{
	escrow_pin(p);
	if
	:: failed
	:: !failed && !REMOVABLE(p)
	:: d_step { !failed && REMOVABLE(p) ->
			E(p).pending++;
			E(p).in_flight = E(p).in_flight + expected;
			slot[p].in_flight = slot[p].in_flight + expected;
			E(p).ever_held = E(p).ever_held || expected
		}
		d_step { E(p).shown = (E(p).in_flight > 0 -> 2 : E(p).shown) }
	fi
}

inline escrow_freeze(p)
{
	escrow_pin(p);
	if
	:: failed
	:: d_step { !failed ->
			kind = ALONE;
			E(p).frozen = true;
			E(p).shown = (FREEZER_HOLDS_UNITS -> 2 : E(p).shown);
			escrow_decided(p)
		}
		if
		:: d_step { result == 1 -> kind = 0 }
		:: result == 0 -> escrow_wait(p); escrow_wait_end(p)
		fi
	fi
}

/* Ends ------------------------------------------------------------------------------- */

inline wake(p)
{
	at[p].asleep = (sleepers -> 0 : at[p].asleep);
	sleepers = false
}

/* A rollback to a savepoint returns what was taken of the pool. */
inline undo_change(p)
{
	if
	:: d_step { !failed && E(p).taken > 0 ->
			slot[p].remaining = slot[p].remaining + E(p).taken;
			slot[p].in_flight = slot[p].in_flight - E(p).taken;
			sleepers = at[p].waiters > 0 && !NO_WAKE_AT_SAVEPOINT;
			E(p).in_flight = E(p).in_flight - E(p).taken;
			E(p).taken = 0
		}
		d_step { E(p).shown = (E(p).in_flight > 0 -> 2 : 1) }
		d_step { wake(p) }
	:: failed || E(p).taken == 0
	fi
}

inline apply_sums(p)
{
	slot[p].remaining = slot[p].remaining + (failed -> E(p).taken : E(p).pending);
	slot[p].in_flight = slot[p].in_flight - (failed && UNITS_STAY_IN_FLIGHT -> 0 : E(p).in_flight);
	sleepers = SLEEPERS_OF_BEFORE && at[p].waiters > 0;
	E(p).taken = 0;
	E(p).pending = 0;
	E(p).in_flight = 0
}

/* Steps: apply_sums; escrow_slot_forget, which evicts and then unpins, or unpinning; waking. */
inline finish_entry(p)
{
	if
	:: d_step { E(p).pinned ->
			/* Had alone, to the end. */
			assert(failed || !E(p).frozen || slot[p].pins == 1);
			apply_sums(p)
		}
		if
		:: d_step { E(p).frozen && at[p].frozen_by == me && slot[p].pins == 1 ->
				slot[p].used = false
			}
			d_step {
				at[p].frozen_by = NOBODY;
				slot[p].pins = 0;
				slot[p].remaining = 0;
				sleepers = (SLEEPERS_OF_BEFORE -> sleepers : true)
			}
		:: d_step { !(E(p).frozen && at[p].frozen_by == me && slot[p].pins == 1) ->
				at[p].frozen_by = (at[p].frozen_by == me -> NOBODY : at[p].frozen_by);
				slot[p].pins--;
				sleepers = at[p].waiters > 0
			}
		fi;
		d_step {
			sleepers = sleepers && !NO_WAKE_AT_END;
			wake(p);
			E(p).pinned = false;
			E(p).frozen = false
		}
	:: !E(p).pinned
	fi
}

inline abandon_waits(p)
{
	if
	:: kind != 0 && waited_for == p -> ledger_wait_end(p)
	:: else
	fi
}

inline show_rows(p)
{
	table[p].claims = table[p].claims + (failed -> 0 : E(p).taken - E(p).pending);
	assert(table[p].claims <= table[p].capacity)
}

inline unlock(p)
{
	E(p).shown = 0;
	lock_release(p)
}

inline finish_transaction()
{
	d_step {
		running[me] = false;
		waits_for[me] = NOBODY;
		show_rows(0);
		show_rows(1);
		abandon_waits(0);
		abandon_waits(1)
	}
	finish_entry(0);
	finish_entry(1);
	d_step { unlock(0); unlock(1); ended[me] = true }
}

proctype transaction(byte me)
{
	byte kind, in_line, result, waited_for;
	bool may_overtake, counted, failed, sleepers;

end:
	d_step { started == me && things < THINGS + EARLY -> started++; things++; running[me] = true }
another:
	if
	:: waited_for = 0; escrow_take(0)
	:: waited_for = 1; escrow_take(1)
	:: GIVING -> waited_for = 1; escrow_give(1, 0)
	:: GIVING -> waited_for = 1; escrow_give(1, 1)
	:: FREEZING -> waited_for = 0; escrow_freeze(0)
	:: FREEZING -> waited_for = 1; escrow_freeze(1)
	fi;
	do
	:: d_step { !failed && things < THINGS + EARLY -> things++; result = 0 }
		goto another
	:: GIVING && !failed && E(0).taken > 0 -> undo_change(0)
	:: true -> break
	od;
	/* The first may sit idle as long as others can do something. */
	if
	:: me == 0 && !EARLY && !failed -> timeout
	:: true
	fi;
	if
	:: !failed
	:: failed = true
	fi;
	finish_transaction()
}

/* When all have ended. */
#define AT_REST(p) (at[p].queue == 0 && at[p].waiters == 0 && at[p].asleep == 0 && at[p].frozen_by == NOBODY && FIRST(p) == NOBODY \
		&& (!slot[p].used || (slot[p].pins == 0 && slot[p].in_flight == 0 && slot[p].remaining == table[p].capacity - table[p].claims)))

init {
	READ_MISTAKE
	d_step {
		table[0].capacity = 1;
		table[1].capacity = 1;
		table[1].claims = (GIVING -> 1 : 0)
	}
	atomic {
		run transaction(0);
		run transaction(1);
		run transaction(2)
	}
end:
	_nr_pr == 1 -> assert(AT_REST(0) && AT_REST(1))
}
