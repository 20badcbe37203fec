/*
 * escrow_shmem.c
 *
 * The slots in shared memory, the index from pool to slot, eviction, and the
 * list of who has pinned what.
 *
 * Locks: the index is a partitioned hash table; a partition lock (LWLock) is
 * held shared to look up and exclusive to insert, evict or forget. Each slot
 * has a spinlock, held for a few instructions; where both are needed the
 * partition lock comes first. Nothing here allocates, raises or runs SQL while
 * it holds either.
 *
 * A slot is evicted only when nobody has it pinned. Whoever has made a claim
 * that is not yet visible to everybody has it pinned: so an evicted slot can be
 * counted again from the tables at any time, and restart, crash and promotion
 * simply begin with none.
 *
 * Without shared_preload_libraries there is no shared memory, and
 * escrow_shared() is false for every session of the server.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#include "compat.h"
#include "escrow_shmem.h"
#include "guc.h"
#include "test_point.h"

#define ESCROW_PARTITIONS 16 /* a power of two */

typedef struct EscrowIndexEntry
{
	EscrowKey key;
	uint32 slot;
} EscrowIndexEntry;

/* Of whole cache lines: a hot pool must not slow down its neighbours. */
#define CACHE_LINE 64

typedef union EscrowSlotPadded
{
	EscrowSlot slot;
	char padding[TYPEALIGN(CACHE_LINE, sizeof(EscrowSlot))];
} EscrowSlotPadded;

typedef struct EscrowShared
{
	pg_atomic_uint32 next_fresh; /* slots from here on were never used */
	pg_atomic_uint32 clock_hand; /* where the next search for a victim starts */
	pg_atomic_uint64 versions;   /* last facts_version given out */
	char padding[CACHE_LINE - 2 * sizeof(pg_atomic_uint32) - sizeof(pg_atomic_uint64)];
	EscrowSlotPadded slots[FLEXIBLE_ARRAY_MEMBER];
} EscrowShared;

static EscrowShared *shared = NULL;
static HTAB *index_table = NULL;
static LWLockPadded *partition_locks = NULL;
static EscrowHolder *holders = NULL;

static shmem_startup_hook_type previous_startup_hook = NULL;
static void (*previous_request_hook)(void) = NULL;

static Size
escrow_slots_size(void)
{
	return add_size(offsetof(EscrowShared, slots),
					mul_size(fcfs_max_pools, sizeof(EscrowSlotPadded)));
}

static Size
escrow_holders_size(void)
{
	return mul_size(compat_max_procs(), sizeof(EscrowHolder));
}

static void
escrow_shmem_request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(escrow_slots_size());
	RequestAddinShmemSpace(escrow_holders_size());
	RequestAddinShmemSpace(hash_estimate_size(fcfs_max_pools, sizeof(EscrowIndexEntry)));
	RequestNamedLWLockTranche("pg_fcfs", ESCROW_PARTITIONS);
}

static void
escrow_shmem_startup(void)
{
	HASHCTL info = {0};
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	holders = ShmemInitStruct("pg_fcfs holders", escrow_holders_size(), &found);
	if (!found)
		memset(holders, 0, escrow_holders_size());
	shared = ShmemInitStruct("pg_fcfs pools", escrow_slots_size(), &found);
	if (!found)
	{
		memset(shared, 0, escrow_slots_size());
		pg_atomic_init_u32(&shared->next_fresh, 0);
		pg_atomic_init_u32(&shared->clock_hand, 0);
		pg_atomic_init_u64(&shared->versions, 0);
		for (int i = 0; i < fcfs_max_pools; i++)
		{
			EscrowSlot *slot = &shared->slots[i].slot;

			SpinLockInit(&slot->mutex);
			ConditionVariableInit(&slot->changed);
			slot->frozen_by = -1;
		}
	}
	info.keysize = sizeof(EscrowKey);
	info.entrysize = sizeof(EscrowIndexEntry);
	info.num_partitions = ESCROW_PARTITIONS;
	index_table = ShmemInitHash("pg_fcfs index", fcfs_max_pools, fcfs_max_pools, &info,
								HASH_ELEM | HASH_BLOBS | HASH_PARTITION | HASH_FIXED_SIZE);
	partition_locks = GetNamedLWLockTranche("pg_fcfs");
	LWLockRelease(AddinShmemInitLock);
}

