/*
 * test_point.c
 *
 * What happens at a TEST_POINT whose name is set: nothing at all without
 * assertions. fcfs.test_point is one of
 *
 *   NAME wait N     waits for the application's advisory lock N
 *   NAME error      raises an error
 *   NAME timeout    stays until the bound of the wait that it is in has run out
 *   NAME stop       stops the process until somebody sends it SIGCONT
 *   NAME at TIME    takes that for the time, at a TEST_TIME
 *
 * and works once: the setting is empty afterwards. Points are in commit and
 * abort callbacks, too, so waiting neither allocates nor belongs to a
 * transaction; none is where a spinlock or an LWLock is held.
 */
#include "test_point.h"

#ifdef USE_ASSERT_CHECKING

#include <signal.h>

#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "guc.h"

/* The lock that pg_advisory_lock(number) takes; lock_timeout does not bound the wait. It
 * may be granted to a wait that a cancel ends. */
static void
wait_for_advisory_lock(int number)
{
	int save_lock_timeout = LockTimeout;
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, number, 1);
	LockTimeout = 0;
	PG_TRY();
	{
		(void) LockAcquire(&tag, ShareLock, true, false);
	}
	PG_CATCH();
	{
		LockTimeout = save_lock_timeout;
		if (LockHeldByMe(&tag, ShareLock))
			LockRelease(&tag, ShareLock, true);
		PG_RE_THROW();
	}
	PG_END_TRY();
	LockTimeout = save_lock_timeout;
	LockRelease(&tag, ShareLock, true);
}

/* Is something set for a point? What it is, once. */
static bool
reached(const char *name, char *action)
{
	size_t length = strlen(name);

	if (fcfs_test_point == NULL || strncmp(fcfs_test_point, name, length) != 0 ||
		fcfs_test_point[length] != ' ')
		return false;
	strlcpy(action, fcfs_test_point + length + 1, NAMEDATALEN);
	fcfs_test_point[0] = '\0';
	return true;
}

void
test_point(const char *name)
{
	char action[NAMEDATALEN];

	if (!reached(name, action))
		return;
	if (strncmp(action, "wait ", 5) == 0)
		wait_for_advisory_lock(atoi(action + 5));
	else if (strcmp(action, "stop") == 0)
		(void) raise(SIGSTOP);
	else if (strcmp(action, "timeout") == 0)
		while (!QueryCancelPending)
			pg_usleep(1000);
	else
		elog(ERROR, "test point \"%s\"", name);
}

void
test_time(const char *name, TimestampTz *time)
{
	char action[NAMEDATALEN];

	if (!reached(name, action))
		return;
	Assert(strncmp(action, "at ", 3) == 0);
	*time =
		DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(action + 3),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

#endif
