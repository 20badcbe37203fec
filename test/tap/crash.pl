# Restart, immediate stop and crash, in the middle of claims: no acknowledged claim
# is lost, no unit is missing, and arrival numbers go on above the highest.
use strict;
use warnings;
use Fcfs;
use Test::More;
use Time::HiRes qw(usleep);

use constant PLENTY => 10_000_000;

my $node = new_server('crash', conf => "restart_after_crash = on\n");
my $round = 0;
my (%sure, %unsure);

sub under_load
{
	my ($fault, $cause) = @_;
	$round++;
	my $load = start_pgbench($node, "load$round", 8, 100_000 * $round);
	my $before = keys %sure;
	$node->poll_query_until('postgres', "SELECT count(*) > $before + 300 FROM fcfs.coupon_issue") or die "no load\n";
	$cause->();
	my ($sure, $unsure) = acknowledged($load);
	@sure{@$sure} = ();
	@unsure{@$unsure} = ();
	$node->poll_query_until('postgres', 'SELECT true') or die "the server does not come back\n";
	cmp_ok(@$sure, '>', 200, "$fault: it came in the middle of claims");
	nothing_lost($fault);
	goes_on($fault);
}

sub nothing_lost
{
	my ($fault) = @_;
	my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT user_id FROM fcfs.coupon_issue');
	is(join(' ', grep { !$there{$_} } keys %sure), '', "$fault: every acknowledged claim is there");
	is(join(' ', grep { !exists $sure{$_} && !exists $unsure{$_} } keys %there), '', "$fault: nothing else is");
	nothing_left($node, $fault);
}

sub goes_on
{
	my ($fault) = @_;
	my $first = 90_000_000 + 100 * $round;
	my $highest = $node->safe_psql('postgres', 'SELECT max(arrival) FROM fcfs.coupon_issue');
	$node->safe_psql('postgres', 'UPDATE fcfs.coupon SET quota = (SELECT count(*) + 5 FROM fcfs.coupon_issue)');
	my $codes = $node->safe_psql('postgres',
		"SELECT code, count(*) FROM generate_series(1, 8) u, fcfs.try_issue_coupon(1, $first + u) GROUP BY 1 ORDER BY 1");
	is($codes, "COUPON_EXHAUSTED|3\nOK|5", "$fault: what is left is served, and no more");
	is($node->safe_psql('postgres', "SELECT count(DISTINCT arrival) FROM fcfs.coupon_issue WHERE arrival > $highest"),
		5, "$fault: arrival numbers go on above the highest");
	@sure{ map { $first + $_ } 1 .. 5 } = ();
	$node->safe_psql('postgres', 'UPDATE fcfs.coupon SET quota = ' . PLENTY);
}

sub kill_a_backend
{
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT id FROM fcfs.issue_coupon%' ORDER BY state <> 'active', random() LIMIT 1");
	kill KILL => $pid or die "no backend to kill\n";
}

# The server's children notice that it is gone, but not at once.
sub start_again
{
	for (1 .. 100)
	{
		return if $node->start(fail_ok => 1);
		usleep 100_000;
		$node->stop('fast', fail_ok => 1);
	}
	die "the server does not start\n";
}

open_coupon($node, 1, PLENTY);
$node->safe_psql('postgres', "INSERT INTO fcfs.item (id, code, stock) VALUES (1, 'I', 5)");
$node->safe_psql('postgres', 'SELECT count(*) FROM generate_series(1, 3) c, fcfs.try_reserve(c, 1)');

under_load('fast stop', sub { $node->stop('fast'); $node->start });
under_load('immediate stop', sub { $node->stop('immediate'); $node->start });
under_load("SIGKILL of a backend, round $_", \&kill_a_backend) for 1 .. 3;
under_load('SIGKILL of the server', sub { $node->kill9; start_again() });

is($node->safe_psql('postgres', 'SELECT code, count(*) FROM generate_series(11, 20) c, fcfs.try_reserve(c, 1) GROUP BY 1 ORDER BY 1'),
	"OK|2\nOUT_OF_STOCK|8", 'what was reserved before it all is still reserved');
nothing_left($node, 'in the end');
$node->stop;
done_testing();
