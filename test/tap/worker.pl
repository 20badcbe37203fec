# The life of the background workers: each database that has the extension gets
# one, and no other; it gives way to whoever wants the database or the extension
# alone, ends when it is told to or switched off, and comes back whatever ended it.
# A standby has none until it is promoted.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(usleep);

my $on = "fcfs.worker = on\nfcfs.worker_interval = '50ms'\nlog_min_messages = debug1\nmax_worker_processes = 12\nrestart_after_crash = on\n";

sub worker_state
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres', "SELECT ok, detail FROM fcfs.health() WHERE item = 'worker'");
}

sub overdue_hold
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) VALUES (1, 0, 'USD', now()) RETURNING id");
}

sub does_its_duty
{
	my ($node, $database, $when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $hold = overdue_hold($node, $database);
	ok($node->poll_query_until($database, "SELECT status = 'expired' FROM fcfs.reservation WHERE id = $hold"), "$when: an overdue hold ends by itself");
	return;
}

sub set_and_reload
{
	my ($node, $setting) = @_;
	$node->safe_psql('postgres', $_) for "ALTER SYSTEM SET $setting", 'SELECT pg_reload_conf()';
	return;
}

if (!preloaded())
{
	my $node = new_server('local', conf => $on);
	like(worker_state($node), qr/^f\|.*shared_preload_libraries/, 'not preloaded: health() says what to set');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_fcfs%'"), 0, 'not preloaded: there is no process');
	$node->append_conf('postgresql.conf', 'fcfs.worker = off');
	$node->reload;
	$node->poll_query_until('postgres', "SELECT ok FROM fcfs.health() WHERE item = 'worker'") or die;
	like(worker_state($node), qr/^t\|.*fcfs.worker is off/, 'not preloaded, and switched off: that is how it is meant');
	$node->stop;
	done_testing();
	exit;
}

#
# Where there is one
#

my $node = new_server('worker', conf => $on);
my $first = worker_comes($node, 'postgres', 'CREATE EXTENSION');
does_its_duty($node, 'postgres', 'CREATE EXTENSION');
like(worker_state($node), qr/^t\|process $first does the chores/, 'health() shows it');
is( $node->safe_psql('postgres', "SELECT backend_type, datname, usename, application_name FROM pg_stat_activity WHERE backend_type LIKE 'pg_fcfs%' ORDER BY 1"),
	"pg_fcfs launcher||" . getpwuid($<) . "|pg_fcfs launcher\npg_fcfs worker|postgres|" . getpwuid($<) . "|pg_fcfs worker", 'pg_stat_activity shows both');

$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(second plain);
in_log($node, qr/unregistering background worker "pg_fcfs worker for (?:second|plain)"/, 2);
is(worker_of($node, 'plain') . worker_of($node, 'second'), '', 'a database without the extension has none');
$node->safe_psql('second', 'BEGIN; CREATE EXTENSION pg_fcfs CASCADE; ROLLBACK');
$node->safe_psql('second', 'CREATE EXTENSION pg_fcfs CASCADE');
worker_comes($node, 'second', 'CREATE EXTENSION in a second database');
does_its_duty($node, $_, 'two databases') for qw(postgres second);
is(worker_of($node, 'postgres'), $first, 'the first has the worker that it had');

#
# Switched off and on
#

set_and_reload($node, 'fcfs.worker = off');
worker_goes($node, $_, 'fcfs.worker = off') for qw(postgres second);
like(worker_state($node), qr/^t\|.*fcfs.worker is off/, 'fcfs.worker = off: health() says so');
my $hold = overdue_hold($node);
is(sqlstate($node, "ALTER SYSTEM SET fcfs.database = 'none, \"second'"), '22023', 'a list of databases that is none is refused');
set_and_reload($node, q{fcfs.database = 'none, "second" '});
set_and_reload($node, 'fcfs.worker = on');
worker_comes($node, 'second', 'fcfs.database names it');
like(worker_state($node), qr/^t\|.*fcfs.database does not name/, 'fcfs.database does not name it: health() says so');
is(worker_of($node, 'postgres'), '', 'fcfs.database does not name it: no worker');
is($node->safe_psql('postgres', "SELECT status FROM fcfs.reservation WHERE id = $hold"), 'held', 'nothing is done there');
set_and_reload($node, 'fcfs.database = postgres');
worker_goes($node, 'second', 'fcfs.database names another');
worker_comes($node, 'postgres', 'fcfs.database names it');

# Two that are started at the same moment, since nobody knows of the first any more.
my $launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_fcfs launcher'";
set_and_reload($node, 'fcfs.worker = off');
worker_goes($node, 'postgres', 'fcfs.worker = off');
set_and_reload($node, $_) for "fcfs.test_point = 'begins stop'", 'fcfs.worker = on';
stopped_of($node, 1);
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ($launcher) l");
my @two = stopped_of($node, 2);
set_and_reload($node, "fcfs.test_point = ''");
go_on(@two);
my (@left, $here);
do
{
	usleep 20_000;
	@left = grep { kill 0 => $_ } @two;
	$here = $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_fcfs worker' AND state IS NOT NULL AND pid IN (" . join(', ', @two) . ')');
} until $here >= @left;
is(scalar(@left), 1, 'two that begin at the same moment: one of them ends');
is(worker_of($node, 'postgres'), "@left", '... and the other is the worker');
does_its_duty($node, 'postgres', 'two that begin at the same moment');

