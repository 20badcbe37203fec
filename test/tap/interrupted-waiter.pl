# Whoever waits for an uncertain unit, or holds it, is cancelled, terminated, or
# loses its client: nothing stays in flight, and the next in line is served.
use strict;
use warnings;
use Fcfs;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('interrupted');
my $coupon = 0;

# Holder, waiter and next on a new coupon with one unit: the first has it, the
# second waits for the first, the third stands behind the second.
sub three_in_line
{
	my ($strict) = @_;
	$coupon++;
	open_coupon($node, $coupon, $strict ? 9 : 1, $strict);
	my @line = map { session($node) } 1 .. 3;
	$line[0]->query_safe('BEGIN');
	$line[0]->query_safe("SELECT fcfs.issue_coupon($coupon, 1)");
	ask($line[1], "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
	wait_until_blocked($node, @line[ 1, 0 ]);
	ask($line[2], "SELECT code FROM fcfs.try_issue_coupon($coupon, 3)");
	wait_until_blocked($node, @line[ 2, 1 ]);
	return @line;
}

sub signal
{
	my ($how, $session) = @_;
	$node->safe_psql('postgres', "SELECT pg_${how}_backend($session->{pid})");
}

sub gone
{
	my ($session) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $session->{pid}") or die "it stays\n";
}

sub served
{
	my ($case, $users) = @_;
	is($node->safe_psql('postgres', "SELECT string_agg(user_id::text, ' ' ORDER BY user_id) FROM fcfs.coupon_issue WHERE coupon_id = $coupon"),
		$users, "$case: served are exactly $users");
	nothing_left($node, $case);
}

for my $strict (0, 1)
{
	my $pool = $strict ? 'strict pool' : 'last unit';

	my ($holder, $waiter, $next) = three_in_line($strict);
	signal('cancel', $waiter);
	like(answer($waiter), qr/ERROR:  57014/, "$pool, waiter cancelled: it hears of it");
	wait_until_blocked($node, $next, $holder);
	$holder->query_safe('ROLLBACK');
	is(answer($next), 'OK', "$pool, waiter cancelled: the next is served");
	is($waiter->query("SELECT code FROM fcfs.try_issue_coupon($coupon, 2)"), $strict ? 'OK' : 'COUPON_EXHAUSTED',
		"$pool, waiter cancelled: its session goes on");
	served("$pool, waiter cancelled", $strict ? '2 3' : '3');
	$_->quit for $holder, $waiter, $next;

	($holder, $waiter, $next) = three_in_line($strict);
	signal('terminate', $waiter);
	gone($waiter);
	wait_until_blocked($node, $next, $holder);
	$holder->query_safe('ROLLBACK');
	is(answer($next), 'OK', "$pool, waiter terminated: the next is served");
	served("$pool, waiter terminated", '3');
	$_->quit for $holder, $next;

	($holder, $waiter, $next) = three_in_line($strict);
	signal('terminate', $holder);
	gone($holder);
	is(answer($waiter), 'OK', "$pool, holder terminated: the first in line is served");
	is(answer($next), $strict ? 'OK' : 'COUPON_EXHAUSTED', "$pool, holder terminated: the next after it");
	served("$pool, holder terminated", $strict ? '2 3' : '2');
	$_->quit for $waiter, $next;

	($holder, $waiter, $next) = three_in_line($strict);
	$holder->{run}->signal('KILL');
	eval { $holder->{run}->finish };
	is(answer($waiter), 'OK', "$pool, the holder's client gone: the first in line is served");
	is(answer($next), $strict ? 'OK' : 'COUPON_EXHAUSTED', "$pool, the holder's client gone: the next after it");
	served("$pool, the holder's client gone", $strict ? '2 3' : '2');
	$_->quit for $waiter, $next;
}

# The holder's own statement is cancelled: the unit taken in it comes back.
my ($holder, $waiter) = (session($node), session($node));
$coupon++;
open_coupon($node, $coupon, 1);
ask($holder, "SELECT fcfs.issue_coupon($coupon, 1), pg_sleep(100)");
$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $holder->{pid}");
ask($waiter, "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
wait_until_blocked($node, $waiter, $holder);
signal('cancel', $holder);
like(answer($holder), qr/57014/, 'holder cancelled in the statement that took: it hears of it');
is(answer($waiter), 'OK', 'holder cancelled in the statement that took: the waiter is served');
served('holder cancelled in the statement that took', '2');

# Statement timeout and the server's own lock_timeout while waiting.
$coupon++;
open_coupon($node, $coupon, 1);
$holder->query_safe('BEGIN');
$holder->query_safe("SELECT fcfs.issue_coupon($coupon, 1)");
$waiter->query_safe("SET statement_timeout = '200ms'");
ask($waiter, "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
like(answer($waiter), qr/ERROR:  57014/, 'statement_timeout is obeyed while waiting');
$waiter->query_safe('SET statement_timeout = 0');
$waiter->query_safe("SET lock_timeout = '200ms'");
$waiter->query_safe("SET fcfs.lock_timeout = '10s'");
my $since = time;
ask($waiter, "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
like(answer($waiter), qr/LOCK_TIMEOUT|ERROR:  55P03/, 'lock_timeout ends the wait');
cmp_ok(time - $since, '<', 5, '... and not only fcfs.lock_timeout');
$holder->query_safe('COMMIT');
served('timeouts while waiting', '1');
$_->quit for $holder, $waiter;

# A cancel, or statement_timeout, in the same moment in which the bound of the wait
# is reached (a slice of it, or fcfs.lock_timeout): the cancel is not lost. The
# waiter stands still until both have come.
for my $case ([ 'cancelled', '60s', 0 ], [ 'cancelled', '1s', 0 ], [ 'timed out', '60s', 1500 ])
{
	my ($how, $bound, $statement_timeout) = @$case;
	$coupon++;
	open_coupon($node, $coupon, 1);
	($holder, $waiter) = (session($node), session($node));
	$holder->query_safe('BEGIN');
	$holder->query_safe("SELECT fcfs.issue_coupon($coupon, 1)");
	$waiter->query_safe("SET fcfs.lock_timeout = '$bound'; SET statement_timeout = $statement_timeout");
	ask($waiter, "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
	wait_until_blocked($node, $waiter, $holder);
	kill STOP => $waiter->{pid};
	usleep 1_700_000;
	signal('cancel', $waiter) unless $statement_timeout;
	kill CONT => $waiter->{pid};
	like(answer($waiter), qr/ERROR:  57014/, "a waiter is $how as its bound of $bound is reached: it hears of it");
	$holder->query_safe('ROLLBACK');
	is($waiter->query_safe("SELECT code FROM fcfs.try_issue_coupon($coupon, 2)"), 'OK', '... and its session goes on');
	served("$how as the bound is reached", '2');
	$_->quit for $holder, $waiter;
}

# A deadlock is found although others wake the waiter all the time: the first
# holds the last unit and wants the person of the second, who wants that unit.
# (Without preloading nothing is uncertain, and nobody is woken.)
if (preloaded())
{
	$coupon++;
	open_coupon($node, $coupon, 1);
	open_coupon($node, 1000, 1000);
	my ($first, $second) = map { session($node) } 1 .. 2;
	$_->query_safe("SET deadlock_timeout = '300ms'; SET statement_timeout = '6s'; BEGIN") for $first, $second;
	$first->query_safe("SELECT fcfs.issue_coupon($coupon, 1)");
	$second->query_safe('SELECT fcfs.issue_coupon(1000, 2)');
	my $others = "${\PostgreSQL::Test::Utils::tempdir}/others.sql";
	PostgreSQL::Test::Utils::append_to_file($others, "SELECT code FROM fcfs.try_issue_coupon($coupon, nextval('others'));\n");
	$node->safe_psql('postgres', 'CREATE SEQUENCE others START 10');
	my $load = do
	{
		local $ENV{PGOPTIONS} = '-c fcfs.wait_for_uncertain=off';
		IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 8, '-f', $others, '-h', $node->host, '-p', $node->port, 'postgres' ],
			'>', \my $said, '2>&1');
	};
	$node->poll_query_until('postgres', "SELECT last_value > 100 FROM others") or die "no load\n";
	ask($second, "SELECT code FROM fcfs.try_issue_coupon($coupon, 2)");
	ask($first, 'SELECT code FROM fcfs.try_issue_coupon(1000, 2)');
	my @answers = map { answer($_) } $first, $second;
	is(scalar(grep { /40P01/ } @answers), 1, 'a deadlock is found, however often others wake the waiter')
	  or diag(join "\n", @answers);
	$load->kill_kill;
	$_->query('ROLLBACK') for $first, $second;
	$_->quit for $first, $second;
	nothing_left($node, 'after the deadlock');
}

$node->stop;
done_testing();
