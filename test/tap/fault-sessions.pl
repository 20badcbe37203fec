# Sessions interrupted in the middle of random calls: cancelled and terminated
# wherever a call can wait, timed out, cut off from their clients. What was
# acknowledged is there, once, nothing stays in flight, nobody waits for ever.
use strict;
use warnings;
use Fcfs;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{FCFS_SEED} // 1;
my $seconds = ($ENV{FCFS_SECONDS} // 16) / 4;    # of each fault that has a length
my $times = 3;                            # of each interruption
diag("seed $seed");
srand $seed;

# So few slots that pools are evicted and counted all the time.
my $node = new_server('sessions', conf => preloaded() ? "fcfs.max_pools = 16\n" : '');
my $dir = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres',
	"INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) SELECT g, 'other ' || g, 0, ${\ALWAYS} FROM generate_series(1001, 1060) g");

# Hoarders take all that is left of a pool, or somebody's lock, sit on it, and give it
# up: so there is always somebody who waits. They also touch pools that need slots.
append_to_file("$dir/hoard.sql", <<'END');
\set coupon 101 + :client_id
\set person random(9001, 9024)
\set other random(1001, 1060)
SELECT code FROM fcfs.try_issue_coupon(:other, :client_id);
BEGIN;
SELECT count(*) FROM generate_series(1, 30) g, fcfs.try_issue_coupon(:coupon, 50000 + :client_id * 100 + g);
SELECT code FROM fcfs.try_issue_coupon(101, :person);
\sleep 120 ms
ROLLBACK;
END

# Calls what is to be done among hoarders.
sub among_hoarders
{
	my ($cause) = @_;
	my $conninfo = $node->connstr('postgres') . " application_name=hoarder options='-c fcfs.lock_timeout=100 -c deadlock_timeout=50'";
	my $hoarders = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-T', 600, '--max-tries', 1000, '-f', "$dir/hoard.sql", $conninfo ],
		'>', \my $said, '2>&1');
	$cause->();
	ok($hoarders->pumpable, 'the hoarders were there to the end') or diag($said);
	$hoarders->kill_kill;
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'hoarder'") or die "hoarders stay\n";
}

my $lock_timeout;    # the shortest so far, if not the load's own

# A fault for some time in one load.
sub under_load
{
	my ($fault, $cause, %option) = @_;
	my $load = start_load($node, connections => 10, seed => int rand 1_000_000, %option);
	load_goes_on($load, "before $fault");
	$cause->($load);
	load_goes_on($load, $fault);
	stop_load($load);
	history_holds($load, $fault, lock_timeout => $lock_timeout);
	nothing_left($node, $fault);
}

#
# Cancelled and terminated, wherever a call can wait
#

# Whom to interrupt is looked for by the server itself, so that it is still there.
$node->safe_psql('postgres', <<'END');
CREATE VIEW waiting AS
SELECT a.pid, a.query_start, CASE
           WHEN l.locktype = 'advisory' THEN (ARRAY['key', 'person', 'pool', 'line', 'count'])[(l.objsubid::int + 1024) / 16 + 1]
           WHEN l.locktype = 'virtualxid' THEN 'holder'
           WHEN l.locktype IS NULL THEN 'units'
           ELSE 'row'
       END AS place
FROM pg_stat_activity a LEFT JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
WHERE a.application_name = 'fcfs-load' AND a.state = 'active' AND (l.pid IS NOT NULL OR a.wait_event = 'Extension');

-- Interrupts somebody who waits there, and sees that they wait no longer.
CREATE FUNCTION interrupt(how text, there text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + interval '60 s';
	victim record;
BEGIN
	LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT pid, query_start INTO victim FROM waiting WHERE place = there ORDER BY random() LIMIT 1;
		EXIT WHEN FOUND OR clock_timestamp() > until;
		PERFORM pg_sleep(0.001);
	END LOOP;
	IF victim.pid IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT pg_%s_backend($1)', how) USING victim.pid;
	LOOP
		PERFORM pg_stat_clear_snapshot();
		PERFORM FROM pg_stat_activity a WHERE a.pid = victim.pid AND a.query_start = victim.query_start AND a.state = 'active';
		EXIT WHEN NOT FOUND OR clock_timestamp() > until;
		PERFORM pg_sleep(0.001);
	END LOOP;
	RETURN NOT FOUND;
END $$;
END

my @places = preloaded() ? qw(person pool line units holder row) : qw(person pool row);
for my $how (qw(cancel terminate))
{
	under_load("$how where a call waits", sub {
		my ($load) = @_;
		my %heard;
		among_hoarders(sub {
			for my $place ((@places) x $times)
			{
				$heard{$place}++ if $node->safe_psql('postgres', "SELECT interrupt('$how', '$place')") eq 't';
			}
		});
		is($heard{$_}, $times, "$how while waiting for: $_") for @places;
		# Some may have come a moment after the end of the wait.
		my $heard = $how eq 'cancel' ? logged($load, '"state":"57014"') : logged($load, '"what":"connected"') - 11;
		cmp_ok($heard, '>', $times * @places / 2, "$how: heard of by the clients");
	});
}

#
# Timed out at random moments
#

# The settings change under the load's feet; each session takes them up with its next statement.
$lock_timeout = 0;
under_load('timeouts', sub {
	my ($load) = @_;
	my %most = (statement_timeout => 30, lock_timeout => 30, idle_in_transaction_session_timeout => 4);
	local $ENV{PGOPTIONS} = '-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0';    # not for us
	my $until = time + $seconds;
	while (time < $until)
	{
		my @sql = map { "ALTER SYSTEM SET $_ = " . (rand() < 0.4 ? 0 : 1 + int rand $most{$_}) } sort keys %most;
		$node->safe_psql('postgres', join(";\n", @sql, 'SELECT pg_reload_conf()', 'SELECT pg_sleep(0.05)'));
	}
	$node->safe_psql('postgres', join ";\n", (map { "ALTER SYSTEM RESET $_" } sort keys %most), 'SELECT pg_reload_conf()');
	cmp_ok(logged($load, '"state":"57014"'), '>', 0, 'statement_timeout was met');
	cmp_ok(logged($load, '"state":"55P03"|"code":"LOCK_TIMEOUT"'), '>', 0, 'lock_timeout was met');
	like(slurp_file($node->logfile), qr/due to idle-in-transaction timeout/, 'idle_in_transaction_session_timeout was met');
});

#
# Cut off from their clients between call and answer, or as the answer comes
#

my $proxy = start_proxy($node->host, $node->port, 30);
under_load('cut connections', sub {
	my ($load) = @_;
	# On a slow machine few are cut off between the commit and the answer.
	my $most = time + 20 * $seconds;
	do { sleep $seconds } until logged($load, '"replayed":true') > 0 && logged($load, '"attempt":\d') > 10 || time > $most;
	cmp_ok(logged($load, '"attempt":\d'), '>', 10, 'calls were sent again under their keys');
	cmp_ok(logged($load, '"replayed":true'), '>', 0, '... and answers came from there');
}, dbname => "host=$proxy->{host} port=@{[$node->port]} dbname=postgres");
stop_proxy($proxy, 5);

$node->stop;
done_testing();
