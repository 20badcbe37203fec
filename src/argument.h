/*
 * argument.h
 *
 * What an operation is called with.
 */
#ifndef FCFS_ARGUMENT_H
#define FCFS_ARGUMENT_H

#include "postgres.h"

#include "fmgr.h"

#define ARGUMENT_MAX_ELEMENTS 500 /* of an array */

struct Call;

/* The type of an argument in SQL, and where a Call has it. */
typedef enum ArgumentKind
{
	ARGUMENT_NONE, /* behind the last */
	ARGUMENT_KEY,  /* text: the idempotency key, in call->key */

	/* in call->arguments; must not be NULL */
	ARGUMENT_BIGINT,
	ARGUMENT_INTEGER,

	/* in call->values, where one that is NULL is not given */
	ARGUMENT_OPTIONAL_BIGINT,
	ARGUMENT_OPTIONAL_NUMERIC,
	ARGUMENT_OPTIONAL_NUMERICS, /* numeric[], whose elements may be NULL */

	/* in call->values; must not be NULL, nor may its elements */
	ARGUMENT_BIGINTS
} ArgumentKind;

typedef struct Argument
{
	const char *name; /* in SQL */
	ArgumentKind kind;
} Argument;

/* The value of an argument that is more than an integer. It lives as long as the call. */
typedef struct ArgumentValue
{
	bool given;
	int count; /* of elements */
	union
	{
		int64 integer;
		Datum numeric;                 /* finite, as those below */
		const int64 *integers;         /* count of them */
		const NullableDatum *numerics; /* count of them */
	};
} ArgumentValue;

extern void argument_read(struct Call *call, const NullableDatum *given, int count);
extern void argument_check_distinct(const struct Call *call, int number);
extern int argument_max_rows(FunctionCallInfo fcinfo, const char *function);
extern char *argument_text(const struct Call *call);

#endif /* FCFS_ARGUMENT_H */
