/*
 * plan.c
 *
 * The pools, the people and the operations of the load, and the choice among
 * them. Everything is chosen from the seed and the number of the connection,
 * never from an answer: the same seed makes the same sequence of calls in each
 * connection, whatever the server says and however fast it is.
 *
 * Connections come in pairs. Calls with an idempotency key are drawn from a
 * sequence that the two share, so that both make the same call under the same
 * key: one is first, the other gets its answer, whether it comes later or at
 * the same moment. Now and then one of them asks for something else under it.
 *
 * A new function joins by a line in the table of operations; a new kind of pool
 * by a line in the table of kinds, and its definitions.
 */
#include <assert.h>
#include <string.h>

#include "plan.h"

#define PEOPLE 24
#define HOT_PEOPLE 5
#define FIRST_PERSON 9001
#define FIRST_POOL 101

/* The pools ------------------------------------------------------------------- */

typedef struct Kind
{
	const char *name;
	int capacities[9]; /* of the pools FIRST_POOL, FIRST_POOL + 1, …; 0 ends them */
	const char *setup;
} Kind;

/*
 * Few pools and few people, so that pools are sold out most of the time and
 * every rule about people is met. Capacities move around those given here.
 * What is the load's has a code that begins with "load".
 */
static const Kind kinds[POOL_KINDS] = {
	{"section",
	 {8, 8, 6, 8, 3, 10, 5, 5},
	 /* 101 and 102 are of one course; 101 and 103, and 104 and 105, overlap; 107 and 108 share
	  * seats. Some of 104 are reserved for every third person. For 106 most have what they must
	  * have taken before; 108 is taken with 104. Some are let pass over a rule. */
	 "INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on,"
	 " max_credits, min_credits) VALUES (901, 'load', '2000-01-01', '2100-01-01', '2099-02-02',"
	 " '2099-05-01', 10, 2);"
	 "INSERT INTO fcfs.course (id, code, credits)"
	 " SELECT 900 + g, 'load ' || g, 2 + g % 3 FROM generate_series(1, 8) g;"
	 "INSERT INTO fcfs.prerequisite (course_id, required_course_id, min_points, concurrent) VALUES"
	 " (905, 908, 2, false), (907, 903, NULL, true);"
	 "INSERT INTO fcfs.grade (student_id, course_id, term_id, points)"
	 " SELECT id, 908, 901, id % 5 FROM fcfs.student WHERE id BETWEEN 9001 AND 9024;"
	 "INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (901, 'load', 7);"
	 "INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, strict_order,"
	 " waitlist_capacity, cross_list_id) VALUES"
	 " (101, 901, 901, 'load A', 8, false, 4, NULL), (102, 901, 901, 'load B', 8, false, 0, NULL),"
	 " (103, 901, 902, 'load A', 6, true, 2, NULL), (104, 901, 903, 'load A', 8, false, 3, NULL),"
	 " (105, 901, 904, 'load A', 3, false, 5, NULL), (106, 901, 905, 'load A', 10, true, 0, NULL),"
	 " (107, 901, 906, 'load A', 5, false, 2, 901), (108, 901, 907, 'load A', 5, false, 3, 901);"
	 "INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES"
	 " (101, 1, '09:00', '10:30'), (102, 2, '09:00', '10:30'), (103, 1, '10:00', '11:00'),"
	 " (104, 3, '09:00', '10:30'), (105, 3, '10:29', '12:00'), (106, 4, '09:00', '10:30'),"
	 " (107, 5, '09:00', '10:30'), (108, 2, '12:00', '13:30');"
	 "INSERT INTO fcfs.student_group (id, code) VALUES (901, 'load');"
	 "INSERT INTO fcfs.student_group_member (student_id, student_group_id)"
	 " SELECT id, 901 FROM fcfs.student WHERE id BETWEEN 9001 AND 9024 AND id % 3 = 0;"
	 "INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats)"
	 " VALUES (901, 104, 901, 3);"
	 "INSERT INTO fcfs.permission_override (student_id, section_id, rule, granted_by, reason)"
	 " SELECT person, section, rule, 'load', 'load' FROM (VALUES (9001, 105, 'capacity'),"
	 " (9002, 103, 'conflict'), (9003, 106, 'credits'), (9005, 106, 'prerequisite'),"
	 " (9006, 107, 'capacity'), (9007, 101, 'conflict'), (9008, 108, 'prerequisite'))"
	 " o (person, section, rule);"},
	{"item",
	 {20, 12, 10},
	 /* Two of an event with a limit for each customer, one of a shop. */
	 "INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, hold_for, max_per_customer)"
	 " VALUES (901, 'load', '2000-01-01', '2100-01-01', '150 ms', 5);"
	 "INSERT INTO fcfs.item (id, event_id, code, stock, strict_order) VALUES"
	 " (101, 901, 'load 1', 20, false), (102, 901, 'load 2', 12, true), (103, NULL, 'load 3', 10, "
	 "false);"},
	{"coupon",
	 {20, 12, 15, 6, 9},
	 "INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, strict_order, opens_at, closes_at)"
	 " VALUES (101, 'load 1', 20, 1, false, '2000-01-01', '2100-01-01'),"
	 " (102, 'load 2', 12, 2, false, '2000-01-01', '2100-01-01'),"
	 " (103, 'load 3', 15, 1, true, '2000-01-01', '2100-01-01'),"
	 " (104, 'load 4', 6, 3, false, '2000-01-01', '2100-01-01'),"
	 /* It opens and closes while it is wanted. */
	 " (105, 'load 5', 9, 1, false, now() + interval '1 s', now() + interval '4 s');"},
};

