/*
 * server.c
 *
 * How the load driver comes to the server.
 */
#include "log.h"
#include "server.h"

const char *server_conninfo = "";

/* What the server says beside its answers is not for the terminal. */
static void
ignore_notice(void *argument, const PGresult *result)
{
	(void) argument;
	(void) result;
}

PGconn *
open_server(void)
{
	const char *keywords[] = {"dbname", "application_name", "connect_timeout", NULL};
	const char *values[] = {server_conninfo, "fcfs-load", "10", NULL};

	PGconn *server = PQconnectdbParams(keywords, values, 1);

	if (server)
		(void) PQsetNoticeReceiver(server, ignore_notice, NULL);
	return server;
}

/* For what cannot go on without. */
PGconn *
must_connect(void)
{
	PGconn *server = open_server();

	if (PQstatus(server) != CONNECTION_OK)
		die("%s", PQerrorMessage(server));
	return server;
}

void
must_execute(PGconn *server, const char *sql)
{
	PGresult *result = PQexec(server, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s", PQerrorMessage(server));
	PQclear(result);
}
