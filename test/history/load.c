/*
 * load.c
 *
 * The load driver of the history checker: makes random calls over a few hot
 * pools and people, and logs every statement before it is sent and every answer
 * when it is there. What is sent is decided in plan.c; this file runs it, one
 * thread a connection, and lives through everything that may happen to a
 * server. test/history/check judges the logs.
 *
 * The log has one JSON object a line, each written by one write(), so that it is
 * complete however the driver ends. Times (t) are microseconds of the system's
 * clock, taken before a statement is sent and after its answer is there: what
 * the server did for it, it did between the two.
 *
 *   run       how it was called, and the capacities that it began with
 *   connected c is the connection, pid its backend; direct: no pooler between
 *   call      n counts the statements of a connection; a statement that is sent
 *             again has the same n and a higher attempt
 *   skipped   a call that was planned, and not sent since the block had failed
 *   answer    code OK, a refusal's code, a constraint's name, NONE (no row was
 *             changed), or empty, and the SQLSTATE; or code UNKNOWN: the
 *             connection was lost
 *   gone      that backend is no longer there
 *   waiting   who waits for which of the extension's locks, since when
 *   line      the places in line that there are; not said again as long as nobody is in one
 *   end       the driver came to its end, and by how much the clock was set
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "plan.h"

#define MAX_CONNECTIONS 1000
#define MAX_LOST 1000
#define LINE 2000
#define ATTEMPTS 5         /* of a transaction that deadlocks */
#define OBSERVE_EVERY 5000 /* microseconds */
#define RECONNECT_AFTER 20000

typedef struct Options
{
	int connections;
	int seconds;
	uint64_t seed;
	const char *log;
	const char *dbname;
	const char *profile;
	unsigned kinds;
	bool setup;
} Options;

typedef struct Connection
{
	int number;
	PGconn *server;
	int64_t statements;
	Planner planner;
	void (*plan)(Planner *planner, Transaction *transaction);
	pthread_t thread;
} Connection;

/* How a statement, or all of a transaction, ended. */
typedef enum Outcome
{
	DONE,
	FAILED, /* an error, after which nothing of it is left */
	AGAIN,  /* a deadlock or a serialization failure */
	LOST    /* nobody knows */
} Outcome;

static Options options = {8, 0, 1, NULL, "", "all", 0, false};
static int log_file = -1;
static int64_t run_id;
static atomic_bool stopping;
static atomic_int_fast64_t slots[POOL_KINDS][SLOTS];

/* Backends whose end is yet to be seen. */
static pthread_mutex_t lost_mutex = PTHREAD_MUTEX_INITIALIZER;
static int lost[MAX_LOST];
static int lost_count;

/* Time ------------------------------------------------------------------------- */

static int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	(void) clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
now(void)
{
	return read_clock(CLOCK_REALTIME);
}

static void
pause_for(int microseconds)
{
	struct timespec time = {microseconds / 1000000, (long) (microseconds % 1000000) * 1000};

	(void) nanosleep(&time, NULL);
}

/* The log ------------------------------------------------------------------------ */

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void put(char *line, size_t *length, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) fputs("fcfs-load: ", stderr);
	(void) vfprintf(stderr, format, args);
	(void) fputs("\n", stderr);
	va_end(args);
	exit(2);
}

static void
put(char *line, size_t *length, const char *format, ...)
{
	va_list args;
	int added;

	va_start(args, format);
	added = vsnprintf(line + *length, LINE - *length, format, args);
	va_end(args);
	if (added < 0 || *length + (size_t) added >= LINE)
		die("a line of the log is too long");
	*length += (size_t) added;
}

static void
put_string(char *line, size_t *length, const char *string)
{
	put(line, length, "\"");
	for (; *string; string++)
	{
		if (*string == '"' || *string == '\\')
			put(line, length, "\\%c", *string);
		else
			put(line, length, "%c", (unsigned char) *string < ' ' ? ' ' : *string);
	}
	put(line, length, "\"");
}

static void
log_line(char *line, size_t length)
{
	line[length++] = '\n';
	if (write(log_file, line, length) != (ssize_t) length)
		die("%s: %s", options.log, strerror(errno));
}

