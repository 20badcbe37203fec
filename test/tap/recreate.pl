# DROP EXTENSION and CREATE EXTENSION, DROP DATABASE and CREATE DATABASE in a
# running server start clean: no count, no arrival number and no plan is left of
# what was there before under the same ids.
use strict;
use warnings;
use Fcfs;
use Test::More;

my $node = new_server('recreate');

# Sold out, with an arrival number of 3 given out.
sub sell_out
{
	my ($database) = @_;
	return $node->safe_psql($database, "INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 3, ${\ALWAYS});"
		. 'SELECT code, count(*) FROM generate_series(1, 5) u, fcfs.try_issue_coupon(1, u) GROUP BY 1 ORDER BY 1;'
		. 'SELECT max(arrival) FROM fcfs.coupon_issue');
}
my $sold_out = "COUPON_EXHAUSTED|2\nOK|3\n3";

is(sell_out('postgres'), $sold_out, 'before: sold out');
$node->safe_psql('postgres', 'DROP EXTENSION pg_fcfs; CREATE EXTENSION pg_fcfs');
is(sell_out('postgres'), $sold_out, 'DROP EXTENSION, CREATE EXTENSION: sells again');

# In one session, whose plans are of the old tables.
my $session = session($node);
is($session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 9)'), 'COUPON_EXHAUSTED', 'one session: sold out');
$session->query_safe('DROP EXTENSION pg_fcfs');
$session->query_safe('CREATE EXTENSION pg_fcfs');
$session->query_safe("INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 1, ${\ALWAYS})");
is($session->query_safe('SELECT code FROM generate_series(1, 2) u, fcfs.try_issue_coupon(1, u)'), "OK\nCOUPON_EXHAUSTED",
	'one session: sells again after DROP and CREATE');

# Pools that have their table in common with others: a line, reserved seats, a cross list.
my $seats = <<"END";
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES (1, 'T', ${\ALWAYS}, '2099-01-01', '2099-02-01');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C', 1);
INSERT INTO fcfs.cross_list (id, code, capacity) VALUES (1, 'X', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id) VALUES (1, 1, 1, 'A', 2, 1, 1);
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) VALUES (1, 1, 1, 1);
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status) VALUES (1, 1, 1, 'enrolled'), (2, 1, NULL, 'waitlisted');
SELECT kind, capacity, remaining FROM fcfs.stat_pools WHERE kind <> 'coupon' ORDER BY kind
END
my $counted = preloaded($node) ? "cross_list|1|0\nreserved_seats|1|0\nsection|1|1\nwaitlist|1|0" : '';
is($session->query_safe($seats), $counted, 'one session: seats and places are taken');
$session->query_safe('DROP EXTENSION pg_fcfs; CREATE EXTENSION pg_fcfs');
is($session->query_safe($seats), $counted, 'one session: and again after DROP and CREATE');
$session->query_safe("INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 1, ${\ALWAYS})");
$session->query_safe('SELECT fcfs.issue_coupon(1, 1)');

# All of it in one transaction that is rolled back.
$session->query_safe('BEGIN; DROP EXTENSION pg_fcfs; CREATE EXTENSION pg_fcfs');
$session->query_safe("INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 7, ${\ALWAYS})");
is($session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 1)'), 'OK', 'within a transaction: a new extension sells');
$session->query_safe('ROLLBACK');
is($session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 3)'), 'COUPON_EXHAUSTED', 'rolled back: the old one is still sold out');
nothing_left($node, 'after it');

# ALTER TABLE invalidates plans.
$session->query_safe('ALTER TABLE fcfs.coupon ADD note text; UPDATE fcfs.coupon SET quota = 2');
is($session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 3)'), 'OK', 'ALTER TABLE: plans are made anew');
$session->quit;

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_fcfs CASCADE');
is(sell_out('other'), $sold_out, 'another database: counts of its own');
$node->safe_psql('postgres', 'DROP DATABASE other');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_fcfs CASCADE');
is(sell_out('other'), $sold_out, 'DROP DATABASE, CREATE DATABASE: sells again');

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE other');
is($node->safe_psql('copy', 'UPDATE fcfs.coupon SET quota = 4; SELECT code FROM generate_series(11, 12) u, fcfs.try_issue_coupon(1, u)'),
	"OK\nCOUPON_EXHAUSTED", 'a copy of a database: its own count, of what was copied');
is($node->safe_psql('other', 'SELECT code FROM fcfs.try_issue_coupon(1, 11)'), 'COUPON_EXHAUSTED', 'the original: still sold out');
nothing_left($node, 'in the end', $_) for qw(postgres other copy);

$node->stop;
done_testing();
