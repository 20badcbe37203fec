/*
 * hold.c
 *
 * Stock as a pool: lines of reservations claim it, and follow their reservation.
 *
 * A hold is over at the instant expires_at, whoever looks first. Its units are
 * still counted until somebody reaps it: whoever finds the pool sold out does
 * so before the answer, and so does expire_reservations(). A lock on the row of
 * the reservation decides between reaping, confirming and cancelling; reapers
 * pass over rows that are locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "argument.h"
#include "hold.h"
#include "lock.h"
#include "test_point.h"
#include "trigger.h"

/* How many overdue holds one caller ends at a time. */
#define REAP_ROWS 200

/* The pool ---------------------------------------------------------------------- */

static int64
line_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;

	if (!DatumGetBool(heap_getattr(row, kind->claim_attributes[1], desc, &isnull)))
		return 0;
	return DatumGetInt32(heap_getattr(row, kind->claim_attributes[2], desc, &isnull));
}

static bool reap_item(EscrowEntry *entry, int64 item_id);

/* Is the line written by us, and so as its reservation is? */
static bool writing_lines = false;

static CachedQuery find_status = {"SELECT r.status IN ('held', 'confirmed')"
								  " FROM fcfs.reservation r WHERE r.id = $1 FOR SHARE",
								  1,
								  {INT8OID},
								  NULL,
								  0};

/* A line that somebody else writes must count just if its reservation does. */
static void
check_line(const PoolKind *kind, EscrowEntry *entry, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	Datum reservation_id = pool_column(row, desc, "reservation_id", &isnull);
	bool agrees;

	if (writing_lines)
		return;
	SPI_connect();
	agrees = query_write(&find_status, &reservation_id, NULL) == 0 || /* its foreign key says so */
			 query_bool(0, 1) == (line_units(kind, row, desc) > 0);
	SPI_finish();
	if (!agrees)
		ereport(
			ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("a line must be active just as long as its reservation is held or confirmed"),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "reservation_line"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "reservation_line_active")));
}

/* Runs a query that writes lines as their reservation is. */
uint64
hold_write_lines(CachedQuery *query, const Datum *values, const char *nulls)
{
	volatile uint64 written = 0;

	writing_lines = true;
	PG_TRY();
	{
		written = query_write(query, values, nulls);
	}
	PG_FINALLY();
	{
		writing_lines = false;
	}
	PG_END_TRY();
	return written;
}

/* Reservations carry the event of their item: who moves an item to another must
 * have it alone, so that the event stays while one is being made. */
static bool
event_changes(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	bool was_null;
	bool is_null;
	Datum old_event = pool_column(old_row, desc, "event_id", &was_null);
	Datum new_event = pool_column(new_row, desc, "event_id", &is_null);

	return was_null != is_null ||
		   (!was_null && DatumGetInt64(old_event) != DatumGetInt64(new_event));
}

static CachedQuery find_event = {
	"SELECT 1 FROM fcfs.event e WHERE e.id = $1", 1, {INT8OID}, NULL, 0};

static CachedQuery find_reservation_of = {
	"SELECT 1 FROM fcfs.reservation r WHERE r.event_id = $1", 1, {INT8OID}, NULL, 0};

/* The item is ours alone. The statement that moved it may also have deleted the
 * event, and looked for reservations before the last one was there. */
static void
event_changed(EscrowEntry *entry pg_attribute_unused(), HeapTuple old_row,
			  HeapTuple new_row pg_attribute_unused(), TupleDesc desc)
{
	bool isnull;
	Datum event_id = pool_column(old_row, desc, "event_id", &isnull);

	if (isnull)
		return;
	SPI_connect();
	if (query_read(&find_event, &event_id, NULL, 1) == 0 &&
		query_read(&find_reservation_of, &event_id, NULL, 1) > 0)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
						errmsg("event " INT64_FORMAT " is still referenced from table \"%s\"",
							   DatumGetInt64(event_id), "reservation"),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
						err_generic_string(PG_DIAG_TABLE_NAME, "reservation"),
						err_generic_string(PG_DIAG_CONSTRAINT_NAME, "reservation_event_id_fkey")));
	SPI_finish();
}