const char *const plan_setup_people = "INSERT INTO fcfs.student (id) SELECT generate_series(9001, "
									  "9024)";

/* What every log begins with. */
const char *const plan_capacities =
	"SELECT 'section', id, capacity - coalesce((SELECT sum(capacity) FROM fcfs.reserved_seats"
	" WHERE section_id = s.id), 0) FROM fcfs.section s WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'line', id, waitlist_capacity FROM fcfs.section WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'reserved_seats', r.id, r.capacity FROM fcfs.reserved_seats r"
	" JOIN fcfs.section s ON s.id = section_id WHERE s.code LIKE 'load%'"
	" UNION ALL SELECT 'cross_list', id, capacity FROM fcfs.cross_list WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'item', id, stock FROM fcfs.item WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'coupon', id, quota FROM fcfs.coupon WHERE code LIKE 'load%' ORDER BY 1, 2";

/* The operations --------------------------------------------------------------- */

/* clang-format off */
static const Operation operations[] = {
	{.kind = SECTION, .weight = 10, .name = "enroll", .arguments = {PERSON, POOL}, .makes = true},
	{.kind = SECTION, .weight = 8, .name = "cancel_enrollment", .arguments = {PERSON, POOL}},
	{.kind = SECTION, .weight = 8, .name = "swap_enrollment",
	 .arguments = {PERSON, OTHER_POOL, POOL}, .makes = true},
	{.kind = SECTION, .weight = 6, .name = "change_schedule",
	 .arguments = {PERSON, POOLS, POOLS}, .unnamed = true},
	{.kind = SECTION, .weight = 8, .name = "join_waitlist", .arguments = {PERSON, POOL},
	 .makes = true, .says_status = true, .unnamed = true},
	{.kind = SECTION, .weight = 3, .name = "join_waitlist_to_swap", .function = "join_waitlist",
	 .arguments = {PERSON, POOL, OTHER_POOL}, .optional = "swap_from_section_id", .makes = true, .says_status = true,
	 .unnamed = true},
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
static const Operation set_capacity[POOL_KINDS] = {
	{.kind = SECTION, .weight = 1, .name = "set_section_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.section SET capacity = $2 WHERE id = $1 RETURNING 'OK', id"},
	{.kind = ITEM, .weight = 1, .name = "set_item_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.item SET stock = $2 WHERE id = $1 RETURNING 'OK', id"},
	{.kind = COUPON, .weight = 1, .name = "set_coupon_capacity", .arguments = {POOL, CAPACITY},
	 .sql = "UPDATE fcfs.coupon SET quota = $2 WHERE id = $1 RETURNING 'OK', id"},
};
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

/* Beside the bits of the kinds: only operations whose rows can be told. */
#define NAMED (1U << POOL_KINDS)

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

static int
pools_of(PoolKind kind)
{
	int count = 0;

	while (kinds[kind].capacities[count] > 0)
		count++;
	return count;
}

/* One of a table, by weight; of the kinds wanted, and, if with_key, one that takes a key. */
static const Operation *
choose(uint64_t *random, const Operation *table, size_t size, unsigned wanted, bool with_key)
{
	int total = 0;
	int chosen;

#define POSSIBLE(o) \
	((wanted & (1U << (o)->kind)) && !(with_key && (o)->sql) && !((wanted & NAMED) && (o)->unnamed))
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
choose_argument(uint64_t *random, const Operation *operation, Argument what, int pool)
{
	int capacity = kinds[operation->kind].capacities[pool];

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
	int pool = crowded(random, 1, pools_of(operation->kind));
	int slot = below(random, SLOTS);

	for (int i = 0; i < PLAN_ARGUMENTS; i++)
	{
		Argument what = operation->arguments[i];

		step->arguments[i] = choose_argument(random, operation, what, pool);
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

/* The next change of a capacity, in a block that ends one way or the other. */
void
plan_administration(Planner *planner, Transaction *transaction)
{
	uint64_t *random = &planner->random;
	const Operation *operation = choose(random, set_capacity, POOL_KINDS, planner->kinds, false);

	transaction->count = 0;
	transaction->keyed = false;
	add_step(transaction, &begins[0])->pause = below(random, 40000);
	(void) add_call(transaction, random, operation);
	add_step(transaction, choose(random, ends, 2, ~0U, false))->pause = below(random, 3000);
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
}

/* What a profile is about: all kinds, the one that it names, or what is named. 0: nothing. */
unsigned
plan_profile(const char *name)
{
	if (strcmp(name, "all") == 0)
		return (1U << POOL_KINDS) - 1;
	if (strcmp(name, "named") == 0)
		return ((1U << POOL_KINDS) - 1) | NAMED;
	for (int kind = 0; kind < POOL_KINDS; kind++)
	{
		if (strcmp(name, kinds[kind].name) == 0)
			return 1U << kind;
	}
	return 0;
}

const char *
plan_kind_name(PoolKind kind)
{
	return kinds[kind].name;
}

const char *
plan_setup(PoolKind kind)
{
	return kinds[kind].setup;
}