/* Called by _PG_init; asks for shared memory only while that is possible. */
void
escrow_shmem_init(void)
{
	StaticAssertStmt(sizeof(EscrowKey) == 16, "the key is hashed as bytes");
	StaticAssertStmt(offsetof(EscrowShared, slots) % CACHE_LINE == 0, "slots share no line");
	StaticAssertStmt(sizeof(EscrowHolder) % CACHE_LINE == 0, "holders share no line");
	if (!process_shared_preload_libraries_in_progress)
		return;
	compat_on_shmem_request(escrow_shmem_request, &previous_request_hook);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = escrow_shmem_startup;
}

bool
escrow_shared(void)
{
	return shared != NULL;
}

static LWLock *
escrow_partition(uint32 hash)
{
	return &partition_locks[hash % ESCROW_PARTITIONS].lock;
}

/* Pins the slot of a pool, unless somebody has it alone. */
EscrowLookup
escrow_slot_pin(const EscrowKey *key, EscrowSlot **slot)
{
	uint32 hash = get_hash_value(index_table, key);
	LWLock *partition = escrow_partition(hash);
	EscrowIndexEntry *found;
	EscrowLookup result = ESCROW_ABSENT;

	LWLockAcquire(partition, LW_SHARED);
	found = hash_search_with_hash_value(index_table, key, hash, HASH_FIND, NULL);
	if (found)
	{
		EscrowSlot *s = escrow_slot_number(found->slot);

		SpinLockAcquire(&s->mutex);
		Assert(s->used);
		if (s->frozen_by >= 0)
			result = ESCROW_FROZEN;
		else
		{
			s->pins++;
			s->changes++;
			result = ESCROW_PINNED;
		}
		SpinLockRelease(&s->mutex);
		*slot = s;
	}
	LWLockRelease(partition);
	return result;
}

