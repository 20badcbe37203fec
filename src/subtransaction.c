/*
 * subtransaction.c
 *
 * Runs a part of a call in a subtransaction of its own, which is rolled back
 * where that part says so, or fails. What it has taken from pools is given back,
 * what it has written is gone, its locks are released.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "subtransaction.h"

/*
 * Runs it; keeps what it did if it says true. An error undoes it too, and goes on
 * from here, unless the caller wants to have it.
 */
bool
subtransaction_run(bool (*run)(void *state), void *state, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool kept = false;
	ErrorData *volatile caught = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		kept = run(state);
		if (kept)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		caught = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (!kept || caught)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (caught && error == NULL)
		ReThrowError(caught);
	if (caught)
		*error = caught;
	return kept && caught == NULL;
}
