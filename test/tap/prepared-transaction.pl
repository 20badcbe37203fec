# PREPARE TRANSACTION is refused where units are in flight, whoever took or gave
# them, leaves nothing behind, and is let through where no pool was touched.
use strict;
use warnings;
use Fcfs;
use Test::More;

my $node = new_server('prepared', conf => "max_prepared_transactions = 5\n");
open_coupon($node, 1, 2);
$node->safe_psql('postgres', 'SELECT fcfs.issue_coupon(1, 1)');

sub prepare
{
	my ($sql) = @_;
	my ($status, $out, $error) = $node->psql('postgres',
		"\\set VERBOSITY sqlstate\nBEGIN;\n$sql;\nPREPARE TRANSACTION 'p';\n");
	return $error =~ /ERROR:  (\w{5})/ ? $1 : 'prepared';
}

my %touching = (
	'a claim by function' => 'SELECT code FROM fcfs.try_issue_coupon(1, 2)',
	'a claim by raw INSERT' => 'INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 2)',
	'a claim given back' => 'DELETE FROM fcfs.coupon_issue WHERE user_id = 1',
	'a changed quota' => 'UPDATE fcfs.coupon SET quota = 5 WHERE id = 1',
	'truncated claims' => 'TRUNCATE fcfs.coupon_issue',
	'a deleted pool' => 'DELETE FROM fcfs.coupon_issue; DELETE FROM fcfs.coupon WHERE id = 1');
for my $what (sort keys %touching)
{
	is(prepare($touching{$what}), '0A000', "$what cannot be prepared");
	is($node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'), '', "$what: nothing is prepared");
	$node->psql('postgres', "ROLLBACK PREPARED 'p'");
}
nothing_left($node, 'after it');

is(prepare("CREATE TABLE t (a int)"), 'prepared', 'a transaction that touched no pool is prepared');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
is($node->safe_psql('postgres', 'SELECT code FROM generate_series(2, 3) u, fcfs.try_issue_coupon(1, u)'), "OK\nCOUPON_EXHAUSTED",
	'one unit was left, and one is served');
nothing_left($node, 'in the end');

$node->stop;
done_testing();
