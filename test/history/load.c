/*
 * load.c
 *
 * The load driver of the history checker: makes random calls over a few hot
 * pools and people, and logs every statement before it is sent and every answer
 * when it is there. What is sent is decided in plan.c; connection.c runs it, one
 * thread a connection, while observer.c looks at what no answer tells.
 * test/history/check judges the logs (log.c).
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection.h"
#include "log.h"
#include "observer.h"
#include "server.h"

#define MAX_CONNECTIONS 1000

typedef struct Options
{
	int connections;
	int seconds;
	uint64_t seed;
	const char *log;
	const char *profile;
	unsigned kinds;
	bool setup;
} Options;

static Options options = {8, 0, 1, NULL, "all", 0, false};

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
		"  --profile NAME   which calls: all (the default), section, item or coupon\n"
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
				server_conninfo = optarg;
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

static void
set_up(void)
{
	PGconn *server = must_connect();

	must_execute(server, "BEGIN");
	must_execute(server, pools_setup_people);
	for (int kind = 0; kind < POOL_KINDS; kind++)
		must_execute(server, pools_setup((PoolKind) kind));
	must_execute(server, "COMMIT");
	PQfinish(server);
}

/* The capacities as they are. What is between us and the server may cut the first connections. */
static PGresult *
read_capacities(PGconn *server)
{
	PGresult *result = PQexec(server, pools_capacities);

	for (int tries = 1; PQresultStatus(result) != PGRES_TUPLES_OK && tries < 10; tries++)
	{
		PQclear(result);
		PQreset(server);
		result = PQexec(server, pools_capacities);
	}
	return result;
}

/* The first line: how we were called, and the capacities. */
static void
log_run(void)
{
	PGconn *server = open_server();
	PGresult *result = read_capacities(server);
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
	run_step_alone(connection, &step, 3);
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

	if (pthread_create(&observer, NULL, run_observer, &stopping) != 0)
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
		log_open(options.log);
		log_run();
		run_load();
	}
	return 0;
}
