/*
 * operation.h
 *
 * A call of a function: its arguments, its outcome, and its two SQL faces.
 */
#ifndef FCFS_OPERATION_H
#define FCFS_OPERATION_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "argument.h"
#include "lock.h"
#include "plan_cache.h"
#include "refusal.h"

#define OPERATION_MAX_ARGS 5 /* the key among them */

#define OUTCOME_COLUMNS 8 /* of fcfs.outcome */

struct Call;

/* A state-changing function. */
typedef struct Operation
{
	const char *name;                       /* in SQL, and in the scope of idempotency keys */
	Argument arguments[OPERATION_MAX_ARGS]; /* as in SQL, the key in its place */
	/* Judges and does it; refuses with call_refuse() before its first write. */
	bool (*run)(struct Call *call);
	/* Refuses what it can tell at a glance, without a lock; else false. May be NULL. */
	bool (*glance)(struct Call *call);
	/* Where the row is that name() returns: in a table, or what a query finds. */
	struct Table *made;
	int by_id;           /* the table's index by id, the first of its columns */
	CachedQuery *answer; /* $1 is the id of the answer; by indexes, as all of our queries */
	struct Operation *next;
} Operation;

typedef struct Call
{
	const Operation *operation;
	TimestampTz arrived_at;                   /* before any wait */
	int64 arguments[OPERATION_MAX_ARGS];      /* those that are integers, in their places */
	ArgumentValue values[OPERATION_MAX_ARGS]; /* the others */
	const char *key;                          /* idempotency key, NULL if none */
	int64 person_id;                          /* known after call_begin() */
	bool first_under_key;                     /* its answer is to be stored */
	MemoryContext context;                    /* of the caller; detail lives there */

	/* the outcome */
	RefusalCode refused;
	const char *detail; /* may be NULL */
	int64 id;           /* of success only */
	bool replayed;
} Call;

extern bool call_begin(Call *call, LockClass person_class, int64 person_id);
extern bool call_refuse(Call *call, RefusalCode refused, const char *detail, ...)
	pg_attribute_printf(3, 4);
extern bool call_done(Call *call, int64 id);

extern const Oid operation_outcome_types[OUTCOME_COLUMNS];

extern void operation_register(Operation *operation);
extern Operation *operation_by_name(const char *name);
extern void operation_outcome(Operation *operation, const NullableDatum *arguments, int count,
							  Datum *values, bool *nulls);

extern Datum operation_raising(FunctionCallInfo fcinfo, Operation *operation);
extern Datum operation_trying(FunctionCallInfo fcinfo, Operation *operation);

/* Each operation file makes its operations known. */
extern void coupon_init(void);
extern void enrollment_init(void);
extern void reservation_init(void);
extern void waitlist_init(void);

/* Defines the SQL faces of an operation: fcfs_name and fcfs_try_name. */
#define OPERATION_FACES(name, operation) \
	PG_FUNCTION_INFO_V1(fcfs_##name); \
	Datum fcfs_##name(PG_FUNCTION_ARGS) \
	{ \
		return operation_raising(fcinfo, &(operation)); \
	} \
	PG_FUNCTION_INFO_V1(fcfs_try_##name); \
	Datum fcfs_try_##name(PG_FUNCTION_ARGS) \
	{ \
		return operation_trying(fcinfo, &(operation)); \
	} \
	extern int no_such_variable

#endif /* FCFS_OPERATION_H */