PoolKind item_pool = {.escrow = {.lock_class = LOCK_ITEM, .reap = reap_item},
					  .name = "item",
					  .pool_table = "item",
					  .claim_table = "reservation_line",
					  .capacity_column = "stock",
					  .capacity_constraint = "item_stock",
					  .not_found = REFUSAL_ITEM_NOT_FOUND,
					  .sold_out = REFUSAL_OUT_OF_STOCK,
					  .claim_columns = {"item_id", "active", "quantity"},
					  .definition = {"event_id", "price", "currency", "strict_order"},
					  .load = {"SELECT i.stock,"
							   " (SELECT sum(l.quantity) FROM fcfs.reservation_line l WHERE "
							   "l.item_id = i.id AND l.active),"
							   " NULL::bigint"
							   " FROM fcfs.item i WHERE i.id = $1",
							   1,
							   {INT8OID},
							   NULL,
							   0},
					  .referenced = {"SELECT 1 FROM fcfs.reservation_line l WHERE l.item_id = $1",
									 1,
									 {INT8OID},
									 NULL,
									 0},
					  .claimed_units = line_units,
					  .check_claim = check_line,
					  .changes_alone = event_changes,
					  .changed = event_changed};

/* Reaping -------------------------------------------------------------------------- */

/* Ends holds overdue at $1, oldest first, at most $2, of item $3 unless NULL. */
static CachedQuery reap_holds = {
	"UPDATE fcfs.reservation r SET status = 'expired', ended_at = $1"
	" FROM (SELECT o.id FROM fcfs.reservation o"
	" WHERE o.status = 'held' AND o.expires_at <= $1"
	" AND ($3 IS NULL OR EXISTS (SELECT FROM fcfs.reservation_line l"
	" WHERE l.reservation_id = o.id AND l.item_id = $3 AND l.active))"
	" ORDER BY o.expires_at LIMIT $2 FOR UPDATE OF o SKIP LOCKED) AS overdue"
	" WHERE r.id = overdue.id",
	3,
	{TIMESTAMPTZOID, INT4OID, INT8OID},
	NULL,
	0};

static CachedQuery next_overdue = {
	"SELECT r.expires_at FROM fcfs.reservation r"
	" WHERE r.status = 'held' AND EXISTS (SELECT FROM fcfs.reservation_line l"
	" WHERE l.reservation_id = r.id AND l.item_id = $1 AND l.active)"
	" ORDER BY r.expires_at LIMIT 1",
	1,
	{INT8OID},
	NULL,
	0};

static uint64
reap(TimestampTz now, int max_rows, const int64 *item_id)
{
	Datum values[3];
	char nulls[4] = "   ";

	values[0] = TimestampTzGetDatum(now);
	values[1] = Int32GetDatum(max_rows);
	values[2] = item_id ? Int64GetDatum(*item_id) : (Datum) 0;
	nulls[2] = item_id ? ' ' : 'n';
	return query_write(&reap_holds, values, nulls);
}

/* Ends overdue holds of one item and notes when the next one will be. True if
 * there may be more. */
static bool
reap_item(EscrowEntry *entry, int64 item_id)
{
	Datum argument = Int64GetDatum(item_id);
	TimestampTz earliest = DT_NOEND;
	EscrowReaping reaping = escrow_reap(entry);
	uint64 ended;

	SPI_connect();
	ended = reap(GetCurrentTimestamp(), REAP_ROWS, &item_id);
	if (query_read(&next_overdue, &argument, NULL, 1) > 0)
		earliest = query_time(0, 1, DT_NOEND);
	TEST_POINT("reaped");
	escrow_reaped(entry, reaping, earliest);
	SPI_finish();
	return ended == REAP_ROWS;
}

PG_FUNCTION_INFO_V1(fcfs_expire_reservations);

