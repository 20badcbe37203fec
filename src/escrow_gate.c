/*
 * escrow_gate.c
 *
 * The part of the ledger that knows which claim tables the transaction has
 * locked against all others ("the gate", see escrow_pin.c), and which of them it
 * has truncated. The locks themselves are the server's: here is only what was
 * done, by level, to be forgotten with a subtransaction that rolls back.
 */
#include "postgres.h"

#include "access/xact.h"

#include "escrow_xact.h"

/* A claim table that we have locked against everybody else, once for each kind of
 * pool for which we were told so; in the order of that, the unused ones at the end. */
typedef struct EscrowGate
{
	Oid claim_table;
	Oid kind;
	int level;           /* 0: unused */
	int truncated_level; /* 0: not truncated */
} EscrowGate;

#define MAX_GATES 16 /* more than there are kinds */

static EscrowGate gates[MAX_GATES];

/* Notes that we have locked a claim table against everybody else. */
void
ledger_gate(Oid claim_table, Oid kind, bool truncated)
{
	int level = GetCurrentTransactionNestLevel();
	int i = 0;

	while (gates[i].level > 0 && gates[i].kind != kind)
	{
		if (++i == MAX_GATES)
			elog(ERROR, "too many kinds of pools");
	}
	if (gates[i].level == 0)
		gates[i] = (EscrowGate){claim_table, kind, level, 0};
	if (truncated && gates[i].truncated_level == 0)
		gates[i].truncated_level = level;
}

/* Have we locked this claim table, and was it truncated? */
bool
ledger_has_gate(Oid claim_table, bool *truncated)
{
	bool locked = false;

	*truncated = false;
	for (int i = 0; i < MAX_GATES && gates[i].level > 0; i++)
	{
		if (gates[i].claim_table != claim_table)
			continue;
		locked = true;
		*truncated |= gates[i].truncated_level > 0;
	}
	return locked;
}

/* Have we locked any? */
bool
ledger_has_gates(void)
{
	return gates[0].level > 0;
}

/* A subtransaction is merged into its parent. */
void
ledger_gates_merge(int level)
{
	for (int i = 0; i < MAX_GATES; i++)
	{
		if (gates[i].level == level)
			gates[i].level--;
		if (gates[i].truncated_level == level)
			gates[i].truncated_level--;
	}
}

/* A subtransaction is rolled back. */
void
ledger_gates_open(int level)
{
	for (int i = 0; i < MAX_GATES && gates[i].level > 0; i++)
	{
		if (gates[i].truncated_level >= level)
			gates[i].truncated_level = 0;
		if (gates[i].level >= level)
			gates[i].level = 0; /* and so have all after it: they came later */
	}
}

/* The transaction ends: what was truncated is counted anew by who comes next. */
void
ledger_gates_end(bool committed)
{
	for (int i = 0; i < MAX_GATES; i++)
	{
		if (gates[i].truncated_level > 0 && committed)
			escrow_slots_forget_kind(gates[i].kind);
		gates[i] = (EscrowGate){InvalidOid, InvalidOid, 0, 0};
	}
}
