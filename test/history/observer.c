/*
 * observer.c
 *
 * Looks every few milliseconds at what no answer tells: who waits for which lock, who
 * is in line, and which of the backends that connections have lost have ended.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "log.h"
#include "observer.h"
#include "server.h"

#define MAX_LOST 1000
#define OBSERVE_EVERY 5000 /* microseconds */

/* Backends whose end is yet to be seen. */
static pthread_mutex_t lost_mutex = PTHREAD_MUTEX_INITIALIZER;
static int lost[MAX_LOST];
static int lost_count;

static const char *const who_waits =
	"SELECT pid, objsubid + 65536, classid::bigint << 32 | objid::bigint,"
	" (extract(epoch FROM waitstart) * 1000000)::bigint"
	" FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
	" AND objsubid + 65536 BETWEEN x'FC21'::integer AND x'FC3F'::integer"
	" AND waitstart IS NOT NULL"
	" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/* from is a time before the server looked, t one after it. */
static bool
observe_waiting(PGconn *server)
{
	int64_t from = now();
	PGresult *result = PQexec(server, who_waits);
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
	char line[LINE];
	size_t length = 0;

	put(line, &length, "{\"t\":%" PRId64 ",\"what\":\"waiting\",\"from\":%" PRId64 ",\"who\":[",
		now(), from);
	for (int i = 0; good && i < PQntuples(result) && length < LINE - 100; i++)
		put(line, &length, "%s[%s,%s,%s,%s]", i > 0 ? "," : "", PQgetvalue(result, i, 0),
			PQgetvalue(result, i, 1), PQgetvalue(result, i, 2), PQgetvalue(result, i, 3));
	put(line, &length, "]}");
	if (good && PQntuples(result) > 0)
		log_line(line, length);
	PQclear(result);
	return good;
}

static const char *const who_is_in_line =
	"SELECT id FROM fcfs.enrollment WHERE status = 'waitlisted' ORDER BY id";

/* From these looks it is known between which moments a place became a seat: no answer tells it. */
static bool
observe_line(PGconn *server)
{
	static bool empty = false;
	int64_t from = now();
	PGresult *result = PQexec(server, who_is_in_line);
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
	char line[LINE];
	size_t length = 0;

	put(line, &length, "{\"t\":%" PRId64 ",\"what\":\"line\",\"from\":%" PRId64 ",\"ids\":[", now(),
		from);
	for (int i = 0; good && i < PQntuples(result); i++)
		put(line, &length, "%s%s", i > 0 ? "," : "", PQgetvalue(result, i, 0));
	put(line, &length, "]}");
	if (good && !(empty && PQntuples(result) == 0))
		log_line(line, length);
	empty = good && PQntuples(result) == 0;
	PQclear(result);
	return good;
}

/* Of a backend that a connection has lost it is to be seen when it has ended. */
void
observe_end_of(int pid)
{
	(void) pthread_mutex_lock(&lost_mutex);
	if (lost_count < MAX_LOST)
		lost[lost_count++] = pid;
	(void) pthread_mutex_unlock(&lost_mutex);
}

/* Which of the backends that connections have lost have ended. */
static bool
observe_gone(PGconn *server)
{
	bool good = true;

	(void) pthread_mutex_lock(&lost_mutex);
	for (int i = 0; good && i < lost_count;)
	{
		char text[32];
		const char *values[] = {text};
		PGresult *result;

		(void) snprintf(text, sizeof(text), "%d", lost[i]);
		result = PQexecParams(server, "SELECT FROM pg_stat_activity WHERE pid = $1", 1, NULL,
							  values, NULL, NULL, 0);
		good = PQresultStatus(result) == PGRES_TUPLES_OK;
		if (good && PQntuples(result) == 0)
		{
			char line[LINE];
			size_t length = 0;

			put(line, &length, "{\"t\":%" PRId64 ",\"what\":\"gone\",\"pid\":%d}", now(), lost[i]);
			log_line(line, length);
			lost[i] = lost[--lost_count];
		}
		else
			i++;
		PQclear(result);
	}
	(void) pthread_mutex_unlock(&lost_mutex);
	return good;
}

/* Looks until it is told to stop. */
void *
run_observer(void *stopping)
{
	PGconn *server = NULL;

	while (!*(atomic_bool *) stopping)
	{
		if (!server)
			server = open_server();
		if (PQstatus(server) != CONNECTION_OK || !observe_waiting(server) ||
			!observe_line(server) || !observe_gone(server))
		{
			PQfinish(server);
			server = NULL;
		}
		pause_for(OBSERVE_EVERY);
	}
	PQfinish(server);
	return NULL;
}
