# 500 clients on 20 server sessions, by way of PgBouncer with pool_mode =
# transaction, and the connections of clients cut at random: while they wait, in
# the middle of a transaction, between call and answer. What was acknowledged is
# there, once; nothing stays behind in the sessions that others go on to use.
use strict;
use warnings;
use Fcfs;
use Test::More;

use constant { CLIENTS => 500, SESSIONS => 20 };

my $seed = $ENV{FCFS_SEED} // 1;
my $seconds = ($ENV{FCFS_SECONDS} // 16) / 4;
diag("seed $seed");

# Without the first of these, sessions whose clients have gone while they wait would
# wait on, beside those that the pooler opens in their place.
my $node = new_server('pooled', conf => <<'END');
client_connection_check_interval = '100ms'
deadlock_timeout = '50ms'
fcfs.lock_timeout = '2s'
max_connections = 100
END
my $pooler = start_pooler($node, default_pool_size => SESSIONS, max_client_conn => 2 * CLIENTS, server_login_retry => 1);
my $proxy = start_proxy($pooler->{host}, $pooler->{port}, 30);

my $load = start_load($node, connections => CLIENTS, seed => $seed,
	dbname => $pooler->{conninfo} =~ s/host=\S+/host=$proxy->{host}/r);
load_goes_on($load, 'all clients are there');
my $most = 0;
my $until = time + $seconds;
while (time < $until)
{
	my $sessions = $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fcfs-load' AND backend_type = 'client backend'");
	$most = $sessions if $sessions > $most;
}
load_goes_on($load, 'after connections were cut');
stop_load($load);
stop_proxy($proxy, 5);
cmp_ok($most, '<=', 3 * SESSIONS, "at most $most sessions of the server were there");
cmp_ok(logged($load, '"attempt":\d'), '>', 10, 'calls were sent again under their keys');
# When a transaction ended that its client lost is not to be seen through a pooler, so
# refusals cannot be judged: what was acknowledged is compared with the tables.
history_holds($load, 'after connections were cut', acknowledged_only_before => 4_000_000_000_000_000);
nothing_left($node, 'after connections were cut');
$node->stop;
done_testing();
