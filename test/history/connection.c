/*
 * connection.c
 *
 * One connection of the load driver: makes the calls that are planned for it, logs
 * each before it is sent and again when its answer is there, and lives through
 * everything that may happen to a server.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "log.h"
#include "observer.h"
#include "server.h"

#define ATTEMPTS 5 /* of a transaction that deadlocks */
#define RECONNECT_AFTER 20000

/* How a statement, or all of a transaction, ended. */
typedef enum Outcome
{
	DONE,
	FAILED, /* an error, after which nothing of it is left */
	AGAIN,  /* a deadlock or a serialization failure */
	LOST    /* nobody knows */
} Outcome;

int64_t run_id;
atomic_bool stopping;
static atomic_int_fast64_t slots[POOL_KINDS][SLOTS];

/* The log ------------------------------------------------------------------------ */

static void
put_number(char *line, size_t *length, Argument what, int64_t number)
{
	if (what != CREDITS && what != CREDITS_OF_POOLS)
		put(line, length, "%" PRId64, number);
	else if (number == NO_CREDITS)
		put(line, length, "null");
	else
		put(line, length, "%" PRId64 ".%" PRId64, number / 10, number % 10);
}

/* A number, or an array of them within such brackets. */
static void
put_argument(char *line, size_t *length, Argument what, int64_t argument, const char *brackets)
{
	int64_t numbers[PLAN_POOLS];
	int count;

	if (what != POOLS && what != CREDITS_OF_POOLS)
	{
		put_number(line, length, what, argument);
		return;
	}
	count = plan_pools(argument, numbers);
	put(line, length, "%c", brackets[0]);
	for (int i = 0; i < count; i++)
	{
		put(line, length, "%s", i > 0 ? "," : "");
		put_number(line, length, what, numbers[i]);
	}
	put(line, length, "%c", brackets[1]);
}

static void
log_call(const Connection *connection, const Step *step, const int64_t *arguments, int attempt,
		 bool skipped)
{
	const Operation *operation = step->operation;
	char line[LINE];
	size_t length = 0;

	put(line, &length,
		"{\"t\":%" PRId64 ",\"c\":%d,\"n\":%" PRId64 ",\"what\":\"%s\",\"op\":\"%s\"", now(),
		connection->number, connection->statements, skipped ? "skipped" : "call", operation->name);
	if (attempt > 1)
		put(line, &length, ",\"attempt\":%d", attempt);
	if (step->level > 0)
		put(line, &length, ",\"level\":%d", step->level);
	if (operation->arguments[0] != NOTHING)
	{
		put(line, &length, ",\"args\":[");
		for (int i = 0; i < PLAN_ARGUMENTS && operation->arguments[i] != NOTHING; i++)
		{
			put(line, &length, "%s", i > 0 ? "," : "");
			put_argument(line, &length, operation->arguments[i], arguments[i], "[]");
		}
		put(line, &length, "]");
	}
	if (step->trying)
		put(line, &length, ",\"try\":true");
	if (step->slot >= 0)
		put(line, &length, ",\"slot\":%d", step->slot);
	if (step->key > 0)
		put(line, &length, ",\"key\":\"%d/%" PRId64 "\"", connection->number / 2, step->key);
	put(line, &length, "}");
	log_line(line, length);
}

static void
log_answer(const Connection *connection, const char *code, const char *state, const char *id,
		   bool replayed, const char *status)
{
	char line[LINE];
	size_t length = 0;

	put(line, &length,
		"{\"t\":%" PRId64 ",\"c\":%d,\"n\":%" PRId64 ",\"what\":\"answer\",\"code\":", now(),
		connection->number, connection->statements);
	put_string(line, &length, code);
	if (strcmp(state, "00000") != 0)
	{
		put(line, &length, ",\"state\":");
		put_string(line, &length, state);
	}
	if (id && id[0])
		put(line, &length, ",\"id\":%s", id);
	if (replayed)
		put(line, &length, ",\"replayed\":true");
	if (status && strcmp(code, "OK") == 0)
	{
		put(line, &length, ",\"status\":");
		put_string(line, &length, status);
	}
	put(line, &length, "}");
	log_line(line, length);
}

/* Connecting ------------------------------------------------------------------------ */

