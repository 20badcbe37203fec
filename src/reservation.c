/*
 * reservation.c
 *
 * reserve, confirm_reservation, cancel_reservation, expire_reservations.
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
#include "common/int.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "operation.h"
#include "pool.h"

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
static uint64
write_lines(CachedQuery *query, const Datum *values, const char *nulls)
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

PoolKind item_pool = {.escrow = {.lock_class = LOCK_ITEM},
					  .name = "item",
					  .pool_table = "item",
					  .claim_table = "reservation_line",
					  .capacity_column = "stock",
					  .capacity_constraint = "item_stock",
					  .not_found = REFUSAL_ITEM_NOT_FOUND,
					  .sold_out = REFUSAL_OUT_OF_STOCK,
					  .claim_columns = {"item_id", "active", "quantity"},
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
					  .reap = reap_item};

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
	int max_rows;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("max_rows must not be null")));
	max_rows = PG_GETARG_INT32(0);
	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must be at least 1")));
	PreventCommandIfReadOnly("expire_reservations()");
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
		(void) write_lines(&follow_status, values, NULL);
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
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be fired by an AFTER UPDATE ROW trigger")));
	pool_run_trigger(trigger, follow_reservation);
	return PointerGetDatum(NULL);
}

/* reserve ------------------------------------------------------------------------------- */

/* Item $1 for customer $2 at $3: "mine" is what the customer has of the event. */
static CachedQuery judge_reserve = {
	"SELECT i.strict_order, i.price, i.currency, i.event_id, e.sale_opens_at, e.sale_closes_at,"
	" coalesce(e.hold_for, make_interval(secs => $4)), e.max_per_customer::bigint,"
	" CASE WHEN e.max_per_customer IS NOT NULL THEN ("
	" SELECT coalesce(sum(l.quantity), 0) FROM fcfs.reservation r"
	" JOIN fcfs.reservation_line l ON l.reservation_id = r.id"
	" WHERE r.customer_id = $2 AND r.event_id = i.event_id AND l.active"
	" AND (r.status = 'confirmed' OR r.status = 'held' AND r.expires_at > $3)) END AS mine"
	" FROM fcfs.item i LEFT JOIN fcfs.event e ON e.id = i.event_id"
	" WHERE i.id = $1",
	4,
	{INT8OID, INT8OID, TIMESTAMPTZOID, FLOAT8OID},
	NULL,
	0};

static CachedQuery insert_reservation = {
	"WITH made AS (INSERT INTO fcfs.reservation"
	" (customer_id, event_id, amount, currency, arrived_at, expires_at)"
	" VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)"
	" INSERT INTO fcfs.reservation_line (reservation_id, item_id, quantity, price)"
	" SELECT made.id, $7, $8, $9 FROM made RETURNING reservation_id",
	9,
	{INT8OID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT4OID, INT8OID},
	NULL,
	0};

/* The rules before capacity, on the row of judge_reserve. */
static bool
judge_sale(Call *call, int64 quantity)
{
	bool no_limit;
	int64 limit = DatumGetInt64(query_value(0, 8, &no_limit));
	int64 mine = query_int64(0, 9, 0);

	if (call->arrived_at < query_time(0, 5, DT_NOBEGIN))
		return call_refuse(call, REFUSAL_SALE_NOT_STARTED, NULL);
	if (call->arrived_at >= query_time(0, 6, DT_NOEND))
		return call_refuse(call, REFUSAL_SALE_CLOSED, NULL);
	if (!no_limit && mine + quantity > limit)
		return call_refuse(call, REFUSAL_QUANTITY_LIMIT_EXCEEDED,
						   "the limit is " INT64_FORMAT ", the customer has " INT64_FORMAT
						   " and asks for " INT64_FORMAT,
						   limit, mine, quantity);
	return true;
}

/* What an INSERT of a reservation needs, from the row of judge_reserve. */
static int64
write_reservation(const Call *call, EscrowEntry *entry, Datum *values, char *nulls, Datum hold_for)
{
	/* The hold begins when the units are ours, not when the call arrived. */
	Datum expires_at = DirectFunctionCall2(timestamptz_pl_interval,
										   TimestampTzGetDatum(GetCurrentTimestamp()), hold_for);

	values[4] = TimestampTzGetDatum(call->arrived_at);
	values[5] = expires_at;
	escrow_hold_until(entry, DatumGetTimestampTz(expires_at));
	if (write_lines(&insert_reservation, values, nulls) != 1)
		ereport(ERROR, (errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
						errmsg("a trigger suppressed the reservation")));
	return query_int64(0, 1, 0);
}

