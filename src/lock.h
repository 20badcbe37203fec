/*
 * lock.h
 *
 * The locks of the extension: their names, order, and bounded waiting.
 */
#ifndef FCFS_LOCK_H
#define FCFS_LOCK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lock.h"

/*
 * What a lock is on, in lock order. Each class is a field4 of
 * LOCKTAG_ADVISORY that no SQL advisory function uses (they use 1 and 2), so
 * these locks never meet those of the application.
 */
typedef enum LockClass
{
	LOCK_IDEMPOTENCY_KEY = 0xFC01, /* id is a hash of function, person, key */
	LOCK_STUDENT = 0xFC11,
	LOCK_CUSTOMER,
	LOCK_USER,
	LOCK_SECTION = 0xFC21,
	LOCK_ITEM,
	LOCK_COUPON,
	LOCK_WAITLIST,
	LOCK_RESERVED_SEATS,
	LOCK_CROSS_LIST,
	/* Short locks, released before the call ends: not in the order. */
	LOCK_SHORT = 0xFC30,
	LOCK_SECTION_QUEUE = 0xFC31,
	LOCK_ITEM_QUEUE,
	LOCK_COUPON_QUEUE,
	LOCK_WAITLIST_QUEUE,
	LOCK_RESERVED_SEATS_QUEUE,
	LOCK_CROSS_LIST_QUEUE,
	LOCK_SECTION_LOAD = 0xFC41,
	LOCK_ITEM_LOAD,
	LOCK_COUPON_LOAD,
	LOCK_WAITLIST_LOAD,
	LOCK_RESERVED_SEATS_LOAD,
	LOCK_CROSS_LIST_LOAD
} LockClass;

/* From the class of a pool's lock to those of its queue and its loading. */
#define LOCK_QUEUE_OF(pool_class) ((LockClass) ((pool_class) + 0x10))
#define LOCK_LOAD_OF(pool_class) ((LockClass) ((pool_class) + 0x20))

typedef struct LockName
{
	LockClass lock_class;
	int64 id;
} LockName;

typedef enum LockAnswer
{
	LOCK_GRANTED,
	LOCK_TIMED_OUT, /* fcfs.lock_timeout or lock_timeout ran out */
	LOCK_CROWDED    /* more than fcfs.max_waiters wait already */
} LockAnswer;

/* One call's use of locks: its deadline, and how far in the order it is. */
typedef struct LockCall
{
	struct LockCall *outer;
	TimestampTz deadline; /* DT_NOEND: none */
	bool at_once;         /* it waits for no lock, and keeps to no order */
	LockName last;
	int save_lock_timeout; /* the server's lock_timeout outside of the call */
	int lock_timeout;      /* and within */
} LockCall;

extern void lock_call_begin(LockCall *call, TimestampTz arrived_at);
extern void lock_call_at_once(LockCall *call, int milliseconds);
extern void lock_call_end(LockCall *call);
extern bool lock_in_call(void);
extern int lock_compare_ids(const void *a, const void *b);
extern int lock_time_left(void);
extern LockAnswer lock_acquire(LockName name, LOCKMODE mode);
extern LockAnswer lock_table(Oid table, LOCKMODE mode);
extern void lock_release(LockName name, LOCKMODE mode);
extern bool lock_watch(VirtualTransactionId holder, int slice, int deadlock_after);
extern void lock_log_slow_wait(LockName name, TimestampTz since, int holder_pid);

#endif /* FCFS_LOCK_H */
