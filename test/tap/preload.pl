# The extension begins in a running server, without its library preloaded: right,
# and health() says what to set for speed. With the setting and a restart it goes
# on exactly where it was, and back again. What it takes of shared memory.
use strict;
use warnings;
use Fcfs;
use Test::More;

my $node = new_server('preload', conf => "shared_preload_libraries = ''");
open_coupon($node, 1, 10);

sub claim
{
	my ($first, $wanted, $when) = @_;
	is($node->safe_psql('postgres', "SELECT code, count(*) FROM generate_series($first, $first + 2) u, fcfs.try_issue_coupon(1, u) GROUP BY 1 ORDER BY 1"),
		$wanted, $when);
	nothing_left($node, $when);
}

claim(1, 'OK|3', 'not preloaded: claims');
my $health = $node->safe_psql('postgres', 'SELECT * FROM fcfs.health()');
like($health, qr/shared_preload_libraries/, 'not preloaded: health() says what to set');
is($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.stat_pools'), 0, 'not preloaded: no pool is in shared memory');
$node->safe_psql('postgres', "LOAD 'pg_fcfs'");
claim(4, 'OK|3', 'after LOAD: claims');
my ($status, $out, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET fcfs.no_such_setting = 1; SELECT fcfs.try_issue_coupon(1, 1); SET fcfs.no_such_setting = 1");
like($error, qr/ERROR:  42602/, 'a misspelt setting is an error');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements, pg_fcfs'\nfcfs.max_pools = 10000");
$node->restart;
claim(7, 'OK|3', 'preloaded: goes on where it was');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_shmem_allocations WHERE name = 'pg_stat_statements'"), 1,
	'a library that was loaded before it has its shared memory too');
isnt($node->safe_psql('postgres', 'SELECT * FROM fcfs.health()'), $health, 'preloaded: health() has nothing to say of it');
is($node->safe_psql('postgres', 'SELECT kind, id, capacity, remaining, taken_in_flight FROM fcfs.stat_pools'), 'coupon|1|10|1|0',
	'preloaded: the pool is in shared memory');
my $bytes = $node->safe_psql('postgres', "SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name LIKE 'pg_fcfs%'");
cmp_ok($bytes, '<=', 4 * 1024 * 1024, "10,000 pools take $bytes bytes, at most 4 MB, of shared memory");
cmp_ok($bytes, '>', 10_000 * 32, '... and it is they that were measured');
$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) SELECT g, 'K' || g, 1, ${\ALWAYS} FROM generate_series(2, 10000) g;
END
is($node->safe_psql('postgres', 'SELECT count(*) FROM generate_series(2, 10000) c WHERE (fcfs.try_issue_coupon(c, 1)).ok'), 9999, '10,000 pools are claimed');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.stat_pools'), '>=', 9000, 'all of them in shared memory');
nothing_left($node, '10,000 pools');

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
claim(10, "COUPON_EXHAUSTED|2\nOK|1", 'not preloaded again: goes on where it was');

$node->stop;
done_testing();
