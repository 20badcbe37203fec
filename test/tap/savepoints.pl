# 100,000 savepoints in one transaction, taken and rolled back or kept: the memory
# of the session does not grow with them, and the count is exact.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('savepoints');
open_coupon($node, $_, 1_000_000) for 1 .. 2;
$node->safe_psql('postgres', 'INSERT INTO fcfs.item (id, code, stock) VALUES (1, \'I\', 1000)');
$node->safe_psql('postgres', 'CREATE SEQUENCE u START 1000 CACHE 1000');
my $session = session($node);

sub loop
{
	my ($times, $body, $rolled_back) = @_;
	my $end = $rolled_back ? 'RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL;' : 'EXCEPTION WHEN division_by_zero THEN NULL;';
	$session->query_safe("DO \$\$ BEGIN FOR i IN 1 .. $times LOOP BEGIN $body; $end END; END LOOP; END \$\$");
}

# From the 10,000th to the 110,000th, by less than 4 bytes a savepoint; the server
# itself keeps the numbers of those that are kept, 4 bytes each and some room.
sub flat
{
	my ($what, $body, $rolled_back) = @_;
	my $bytes = $rolled_back ? 4 : 8;
	$session->query_safe('BEGIN');
	stays_flat($session, "savepoints, $what", $bytes, 10_000, 100_000, sub { loop($_[0], $body, $rolled_back) });
}

flat('each with a claim, rolled back', 'PERFORM fcfs.issue_coupon(1, 1)', 1);
is($session->query_safe('SELECT count(*) FROM fcfs.coupon_issue'), 0, 'nothing is left of them in the transaction');
is($session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 1)'), 'OK', 'a claim after them');
$session->query_safe('COMMIT');
nothing_left($node, 'savepoints rolled back');

# By raw SQL, since the locks of so many persons are more than the server keeps.
flat('each with a claim, kept', "INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, nextval('u'))", 0);
$session->query_safe('COMMIT');
nothing_left($node, 'savepoints kept');

$session->query_safe('BEGIN');
$session->query_safe('SELECT fcfs.issue_coupon(2, 1)');
$session->query_safe("SAVEPOINT s$_; SELECT fcfs.issue_coupon(2, 1 + $_)") for 1 .. 200;
$session->query_safe('ROLLBACK TO s101');
$session->query_safe('RELEASE s51');
$session->query_safe('ROLLBACK TO s21');
$session->query_safe('COMMIT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = 2'), 21, '200 nested savepoints, rolled back in part');
nothing_left($node, 'nested savepoints');
is($node->safe_psql('postgres', 'UPDATE fcfs.coupon SET quota = 23 WHERE id = 2; SELECT code, count(*) FROM generate_series(1001, 1005) u, fcfs.try_issue_coupon(2, u) GROUP BY 1 ORDER BY 1'),
	"COUPON_EXHAUSTED|3\nOK|2", 'what is left after them is exact');

$session->quit;
$node->stop;
done_testing();
