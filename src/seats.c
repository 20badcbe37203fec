/*
 * seats.c
 *
 * What an enrollment claims: a seat of its section, or one of those that are
 * reserved for a group; a seat of the cross list that the section is in, besides; or,
 * while it waits, a place in the section's line. An administrator's override of
 * the capacity claims no seat at all.
 *
 * What is reserved is cut out of the capacity of the section: see reserved_seats.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"

#include "override.h"
#include "pool.h"
#include "reserved_seats.h"
#include "section.h"

/* Columns of a claim, after the pool's. */
#define CLAIM_STATUS 1
#define CLAIM_OVERRIDE 2
#define CLAIM_RESERVED_SEATS_ID 3

static bool
claim_status_is(const PoolKind *kind, HeapTuple row, TupleDesc desc, const char *status)
{
	bool isnull;

	return pool_text_is(heap_getattr(row, kind->claim_attributes[CLAIM_STATUS], desc, &isnull),
						status);
}

/* Does it pass over the capacity? */
static bool
claim_is_extra(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool isnull;

	return override_has_capacity(
		heap_getattr(row, kind->claim_attributes[CLAIM_OVERRIDE], desc, &isnull));
}

/* Is it somebody who sits on one of the seats? */
static int64
seat_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	return claim_status_is(kind, row, desc, "enrolled") && !claim_is_extra(kind, row, desc) ? 1 : 0;
}

/* On one that is reserved for nobody? */
static int64
open_seat_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	bool reserved_null;

	(void) heap_getattr(row, kind->claim_attributes[CLAIM_RESERVED_SEATS_ID], desc, &reserved_null);
	return reserved_null ? seat_units(kind, row, desc) : 0;
}

static int64
waiting_units(const PoolKind *kind, HeapTuple row, TupleDesc desc)
{
	return claim_status_is(kind, row, desc, "waitlisted") ? 1 : 0;
}

/* 4611686018427387904 is ESCROW_UNLIMITED: seats can be cut out of that as well. */
PoolKind section_pool = {
	.escrow = {.lock_class = LOCK_SECTION},
	.name = "section",
	.pool_table = "section",
	.claim_table = "enrollment",
	.capacity_column = "capacity",
	.capacity_constraint = "section_capacity",
	.not_found = REFUSAL_COURSE_NOT_FOUND,
	.sold_out = REFUSAL_COURSE_FULL,
	.claim_columns = {"section_id", "status", "override", "reserved_seats_id"},
	.definition = {"term_id", "course_id", "schedule", "strict_order", "cross_list_id",
				   "waitlist_capacity", "min_credits", "max_credits", "cancelled_at"},
	.load = {"SELECT coalesce(s.capacity::bigint, 4611686018427387904)"
			 " - coalesce((SELECT sum(r.capacity) FROM fcfs.reserved_seats r"
			 " WHERE r.section_id = s.id), 0),"
			 " (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id"
			 " AND e.status = 'enrolled' AND e.reserved_seats_id IS NULL"
			 " AND 'capacity' <> ALL (e.override)),"
			 " NULL::bigint"
			 " FROM fcfs.section s WHERE s.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.referenced =
		{"SELECT 1 FROM fcfs.enrollment e WHERE e.section_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = open_seat_units,
	.changes_alone = section_changes_alone,
	.changed = section_changed};

PoolKind waitlist_pool = {
	.escrow = {.lock_class = LOCK_WAITLIST},
	.name = "waitlist",
	.pool_table = "section",
	.claim_table = "enrollment",
	.known_by = "enrollment",
	.capacity_column = "waitlist_capacity",
	.capacity_constraint = "section_waitlist_capacity",
	.not_found = REFUSAL_COURSE_NOT_FOUND,
	.sold_out = REFUSAL_WAITLIST_FULL,
	.claim_columns = {"section_id", "status"},
	.load = {"SELECT s.waitlist_capacity::bigint,"
			 " (SELECT count(*) FROM fcfs.enrollment e WHERE e.section_id = s.id"
			 " AND e.status = 'waitlisted'),"
			 " NULL::bigint"
			 " FROM fcfs.section s WHERE s.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.referenced =
		{"SELECT 1 FROM fcfs.enrollment e WHERE e.section_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = waiting_units};

PoolKind reserved_seats_pool = {
	.escrow = {.lock_class = LOCK_RESERVED_SEATS},
	.name = "reserved_seats",
	.pool_table = "reserved_seats",
	.claim_table = "enrollment",
	.capacity_column = "capacity",
	.raised_by = "seats",
	.capacity_constraint = "reserved_seats_capacity",
	.not_found = REFUSAL_COURSE_NOT_FOUND,
	.sold_out = REFUSAL_COURSE_FULL,
	.claim_columns = {"reserved_seats_id", "status", "override"},
	.load = {"SELECT r.capacity::bigint,"
			 " (SELECT count(*) FROM fcfs.enrollment e WHERE e.reserved_seats_id = r.id"
			 " AND e.status = 'enrolled' AND 'capacity' <> ALL (e.override)),"
			 " NULL::bigint"
			 " FROM fcfs.reserved_seats r WHERE r.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.facts = {"SELECT r.section_id, r.released FROM fcfs.reserved_seats r WHERE r.id = $1",
			  1,
			  {INT8OID},
			  NULL,
			  0},
	.referenced =
		{"SELECT 1 FROM fcfs.enrollment e WHERE e.reserved_seats_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = seat_units,
	.check_claim = reserved_seats_check_claim,
	.changes_others = reserved_seats_change_section,
	.changes_alone = reserved_seats_change_alone,
	.changed = reserved_seats_changed};

PoolKind cross_list_pool = {
	.escrow = {.lock_class = LOCK_CROSS_LIST},
	.name = "cross_list",
	.pool_table = "cross_list",
	.claim_table = "enrollment",
	.capacity_column = "capacity",
	.capacity_constraint = "cross_list_capacity",
	.not_found = REFUSAL_COURSE_NOT_FOUND,
	.sold_out = REFUSAL_COURSE_FULL,
	.claim_columns = {"cross_list_id", "status", "override"},
	.load = {"SELECT c.capacity::bigint,"
			 " (SELECT count(*) FROM fcfs.enrollment e WHERE e.cross_list_id = c.id"
			 " AND e.status = 'enrolled' AND 'capacity' <> ALL (e.override)),"
			 " NULL::bigint"
			 " FROM fcfs.cross_list c WHERE c.id = $1",
			 1,
			 {INT8OID},
			 NULL,
			 0},
	.referenced =
		{"SELECT 1 FROM fcfs.enrollment e WHERE e.cross_list_id = $1", 1, {INT8OID}, NULL, 0},
	.claimed_units = seat_units};
