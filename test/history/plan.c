/*
 * plan.c
 *
 * The operations of the load, and the choice among them, the pools and the
 * people. Everything is chosen from the seed and the number of the connection,
 * never from an answer: the same seed makes the same sequence of calls in each
 * connection, whatever the server says and however fast it is.
 *
 * Connections come in pairs. Calls with an idempotency key are drawn from a
 * sequence that the two share, so that both make the same call under the same
 * key: one is first, the other gets its answer, whether it comes later or at
 * the same moment. Now and then one of them asks for something else under it.
 *
 * A new function joins by a line in the table of operations.
 */
#include <assert.h>
#include <string.h>

#include "plan.h"

#define HOT_PEOPLE 5

/* The operations --------------------------------------------------------------- */

/* clang-format off */
static const Operation operations[] = {
	{.kind = SECTION, .weight = 10, .name = "enroll", .arguments = {PERSON, POOL}, .makes = true},
	{.kind = SECTION, .weight = 8, .name = "cancel_enrollment", .arguments = {PERSON, POOL}},
	{.kind = SECTION, .weight = 8, .name = "swap_enrollment",
	 .arguments = {PERSON, OTHER_POOL, POOL}, .makes = true},
	{.kind = SECTION, .weight = 6, .name = "change_schedule",
	 .arguments = {PERSON, POOLS, POOLS}},
	{.kind = SECTION, .weight = 8, .name = "join_waitlist", .arguments = {PERSON, POOL},
	 .makes = true, .says_status = true},
	{.kind = SECTION, .weight = 3, .name = "join_waitlist_to_swap", .function = "join_waitlist",
	 .arguments = {PERSON, POOL, OTHER_POOL}, .optional = "swap_from_section_id", .makes = true, .says_status = true},
	{.kind = SECTION, .weight = 2, .name = "enroll", .arguments = {PERSON, POOL, CREDITS}, .optional = "credits",
	 .makes = true, .often_last = true},
	{.kind = SECTION, .weight = 1, .name = "swap_enrollment", .arguments = {PERSON, OTHER_POOL, POOL, CREDITS},
	 .optional = "credits", .makes = true, .often_last = true},
	{.kind = SECTION, .weight = 1, .name = "change_schedule", .arguments = {PERSON, POOLS, POOLS, CREDITS_OF_POOLS},
	 .optional = "credits"},
	{.kind = SECTION, .weight = 2, .name = "join_waitlist", .arguments = {PERSON, POOL, CREDITS}, .optional = "credits",
	 .makes = true, .says_status = true, .often_last = true},
	{.kind = SECTION, .weight = 3, .name = "leave_waitlist", .arguments = {PERSON, POOL}},
	{.kind = SECTION, .weight = 2, .name = "waitlist_position", .arguments = {PERSON, POOL},
	 .sql = "SELECT 'OK', fcfs.waitlist_position($1, $2)"},
	{.kind = SECTION, .weight = 1, .name = "pass_waitlists", .arguments = {ROWS},
	 .sql = "SELECT 'OK', fcfs.pass_waitlists($1)"},
	{.kind = SECTION, .weight = 2, .name = "raw_enroll", .arguments = {PERSON, POOL}, .makes = true,
	 .sql = "INSERT INTO fcfs.enrollment (student_id, section_id) VALUES ($1, $2)"
			" RETURNING 'OK', id"},
	{.kind = SECTION, .weight = 2, .name = "raw_cancel_enrollment", .arguments = {CLAIM},
	 .sql = "UPDATE fcfs.enrollment SET status = 'cancelled', ended_at = clock_timestamp()"
			" WHERE id = $1 AND status = 'enrolled' RETURNING 'OK', id"},

	{.kind = ITEM, .weight = 14, .name = "reserve", .arguments = {PERSON, POOL, QUANTITY},
	 .makes = true},
	{.kind = ITEM, .weight = 5, .name = "confirm_reservation", .arguments = {CLAIM}},
	{.kind = ITEM, .weight = 6, .name = "cancel_reservation", .arguments = {CLAIM}},
	{.kind = ITEM, .weight = 2, .name = "expire_reservations", .arguments = {ROWS},
	 .sql = "SELECT 'OK', fcfs.expire_reservations($1)"},

	{.kind = COUPON, .weight = 14, .name = "issue_coupon", .arguments = {POOL, PERSON},
	 .makes = true},
	{.kind = COUPON, .weight = 1, .name = "raw_issue_coupon", .arguments = {POOL, PERSON},
	 .makes = true,
	 .sql = "INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES ($1, $2) RETURNING 'OK', id"},
	{.kind = COUPON, .weight = 8, .name = "raw_revoke_coupon", .arguments = {CLAIM},
	 .sql = "UPDATE fcfs.coupon_issue SET status = 'revoked'"
			" WHERE id = $1 AND status = 'issued' RETURNING 'OK', id"},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* What an administrator does, alone in a connection. */
static const Operation administration[] = {
	{.kind = SECTION, .weight = 3, .name = "set_section_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.section SET capacity = $2 WHERE id = $1 RETURNING 'OK', id"},
	/* A catalogue of one section; what it says of one that was refused, as its code. */
	{.kind = SECTION, .weight = 1, .name = "load_catalogue", .arguments = {POOL, CAPACITY},
	 .sql = "SELECT CASE WHEN l.action <> 'refused' THEN 'OK'"
			" WHEN l.reason LIKE '%would exceed its capacity%' THEN 'section_capacity'"
			" WHEN l.reason LIKE '%a lock was not available%' THEN 'LOCK_TIMEOUT' ELSE l.reason END, l.id"
			" FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id JOIN fcfs.course c ON c.id = s.course_id,"
			" fcfs.load_catalogue(jsonb_build_object('sections', jsonb_build_array(jsonb_build_object("
			"'term', t.code, 'course', c.code, 'code', s.code, 'capacity', $2::integer))), true) l WHERE s.id = $1"},
	/* Whom it has dropped: "7 enrolled, 9 waitlisted". */
	{.kind = SECTION, .weight = 1, .name = "cancel_section", .arguments = {POOL},
	 .sql = "SELECT 'OK', NULL, false, string_agg(enrollment_id || ' ' || status, ', ') FROM fcfs.cancel_section($1)"},
	{.kind = SECTION, .weight = 1, .name = "release_reserved_seats", .arguments = {ROWS},
	 .sql = "SELECT 'OK', fcfs.release_reserved_seats($1)"},
	{.kind = ITEM, .weight = 3, .name = "set_item_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.item SET stock = $2 WHERE id = $1 RETURNING 'OK', id"},
	{.kind = COUPON, .weight = 3, .name = "set_coupon_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.coupon SET quota = $2 WHERE id = $1 RETURNING 'OK', id"},
};

#define ADMINISTRATION (sizeof(administration) / sizeof(administration[0]))

static const Operation open_section = {
	.kind = SECTION, .name = "open_section", .arguments = {POOL},
	.sql = "UPDATE fcfs.section SET cancelled_at = NULL WHERE id = $1 RETURNING 'OK', id"};
/* clang-format on */

static const Operation begins[] = {
	{.name = "begin", .sql = "BEGIN", .weight = 16},
	{.name = "begin_repeatable_read", .sql = "BEGIN ISOLATION LEVEL REPEATABLE READ", .weight = 3},
	{.name = "begin_serializable", .sql = "BEGIN ISOLATION LEVEL SERIALIZABLE", .weight = 1}};
static const Operation ends[] = {
	{.name = "commit", .sql = "COMMIT", .weight = 3, .ends = true},
	{.name = "rollback", .sql = "ROLLBACK", .weight = 1, .ends = true}};
static const Operation savepoints[] = {{.name = "savepoint", .sql = "SAVEPOINT s1"},
									   {.name = "savepoint", .sql = "SAVEPOINT s2"}};
static const Operation rollbacks[] = {
	{.name = "rollback_to", .sql = "ROLLBACK TO s1", .ends = true},
	{.name = "rollback_to", .sql = "ROLLBACK TO s2", .ends = true}};
static const Operation releases[] = {{.name = "release", .sql = "RELEASE s1"},
									 {.name = "release", .sql = "RELEASE s2"}};

#define LEVELS 2

/* Choosing ------------------------------------------------------------------------ */

/* splitmix64: small, and the same everywhere. */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int
below(uint64_t *random, int bound)
{
	assert(bound > 0);
	return (int) (next(random) % (uint64_t) bound);
}

static bool
percent(uint64_t *random, int chance)
{
	return below(random, 100) < chance;
}

/* Of so many, often one of the first few: where most of them meet. */
static int
crowded(uint64_t *random, int few, int bound)
{
	return below(random, percent(random, 40) ? few : bound);
}

static uint64_t
seeded(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t state = seed;

	state = next(&state) ^ (a + 1);
	state = next(&state) ^ (b + 1);
	return next(&state);
}

/* One of a table, by weight; of the kinds wanted, and, if with_key, one that takes a key. */
static const Operation *
choose(uint64_t *random, const Operation *table, size_t size, unsigned wanted, bool with_key)
{
	int total = 0;
	int chosen;

#define POSSIBLE(o) ((wanted & (1U << (o)->kind)) && !(with_key && (o)->sql))
	for (size_t i = 0; i < size; i++)
		total += POSSIBLE(&table[i]) ? table[i].weight : 0;
	chosen = below(random, total);
	for (size_t i = 0;; i++)
	{
		if (POSSIBLE(&table[i]) && (chosen -= table[i].weight) < 0)
			return &table[i];
	}
#undef POSSIBLE
}

/* An array of up to three, packed: 16 bits each, from the lowest. Seldom one of them is there twice. */
static int64_t
choose_pools(uint64_t *random, PoolKind kind, int first)
{
	static const int counts[] = {0, 1, 1, 1, 1, 2, 2, 3};
	int count = counts[below(random, (int) (sizeof(counts) / sizeof(counts[0])))];
	int64_t packed = 0;

	for (int i = 0; i < count; i++)
	{
		int64_t pool = FIRST_POOL + (first + below(random, pools_of(kind))) % pools_of(kind);
		bool twice = false;

		for (int64_t rest = packed; rest != 0; rest >>= 16)
			twice = twice || (rest & 0xFFFF) == pool;
		if (!twice || percent(random, 5))
			packed = (int64_t) ((uint64_t) packed << 16 | (uint64_t) pool);
	}
	return packed;
}

/* For an array of so many; seldom for one more. */
static int64_t
choose_credits(uint64_t *random, int count)
{
	static const int tenths[] = {10, 20, 20, 30, 40, 25, 5, 45, NO_CREDITS};
	int64_t packed = 0;

	if (count < PLAN_POOLS && percent(random, 3))
		count++;
	for (int i = 0; i < count; i++)
		packed = (int64_t) ((uint64_t) packed << 16 |
							(uint64_t)
								tenths[below(random, (int) (sizeof(tenths) / sizeof(tenths[0])))]);
	return packed;
}

/* What is in such an array; how many they are. */
int
plan_pools(int64_t argument, int64_t *pools)
{
	int count = 0;

	for (; argument != 0; argument >>= 16)
		pools[count++] = argument & 0xFFFF;
	return count;
}

static int64_t
choose_argument(uint64_t *random, const Operation *operation, Argument what, int pool,
				int64_t before)
{
	int64_t pools[PLAN_POOLS];
	int capacity = pools_capacity(operation->kind, pool);

	switch (what)
	{
		case PERSON:
			return FIRST_PERSON + crowded(random, HOT_PEOPLE, PEOPLE);
		case POOL:
			return FIRST_POOL + pool;
		case OTHER_POOL:
			/* Pairs of sections have to do with each other. */
			return FIRST_POOL +
				   (percent(random, 30) ? pool ^ 1 : below(random, pools_of(operation->kind)));
		case POOLS:
			return choose_pools(random, operation->kind, pool);
		case CREDITS:
			return 5 * below(random, 10);
		case CREDITS_OF_POOLS:
			return choose_credits(random, plan_pools(before, pools));
		case QUANTITY:
			return 1 + below(random, 3);
		case ROWS:
			return percent(random, 50) ? 1 : 100;
		case CAPACITY:
			return capacity / 2 + below(random, capacity + 1);
		case CLAIM:
		case NOTHING:
			break;
	}
	return 0;
}

static Step *
add_step(Transaction *transaction, const Operation *operation)
{
	Step *step = &transaction->steps[transaction->count++];

	memset(step, 0, sizeof(*step));
	step->operation = operation;
	step->slot = -1;
	return step;
}

/* Adds a call, with arguments from that source. */
static Step *
add_call(Transaction *transaction, uint64_t *random, const Operation *operation)
{
	Step *step = add_step(transaction, operation);
	int count = pools_of(operation->kind);
	int pool = operation->often_last && percent(random, 50) ? count - 1 : crowded(random, 1, count);
	int slot = below(random, SLOTS);

	for (int i = 0; i < PLAN_ARGUMENTS; i++)
	{
		Argument what = operation->arguments[i];

		step->arguments[i] =
			choose_argument(random, operation, what, pool, i > 0 ? step->arguments[i - 1] : 0);
		if (what == CLAIM || operation->makes)
			step->slot = slot;
	}
	return step;
}

static void
add_random_call(Planner *planner, Transaction *transaction)
{
	uint64_t *random = &planner->random;
	Step *step;

	if (transaction->keyed)
	{
		int64_t key = ++planner->keys;
		uint64_t shared =
			seeded(planner->seed, UINT64_C(1000) + planner->connection / 2, (uint64_t) key);
		const Operation *operation = choose(&shared, operations, OPERATIONS, planner->kinds, true);

		/* Something else under the same key. */
		if (planner->connection % 2 == 1 && percent(&shared, 5))
			(void) next(&shared);
		step = add_call(transaction, &shared, operation);
		step->key = key;
	}
	else
		step = add_call(transaction, random,
						choose(random, operations, OPERATIONS, planner->kinds, false));
	step->trying = step->operation->sql == NULL && percent(random, 60);
}

/* A block: calls, savepoints, and what becomes of them. */
static void
add_block(Planner *planner, Transaction *transaction)
{
	uint64_t *random = &planner->random;
	int level = 0;

	(void) add_step(transaction, choose(random, begins, 3, ~0U, false));
	for (int calls = 1 + below(random, 4); calls > 0; calls--)
	{
		if (level < LEVELS && percent(random, 40))
		{
			add_step(transaction, &savepoints[level])->level = level + 1;
			level++;
		}
		add_random_call(planner, transaction);
		if (percent(random, 40))
			transaction->steps[transaction->count - 1].pause = below(random, 8000);
		if (level > 0 && percent(random, 30))
			add_step(transaction, &rollbacks[level - 1])->level = level;
		if (level > 0 && percent(random, 30))
		{
			add_step(transaction, &releases[level - 1])->level = level;
			level--;
		}
	}
	add_step(transaction, choose(random, ends, 2, ~0U, false))->pause =
		percent(random, 40) ? below(random, 8000) : 0;
}

/* The next transaction of a connection. */
void
plan_transaction(Planner *planner, Transaction *transaction)
{
	uint64_t *random = &planner->random;

	transaction->count = 0;
	transaction->keyed = percent(random, 35);
	if (percent(random, 60))
		add_random_call(planner, transaction);
	else
		add_block(planner, transaction);
}

/* A section that was cancelled is opened again, if that is committed, and soon. */
static const Operation *
choose_administration(Planner *planner)
{
	if (planner->cancelled != 0 && percent(&planner->random, 40))
		return &open_section;
	return choose(&planner->random, administration, ADMINISTRATION, planner->kinds, false);
}

/* The next change of a capacity, or the like, in a block that ends one way or the other. */
void
plan_administration(Planner *planner, Transaction *transaction)
{
	uint64_t *random = &planner->random;
	const Operation *operation = choose_administration(planner);
	const Operation *end = choose(random, ends, 2, ~0U, false);
	Step *step;

	transaction->count = 0;
	transaction->keyed = false;
	add_step(transaction, &begins[0])->pause = below(random, 40000);
	step = add_call(transaction, random, operation);
	if (operation == &open_section)
		step->arguments[0] = planner->cancelled;
	if (strcmp(end->name, "commit") == 0 && operation == &open_section)
		planner->cancelled = 0;
	else if (strcmp(operation->name, "cancel_section") == 0)
		planner->cancelled = step->arguments[0];
	add_step(transaction, end)->pause = below(random, 3000);
}

/* What is done once at the end. */
const Operation *
plan_pass_on(void)
{
	for (size_t i = 0;; i++)
	{
		if (strcmp(operations[i].name, "pass_waitlists") == 0)
			return &operations[i];
	}
}

void
plan_init(Planner *planner, uint64_t seed, int connection, unsigned wanted)
{
	planner->seed = seed;
	planner->random = seeded(seed, (uint64_t) connection, 0);
	planner->connection = connection;
	planner->kinds = wanted;
	planner->keys = 0;
	planner->cancelled = 0;
}

/* What a profile is about: all kinds, or the one that it names. 0: nothing. */
unsigned
plan_profile(const char *name)
{
	if (strcmp(name, "all") == 0)
		return (1U << POOL_KINDS) - 1;
	for (int kind = 0; kind < POOL_KINDS; kind++)
	{
		if (strcmp(name, pools_name((PoolKind) kind)) == 0)
			return 1U << kind;
	}
	return 0;
}
