/*
 * reservation.c
 *
 * reserve, confirm_reservation, cancel_reservation. When a hold is over, and who
 * ends it, is in hold.c.
 *
 * What every sale does, reserving and confirming, reads its rows through indexes
 * and writes them without a query where nobody else has a say in it
 * (table_writer.c); the queries that do the same are beside it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "hold.h"
#include "offer.h"
#include "operation.h"
#include "pool.h"
#include "table.h"

/* Tables -------------------------------------------------------------------------------- */

typedef enum ReservationColumn
{
	RESERVATION_ID,
	RESERVATION_CUSTOMER_ID,
	RESERVATION_EVENT_ID,
	RESERVATION_STATUS,
	RESERVATION_AMOUNT,
	RESERVATION_CURRENCY,
	RESERVATION_ARRIVED_AT,
	RESERVATION_EXPIRES_AT
} ReservationColumn;

typedef enum ReservationIndex
{
	RESERVATION_BY_ID,
	RESERVATION_BY_CUSTOMER
} ReservationIndex;

/*
 * Foreign keys are kept by what a function does anyway. The event is that of an
 * item we have pinned: the item refers to it, and until we end nobody deletes the
 * item, nor moves it to another event (hold.c), so nobody deletes the event.
 * The reservation of a line is written just before it.
 *
 * Confirming leaves all lines as they are, so the trigger that lets lines follow
 * has nothing to do, and need not fire.
 */
