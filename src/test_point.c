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

#include "guc.h"

/* The lock that pg_advisory_lock(number) takes; lock_timeout does not bound the wait. */
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
	PG_FINALLY();
	{
		LockTimeout = save_lock_timeout;
	}
	PG_END_TRY();
	LockRelease(&tag, ShareLock, true);
}

void
test_point(const char *name)
{
	size_t length = strlen(name);
	char action[NAMEDATALEN];

	if (fcfs_test_point == NULL || strncmp(fcfs_test_point, name, length) != 0 ||
		fcfs_test_point[length] != ' ')
		return;
	strlcpy(action, fcfs_test_point + length + 1, sizeof(action));
	fcfs_test_point[0] = '\0';
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

#endif
