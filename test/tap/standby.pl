# A standby serves reads and refuses writes cleanly; promoted, it goes on exactly
# where the primary was, with claims that were never counted on it before.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = new_server('primary', streaming => 1);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

$primary->safe_psql('postgres', world());
$primary->wait_for_catchup($standby);

is(state_of($standby, 'postgres', 1), state_of($primary, 'postgres', 1), 'the standby has what the primary has');
is($standby->safe_psql('postgres', 'SELECT * FROM fcfs.verify()'), '', 'verify() runs on the standby and is empty');
is($standby->safe_psql('postgres', 'SELECT count(*) > 0 FROM fcfs.refusals()'), 't', 'refusals() runs on the standby');
$standby->safe_psql('postgres', "SELECT * FROM fcfs.$_") for qw(stat_pools health());
my @writes = (
	'fcfs.enroll(40, 1)', 'fcfs.try_enroll(40, 1)', 'fcfs.try_enroll(40, 2)', 'fcfs.try_cancel_enrollment(7, 2)',
	'fcfs.try_reserve(40, 1)', 'fcfs.try_confirm_reservation(8)', 'fcfs.try_cancel_reservation(8)',
	'fcfs.try_issue_coupon(2, 40)', 'fcfs.issue_coupon(1, 40)', "fcfs.try_issue_coupon(2, 40, 'key')",
	'fcfs.expire_reservations()', 'fcfs.release_reserved_seats()', 'fcfs.expire_idempotency_keys()', "fcfs.person_id('new')",
	"fcfs.call('issue_coupon', '{\"coupon_id\": 2, \"user_id\": 40}')");
for my $write (@writes)
{
	is(sqlstate($standby, "SELECT * FROM $write"), '25006', "standby: $write is refused as read-only");
	is(sqlstate($primary, "BEGIN READ ONLY; SELECT * FROM $write"), '25006', "read-only transaction: $write is refused");
}
nothing_left($primary, 'the primary');
nothing_left($standby, 'the standby');

$primary->safe_psql('postgres', 'UPDATE fcfs.coupon SET quota = 12 WHERE id = 1');
my $highest = $primary->safe_psql('postgres', 'SELECT max(arrival) FROM fcfs.coupon_issue WHERE coupon_id = 1');
my $count = $primary->safe_psql('postgres', "SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = 1 AND status <> 'revoked'");
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT code, count(*) FROM generate_series(101, 120) u, fcfs.try_issue_coupon(1, u) GROUP BY 1 ORDER BY 1'),
	'COUPON_EXHAUSTED|' . (8 + $count) . "\nOK|" . (12 - $count), 'promoted: exactly what is left is served');
is($standby->safe_psql('postgres', "SELECT count(DISTINCT arrival) FROM fcfs.coupon_issue WHERE coupon_id = 1 AND arrival > $highest"), 12 - $count,
	'promoted: arrival numbers go on above the highest');
is($standby->safe_psql('postgres', 'SELECT code FROM fcfs.try_enroll(40, 2)'), 'COURSE_FULL', 'promoted: full stays full');
nothing_left($standby, 'promoted');

$standby->stop;
done_testing();
