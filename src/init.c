/*
 * init.c
 *
 * The library's entry point: calls each module's own.
 */
#include "postgres.h"

#include "fmgr.h"

#include "call_scan.h"
#include "definition.h"
#include "escrow.h"
#include "guc.h"
#include "identity.h"
#include "operation.h"
#include "pool.h"
#include "table.h"
#include "worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	guc_init();
	escrow_init();
	pool_init();
	table_init();
	definition_init();
	enrollment_init();
	reservation_init();
	waitlist_init();
	coupon_init();
	call_scan_init();
	identity_init();
	worker_init();
}
