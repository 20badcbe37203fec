/*
 * plan_cache.h
 *
 * Queries of the extension, planned once a session.
 */
#ifndef FCFS_PLAN_CACHE_H
#define FCFS_PLAN_CACHE_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/snapshot.h"

#define QUERY_MAX_ARGS 16

/* What the functions of the extension have for their search_path. */
#define QUERY_SEARCH_PATH "pg_catalog, pg_temp"

/* A call in whose search_path nothing may run yet; see query_path_begin(). */
typedef struct QueryPath
{
	int nest_level; /* of the setting, 0 until it is made */
	struct QueryPath *outer;
} QueryPath;

typedef struct CachedQuery
{
	const char *sql;
	int nargs;
	Oid argtypes[QUERY_MAX_ARGS];
	SPIPlanPtr plan; /* NULL until first run */
	int running;     /* executions under way, one inside another */
} CachedQuery;

extern void query_path_begin(QueryPath *path);
extern void query_path_end(QueryPath *path);
extern void query_path_abandon(QueryPath *path);

extern uint64 query_read(CachedQuery *query, const Datum *values, const char *nulls, long limit);
extern Snapshot query_newest_of_others(void);
extern uint64 query_read_committed_by_others(CachedQuery *query, const Datum *values, long limit);
extern void query_must_see(CachedQuery *query, const Datum *values);
extern uint64 query_write(CachedQuery *query, const Datum *values, const char *nulls);
extern void query_wrote_one(uint64 rows, const char *what);

extern Datum query_value(uint64 row, int column, bool *isnull);
extern int64 query_int64(uint64 row, int column, int64 if_null);
extern bool query_bool(uint64 row, int column);
extern TimestampTz query_time(uint64 row, int column, TimestampTz if_null);

#endif /* FCFS_PLAN_CACHE_H */
