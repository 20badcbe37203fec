/*
 * server.h
 *
 * How the load driver comes to the server.
 */
#ifndef FCFS_SERVER_H
#define FCFS_SERVER_H

#include <libpq-fe.h>

extern const char *server_conninfo;

extern PGconn *open_server(void);
extern PGconn *must_connect(void);
extern void must_execute(PGconn *server, const char *sql);

#endif /* FCFS_SERVER_H */