static Table reservations = {
	.name = "reservation",
	.lock = RowExclusiveLock,
	.columns = {"id", "customer_id", "event_id", "status", "amount", "currency", "arrived_at",
				"expires_at"},
	.types = {INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.indexes = {"reservation_pkey", "reservation_customer"},
	.ensured = {"reservation_event_id_fkey"},
	.updated = {[RESERVATION_STATUS] = true}};

typedef enum LineColumn
{
	LINE_ID,
	LINE_RESERVATION_ID,
	LINE_ITEM_ID,
	LINE_QUANTITY,
	LINE_PRICE,
	LINE_ACTIVE
} LineColumn;

static Table lines = {.name = "reservation_line",
					  .lock = RowExclusiveLock,
					  .columns = {"id", "reservation_id", "item_id", "quantity", "price", "active"},
					  .types = {INT8OID, INT8OID, INT8OID, INT4OID, INT8OID, BOOLOID},
					  .indexes = {"reservation_line_pkey"},
					  .ensured = {"reservation_line_reservation_id_fkey"}};

/* reserve ------------------------------------------------------------------------------- */

/* Does the reservation count against the maximum of its event? */
static bool
is_kept(const TableRead *read, TimestampTz now)
{
	bool isnull;
	Datum status = table_read_value(read, RESERVATION_STATUS, &isnull);

	return pool_text_is(status, "confirmed") ||
		   (pool_text_is(status, "held") &&
			DatumGetTimestampTz(table_read_value(read, RESERVATION_EXPIRES_AT, &isnull)) > now);
}

static int64
count_lines(int64 reservation_id, Snapshot snapshot)
{
	static const int columns[] = {LINE_RESERVATION_ID};
	Datum key = Int64GetDatum(reservation_id);
	TableRead read;
	int64 units = 0;
	bool isnull;

	table_read_begin(&read, &lines, 0, snapshot, 1, columns, &key);
	while (table_read_next(&read))
	{
		if (DatumGetBool(table_read_value(&read, LINE_ACTIVE, &isnull)))
			units += DatumGetInt32(table_read_value(&read, LINE_QUANTITY, &isnull));
	}
	table_read_end(&read);
	return units;
}

/* How much of an event a customer holds or has bought. */
static int64
count_units(int64 customer_id, int64 event_id)
{
	static const int columns[] = {RESERVATION_CUSTOMER_ID};
	Datum key = Int64GetDatum(customer_id);
	TimestampTz now = GetCurrentTimestamp();
	Snapshot newest = table_newest();
	TableRead read;
	int64 units = 0;

	table_read_begin(&read, &reservations, RESERVATION_BY_CUSTOMER, newest, 1, columns, &key);
	while (table_read_next(&read))
	{
		bool no_event;
		Datum event = table_read_value(&read, RESERVATION_EVENT_ID, &no_event);

		if (!no_event && DatumGetInt64(event) == event_id && is_kept(&read, now))
			units += count_lines(table_read_int64(&read, RESERVATION_ID), newest);
	}
	table_read_end(&read);
	UnregisterSnapshot(newest);
	return units;
}

/* The rules before capacity. */
static bool
judge_sale(Call *call, const Offer *offer, int64 quantity)
{
	int64 mine;

	if (offer->has_event && call->arrived_at < offer->opens_at)
		return call_refuse(call, REFUSAL_SALE_NOT_STARTED, NULL);
	if (offer->has_event && call->arrived_at >= offer->closes_at)
		return call_refuse(call, REFUSAL_SALE_CLOSED, NULL);
	if (!offer->has_limit)
		return true;
	mine = count_units(call->person_id, offer->event_id);
	if (mine + quantity > offer->limit)
		return call_refuse(call, REFUSAL_QUANTITY_LIMIT_EXCEEDED,
						   "the limit is " INT64_FORMAT ", the customer has " INT64_FORMAT
						   " and asks for " INT64_FORMAT,
						   (int64) offer->limit, mine, quantity);
	return true;
}

/* Both rows at once, and everything that others have hung on them fires after both. */
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

static int64
insert_by_query(const TableRow *reservation, const TableRow *line)
{
	Datum values[] = {reservation->values[RESERVATION_CUSTOMER_ID],
					  reservation->values[RESERVATION_EVENT_ID],
					  reservation->values[RESERVATION_AMOUNT],
					  reservation->values[RESERVATION_CURRENCY],
					  reservation->values[RESERVATION_ARRIVED_AT],
					  reservation->values[RESERVATION_EXPIRES_AT],
					  line->values[LINE_ITEM_ID],
					  line->values[LINE_QUANTITY],
					  line->values[LINE_PRICE]};
	char nulls[] = "         ";

	if (reservation->nulls[RESERVATION_EVENT_ID])
		nulls[1] = 'n';
	query_wrote_one(hold_write_lines(&insert_reservation, values, nulls), "reservation");
	return query_int64(0, 1, 0);
}

static int64
insert_straight(const TableRow *reservation, TableRow *line)
{
	int64 id = DatumGetInt64(table_insert(&reservations, reservation, "reservation"));

	table_row_set(line, LINE_RESERVATION_ID, Int64GetDatum(id));
	(void) table_insert(&lines, line, "line of a reservation");
	return id;
}

static CachedQuery find_event = {
	"SELECT 1 FROM fcfs.event e WHERE e.id = $1", 1, {INT8OID}, NULL, 0};

/* When a hold ends that begins now: when the units are ours, not when the call
 * arrived. */
static Datum
hold_ends_at(const Offer *offer)
{
	Datum now = TimestampTzGetDatum(GetCurrentTimestamp());
	Interval setting = {.time = fcfs_hold_for * USECS_PER_SEC};

	return DirectFunctionCall2(timestamptz_pl_interval, now,
							   IntervalPGetDatum(offer->has_event ? &offer->hold_for : &setting));
}

/* Writes the reservation and its line. */
static int64
write_reservation(const Call *call, EscrowEntry *entry, const Offer *offer, int32 quantity,
				  int64 amount)
{
	TableRow reservation = {0};
	TableRow line = {0};
	Datum event_id = Int64GetDatum(offer->event_id);
	Datum expires_at = hold_ends_at(offer);

	table_row_set(&reservation, RESERVATION_CUSTOMER_ID, Int64GetDatum(call->person_id));
	table_row_set(&reservation, RESERVATION_EVENT_ID, event_id);
	reservation.nulls[RESERVATION_EVENT_ID] = !offer->has_event;
	table_row_set(&reservation, RESERVATION_AMOUNT, Int64GetDatum(amount));
	table_row_set(&reservation, RESERVATION_CURRENCY, offer->currency);
	table_row_set(&reservation, RESERVATION_ARRIVED_AT, TimestampTzGetDatum(call->arrived_at));
	table_row_set(&reservation, RESERVATION_EXPIRES_AT, expires_at);
	table_row_set(&line, LINE_ITEM_ID, Int64GetDatum(call->arguments[1]));
	table_row_set(&line, LINE_QUANTITY, Int32GetDatum(quantity));
	table_row_set(&line, LINE_PRICE, Int64GetDatum(offer->price));

	escrow_hold_until(entry, DatumGetTimestampTz(expires_at));
	if (offer->has_event)
		query_must_see(&find_event, &event_id);
	if (table_inserts_straight(&reservations) && table_inserts_straight(&lines))
		return insert_straight(&reservation, &line);
	return insert_by_query(&reservation, &line);
}

/* reserve(customer_id, item_id, quantity) */
static bool
run_reserve(Call *call)
{
	int64 item_id = call->arguments[1];
	int64 quantity = call->arguments[2];
	EscrowEntry *entry;
	const Offer *offer = NULL;
	RefusalCode refused;
	int64 amount;
	uint64 counted;
	int64 id;

	if (quantity < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantity must be at least 1")));
	if (!call_begin(call, LOCK_CUSTOMER, call->arguments[0]))
		return false;
	refused = pool_pin(&item_pool, item_id, &entry);
	if (refused == REFUSAL_NONE && (offer = offer_get(entry, item_id)) == NULL)
		refused = REFUSAL_ITEM_NOT_FOUND;
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "item " INT64_FORMAT, item_id);
	if (!judge_sale(call, offer, quantity))
		return false;
	if (pg_mul_s64_overflow(offer->price, quantity, &amount))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("amount of the reservation is out of range")));
	refused = pool_claim(&item_pool, entry, item_id, offer->strict_order, quantity, NULL);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, "item " INT64_FORMAT ", wanted " INT64_FORMAT, item_id,
						   quantity);
	counted = pool_rows_counted();
	id = write_reservation(call, entry, offer, (int32) quantity, amount);
	pool_claim_written(entry, counted);
	return call_done(call, id);
}