/* What the slot of a pool says at this moment; false if there is none. */
bool
escrow_slot_copy(const EscrowKey *key, EscrowSlot *copy)
{
	uint32 hash = get_hash_value(index_table, key);
	LWLock *partition = escrow_partition(hash);
	EscrowIndexEntry *found;

	LWLockAcquire(partition, LW_SHARED);
	found = hash_search_with_hash_value(index_table, key, hash, HASH_FIND, NULL);
	if (found)
	{
		EscrowSlot *slot = escrow_slot_number(found->slot);

		SpinLockAcquire(&slot->mutex);
		memcpy(copy, slot, offsetof(EscrowSlot, changed));
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(partition);
	return found != NULL;
}

/* A facts_version that no slot has or had. */
uint64
escrow_version_next(void)
{
	return shared ? pg_atomic_fetch_add_u64(&shared->versions, 1) + 1 : 1;
}

/* Sets up a slot, pinned once. waiters stay: some may still be asleep on a
 * pool the slot was used for before. */
void
escrow_slot_fill(EscrowSlot *slot, const EscrowKey *key, const EscrowBalance *balance)
{
	slot->used = true;
	slot->key = *key;
	slot->capacity = balance->capacity;
	slot->remaining = balance->capacity - balance->claimed;
	slot->in_flight = 0;
	slot->arrival = balance->arrival;
	slot->facts_version = escrow_version_next();
	slot->facts_kept = 0;
	slot->overdue_at = DT_NOBEGIN;
	slot->holds = 0;
	slot->frozen_by = -1;
	slot->pins = 1;
	slot->queue = 0;
	slot->changes++;
}

/*
 * Takes a slot that has that many pins (0, or 1 if it is ours) out of the
 * index and reserves it for us: used is false and pins is 1, so that nobody
 * else picks it. False if it is in use after all. The caller holds no lock.
 */
static bool
escrow_slot_evict(EscrowSlot *slot, uint32 pins)
{
	EscrowKey key;
	uint32 hash;
	LWLock *partition;
	bool evicted;

	SpinLockAcquire(&slot->mutex);
	key = slot->key;
	evicted = slot->used && slot->pins == pins;
	SpinLockRelease(&slot->mutex);
	if (!evicted)
		return false;
	TEST_POINT("evict");

	hash = get_hash_value(index_table, &key);
	partition = escrow_partition(hash);
	LWLockAcquire(partition, LW_EXCLUSIVE);
	SpinLockAcquire(&slot->mutex);
	evicted = slot->used && slot->pins == pins && memcmp(&slot->key, &key, sizeof(key)) == 0;
	if (evicted)
	{
		slot->used = false;
		slot->pins = 1;
	}
	SpinLockRelease(&slot->mutex);
	if (evicted)
		hash_search_with_hash_value(index_table, &key, hash, HASH_REMOVE, NULL);
	LWLockRelease(partition);
	return evicted;
}

/* Reserves a slot that is not used at all. */
static bool
escrow_slot_reserve(EscrowSlot *slot)
{
	bool reserved;

	SpinLockAcquire(&slot->mutex);
	reserved = !slot->used && slot->pins == 0;
	if (reserved)
		slot->pins = 1;
	SpinLockRelease(&slot->mutex);
	return reserved;
}

static void
escrow_slot_unreserve(EscrowSlot *slot)
{
	SpinLockAcquire(&slot->mutex);
	Assert(!slot->used && slot->pins == 1);
	slot->pins = 0;
	SpinLockRelease(&slot->mutex);
}

/*
 * Reserves a slot: one never used, one no longer used, or that of a pool that
 * nobody has pinned, found by going round. -1 if all are in use.
 */
static int
escrow_slot_allocate(void)
{
	uint32 total = fcfs_max_pools;

	while (pg_atomic_read_u32(&shared->next_fresh) < total)
	{
		uint32 fresh = pg_atomic_fetch_add_u32(&shared->next_fresh, 1);

		if (fresh < total && escrow_slot_reserve(escrow_slot_number(fresh)))
			return fresh;
	}
	for (uint32 tries = 0; tries < 2 * total; tries++)
	{
		uint32 candidate = pg_atomic_fetch_add_u32(&shared->clock_hand, 1) % total;
		EscrowSlot *slot = escrow_slot_number(candidate);

		/* A look without the lock first; both check again under it. */
		if (slot->pins == 0 && (escrow_slot_reserve(slot) || escrow_slot_evict(slot, 0)))
			return candidate;
	}
	return -1;
}

/*
 * Puts a pool into the index, pinned once for the caller, who holds its load
 * lock: nobody else can be doing the same. NULL when all slots are in use.
 */
EscrowSlot *
escrow_slot_insert(const EscrowKey *key, const EscrowBalance *balance)
{
	uint32 hash = get_hash_value(index_table, key);
	LWLock *partition = escrow_partition(hash);
	EscrowIndexEntry *entry;
	EscrowSlot *slot;
	bool found;
	int number = escrow_slot_allocate();

	if (number < 0)
		return NULL;
	slot = escrow_slot_number(number);
	LWLockAcquire(partition, LW_EXCLUSIVE);
	entry = hash_search_with_hash_value(index_table, key, hash, HASH_ENTER_NULL, &found);
	Assert(!found);
	if (entry)
	{
		entry->slot = number;
		SpinLockAcquire(&slot->mutex);
		escrow_slot_fill(slot, key, balance);
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(partition);
	if (entry)
		return slot;
	escrow_slot_unreserve(slot);
	return NULL;
}

/*
 * Takes a pool that we have alone out of the index. Nobody can have pinned it
 * when it thaws: who waits for that finds it gone and loads it anew. False if we
 * do not have it alone; then it stays, and pinned.
 */
bool
escrow_slot_forget(EscrowSlot *slot)
{
	Assert(slot->pins > 0);
	if (slot->frozen_by != compat_my_proc_number() || !escrow_slot_evict(slot, 1))
		return false;
	SpinLockAcquire(&slot->mutex);
	slot->frozen_by = -1;
	slot->pins = 0;
	SpinLockRelease(&slot->mutex);
	return true;
}

/* Takes all unpinned pools of a kind out of the index. */
void
escrow_slots_forget_kind(Oid kind)
{
	int count = escrow_slot_count();

	for (int i = 0; i < count; i++)
	{
		EscrowSlot *slot = escrow_slot_number(i);

		if (slot->used && slot->key.database == MyDatabaseId && slot->key.kind == kind &&
			escrow_slot_evict(slot, 0))
			escrow_slot_unreserve(slot);
	}
}

/* How many slots were ever used. */
int
escrow_slot_count(void)
{
	/* next_fresh may have been pushed past the end by those who found none. */
	return shared ? Min(pg_atomic_read_u32(&shared->next_fresh), (uint32) fcfs_max_pools) : 0;
}

EscrowSlot *
escrow_slot_number(int number)
{
	Assert(number >= 0 && number < fcfs_max_pools);
	return &shared->slots[number].slot;
}

static uint32
escrow_number_of_slot(const EscrowSlot *slot)
{
	return (const EscrowSlotPadded *) slot - shared->slots;
}

/*
 * Notes what the position-th pool of our ledger is, NULL for one that is not
 * in shared memory, and whether we hold units of it.
 */
void
escrow_holder_set(int position, const EscrowSlot *slot, bool holds_units)
{
	uint32 number = ~ESCROW_HOLDS_UNITS;

	if (shared == NULL || position >= ESCROW_HOLDINGS)
		return;
	if (slot)
		number = escrow_number_of_slot(slot) | (holds_units ? ESCROW_HOLDS_UNITS : 0);
	holders[compat_my_proc_number()].slots[position] = number;
}

/* Notes how many pools our ledger has. */
void
escrow_holder_count(int count)
{
	if (shared)
		holders[compat_my_proc_number()].count = count;
}

/* 2: that backend holds units of it (any_pin: has it pinned); 1: may do so. */
static int
escrow_holds(const EscrowHolder *holder, uint32 number, bool any_pin)
{
	uint32 count = holder->count;

	for (uint32 i = 0; i < Min(count, ESCROW_HOLDINGS); i++)
	{
		uint32 held = holder->slots[i];

		if ((held & ~ESCROW_HOLDS_UNITS) == number && (any_pin || (held & ESCROW_HOLDS_UNITS)))
			return 2;
	}
	return count > ESCROW_HOLDINGS ? 1 : 0;
}

/*
 * Somebody else's transaction that holds units of the pool (any_pin: that has
 * it pinned at all). False if nobody is found; by now they may have ended.
 */
bool
escrow_find_holder(const EscrowSlot *slot, bool any_pin, VirtualTransactionId *holder, int *pid)
{
	uint32 number = escrow_number_of_slot(slot);
	int best = 0;

	for (uint32 i = 0; i < ProcGlobal->allProcCount && best < 2; i++)
	{
		PGPROC *proc = &ProcGlobal->allProcs[i];
		VirtualTransactionId vxid;
		int holds;

		if ((int) i >= compat_max_procs() || proc == MyProc)
			continue;
		holds = escrow_holds(&holders[i], number, any_pin);
		if (holds <= best)
			continue;
		GET_VXID_FROM_PGPROC(vxid, *proc);
		if (!VirtualTransactionIdIsValid(vxid))
			continue;
		best = holds;
		*holder = vxid;
		*pid = proc->pid;
	}
	return best > 0;
}
