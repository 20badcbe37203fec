/*
 * refusal.c
 *
 * The table of refusals, its SQL view refusals(), and raising one as an error.
 * Knows nothing of shared memory, locks or tables.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "refusal.h"

static const Refusal refusals[REFUSAL_COUNT] = {
	[REFUSAL_NONE] = {"OK", 2000, 200, false, "ok", NULL},
#define REFUSAL(code, return_code, http_status, retryable, message, hint) \
	[REFUSAL_##code] = {#code, return_code, http_status, retryable, message, hint},
#include "refusal_list.h"
#undef REFUSAL
};

const Refusal *
refusal_get(RefusalCode code)
{
	Assert(code >= 0 && code < REFUSAL_COUNT);
	return &refusals[code];
}

RefusalCode
refusal_by_name(const char *name)
{
	for (int code = 0; code < REFUSAL_COUNT; code++)
	{
		if (strcmp(refusals[code].code, name) == 0)
			return code;
	}
	return REFUSAL_COUNT;
}

bool
refusal_is_not_found(RefusalCode code)
{
	return refusal_get(code)->http_status == 404;
}

/* Class RF, except for the one that has a standard code. */
static int
refusal_sqlstate(RefusalCode code)
{
	int digits = refusals[code].return_code % 1000;

	if (code == REFUSAL_LOCK_TIMEOUT)
		return ERRCODE_LOCK_NOT_AVAILABLE;
	return MAKE_SQLSTATE('R', 'F', '0' + digits / 100, '0' + digits / 10 % 10, '0' + digits % 10);
}

void
refusal_raise(RefusalCode code, const char *detail)
{
	const Refusal *refusal = refusal_get(code);

	Assert(code != REFUSAL_NONE);
	ereport(ERROR,
			(errcode(refusal_sqlstate(code)), errmsg("%s", refusal->message),
			 detail ? errdetail("%s", detail) : 0, refusal->hint ? errhint("%s", refusal->hint) : 0,
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, refusal->code)));
	pg_unreachable();
}

PG_FUNCTION_INFO_V1(fcfs_refusals);

/* refusals(): one row a refusal, in the order of the list. */
Datum
fcfs_refusals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int code = REFUSAL_NONE + 1; code < REFUSAL_COUNT; code++)
	{
		const Refusal *refusal = refusal_get(code);
		Datum values[6];
		bool nulls[6] = {false};

		values[0] = CStringGetTextDatum(refusal->code);
		values[1] = CStringGetTextDatum(unpack_sql_state(refusal_sqlstate(code)));
		values[2] = Int32GetDatum(refusal->http_status);
		values[3] = Int32GetDatum(refusal->return_code);
		values[4] = BoolGetDatum(refusal->retryable);
		values[5] = CStringGetTextDatum(refusal->message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