/* expire_reservations(max_rows) */
Datum
fcfs_expire_reservations(PG_FUNCTION_ARGS)
{
	LockCall locks;
	volatile uint64 ended = 0;
	int max_rows = argument_max_rows(fcinfo, "expire_reservations()");

	lock_call_begin(&locks, GetCurrentTimestamp());
	PG_TRY();
	{
		SPI_connect();
		ended = reap(GetCurrentTimestamp(), max_rows, NULL);
		SPI_finish();
	}
	PG_FINALLY();
	{
		lock_call_end(&locks);
	}
	PG_END_TRY();
	PG_RETURN_INT32((int32) ended);
}

/* Lines follow their reservation ------------------------------------------------------ */

static CachedQuery follow_status = {
	"UPDATE fcfs.reservation_line l SET active = $2 WHERE l.reservation_id = $1 AND l.active <> $2",
	2,
	{INT8OID, BOOLOID},
	NULL,
	0};

static CachedQuery find_items = {"SELECT DISTINCT l.item_id FROM fcfs.reservation_line l WHERE "
								 "l.reservation_id = $1 AND l.active ORDER BY 1",
								 1,
								 {INT8OID},
								 NULL,
								 0};

/* Pins the pools of a reservation in order, before its row is locked. */
RefusalCode
hold_pin_items(int64 reservation_id)
{
	Datum argument = Int64GetDatum(reservation_id);
	uint64 count = query_read(&find_items, &argument, NULL, 0);
	SPITupleTable *items = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
	{
		EscrowEntry *entry;
		RefusalCode refused;
		bool isnull;

		refused = pool_pin(&item_pool,
						   DatumGetInt64(SPI_getbinval(items->vals[i], items->tupdesc, 1, &isnull)),
						   &entry);
		if (refused != REFUSAL_NONE)
			return refused;
	}
	return REFUSAL_NONE;
}

/* Do units of a reservation of that status count? */
static bool
status_counts(HeapTuple row, TupleDesc desc)
{
	bool isnull;
	Datum status = pool_column(row, desc, "status", &isnull);

	return pool_text_is(status, "held") || pool_text_is(status, "confirmed");
}

static void
set_lines(HeapTuple row, TupleDesc desc, bool active)
{
	bool isnull;
	bool expired = pool_text_is(pool_column(row, desc, "status", &isnull), "expired");
	Datum values[2];

	values[0] = pool_column(row, desc, "id", &isnull);
	values[1] = BoolGetDatum(active);
	pool_give_as_expected(expired);
	PG_TRY();
	{
		(void) hold_write_lines(&follow_status, values, NULL);
	}
	PG_FINALLY();
	{
		pool_give_as_expected(false);
	}
	PG_END_TRY();
}

/* Its pools no longer know when their first hold is overdue. */
static void
forget_overdue(HeapTuple row, TupleDesc desc)
{
	bool isnull;
	Datum argument = pool_column(row, desc, "id", &isnull);
	uint64 count = query_read(&find_items, &argument, NULL, 0);
	SPITupleTable *items = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
	{
		int64 item_id = DatumGetInt64(SPI_getbinval(items->vals[i], items->tupdesc, 1, &isnull));

		escrow_hold_until(pool_pin_or_raise(&item_pool, item_id), DT_NOBEGIN);
	}
}

static void
follow_reservation(const TriggerData *trigger)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	bool counted = status_counts(trigger->tg_trigtuple, desc);
	bool counts = status_counts(trigger->tg_newtuple, desc);
	bool isnull;

	SPI_connect();
	if (counted != counts)
		set_lines(trigger->tg_newtuple, desc, counts);
	if (pool_text_is(pool_column(trigger->tg_newtuple, desc, "status", &isnull), "held"))
		forget_overdue(trigger->tg_newtuple, desc); /* held again, or until another time */
	SPI_finish();
}

PG_FUNCTION_INFO_V1(fcfs_reservation_changed);

/* AFTER UPDATE ROW trigger of fcfs.reservation. */
Datum
fcfs_reservation_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_check(fcinfo, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW,
										 TRIGGER_BY(TRIGGER_EVENT_UPDATE), "an AFTER UPDATE ROW");

	trigger_check_table(trigger, "reservation");
	pool_run_trigger(trigger, follow_reservation);
	return PointerGetDatum(NULL);
}
