/*
 * plan.h
 *
 * What a connection of the load driver does, decided by the seed alone.
 */
#ifndef FCFS_PLAN_H
#define FCFS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pools.h"

/* Where each pool kind's claims are noted, for calls that are about a claim. */
#define SLOTS 32

#define PLAN_ARGUMENTS 4
#define PLAN_POOLS 3 /* in an array */
#define PLAN_STEPS 24

typedef enum Argument
{
	NOTHING,
	PERSON,
	POOL,
	OTHER_POOL,       /* of the same kind, of which there is an even number; perhaps the same one */
	POOLS,            /* an array, see plan_pools() */
	CREDITS,          /* in tenths */
	CREDITS_OF_POOLS, /* an array, for those of the argument before, some of them NO_CREDITS */
	QUANTITY,
	CLAIM, /* the id that is in a slot when the call is made, 0 if none is */
	ROWS,
	CAPACITY
} Argument;

/* Those of the section, whichever these are. */
#define NO_CREDITS 9999

/* One thing that can be done; the table of them is in plan.c. */
typedef struct Operation
{
	const char *name;
	const char *sql;      /* NULL: a function with two faces, called by its name */
	const char *function; /* its name, if that is another one */
	const char *optional; /* the name of its last argument, which comes behind the key */
	PoolKind kind;
	Argument arguments[PLAN_ARGUMENTS];
	int weight;
	bool makes;       /* its answer is the id of a claim, to be noted in a slot */
	bool often_last;  /* half of its calls are about the last pool of their kind */
	bool says_status; /* it may have made claims of two kinds */
	bool ends;        /* makes sense in a block that has failed */
} Operation;

/* One statement. */
typedef struct Step
{
	const Operation *operation;
	int64_t arguments[PLAN_ARGUMENTS];
	int slot;    /* where to note, or to find, a claim; else -1 */
	bool trying; /* by try_name() */
	int64_t key; /* number of the idempotency key, 0: none */
	int pause;   /* microseconds before it */
	int level;   /* which savepoint it is about */
} Step;

/* What is sent between one moment without a transaction and the next. */
typedef struct Transaction
{
	int count;
	bool keyed; /* all calls have keys: it may be sent again */
	Step steps[PLAN_STEPS];
} Transaction;

/* The state of one connection's choices. */
typedef struct Planner
{
	uint64_t seed;
	uint64_t random;
	int connection;
	unsigned kinds;    /* bits of the pool kinds to be used */
	int64_t keys;      /* how many keys it has used */
	int64_t cancelled; /* the section that was cancelled last, until it is open again; 0: none */
} Planner;

extern void plan_init(Planner *planner, uint64_t seed, int connection, unsigned kinds);
extern void plan_transaction(Planner *planner, Transaction *transaction);
extern void plan_administration(Planner *planner, Transaction *transaction);
extern const Operation *plan_pass_on(void);
extern unsigned plan_profile(const char *name);
extern int plan_pools(int64_t argument, int64_t *pools);

#endif /* FCFS_PLAN_H */