/* A number, or an array of them within such brackets. */
static void
put_argument(char *line, size_t *length, Argument what, int64_t argument, const char *brackets)
{
	int64_t pools[PLAN_POOLS];
	int count;

	if (what != POOLS)
	{
		put(line, length, "%" PRId64, argument);
		return;
	}
	count = plan_pools(argument, pools);
	put(line, length, "%c", brackets[0]);
	for (int i = 0; i < count; i++)
		put(line, length, "%s%" PRId64, i > 0 ? "," : "", pools[i]);
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

/* Connections ------------------------------------------------------------------------ */

/* What the server says beside its answers is not for the terminal. */
static void
ignore_notice(void *argument, const PGresult *result)
{
	(void) argument;
	(void) result;
}

static PGconn *
open_server(void)
{
	const char *keywords[] = {"dbname", "application_name", "connect_timeout", NULL};
	const char *values[] = {options.dbname, "fcfs-load", "10", NULL};

	PGconn *server = PQconnectdbParams(keywords, values, 1);

	if (server)
		(void) PQsetNoticeReceiver(server, ignore_notice, NULL);
	return server;
}

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
	(void) pthread_mutex_lock(&lost_mutex);
	if (lost_count < MAX_LOST)
		lost[lost_count++] = pid;
	(void) pthread_mutex_unlock(&lost_mutex);
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
		if (operation->optional && arguments == 2)
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

static void *
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

/* The observer -------------------------------------------------------------------------- */

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

static void *
run_observer(void *argument)
{
	PGconn *server = NULL;

	(void) argument;
	while (!stopping)
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

/* The whole -------------------------------------------------------------------------------- */

static void
usage(int status)
{
	(void) fputs(
		"usage: fcfs-load --log FILE [--connections N] [--seconds S] [--seed N] [--profile NAME]\n"
		"                 [--dbname CONNINFO] [--setup]\n"
		"\n"
		"Makes random calls and logs them, until S seconds are over or SIGTERM comes.\n"
		"\n"
		"  --log FILE       where to append the log\n"
		"  --connections N  how many connections make calls (8); one more changes capacities\n"
		"  --seconds S      how long; 0, the default, is until SIGTERM\n"
		"  --seed N         the same seed makes the same calls (1)\n"
		"  --profile NAME   which calls: all (the default), section, item or coupon;\n"
		"                   named: all but those of which nobody can tell what they did\n"
		"                   once their answers are lost\n"
		"  --dbname CONNINFO  where to connect; with several hosts and target_session_attrs\n"
		"                   a failover is followed; default: the environment\n"
		"  --setup          makes the definitions that the load is about, and ends, unless\n"
		"                   there is a --log too\n",
		status == 0 ? stdout : stderr);
	exit(status);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option known[] = {{"connections", required_argument, NULL, 'c'},
										  {"seconds", required_argument, NULL, 't'},
										  {"seed", required_argument, NULL, 's'},
										  {"log", required_argument, NULL, 'l'},
										  {"dbname", required_argument, NULL, 'd'},
										  {"profile", required_argument, NULL, 'p'},
										  {"setup", no_argument, NULL, 'S'},
										  {"help", no_argument, NULL, 'h'},
										  {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
	{
		switch (option)
		{
			case 'c':
				options.connections = (int) strtol(optarg, NULL, 10);
				break;
			case 't':
				options.seconds = (int) strtol(optarg, NULL, 10);
				break;
			case 's':
				options.seed = strtoull(optarg, NULL, 10);
				break;
			case 'l':
				options.log = optarg;
				break;
			case 'd':
				options.dbname = optarg;
				break;
			case 'p':
				options.profile = optarg;
				break;
			case 'S':
				options.setup = true;
				break;
			default:
				usage(option == 'h' ? 0 : 2);
		}
	}
	options.kinds = plan_profile(options.profile);
	if (optind < argc || options.kinds == 0 || options.connections < 1 ||
		options.connections > MAX_CONNECTIONS || (!options.log && !options.setup))
		usage(2);
}

static PGconn *
must_connect(void)
{
	PGconn *server = open_server();

	if (PQstatus(server) != CONNECTION_OK)
		die("%s", PQerrorMessage(server));
	return server;
}

static void
must_execute(PGconn *server, const char *sql)
{
	PGresult *result = PQexec(server, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s", PQerrorMessage(server));
	PQclear(result);
}

static void
set_up(void)
{
	PGconn *server = must_connect();

	must_execute(server, "BEGIN");
	must_execute(server, plan_setup_people);
	for (int kind = 0; kind < POOL_KINDS; kind++)
		must_execute(server, plan_setup((PoolKind) kind));
	must_execute(server, "COMMIT");
	PQfinish(server);
}

/* The first line: how we were called, and the capacities as they are. */
static void
log_run(void)
{
	PGconn *server = must_connect();
	PGresult *result = PQexec(server, plan_capacities);
	char line[LINE];
	size_t length = 0;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) == 0)
		die("there are no definitions, use --setup first: %s", PQerrorMessage(server));
	put(line, &length,
		"{\"t\":%" PRId64 ",\"what\":\"run\",\"run\":%" PRId64 ",\"seed\":%" PRIu64
		",\"connections\":%d,\"profile\":\"%s\",\"capacities\":[",
		now(), run_id, options.seed, options.connections, options.profile);
	for (int i = 0; i < PQntuples(result); i++)
		put(line, &length, "%s[\"%s\",%s,%s]", i > 0 ? "," : "", PQgetvalue(result, i, 0),
			PQgetvalue(result, i, 1), PQgetvalue(result, i, 2));
	put(line, &length, "]}");
	log_line(line, length);
	PQclear(result);
	PQfinish(server);
}

static void
stop(int signal_number)
{
	(void) signal_number;
	stopping = true;
}

/* When all others have ended: passes on what is free, until nobody is left who can have it. */
static void
pass_on_the_rest(Connection *connection)
{
	Step step = {.operation = plan_pass_on(), .arguments = {1000}, .slot = -1};

	connection->number = options.connections + 1;
	connection->server = open_server();
	if (PQstatus(connection->server) == CONNECTION_OK && configure(connection->server))
	{
		log_connected(connection);
		for (int i = 0; i < 3; i++)
		{
			connection->statements++;
			(void) run_step(connection, &step, 1);
		}
	}
	PQfinish(connection->server);
	connection->server = NULL;
}

static void
run_load(void)
{
	static Connection connections[MAX_CONNECTIONS + 2];
	int count = options.connections + 1; /* the last one is the administrator */
	int64_t clock_ahead = now() - read_clock(CLOCK_MONOTONIC);
	int64_t end = read_clock(CLOCK_MONOTONIC) + (int64_t) options.seconds * 1000000;
	pthread_t observer;
	char line[LINE];
	size_t length = 0;

	if (pthread_create(&observer, NULL, run_observer, NULL) != 0)
		die("no thread to be had");
	for (int i = 0; i < count; i++)
	{
		Connection *connection = &connections[i];

		connection->number = i;
		connection->plan = i < options.connections ? plan_transaction : plan_administration;
		plan_init(&connection->planner, options.seed, i, options.kinds);
		if (pthread_create(&connection->thread, NULL, run_connection, connection) != 0)
			die("no thread to be had");
	}
	while (!stopping && (options.seconds == 0 || read_clock(CLOCK_MONOTONIC) < end))
		pause_for(20000);
	stopping = true;
	for (int i = 0; i < count; i++)
		(void) pthread_join(connections[i].thread, NULL);
	(void) pthread_join(observer, NULL);
	pass_on_the_rest(&connections[count]);
	put(line, &length, "{\"t\":%" PRId64 ",\"what\":\"end\",\"clock_set\":%" PRId64 "}", now(),
		now() - read_clock(CLOCK_MONOTONIC) - clock_ahead);
	log_line(line, length);
}

int
main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};

	parse_options(argc, argv);
	(void) sigaction(SIGTERM, &action, NULL);
	(void) sigaction(SIGINT, &action, NULL);
	(void) signal(SIGPIPE, SIG_IGN);
	run_id = now();
	if (options.setup)
		set_up();
	if (options.log)
	{
		log_file = open(options.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (log_file < 0)
			die("%s: %s", options.log, strerror(errno));
		log_run();
		run_load();
	}
	return 0;
}
