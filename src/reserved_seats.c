/*
 * reserved_seats.c
 *
 * Seats of a section that only a group may take: a pool of its own, cut out of the
 * section's until it is released.
 *
 * Whatever the row's capacity gains the section's loses, and the other way round, in
 * the same transaction, by the same arithmetic as any change of a capacity: a loss
 * takes units at once, a gain gives them at commit. So between the two a seat may be
 * nobody's, and never two's. The section is told first, which is the lock order.
 *
 * Who releases reserved seats has them alone, so nobody is on the way to one. What is
 * free and what is claimed goes to the section; the claims follow at once, and take of
 * what the transaction itself has just given there: they cannot fail, nor wait.
 *
 * Accepted: who knows the section's definition may not have heard yet that its
 * reserved seats have changed; they find that out from the pool itself.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"

#include "plan_cache.h"
#include "reserved_seats.h"

/* The facts of the pool, in the order in which it reads them. */
#define FACT_SECTION_ID 0
#define FACT_RELEASED 1

/* Claims --------------------------------------------------------------------------------- */

static void
refuse_claim(int64 id, const char *constraint, const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg(message, id),
					err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
					err_generic_string(PG_DIAG_TABLE_NAME, "enrollment"),
					err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* An enrollment is on reserved seats of its own section, and not on those that have
 * been released. */
void
reserved_seats_check_claim(const PoolKind *kind, EscrowEntry *entry, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	int64 id = DatumGetInt64(pool_column(row, desc, "reserved_seats_id", &isnull));
	int64 section_id = DatumGetInt64(pool_column(row, desc, "section_id", &isnull));
	EscrowFacts facts;

	if (!pool_facts((PoolKind *) kind, entry, id, &facts))
		return; /* deleted by this statement: its own trigger finds the claim */
	if (DatumGetInt64(facts.values[FACT_SECTION_ID]) != section_id)
		refuse_claim(id, "enrollment_reserved_seats_of_section",
					 "reserved_seats " INT64_FORMAT " are of another section");
	if (DatumGetBool(facts.values[FACT_RELEASED]) &&
		pool_text_is(pool_column(row, desc, "status", &isnull), "enrolled"))
		refuse_claim(id, "enrollment_reserved_seats_released",
					 "reserved_seats " INT64_FORMAT " have been released");
}

/* The section ----------------------------------------------------------------------------- */

/* Where a row's seats are cut out of. */
typedef struct Cut
{
	int64 section_id;
	int64 seats;
} Cut;

static Cut
cut_of(HeapTuple row, TupleDesc desc)
{
	Cut cut = {0, 0};
	bool isnull;

	if (row)
	{
		cut.section_id = DatumGetInt64(pool_column(row, desc, "section_id", &isnull));
		cut.seats = DatumGetInt32(pool_column(row, desc, "capacity", &isnull));
	}
	return cut;
}

static void
refuse_cut(EscrowEntry *entry, int64 section_id, int64 seats)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("reserved seats would exceed the capacity of section " INT64_FORMAT,
						   section_id),
					errdetail("Wanted " INT64_FORMAT ", free " INT64_FORMAT ".", seats,
							  Max(escrow_available(entry), 0)),
					errhint("Raise fcfs.section.capacity or end claims first."),
					err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
					err_generic_string(PG_DIAG_TABLE_NAME, "reserved_seats"),
					err_generic_string(PG_DIAG_CONSTRAINT_NAME, "reserved_seats_within_section")));
}

/* Cuts seats out of a section, or (below 0) gives them back to it. What is known of the
 * section is over in any case: it lists who has seats reserved. */
static void
cut_seats(Cut cut)
{
	EscrowEntry *entry;
	RefusalCode refused = pool_pin(&section_pool, cut.section_id, &entry);

	if (refused == section_pool.not_found) /* gone itself, or the foreign key says so */
		return;
	if (refused == REFUSAL_NONE && escrow_keeps_facts())
		escrow_facts_change(entry);
	if (refused == REFUSAL_NONE && cut.seats != 0)
		refused = pool_refusal(&section_pool, escrow_change_capacity(entry, -cut.seats));
	if (refused == section_pool.sold_out)
		refuse_cut(entry, cut.section_id, cut.seats);
	if (refused != REFUSAL_NONE)
		refusal_raise(refused, NULL);
}

/* The section loses what the reserved seats gain; sections in order of id. */
void
reserved_seats_change_section(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	Cut old_cut = cut_of(old_row, desc);
	Cut new_cut = cut_of(new_row, desc);

	old_cut.seats = -old_cut.seats;
	if (old_row && new_row && old_cut.section_id == new_cut.section_id)
	{
		new_cut.seats += old_cut.seats;
		old_row = NULL;
	}
	if (old_row && !(new_row && new_cut.section_id < old_cut.section_id))
		cut_seats(old_cut);
	if (new_row)
		cut_seats(new_cut);
	if (old_row && new_row && new_cut.section_id < old_cut.section_id)
		cut_seats(old_cut);
}

/* What is done to them alone ----------------------------------------------------------------- */

/* The claims move to the section. Those that are over stay as they were. */
static CachedQuery move_claims = {"UPDATE fcfs.enrollment e SET reserved_seats_id = NULL"
								  " WHERE e.reserved_seats_id = $1 AND e.status <> 'cancelled'",
								  1,
								  {INT8OID},
								  NULL,
								  0};

static bool
is_released(HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return DatumGetBool(pool_column(row, desc, "released", &isnull));
}

/* Are they released, or moved to another section? */
bool
reserved_seats_change_alone(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	return (is_released(new_row, desc) && !is_released(old_row, desc)) ||
		   cut_of(old_row, desc).section_id != cut_of(new_row, desc).section_id;
}

void
reserved_seats_changed(EscrowEntry *entry pg_attribute_unused(), HeapTuple old_row,
					   HeapTuple new_row, TupleDesc desc)
{
	int64 id = pool_row_id(new_row, desc);
	Datum argument = Int64GetDatum(id);

	SPI_connect();
	if (cut_of(old_row, desc).section_id != cut_of(new_row, desc).section_id &&
		query_read(&reserved_seats_pool.referenced, &argument, NULL, 1) > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("reserved_seats " INT64_FORMAT " are claimed and stay with their section", id),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "fcfs"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "reserved_seats"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "enrollment_reserved_seats_of_section")));
	if (is_released(new_row, desc))
		(void) query_write(&move_claims, &argument, NULL);
	SPI_finish();
}