static Operation reserve = {.name = "reserve",
							.arguments = {{"customer_id", ARGUMENT_BIGINT},
										  {"item_id", ARGUMENT_BIGINT},
										  {"quantity", ARGUMENT_INTEGER},
										  {"idempotency_key", ARGUMENT_KEY}},
							.run = run_reserve,
							.made = &reservations,
							.by_id = RESERVATION_BY_ID};

OPERATION_FACES(reserve, reserve);

/* confirm_reservation, cancel_reservation ------------------------------------------------- */

static CachedQuery lock_reservation = {
	"SELECT r.status, r.expires_at FROM fcfs.reservation r WHERE r.id = $1 FOR UPDATE",
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

/* Finds whose reservation it is, and where its row is, and begins the call. */
static bool
begin_for_reservation(Call *call, int64 reservation_id, Snapshot snapshot, ItemPointer row)
{
	TableRead read;
	bool found =
		table_read_by_id(&read, &reservations, RESERVATION_BY_ID, reservation_id, snapshot);
	int64 customer_id = 0;

	if (found)
	{
		customer_id = table_read_int64(&read, RESERVATION_CUSTOMER_ID);
		*row = read.row->t_self;
	}
	table_read_end(&read);
	if (!found)
		return call_refuse(call, REFUSAL_RESERVATION_NOT_FOUND, "reservation " INT64_FORMAT,
						   reservation_id);
	return call_begin(call, LOCK_CUSTOMER, customer_id);
}

/*
 * Judges a reservation whose row is locked. The clock is asked only now: a hold
 * whose time has run out is expired, whether or not anybody has reaped it.
 */
static bool
judge_reservation(Call *call, int64 reservation_id, Datum status, TimestampTz expires_at,
				  bool confirmed_too)
{
	bool held = pool_text_is(status, "held");

	if (pool_text_is(status, "expired") || (held && expires_at <= GetCurrentTimestamp()))
		return call_refuse(call, REFUSAL_RESERVATION_EXPIRED, "reservation " INT64_FORMAT,
						   reservation_id);
	if (!held && !(confirmed_too && pool_text_is(status, "confirmed")))
		return call_refuse(call, REFUSAL_RESERVATION_NOT_HELD, "reservation " INT64_FORMAT " is %s",
						   reservation_id, TextDatumGetCString(status));
	return true;
}

static bool
lock_by_query(Call *call, int64 reservation_id, bool confirmed_too)
{
	Datum argument = Int64GetDatum(reservation_id);
	bool isnull;

	if (query_write(&lock_reservation, &argument, NULL) == 0)
		return call_refuse(call, REFUSAL_RESERVATION_NOT_FOUND, "reservation " INT64_FORMAT,
						   reservation_id);
	return judge_reservation(call, reservation_id, query_value(0, 1, &isnull),
							 query_time(0, 2, DT_NOEND), confirmed_too);
}

static bool
confirm_by_query(Call *call, int64 reservation_id)
{
	Datum argument = Int64GetDatum(reservation_id);

	if (!lock_by_query(call, reservation_id, false))
		return false;
	query_wrote_one(query_write(&set_confirmed, &argument, NULL), "confirmation");
	return call_done(call, reservation_id);
}

static bool
confirm_straight(Call *call, int64 reservation_id, TableUpdate *update)
{
	TableRow row = {0};
	bool isnull;
	Datum status = table_update_value(update, RESERVATION_STATUS, &isnull);
	Datum expires_at = table_update_value(update, RESERVATION_EXPIRES_AT, &isnull);
	bool confirmed =
		judge_reservation(call, reservation_id, status, DatumGetTimestampTz(expires_at), false);

	if (confirmed)
	{
		table_row_set(&row, RESERVATION_STATUS, CStringGetTextDatum("confirmed"));
		table_update(update, &row);
		(void) call_done(call, reservation_id);
	}
	table_update_end(update);
	return confirmed;
}

/* confirm_reservation(reservation_id) */
static bool
run_confirm_reservation(Call *call)
{
	int64 reservation_id = call->arguments[0];
	Snapshot newest = table_newest();
	ItemPointerData row;
	TableUpdate update;
	bool confirmed = false;

	if (begin_for_reservation(call, reservation_id, newest, &row))
		confirmed = table_update_begin(&update, &reservations, &row, newest)
						? confirm_straight(call, reservation_id, &update)
						: confirm_by_query(call, reservation_id);
	UnregisterSnapshot(newest);
	return confirmed;
}

static Operation confirm_reservation = {
	.name = "confirm_reservation",
	.arguments = {{"reservation_id", ARGUMENT_BIGINT}, {"idempotency_key", ARGUMENT_KEY}},
	.run = run_confirm_reservation,
	.made = &reservations,
	.by_id = RESERVATION_BY_ID};

OPERATION_FACES(confirm_reservation, confirm_reservation);

/* cancel_reservation(reservation_id) */
static bool
run_cancel_reservation(Call *call)
{
	int64 reservation_id = call->arguments[0];
	Datum values[2] = {Int64GetDatum(reservation_id), TimestampTzGetDatum(call->arrived_at)};
	Snapshot newest = table_newest();
	ItemPointerData row;
	bool begun = begin_for_reservation(call, reservation_id, newest, &row);
	RefusalCode refused;

	UnregisterSnapshot(newest);
	if (!begun)
		return false;
	refused = hold_pin_items(reservation_id);
	if (refused != REFUSAL_NONE)
		return call_refuse(call, refused, NULL);
	if (!lock_by_query(call, reservation_id, true))
		return false;
	query_wrote_one(query_write(&set_cancelled, values, NULL), "cancellation");
	return call_done(call, reservation_id);
}

static Operation cancel_reservation = {
	.name = "cancel_reservation",
	.arguments = {{"reservation_id", ARGUMENT_BIGINT}, {"idempotency_key", ARGUMENT_KEY}},
	.run = run_cancel_reservation,
	.made = &reservations,
	.by_id = RESERVATION_BY_ID};

OPERATION_FACES(cancel_reservation, cancel_reservation);

void
reservation_init(void)
{
	operation_register(&reserve);
	operation_register(&confirm_reservation);
	operation_register(&cancel_reservation);
}
