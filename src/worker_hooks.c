/*
 * worker_hooks.c
 *
 * What sessions do that concerns the workers: DROP DATABASE ends the worker of
 * the database before the server looks who is connected to it; CREATE EXTENSION,
 * CREATE DATABASE and ALTER DATABASE tell the launcher, once they are committed,
 * where to look.
 *
 * By the server's hook on access to objects, which is called after the rights
 * of the caller were looked at. That it is called for another extension, or for
 * one whose creation is undone to a savepoint, costs a look in vain.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"

#include "worker.h"
#include "worker_shmem.h"

static object_access_hook_type previous_hook = NULL;

/* What to tell at commit: nothing, one database, or, InvalidOid, all. */
static bool anything_to_tell = false;
static Oid database_to_tell;

static void
tell_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && anything_to_tell)
		worker_tell_launcher(database_to_tell);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		anything_to_tell = false;
}

static void
tell_at_commit(Oid database)
{
	static bool registered = false;

	/* Late, since each callback costs every transaction something. */
	if (!registered)
		RegisterXactCallback(tell_at_end, NULL);
	registered = true;
	if (anything_to_tell && database_to_tell != database)
		database = InvalidOid;
	database_to_tell = database;
	anything_to_tell = true;
}

static void
object_accessed(ObjectAccessType access, Oid class, Oid object, int part, void *arg)
{
	if (previous_hook)
		previous_hook(access, class, object, part, arg);
	if (class == ExtensionRelationId && access == OAT_POST_CREATE)
		tell_at_commit(MyDatabaseId);
	else if (class == DatabaseRelationId && (access == OAT_POST_CREATE || access == OAT_POST_ALTER))
		tell_at_commit(object);
	else if (class == DatabaseRelationId && access == OAT_DROP && object != MyDatabaseId)
		worker_end(object);
}

void
worker_hooks_init(void)
{
	previous_hook = object_access_hook;
	object_access_hook = object_accessed;
}
