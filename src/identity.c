/*
 * identity.c
 *
 * Administrators may bring the ids of an existing system. The identity of the
 * table then goes on above them, so that the next row that brings none does not
 * collide with one that did.
 *
 * Rows that functions write never bring an id and are not looked at.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "identity.h"
#include "lock.h"
#include "plan_cache.h"
#include "trigger.h"

/* Ids above the last one given up to which numbers are drawn one by one. */
#define LARGE_GAP 10000

#define HIGHEST_ID(table) \
	{ \
#table, \
		{ \
			"SELECT max(t.id) FROM fcfs." #table " t", 0, {0}, NULL, 0 \
		} \
	}

static struct
{
	const char *table;
	CachedQuery highest_id;
} identities[] = {
	HIGHEST_ID(person),          HIGHEST_ID(term),
	HIGHEST_ID(student),         HIGHEST_ID(course),
	HIGHEST_ID(section),         HIGHEST_ID(meeting),
	HIGHEST_ID(event),           HIGHEST_ID(item),
	HIGHEST_ID(coupon),          HIGHEST_ID(student_group),
	HIGHEST_ID(enrollment_wave), HIGHEST_ID(cross_list),
	HIGHEST_ID(reserved_seats),  HIGHEST_ID(permission_override),
};

/* Sequences of tables, as far as they were searched for. */
static struct
{
	Oid table;
	Oid sequence;
} sequences[16];
static int sequence_count = 0;

/* The highest id of a table, 0 if it is empty. */
static int64
highest_id(const char *table)
{
	for (int i = 0; i < (int) lengthof(identities); i++)
	{
		int64 highest;

		if (strcmp(identities[i].table, table) != 0)
			continue;
		SPI_connect();
		(void) query_read(&identities[i].highest_id, NULL, NULL, 1);
		highest = query_int64(0, 1, 0);
		SPI_finish();
		return highest;
	}
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("table \"%s\" has no identity of this extension", table)));
}

/* The last value of a sequence, 0 if it gave none yet. */
static int64
last_value(Oid sequence)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum value;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(sequence);
	fcinfo->args[0].isnull = false;
	value = pg_sequence_last_value(fcinfo);
	return fcinfo->isnull ? 0 : DatumGetInt64(value);
}

/*
 * Makes sure that the sequence goes on above highest. Numbers are drawn up to
 * it, as anybody may at any time. Only a large gap is jumped over: for that
 * nobody else may draw in between, so it waits for those who have drawn and not
 * ended. What setval does is there at once, so the lock need not last.
 */
static void
advance_identity(Oid sequence, int64 highest)
{
	if (highest - last_value(sequence) > LARGE_GAP)
	{
		LockRelationOid(sequence, ShareRowExclusiveLock);
		if (highest > last_value(sequence))
			DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(highest));
		UnlockRelationOid(sequence, ShareRowExclusiveLock);
	}
	while (last_value(sequence) < highest)
		(void) nextval_internal(sequence, false);
}

/* The identity sequence of a table, if it has one; searched for once. */
static Oid
identity_sequence(Relation table)
{
	Oid relation = RelationGetRelid(table);

	for (int i = 0; i < sequence_count; i++)
	{
		if (sequences[i].table == relation)
			return sequences[i].sequence;
	}
	if (sequence_count == (int) lengthof(sequences))
		sequence_count = 0;
	sequences[sequence_count].sequence = getIdentitySequence(relation, 1, true);
	sequences[sequence_count].table = relation;
	return sequences[sequence_count++].sequence;
}

static void
identity_forget(Datum arg, Oid relation)
{
	sequence_count = 0;
}

/* A row was written with that id, brought or not. */
void
identity_row_written(Relation table, int64 id)
{
	Oid sequence = identity_sequence(table);

	if (OidIsValid(sequence) && id > last_value(sequence))
		advance_identity(sequence, id);
}

PG_FUNCTION_INFO_V1(fcfs_ids_brought);

/*
 * AFTER INSERT trigger of the tables with an identity: of statements where few
 * rows are written one by one, of rows else. (A statement's trigger keeps a
 * subtransaction's memory to the end of the transaction.)
 */
Datum
fcfs_ids_brought(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EITHER_LEVEL,
										 TRIGGER_BY(TRIGGER_EVENT_INSERT), "an AFTER INSERT");
	Relation table = trigger->tg_relation;

	if (lock_in_call())
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		identity_row_written(table, highest_id(RelationGetRelationName(table)));
	else
	{
		bool isnull;

		identity_row_written(table, DatumGetInt64(heap_getattr(trigger->tg_trigtuple, 1,
															   RelationGetDescr(table), &isnull)));
	}
	return PointerGetDatum(NULL);
}

void
identity_init(void)
{
	CacheRegisterRelcacheCallback(identity_forget, (Datum) 0);
}
