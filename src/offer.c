/*
 * offer.c
 *
 * What the rules need of an item and of its event, read once a session and kept
 * for as long as it is true (definition.c).
 *
 * Locks: none of its own; the caller has the item's pool pinned.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "definition.h"
#include "offer.h"

typedef enum ItemColumn
{
	ITEM_ID,
	ITEM_EVENT_ID,
	ITEM_PRICE,
	ITEM_CURRENCY,
	ITEM_STRICT_ORDER
} ItemColumn;

static Table items = {.name = "item",
					  .columns = {"id", "event_id", "price", "currency", "strict_order"},
					  .types = {INT8OID, INT8OID, INT8OID, TEXTOID, BOOLOID},
					  .indexes = {"item_pkey"}};

typedef enum EventColumn
{
	EVENT_ID,
	EVENT_OPENS_AT,
	EVENT_CLOSES_AT,
	EVENT_HOLD_FOR,
	EVENT_LIMIT
} EventColumn;

static Table events = {
	.name = "event",
	.columns = {"id", "sale_opens_at", "sale_closes_at", "hold_for", "max_per_customer"},
	.types = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INTERVALOID, INT4OID},
	.indexes = {"event_pkey"}};

static bool
load_item(Offer *offer, int64 id, Snapshot snapshot, MemoryContext context)
{
	TableRead read;
	bool found = table_read_by_id(&read, &items, 0, id, snapshot);
	bool isnull;

	if (found)
	{
		offer->price = table_read_int64(&read, ITEM_PRICE);
		offer->currency = definition_copy(table_read_value(&read, ITEM_CURRENCY, &isnull), context);
		offer->strict_order = DatumGetBool(table_read_value(&read, ITEM_STRICT_ORDER, &isnull));
		offer->event_id = DatumGetInt64(table_read_value(&read, ITEM_EVENT_ID, &isnull));
		offer->has_event = !isnull;
	}
	table_read_end(&read);
	return found;
}

static void
load_event(Offer *offer, int64 item_id, Snapshot snapshot)
{
	TableRead read;
	bool isnull;

	if (!table_read_by_id(&read, &events, 0, offer->event_id, snapshot))
		/* This very statement has deleted it. */
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
						errmsg("item " INT64_FORMAT " is of an event that does not exist", item_id),
						errdetail("There is no event with id " INT64_FORMAT ".", offer->event_id)));
	offer->opens_at = DatumGetTimestampTz(table_read_value(&read, EVENT_OPENS_AT, &isnull));
	offer->closes_at = DatumGetTimestampTz(table_read_value(&read, EVENT_CLOSES_AT, &isnull));
	offer->hold_for = *DatumGetIntervalP(table_read_value(&read, EVENT_HOLD_FOR, &isnull));
	offer->limit = DatumGetInt32(table_read_value(&read, EVENT_LIMIT, &isnull));
	offer->has_limit = !isnull;
	table_read_end(&read);
}

static bool
load_offer(void *definition, int64 id, Snapshot snapshot, MemoryContext context)
{
	Offer *offer = definition;

	if (!load_item(offer, id, snapshot, context))
		return false;
	if (offer->has_event)
		load_event(offer, id, snapshot);
	return true;
}

static DefinitionKind offers = {
	.tables = {&items, &events}, .size = sizeof(Offer), .load = load_offer};

/* The offer of a pinned item; NULL if the item is gone by our own doing. */
const Offer *
offer_get(EscrowEntry *entry, int64 item_id)
{
	return definition_get(&offers, entry, item_id);
}
