/*
 * number.h
 *
 * Values of the type numeric.
 */
#ifndef FCFS_NUMBER_H
#define FCFS_NUMBER_H

#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

static inline Datum
number_sum(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_add, a, b);
}

static inline bool
number_is_less(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b));
}

/* As SQL shows it. */
static inline const char *
number_text(Datum number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

#endif /* FCFS_NUMBER_H */
