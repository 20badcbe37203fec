/*
 * pools.c
 *
 * The pools and the people of the load. A new kind of pool joins by a line in the
 * table of kinds, and its definitions.
 */
#include "pools.h"

typedef struct Kind
{
	const char *name;
	int capacities[11]; /* of the pools FIRST_POOL, FIRST_POOL + 1, …; 0 ends them */
	const char *setup;
} Kind;

/*
 * Few pools and few people, so that pools are sold out most of the time and
 * every rule about people is met. Capacities move around those given here.
 * What is the load's has a code that begins with "load".
 */
static const Kind kinds[POOL_KINDS] = {
	{"section",
	 {8, 8, 6, 8, 3, 10, 5, 5, 4, 4},
	 /* 101 and 102 are of one course; 101 and 103, and 104 and 105, overlap; 107 and 108 share
	  * seats. Some of 104 are reserved for every third person. For 106 most have what they must
	  * have taken before; 108 is taken with 104. 109 and 110 are of a term that opens to every
	  * third person, shuts and opens again; opens to others and shuts for good; and is open to
	  * all for two seconds; the credits of 110 vary. Some are let pass over a rule. */
	 "INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on,"
	 " max_credits, min_credits) VALUES (901, 'load', '2000-01-01', '2100-01-01', '2099-02-02',"
	 " '2099-05-01', 10, 2), (902, 'load 2', '2000-01-01', '2100-01-01', '2099-06-02', "
	 "'2099-09-01', 4,"
	 " NULL);"
	 "INSERT INTO fcfs.course (id, code, credits)"
	 " SELECT 900 + g, 'load ' || g, 2 + g % 3 FROM generate_series(1, 10) g;"
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
	 " (107, 901, 906, 'load A', 5, false, 2, 901), (108, 901, 907, 'load A', 5, false, 3, 901),"
	 " (109, 902, 909, 'load A', 4, false, 2, NULL), (110, 902, 910, 'load A', 4, false, 3, NULL);"
	 "UPDATE fcfs.section SET min_credits = 1, max_credits = 4 WHERE id = 110;"
	 "INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at) VALUES"
	 " (101, 1, '09:00', '10:30'), (102, 2, '09:00', '10:30'), (103, 1, '10:00', '11:00'),"
	 " (104, 3, '09:00', '10:30'), (105, 3, '10:29', '12:00'), (106, 4, '09:00', '10:30'),"
	 " (107, 5, '09:00', '10:30'), (108, 2, '12:00', '13:30');"
	 "INSERT INTO fcfs.student_group (id, code) VALUES (901, 'load 1'), (902, 'load 2');"
	 "INSERT INTO fcfs.student_group_member (student_id, student_group_id)"
	 " SELECT id, 901 + id % 3 FROM fcfs.student WHERE id BETWEEN 9001 AND 9024 AND id % 3 < 2;"
	 "INSERT INTO fcfs.enrollment_wave (term_id, student_group_id, opens_at, closes_at) VALUES"
	 " (902, 901, now(), now() + interval '3 s'), (902, 901, now() + interval '6 s', '2100-01-01'),"
	 " (902, 902, now() + interval '1 s', now() + interval '10 s'),"
	 " (902, NULL, now() + interval '12 s', now() + interval '14 s');"
	 "INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats)"
	 " VALUES (901, 104, 901, 3);"
	 /* Released while they are wanted. */
	 "INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats, release_at)"
	 " VALUES (902, 101, 902, 2, now() + interval '3 s');"
	 "INSERT INTO fcfs.permission_override (student_id, section_id, rule, granted_by, reason)"
	 " SELECT person, section, rule, 'load', 'load' FROM (VALUES (9001, 105, 'capacity'),"
	 " (9002, 103, 'conflict'), (9003, 106, 'credits'), (9005, 106, 'prerequisite'),"
	 " (9006, 107, 'capacity'), (9007, 101, 'conflict'), (9008, 108, 'prerequisite'),"
	 " (9005, 109, 'window'), (9002, 110, 'window'))"
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

const char *const pools_setup_people =
	"INSERT INTO fcfs.student (id) SELECT generate_series(9001, 9024)";

/* What every log begins with. */
const char *const pools_capacities =
	"SELECT 'section', id, capacity FROM fcfs.section WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'line', id, waitlist_capacity FROM fcfs.section WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'open', id, (cancelled_at IS NULL)::integer FROM fcfs.section"
	" WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'reserved_seats', r.id, r.capacity FROM fcfs.reserved_seats r"
	" JOIN fcfs.section s ON s.id = section_id WHERE s.code LIKE 'load%'"
	" UNION ALL SELECT 'cross_list', id, capacity FROM fcfs.cross_list WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'item', id, stock FROM fcfs.item WHERE code LIKE 'load%'"
	" UNION ALL SELECT 'coupon', id, quota FROM fcfs.coupon WHERE code LIKE 'load%' ORDER BY 1, 2";

/* How many there are of a kind. */
int
pools_of(PoolKind kind)
{
	int count = 0;

	while (kinds[kind].capacities[count] > 0)
		count++;
	return count;
}

int
pools_capacity(PoolKind kind, int pool)
{
	return kinds[kind].capacities[pool];
}

const char *
pools_name(PoolKind kind)
{
	return kinds[kind].name;
}

const char *
pools_setup(PoolKind kind)
{
	return kinds[kind].setup;
}