set_and_reload($node, "fcfs.database = ''");
worker_comes($node, $_, 'fcfs.database is empty') for qw(postgres second);
ok($node->poll_query_until('postgres', "SELECT status = 'expired' FROM fcfs.reservation WHERE id = $hold"), 'what was to be done is done then');

#
# Ended
#

# By the launcher, as often as it has reason to.
my $plain_looked_at = qr/ registering background worker "pg_fcfs worker for plain"/;
in_log($node, $plain_looked_at, 2);

my $worker = worker_of($node, 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$worker = worker_comes($node, 'postgres', 'pg_terminate_backend()', $worker);
does_its_duty($node, 'postgres', 'after pg_terminate_backend()');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($worker)");
does_its_duty($node, 'postgres', 'after pg_cancel_backend()');
is(worker_of($node, 'postgres'), $worker, 'pg_cancel_backend(): it goes on');

my $old_launcher = $node->safe_psql('postgres', $launcher);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($old_launcher)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 AND min(pid) <> $old_launcher FROM ($launcher) l"), 'the launcher is terminated: another one comes');
is(worker_of($node, 'postgres'), $worker, 'the workers of the old one stay');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$worker = worker_comes($node, 'postgres', 'under the new launcher', $worker);

in_log($node, $plain_looked_at, 3);
my $starts = in_log($node, qr/database system is ready to accept connections/);
kill KILL => $worker;
cmp_ok(in_log($node, qr/database system is ready to accept connections/, $starts + 1), '>', $starts, 'SIGKILL: the server comes back');
worker_comes($node, $_, 'after SIGKILL', $worker) for qw(postgres second);
does_its_duty($node, 'postgres', 'after SIGKILL');
in_log($node, $plain_looked_at, 4);

$node->restart;
worker_comes($node, $_, 'after a restart') for qw(postgres second);

#
# Who wants the database alone
#

$node->safe_psql('postgres', 'CREATE DATABASE third TEMPLATE second');
worker_comes($node, $_, 'CREATE DATABASE with it for a template') for qw(second third);
does_its_duty($node, 'third', 'a copy');
$node->safe_psql('postgres', 'ALTER DATABASE third RENAME TO fourth');
worker_comes($node, 'fourth', 'ALTER DATABASE ... RENAME');
$node->safe_psql('postgres', $_) for "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''", 'ALTER DATABASE fourth SET TABLESPACE elsewhere';
worker_comes($node, 'fourth', 'ALTER DATABASE ... SET TABLESPACE');
does_its_duty($node, 'fourth', 'ALTER DATABASE ... SET TABLESPACE');
$node->safe_psql('postgres', 'DROP DATABASE fourth');
pass('DROP DATABASE');
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN CREATEDB; ALTER DATABASE second OWNER TO owner');
$node->safe_psql('postgres', 'DROP DATABASE second WITH (FORCE)', extra_params => [ '-U', 'owner' ]);
pass('DROP DATABASE ... WITH (FORCE) by an owner who may not end the session of a superuser');
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION pg_fcfs CASCADE');
worker_comes($node, 'second', 'DROP DATABASE, CREATE DATABASE, CREATE EXTENSION');
$node->safe_psql('postgres', 'ALTER DATABASE second IS_TEMPLATE true');
worker_goes($node, 'second', 'a template');
$node->safe_psql('postgres', 'ALTER DATABASE second IS_TEMPLATE false');
worker_comes($node, 'second', 'no template any more');
$node->safe_psql('postgres', 'ALTER DATABASE second ALLOW_CONNECTIONS false');
worker_goes($node, 'second', 'no connections are allowed');

#
# Who wants the extension alone
#

my $session = session($node);
$session->query_safe('BEGIN; DROP EXTENSION pg_fcfs');
$worker = worker_of($node, 'postgres');
# It looks again and again, and does not stand in line for the lock.
my $seen = $node->safe_psql('postgres', "SELECT state_change FROM pg_stat_activity WHERE pid = $worker");
ok($node->poll_query_until('postgres', "SELECT state_change > '$seen'::timestamptz + interval '300 ms' FROM pg_stat_activity WHERE pid = $worker"),
	'DROP EXTENSION in an open transaction: it goes on looking');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $worker AND NOT granted"), 0, '... and waits for no lock');
$session->query_safe('ROLLBACK');
does_its_duty($node, 'postgres', 'DROP EXTENSION, rolled back');
is(worker_of($node, 'postgres'), $worker, '... by the same worker');
$session->query_safe('BEGIN; DROP EXTENSION pg_fcfs; CREATE EXTENSION pg_fcfs; COMMIT');
does_its_duty($node, 'postgres', 'DROP EXTENSION and CREATE EXTENSION at once');
$session->query_safe('DROP EXTENSION pg_fcfs');
worker_goes($node, 'postgres', 'DROP EXTENSION');
$session->query_safe('CREATE EXTENSION pg_fcfs');
worker_comes($node, 'postgres', 'DROP EXTENSION, CREATE EXTENSION');
does_its_duty($node, 'postgres', 'DROP EXTENSION, CREATE EXTENSION');
# However it falls out between the two, no DROP fails and the last CREATE is noticed.
for (1 .. 10)
{
	$session->query_safe("INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) SELECT g, 0, 'USD', now() FROM generate_series(1, 500) g");
	$session->query_safe('DROP EXTENSION pg_fcfs');
	$session->query_safe('CREATE EXTENSION pg_fcfs');
}
worker_comes($node, 'postgres', 'DROP EXTENSION and CREATE EXTENSION ten times');
does_its_duty($node, 'postgres', 'DROP EXTENSION and CREATE EXTENSION ten times');
$session->quit;
is(in_log($node, qr/ERROR:  deadlock detected|ERROR:  cache lookup failed/), 0, 'nobody met anybody crosswise');
# After CREATE DATABASE, when fcfs.database let it again, and by each of three launchers.
is(in_log($node, $plain_looked_at, 5), 5, 'a database without the extension is hardly looked at');
$node->stop;
is(in_log($node, qr/FATAL:  terminating background worker "pg_fcfs launcher"/), 0, 'the launcher ends without a word');

#
# No worker is free
#

my $full = new_server('full', conf => "$on\nmax_worker_processes = 3\n");    # the launcher, that of logical replication, and one
worker_comes($full, 'postgres', 'the only one that is free');
$full->safe_psql('postgres', 'CREATE DATABASE second');
$full->safe_psql('second', 'CREATE EXTENSION pg_fcfs CASCADE');
is(in_log($full, qr/LOG:  no background worker is free for pg_fcfs in database "second"/, 1), 1, 'none is free: the log says so');
like(worker_state($full, 'second'), qr/^f\|.*max_worker_processes/, 'none is free: health() says so');
$full->safe_psql('postgres', 'DROP EXTENSION pg_fcfs');
worker_comes($full, 'second', 'one is free again');
does_its_duty($full, 'second', 'one is free again');
is(in_log($full, qr/LOG:  no background worker is free/), 1, 'it was logged once');
$full->stop;

#
# A standby
#

my $primary = new_server('primary', streaming => 1, conf => $on);
worker_comes($primary, 'postgres', 'the primary');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_fcfs%'"), 0, 'a standby has none');
like(worker_state($standby), qr/^t\|.*standby/, 'a standby: health() says so');
$primary->stop;
$standby->promote;
worker_comes($standby, 'postgres', 'promoted');
does_its_duty($standby, 'postgres', 'promoted');
$standby->stop;
done_testing();