/* reserve(customer_id, item_id, quantity) */
static bool
run_reserve(Call *call)
{
	int64 customer_id = call->arguments[0];
	int64 item_id = call->arguments[1];
	int64 quantity = call->arguments[2];
	Datum judged[4];
	Datum values[9];
	char nulls[10] = "         ";
	EscrowEntry *entry;
	RefusalCode refused;
	int64 price;
	int64 amount;
	uint64 counted;
	int64 id;
	Datum hold_for;
	bool isnull;

	if (quantity < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantity must be at least 1")));
	if (!call_begin(call, LOCK_CUSTOMER, customer_id))
		return false;
	refused = pool_pin(&item_pool, item_id, &entry);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "item " INT64_FORMAT, item_id);
	judged[0] = Int64GetDatum(item_id);
	judged[1] = Int64GetDatum(customer_id);
	judged[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	judged[3] = Float8GetDatum(fcfs_hold_for);
	if (query_read(&judge_reserve, judged, NULL, 1) == 0)
		return call_refuse(call, REFUSAL_ITEM_NOT_FOUND, "item " INT64_FORMAT, item_id);
	if (!judge_sale(call, quantity))
		return false;

	price = query_int64(0, 2, 0);
	if (pg_mul_s64_overflow(price, quantity, &amount))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("amount of the reservation is out of range")));
	values[0] = Int64GetDatum(customer_id);
	values[1] = query_value(0, 4, &isnull);
	nulls[1] = isnull ? 'n' : ' ';
	values[2] = Int64GetDatum(amount);
	values[3] = query_value(0, 3, &isnull);
	values[6] = Int64GetDatum(item_id);
	values[7] = Int32GetDatum((int32) quantity);
	values[8] = Int64GetDatum(price);
	hold_for = query_value(0, 7, &isnull);
	refused = pool_claim(&item_pool, entry, item_id, query_bool(0, 1), quantity, NULL);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "item " INT64_FORMAT ", wanted " INT64_FORMAT, item_id,
						   quantity);
	counted = pool_rows_counted();
	id = write_reservation(call, entry, values, nulls, hold_for);
	pool_claim_written(entry, counted);
	return call_done(call, id);
}

static Operation reserve = {
	.name = "reserve",
	.arguments = {"customer_id", "item_id", "quantity"},
	.run = run_reserve,
	.row = {"SELECT r FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(reserve, reserve);

/* confirm_reservation, cancel_reservation ------------------------------------------------- */

static CachedQuery find_customer = {
	"SELECT r.customer_id FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0};

static CachedQuery lock_reservation = {
	"SELECT r.status = 'held', r.status = 'confirmed', r.status = 'expired', r.expires_at, r.status"
	" FROM fcfs.reservation r WHERE r.id = $1 FOR UPDATE",
	1,
	{INT8OID},
	NULL,
	0};

static CachedQuery set_confirmed = {
	"UPDATE fcfs.reservation r SET status = 'confirmed' WHERE r.id = $1", 1, {INT8OID}, NULL, 0};

static CachedQuery set_cancelled = {
	"UPDATE fcfs.reservation r SET status = 'cancelled', ended_at = $2 WHERE r.id = $1",
	2,
	{INT8OID, TIMESTAMPTZOID},
	NULL,
	0};

/* Finds whose reservation it is and begins the call. */
static bool
begin_for_reservation(Call *call, int64 reservation_id)
{
	Datum argument = Int64GetDatum(reservation_id);

	if (query_read(&find_customer, &argument, NULL, 1) == 0)
		return call_refuse(call, REFUSAL_RESERVATION_NOT_FOUND, "reservation " INT64_FORMAT,
						   reservation_id);
	return call_begin(call, LOCK_CUSTOMER, query_int64(0, 1, 0));
}

/*
 * Locks the row, then asks the clock: a hold whose time has run out by then is
 * expired, whether or not anybody has reaped it.
 */
static bool
judge_reservation(Call *call, int64 reservation_id, bool confirmed_too)
{
	Datum argument = Int64GetDatum(reservation_id);

	if (query_write(&lock_reservation, &argument, NULL) == 0)
		return call_refuse(call, REFUSAL_RESERVATION_NOT_FOUND, "reservation " INT64_FORMAT,
						   reservation_id);
	if (query_bool(0, 3) ||
		(query_bool(0, 1) && query_time(0, 4, DT_NOEND) <= GetCurrentTimestamp()))
		return call_refuse(call, REFUSAL_RESERVATION_EXPIRED, "reservation " INT64_FORMAT,
						   reservation_id);
	if (!query_bool(0, 1) && !(confirmed_too && query_bool(0, 2)))
		return call_refuse(call, REFUSAL_RESERVATION_NOT_HELD, "reservation " INT64_FORMAT " is %s",
						   reservation_id,
						   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5));
	return true;
}

/* confirm_reservation(reservation_id) */
static bool
run_confirm_reservation(Call *call)
{
	int64 reservation_id = call->arguments[0];
	Datum argument = Int64GetDatum(reservation_id);

	if (!begin_for_reservation(call, reservation_id) ||
		!judge_reservation(call, reservation_id, false))
		return false;
	(void) query_write(&set_confirmed, &argument, NULL);
	return call_done(call, reservation_id);
}

static Operation confirm_reservation = {
	.name = "confirm_reservation",
	.arguments = {"reservation_id"},
	.run = run_confirm_reservation,
	.row = {"SELECT r FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(confirm_reservation, confirm_reservation);

/* Pins the pools of a reservation in order, before its row is locked. */
static RefusalCode
pin_items(int64 reservation_id)
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

/* cancel_reservation(reservation_id) */
static bool
run_cancel_reservation(Call *call)
{
	int64 reservation_id = call->arguments[0];
	Datum values[2] = {Int64GetDatum(reservation_id), TimestampTzGetDatum(call->arrived_at)};
	RefusalCode refused;

	if (!begin_for_reservation(call, reservation_id))
		return false;
	refused = pin_items(reservation_id);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	if (!judge_reservation(call, reservation_id, true))
		return false;
	(void) query_write(&set_cancelled, values, NULL);
	return call_done(call, reservation_id);
}

static Operation cancel_reservation = {
	.name = "cancel_reservation",
	.arguments = {"reservation_id"},
	.run = run_cancel_reservation,
	.row = {"SELECT r FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(cancel_reservation, cancel_reservation);