/* Short waits, so that deadlocks and idle holders cost little; a short hold. */
static bool
configure(PGconn *server)
{
	PGresult *result = PQexec(server, "SET deadlock_timeout = '50ms'; SET fcfs.lock_timeout = '2s';"
									  " SET fcfs.hold_for = '1500ms'; SELECT pg_backend_pid()");
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;

	PQclear(result);
	return good;
}

static void
log_connected(const Connection *connection)
{
	PGresult *result = PQexec(connection->server, "SELECT pg_backend_pid()");
	int pid = PQbackendPID(connection->server);
	char line[LINE];
	size_t length = 0;

	put(line, &length,
		"{\"t\":%" PRId64 ",\"c\":%d,\"what\":\"connected\",\"pid\":%d,\"direct\":%s}", now(),
		connection->number, pid,
		PQntuples(result) == 1 && atoi(PQgetvalue(result, 0, 0)) == pid ? "true" : "false");
	PQclear(result);
	log_line(line, length);
}

/* Connects, however long it takes. False if the driver is to stop first. */
static bool
connect_server(Connection *connection)
{
	while (!stopping)
	{
		connection->server = open_server();
		if (PQstatus(connection->server) == CONNECTION_OK && configure(connection->server))
		{
			log_connected(connection);
			return true;
		}
		PQfinish(connection->server);
		connection->server = NULL;
		pause_for(RECONNECT_AFTER);
	}
	return false;
}

static void
disconnect(Connection *connection)
{
	int pid = PQbackendPID(connection->server);

	PQfinish(connection->server);
	connection->server = NULL;
	observe_end_of(pid);
}

/* Statements ------------------------------------------------------------------------- */

/* The text of a call, by the face that the step wants. */
static void
write_call(const Step *step, char *sql)
{
	const Operation *operation = step->operation;
	size_t length = 0;
	int arguments = 0;

	if (operation->sql)
	{
		put(sql, &length, "%s", operation->sql);
		return;
	}
	put(sql, &length, "SELECT %s, id, %s%s FROM fcfs.%s%s(", step->trying ? "code" : "'OK'",
		step->trying ? "replayed" : "false",
		!operation->says_status ? ""
		: step->trying          ? ", detail"
								: ", status",
		step->trying ? "try_" : "", operation->function ? operation->function : operation->name);
	for (; arguments < PLAN_ARGUMENTS && operation->arguments[arguments] != NOTHING; arguments++)
	{
		/* What is optional comes behind the key, and has a name. */
		if (operation->optional &&
			(arguments + 1 == PLAN_ARGUMENTS || operation->arguments[arguments + 1] == NOTHING))
			put(sql, &length, "%s => ", operation->optional);
		put(sql, &length, "$%d, ", arguments + 1);
	}
	put(sql, &length, "idempotency_key => $%d)", arguments + 1);
}

static PGresult *
send_call(const Connection *connection, const Step *step, const int64_t *arguments)
{
	const Operation *operation = step->operation;
	char sql[LINE];
	char text[PLAN_ARGUMENTS + 1][64];
	const char *values[PLAN_ARGUMENTS + 1];
	int count = 0;

	write_call(step, sql);
	for (; count < PLAN_ARGUMENTS && operation->arguments[count] != NOTHING; count++)
	{
		size_t length = 0;

		put_argument(text[count], &length, operation->arguments[count], arguments[count], "{}");
		values[count] = text[count];
	}
	if (!operation->sql && operation->arguments[0] != NOTHING)
	{
		(void) snprintf(text[count], sizeof(text[count]), "load %" PRId64 "/%d/%" PRId64, run_id,
						connection->number / 2, step->key);
		values[count] = step->key > 0 ? text[count] : NULL;
		count++;
	}
	return PQexecParams(connection->server, sql, count, NULL, values, NULL, NULL, 0);
}

/* What an error means for the transaction. */
static Outcome
outcome_of_error(const char *state)
{
	if (strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0)
		return AGAIN;
	/* A server that only reads: the one that writes has to be found. */
	if (strcmp(state, "25006") == 0)
		return LOST;
	return FAILED;
}

