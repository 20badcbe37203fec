# Logical replication by a real apply worker, in the middle of claims: no trigger
# fires on the subscriber, so its counts in shared memory are not told, nor are its
# identities moved; verify() sees the one, and the way over to it that
# docs/operation.md describes mends both.
# FCFS_SEED chooses another load.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('replicated', streaming => 'logical');
my $load = start_load($node, connections => 4);
wait_for_claims($node, 30);
open_coupon($node, $_, 5) for 998, 999;

# Two databases of one server: then the slot must be there before.
$node->safe_psql('postgres', 'CREATE DATABASE subscriber');
$node->safe_psql('subscriber', 'CREATE EXTENSION pg_fcfs CASCADE');
$node->safe_psql('postgres', "CREATE PUBLICATION fcfs FOR TABLES IN SCHEMA fcfs; SELECT pg_create_logical_replication_slot('fcfs', 'pgoutput')");
$node->safe_psql('subscriber',
	"CREATE SUBSCRIPTION fcfs CONNECTION 'host=${\$node->host} port=${\$node->port} dbname=postgres' PUBLICATION fcfs WITH (create_slot = false)");
$node->wait_for_subscription_sync($node, 'fcfs', 'subscriber');

# The subscriber counts its pools, and then more claims arrive.
my ($identities, $reload) = documented('operation.md', 'Logical replication');
$node->safe_psql('subscriber', <<"END");
BEGIN;
LOCK TABLE fcfs.enrollment, fcfs.reservation, fcfs.reservation_line, fcfs.coupon_issue IN SHARE ROW EXCLUSIVE MODE;
SELECT setval(sequence, 1000000) FROM unnest('{fcfs.enrollment_id_seq,fcfs.reservation_id_seq,fcfs.reservation_line_id_seq,fcfs.coupon_issue_id_seq}'::regclass[]) AS sequence;
SELECT count(*) FROM fcfs.section, LATERAL (SELECT id FROM fcfs.student ORDER BY id LIMIT 20) AS s, fcfs.try_enroll(s.id, section.id);
SELECT count(*) FROM fcfs.item, fcfs.try_reserve(1, item.id);
SELECT count(*) FROM fcfs.coupon, fcfs.try_issue_coupon(coupon.id, 1);
ROLLBACK;
END
wait_for_claims($node, 30, 'subscriber');
stop_load($load);
history_holds($load, 'publisher');
nothing_left($node, 'publisher');
$node->wait_for_catchup('fcfs');
is(state_of($node, 'subscriber', 1), state_of($node, 'postgres', 1), 'the subscriber has what the publisher has');
# Neither a definition that changes nor a number that was given out is told either.
$node->safe_psql('postgres', <<'END');
UPDATE fcfs.coupon SET quota = 6, opens_at = '2000-01-01', closes_at = '2001-01-01' WHERE id = 999;
SELECT fcfs.issue_coupon(998, user_id) FROM generate_series(1, 2) AS user_id;
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE coupon_id = 998;
END
$node->wait_for_catchup('fcfs');
my @seen = split /\n/, $node->safe_psql('subscriber', 'SELECT rule, kind, id, detail FROM fcfs.verify()');
if (preloaded())
{
	cmp_ok(scalar(grep { /^escrow_differs\|/ } @seen), '>', 2, 'subscriber: verify() sees claims that were not counted');
	is(scalar(grep { /coupon\|999\|the escrow has capacity 5, the table 6/ } @seen), 1, '... and a capacity');
	is(scalar(grep { /coupon\|998\|the escrow would go on above arrival 1, the table has 2/ } @seen), 1, '... and an arrival number');
}
else
{
	is(scalar(grep { !/^overdue_hold/ } @seen), 0, 'subscriber: nothing is counted in advance');
}

# The way over to the subscriber.
$node->safe_psql('subscriber', 'DROP SUBSCRIPTION fcfs');
$node->safe_psql('subscriber', $node->safe_psql('postgres', $identities));
is(state_of($node, 'subscriber'), state_of($node, 'postgres'), 'switched over: identities are where those of the publisher are');
$node->safe_psql('subscriber', $reload);
history_holds($load, 'switched over', database => 'subscriber');
nothing_left($node, 'switched over', 'subscriber');
is($node->safe_psql('subscriber', 'SELECT arrival FROM fcfs.issue_coupon(998, 3)'), 3, 'switched over: arrival numbers go on above the highest');
is($node->safe_psql('subscriber', 'SELECT code FROM fcfs.try_issue_coupon(999, 1)'), 'COUPON_CLOSED', 'switched over: definitions are as they came');
$load = start_load($node, database => 'subscriber', connections => 4);
wait_for_claims($node, 30, 'subscriber');
stop_load($load);
history_holds($load, 'switched over, in use', database => 'subscriber');
nothing_left($node, 'switched over, in use', 'subscriber');
goes_on($node, 'switched over, in use', 'subscriber');

$node->stop;
done_testing();
