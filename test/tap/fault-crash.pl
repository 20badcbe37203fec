# SIGKILL of backends wherever they are, twenty times, and immediate stops, in the
# middle of random calls: what was acknowledged is there, once, and nothing else;
# whoever was cut off is served again, and has the same answer under the same key.
use strict;
use warnings;
use Fcfs;
use Test::More;

my $seed = $ENV{FCFS_SEED} // 1;
diag("seed $seed");
srand $seed;

my $node = new_server('crash', conf => "restart_after_crash = on\n");
my %place = (
	'in a wait'      => "wait_event_type IN ('Lock', 'Extension', 'LWLock')",
	'in a statement' => "state = 'active'",
	'between two'    => "state = 'idle in transaction'",
	'anywhere'       => 'pid > 0');
my %killed;

# Whoever is there by now; else anybody.
sub kill_a_backend
{
	my $place = (sort keys %place)[ rand keys %place ];
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE application_name = 'fcfs-load' ORDER BY ($place{$place}) DESC, random() LIMIT 1");
	my $log = -s $node->logfile;
	kill KILL => $pid or die "no backend to kill\n";
	$node->wait_for_log(qr/all server processes terminated; reinitializing/, $log);
	$killed{$place}++;
}

sub stop_at_once
{
	$node->stop('immediate');
	$node->start;
}

# A fault several times in one load.
sub under_load
{
	my ($fault, $times, $cause) = @_;
	my $load = start_load($node, connections => 8, seed => int rand 1_000_000);
	for my $round (1 .. $times)
	{
		load_goes_on($load, "$fault $round") or last;
		$cause->();
	}
	load_goes_on($load, $fault);
	cmp_ok(logged($load, '"code":"UNKNOWN"'), '>=', $times, "$fault: it came in the middle of calls");
	stop_load($load);
	history_holds($load, $fault);
	nothing_left($node, $fault);
}

under_load("SIGKILL of a backend, part $_", 5, \&kill_a_backend) for 1 .. 4;
diag(join ', ', map { "$killed{$_} $_" } sort keys %killed);
under_load('immediate stop', 3, \&stop_at_once);
$node->stop;
done_testing();
