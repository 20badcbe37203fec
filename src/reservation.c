/*
 * reservation.c
 *
 * reserve, confirm_reservation, cancel_reservation. When a hold is over, and who
 * ends it, is in hold.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "hold.h"
#include "operation.h"
#include "pool.h"

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

static CachedQuery find_event = {
	"SELECT 1 FROM fcfs.event e WHERE e.id = $1", 1, {INT8OID}, NULL, 0};

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
	if (nulls[1] == ' ')
		query_must_see(&find_event, &values[1]);
	query_wrote_one(hold_write_lines(&insert_reservation, values, nulls), "reservation");
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
	query_wrote_one(query_write(&set_confirmed, &argument, NULL), "confirmation");
	return call_done(call, reservation_id);
}

static Operation confirm_reservation = {
	.name = "confirm_reservation",
	.arguments = {"reservation_id"},
	.run = run_confirm_reservation,
	.row = {"SELECT r FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(confirm_reservation, confirm_reservation);

/* cancel_reservation(reservation_id) */
static bool
run_cancel_reservation(Call *call)
{
	int64 reservation_id = call->arguments[0];
	Datum values[2] = {Int64GetDatum(reservation_id), TimestampTzGetDatum(call->arrived_at)};
	RefusalCode refused;

	if (!begin_for_reservation(call, reservation_id))
		return false;
	refused = hold_pin_items(reservation_id);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	if (!judge_reservation(call, reservation_id, true))
		return false;
	query_wrote_one(query_write(&set_cancelled, values, NULL), "cancellation");
	return call_done(call, reservation_id);
}

static Operation cancel_reservation = {
	.name = "cancel_reservation",
	.arguments = {"reservation_id"},
	.run = run_cancel_reservation,
	.row = {"SELECT r FROM fcfs.reservation r WHERE r.id = $1", 1, {INT8OID}, NULL, 0}};

OPERATION_FACES(cancel_reservation, cancel_reservation);

void
reservation_init(void)
{
	operation_register(&reserve);
	operation_register(&confirm_reservation);
	operation_register(&cancel_reservation);
}