/* Logs the answer and says what it means. */
static Outcome
take_answer(Connection *connection, const Step *step, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *code;

	/* An error without a code is libpq's own: it may not have seen the end yet. */
	if (PQstatus(connection->server) != CONNECTION_OK ||
		(!state && PQresultStatus(result) == PGRES_FATAL_ERROR))
	{
		log_answer(connection, "UNKNOWN", state ? state : "00000", NULL, false, NULL);
		return LOST;
	}
	switch (PQresultStatus(result))
	{
		case PGRES_TUPLES_OK:
			code = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "NONE";
			log_answer(
				connection, code, "00000", PQntuples(result) == 1 ? PQgetvalue(result, 0, 1) : NULL,
				PQntuples(result) == 1 && PQnfields(result) > 2 &&
					PQgetvalue(result, 0, 2)[0] == 't',
				PQntuples(result) == 1 && PQnfields(result) > 3 ? PQgetvalue(result, 0, 3) : NULL);
			if (step->operation->makes && strcmp(code, "OK") == 0)
				slots[step->operation->kind][step->slot] =
					strtoll(PQgetvalue(result, 0, 1), NULL, 10);
			return DONE;
		case PGRES_COMMAND_OK:
			/* COMMIT of a block that has failed is a ROLLBACK, and says so. */
			code = PQcmdStatus((PGresult *) result);
			log_answer(connection, strcmp(code, "ROLLBACK") == 0 ? code : "OK", "00000", NULL,
					   false, NULL);
			return DONE;
		default:
			log_answer(connection, constraint ? constraint : "", state ? state : "", NULL, false,
					   NULL);
			return outcome_of_error(state ? state : "");
	}
}

static Outcome
run_step(Connection *connection, const Step *step, int attempt)
{
	int64_t arguments[PLAN_ARGUMENTS];
	PGresult *result;
	Outcome outcome;

	for (int i = 0; i < PLAN_ARGUMENTS; i++)
		arguments[i] = step->operation->arguments[i] == CLAIM
						   ? slots[step->operation->kind][step->slot]
						   : step->arguments[i];
	if (step->pause > 0)
		pause_for(step->pause);
	if (PQtransactionStatus(connection->server) == PQTRANS_INERROR && !step->operation->ends)
	{
		log_call(connection, step, arguments, attempt, true);
		return DONE;
	}
	log_call(connection, step, arguments, attempt, false);
	result = send_call(connection, step, arguments);
	outcome = take_answer(connection, step, result);
	PQclear(result);
	return outcome;
}

/* What the plan has next; again as long as it must be, and may be. */
static void
run_transaction(Connection *connection)
{
	Transaction transaction;
	int64_t first = connection->statements;
	Outcome worst;
	int attempt = 0;

	connection->plan(&connection->planner, &transaction);
	do
	{
		worst = DONE;
		attempt++;
		connection->statements = first;
		for (int i = 0; i < transaction.count && worst != LOST; i++)
		{
			Outcome outcome;

			connection->statements++;
			outcome = run_step(connection, &transaction.steps[i], attempt);
			worst = outcome > worst ? outcome : worst;
			if (i == 0 && outcome != DONE)
				break; /* what a block that was not begun would do, nobody has planned */
		}
		if (worst == LOST)
		{
			disconnect(connection);
			if (!connect_server(connection))
				return;
		}
	} while (transaction.keyed && !stopping &&
			 (worst == LOST || (worst == AGAIN && attempt < ATTEMPTS)));
	connection->statements = first + transaction.count;
}

/* What was planned for it, until it is to stop. */
void *
run_connection(void *argument)
{
	Connection *connection = argument;

	if (connect_server(connection))
	{
		while (!stopping)
			run_transaction(connection);
	}
	if (connection->server)
		PQfinish(connection->server);
	return NULL;
}

/* A step by itself, some times, however the driver is to stop. */
void
run_step_alone(Connection *connection, const Step *step, int times)
{
	connection->server = open_server();
	if (PQstatus(connection->server) == CONNECTION_OK && configure(connection->server))
	{
		log_connected(connection);
		for (int i = 0; i < times; i++)
		{
			connection->statements++;
			(void) run_step(connection, step, 1);
		}
	}
	PQfinish(connection->server);
	connection->server = NULL;
}
