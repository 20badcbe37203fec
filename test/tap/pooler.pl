# Through PgBouncer with pool_mode = transaction: more clients than server
# sessions, who share these transaction by transaction. Counts are exact, no lock
# outlives its transaction, nobody inherits anything from who was there before.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('pooled');
my $dir = PostgreSQL::Test::Utils::tempdir;
my $pooler = start_pooler($node, default_pool_size => 4, max_client_conn => 100);
my $pooled = $pooler->{conninfo};

sub through_pooler
{
	my ($name, $clients, $times, $script, @options) = @_;
	append_to_file("$dir/$name.sql", $script);
	$node->command_like(
		[ 'pgbench', '-n', '-c', $clients, '-j', 2, '-t', $times, @options, '-f', "$dir/$name.sql", $pooled ],
		qr{actually processed: @{[$clients * $times]}/@{[$clients * $times]}}, "$name: every call was answered");
}

$node->safe_psql('postgres', 'CREATE TABLE answer (code text, pid int); CREATE SEQUENCE n');
open_coupon($node, 1, 100);
open_coupon($node, 2, 100, 'strict');
open_coupon($node, 3, 100);
for my $coupon (1, 2)
{
	$node->safe_psql('postgres', 'TRUNCATE answer');
	through_pooler("rush$coupon", 40, 5,
		"INSERT INTO answer SELECT code, pg_backend_pid() FROM fcfs.try_issue_coupon($coupon, nextval('n'));\n");
	is($node->safe_psql('postgres', 'SELECT code, count(*) FROM answer GROUP BY 1 ORDER BY 1'), "COUPON_EXHAUSTED|100\nOK|100",
		"rush$coupon: 200 for 100, exactly");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT pid) FROM answer'), '<=', 4, "rush$coupon: by 4 sessions at most");
	nothing_left($node, "rush$coupon");
}

# Transactions of several statements, a third rolled back, a third to a savepoint.
# Two that each hold a unit and want another, near the end of the quota, wait for
# each other: one of them is told of a deadlock, and tries again.
through_pooler('mix', 40, 15, <<'END', '--max-tries', 20);
\set how random(1, 3)
BEGIN;
SELECT code FROM fcfs.try_issue_coupon(3, nextval('n'));
\if :how = 1
ROLLBACK;
\elif :how = 2
SAVEPOINT s;
SELECT code FROM fcfs.try_issue_coupon(3, nextval('n'));
ROLLBACK TO s;
COMMIT;
\else
COMMIT;
\endif
END
is($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = 3'), 100, 'mix: 100, exactly');
nothing_left($node, 'mix');

# A setting made for one transaction is not the next client's.
my $refused = `psql -XAtq -c "BEGIN; SET LOCAL fcfs.lock_timeout = 1; COMMIT; SHOW fcfs.lock_timeout" '$pooled'`;
is($refused, "30s\n", 'SET LOCAL fcfs.lock_timeout ends with its transaction');

$node->stop;
done_testing();
