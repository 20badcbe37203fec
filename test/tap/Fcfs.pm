# What the tests of faults share: a server with the extension, sessions that ask
# without waiting for the answer, and the question whether a fault left anything
# behind. TEMP_CONFIG decides whether the library is preloaded (FCFS_MODE).
package Fcfs;

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(new_server world open_coupon start_pgbench acknowledged start_load stop_load history_holds
  load_goes_on logged start_proxy stop_proxy start_pooler
  claims wait_for_claims goes_on nothing_left kill_all_of sqlstate documented session ask answer
  wait_until_blocked state_of worker_comes worker_goes worker_of stopped_of stop_asleep go_on in_log preloaded memory_of stays_flat ALWAYS);

my @poolers;

use constant ALWAYS => "'2000-01-01', '2100-01-01'";

sub preloaded
{
	return $ENV{FCFS_MODE} eq 'preload';
}

# A running server with the extension in the database postgres.
sub new_server
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => $option{streaming}, has_archiving => $option{archiving}, extra => $option{initdb});
	$node->append_conf('postgresql.conf', "log_statement = none\nshared_buffers = 16MB\nmax_connections = 60\n");
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_fcfs CASCADE');
	return $node;
}

# Definitions and claims of every kind and status, for tests that carry them
# from one place to another.
sub world
{
	my $always = ALWAYS;
	return <<"END";
INSERT INTO fcfs.term (code, time_zone, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits)
VALUES ('spring', 'America/Los_Angeles', $always, '2099-03-02', '2099-06-12', 8),
       ('autumn', 'Asia/Seoul', $always, '2099-09-01', '2099-12-12', 18);
INSERT INTO fcfs.student (external_id) SELECT 'u' || g FROM generate_series(1, 40) g;
UPDATE fcfs.student SET max_credits = 20 WHERE id = 3;
INSERT INTO fcfs.course (code, title, credits) SELECT 'C' || g, 'Course ' || g, 4 FROM generate_series(1, 12) g;
INSERT INTO fcfs.section (term_id, course_id, code, capacity, strict_order, starts_on, ends_on)
SELECT 1 + g % 2, g, 'A', CASE WHEN g < 12 THEN 10 END, g = 5,
       CASE WHEN g = 4 THEN date '2099-03-16' END, CASE WHEN g = 4 THEN date '2099-06-10' END
FROM generate_series(1, 12) g;
-- Weekly, over the change to summer time, dated, until midnight, and none at all.
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at, room)
SELECT s, w, time '08:00' + s * interval '1 hour', time '08:50' + s * interval '1 hour', 'R' || s
FROM generate_series(1, 10) s, generate_series(1, 5, 2) w;
INSERT INTO fcfs.meeting (section_id, on_date, starts_at, ends_at)
SELECT s.id, t.ends_on - s.id::integer, '19:00', '24:00' FROM fcfs.section s JOIN fcfs.term t ON t.id = s.term_id WHERE s.id <= 8;
INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (1, 9, 2, 4.0);
SELECT count(*) FROM generate_series(1, 9) student, generate_series(1, 12) section, fcfs.try_enroll(student, section);
SELECT count(*) FROM generate_series(1, 6) student, fcfs.try_cancel_enrollment(student, 2);
SELECT count(*) FROM generate_series(20, 26) student, fcfs.try_enroll(student, 2, 'key of ' || student);
-- A policy passed over by an administrator is a legal state.
INSERT INTO fcfs.enrollment (student_id, section_id) SELECT 30, s FROM generate_series(3, 10) s;
-- Sections that share their seats, seats reserved and released, and a line before a full section.
INSERT INTO fcfs.student_group (code) VALUES ('transfer'), ('honours');
INSERT INTO fcfs.student_group_member (student_group_id, student_id) SELECT 1, g FROM generate_series(31, 40) g;
INSERT INTO fcfs.cross_list (code, capacity) VALUES ('together', 3), ('apart', NULL);
INSERT INTO fcfs.course (code, credits) VALUES ('C13', 1), ('C14', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, cross_list_id, waitlist_capacity)
VALUES (13, 1, 13, 'A', 4, 1, 2), (14, 1, 14, 'A', NULL, 1, 0);
INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats, release_at) VALUES (13, 1, 3, '2099-02-01'), (13, 2, 1, NULL);
INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id, status, override, ended_at)
VALUES (31, 13, 1, 'enrolled', '{}', NULL), (32, 13, 2, 'enrolled', '{}', NULL), (33, 14, NULL, 'enrolled', '{}', NULL),
       (34, 13, 1, 'enrolled', '{capacity,window}', NULL), (35, 13, NULL, 'waitlisted', '{}', NULL),
       (36, 13, NULL, 'waitlisted', '{}', NULL), (37, 13, 2, 'cancelled', '{}', now());
UPDATE fcfs.reserved_seats SET released = true WHERE id = 2;
INSERT INTO fcfs.permission_override (student_id, section_id, rule, reason) VALUES (34, 13, 'capacity', 'asked'), (34, 13, 'window', 'asked');
INSERT INTO fcfs.event (code, sale_opens_at, sale_closes_at, max_per_customer) VALUES ('show', $always, 4);
INSERT INTO fcfs.item (event_id, code, stock, price, strict_order)
VALUES (1, 'hall', 20, 1000, false), (1, 'stalls', 5, 2500, true), (NULL, 'poster', NULL, 300, false);
SELECT count(*) FROM generate_series(1, 9) customer, fcfs.try_reserve(customer, 1, 2, 'k');
SELECT count(*) FROM generate_series(1, 5) customer, fcfs.try_reserve(customer, 2);
SELECT count(*) FROM generate_series(1, 5) customer, fcfs.try_reserve(customer, 3, 100);
SELECT count(*) FROM generate_series(1, 3) r, fcfs.try_confirm_reservation(r);
SELECT count(*) FROM generate_series(4, 5) r, fcfs.try_cancel_reservation(r);
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE id = 6;
SELECT fcfs.expire_reservations();
UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE id = 7;
INSERT INTO fcfs.coupon (code, quota, per_user_limit, opens_at, closes_at)
VALUES ('few', 7, 2, $always), ('free', NULL, 1, $always), ('none', 0, 1, $always);
SELECT count(*) FROM generate_series(1, 20) u, fcfs.try_issue_coupon(1, 1 + u / 2);
SELECT count(*) FROM generate_series(1, 20) u, fcfs.try_issue_coupon(2, u);
SELECT count(*) FROM generate_series(1, 2) u, fcfs.try_issue_coupon(3, u, 'refused');
UPDATE fcfs.coupon_issue SET status = 'revoked' WHERE user_id IN (2, 7);
SELECT count(*) FROM generate_series(21, 30) u, fcfs.try_issue_coupon(1, u);
UPDATE fcfs.coupon_issue SET status = 'redeemed', redeemed_at = now(), reference = 'r' WHERE user_id = 3;
SELECT fcfs.person_id('somebody'), fcfs.person_id('somebody else');
END
}

sub open_coupon
{
	my ($node, $id, $quota, $strict) = @_;
	$node->safe_psql('postgres',
		"INSERT INTO fcfs.coupon (id, code, quota, strict_order, opens_at, closes_at) "
		  . "VALUES ($id, 'K$id', $quota, " . ($strict ? 'true' : 'false') . ', ' . ALWAYS . ')');
}

#
# Load, with a record of what was acknowledged
#

# Starts pgbench in the background: each client claims coupon 1 for users of its
# own, client * 1000000 + 1, 2, …, and pgbench logs each claim that was answered.
sub start_pgbench
{
	my ($node, $name, $clients, $first) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;
	my $script = "$dir/$name.sql";
	append_to_file($script, <<'END');
\set user :client_id * 1000000 + :first + :n
\set n :n + 1
SELECT id FROM fcfs.issue_coupon(1, :user);
END
	my $load = { log => "$dir/$name", output => '', clients => $clients, first => $first };
	$load->{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-M', 'prepared', '-c', $clients, '-j', 2, '-T', 120,
			'-D', "first=$first", '-D', 'n=1', '--log', "--log-prefix=$load->{log}", '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$load->{output}, '2>&1');
	return $load;
}

# Of a load that ended, by itself or because the server did: the users whose claim
# was acknowledged, and those who may have been served without hearing of it.
sub acknowledged
{
	my ($load) = @_;
	eval { IPC::Run::finish($load->{run}) };
	my %answered = map { $_ => 0 } 0 .. $load->{clients} - 1;
	for my $file (glob "$load->{log}.*")
	{
		$answered{ (split / /)[0] }++ for split /\n/, slurp_file($file);
	}
	my (@sure, @unsure);
	for my $client (keys %answered)
	{
		my $before = $client * 1_000_000 + $load->{first};
		push @sure, map { $before + $_ } 1 .. $answered{$client};
		push @unsure, $before + $answered{$client} + 1;
	}
	return (\@sure, \@unsure);
}

my @running;

# Starts the load driver of test/history in the background; options are those of
# the driver: connections, seconds, seed, profile, dbname (for several hosts, or a way
# round); and database. The first load on a node makes the definitions that it is about.
sub start_load
{
	my ($node, %option) = @_;
	my $loads = $node->{fcfs_loads} //= [];
	my $log = PostgreSQL::Test::Utils::tempdir . '/load.log';
	my $direct = $node->connstr(delete $option{database} // 'postgres');
	my $conninfo = delete $option{dbname} // $direct;
	my @driver = ($ENV{FCFS_LOAD}, '--log', $log, '--dbname', $conninfo);
	run_log([ $ENV{FCFS_LOAD}, '--setup', '--dbname', $direct ]) or die "no definitions\n" unless @$loads;
	$option{seed} //= $ENV{FCFS_SEED} // 1;
	diag("load with seed $option{seed}");
	my $load = { node => $node, loads => $loads, log => $log, output => '' };
	$load->{run} = IPC::Run::start([ @driver, map { ("--$_", $option{$_}) } sort keys %option ],
		'>', \$load->{output}, '2>&1');
	push @$loads, $load;
	push @running, $load;
	return $load;
}

# A test that dies must not leave its load behind.
END
{
	my $status = $?;
	eval { $_->{run}->kill_kill } for @running;
	$? = $status;
}

# Lets the calls in flight come to their ends, with or without answers.
sub stop_load
{
	my ($load) = @_;
	$load->{run}->signal('TERM');
	@running = grep { $_ != $load } @running;
	$load->{run}->finish or die "the load driver failed: $load->{output}\n";
	return;
}

# Compares what was acknowledged, in all loads on the node so far, with the tables.
# Options: node and database (if the tables are now elsewhere),
# acknowledged_only_before (a moment), lock_timeout (milliseconds, the shortest that was set).
sub history_holds
{
	my ($load, $when, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $node = $option{node} // $load->{node};
	my @only = map { my $name = tr/_/-/r; defined $option{$_} ? ("--$name", $option{$_}) : () } qw(acknowledged_only_before lock_timeout);
	my ($output, $status) = ('', 0);
	IPC::Run::run(
		[ dirname(__FILE__) . '/../history/check', '--dbname', $node->connstr($option{database} // 'postgres'), @only,
			map { $_->{log} } @{ $load->{loads} } ],
		'>', \$output, '2>&1') or $status = $?;
	is($status, 0, "$when: the history holds: " . ($output =~ /([^\n]*)\n\z/ ? $1 : 'no summary'))
	  or diag($output);
	return;
}

use constant CLAIMS => '(SELECT count(*) FROM fcfs.enrollment) + (SELECT count(*) FROM fcfs.reservation) + (SELECT count(*) FROM fcfs.coupon_issue)';
use constant KEYED => "fcfs.idempotency k JOIN fcfs.coupon_issue c ON c.id = k.id WHERE k.function = 'issue_coupon' AND k.code = 'OK'";

# How many claims there have been.
sub claims
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres', 'SELECT ' . CLAIMS);
}

# Waits until a load has made so many more.
sub wait_for_claims
{
	my ($node, $more, $database) = @_;
	$database //= 'postgres';
	my $wanted = claims($node, $database) + $more;
	$node->poll_query_until($database, 'SELECT ' . CLAIMS . " >= $wanted AND EXISTS (SELECT FROM ${\KEYED})") or die "no claims are made\n";
}

# Answers under keys are there; the coupon claimed most goes on: what is left of it is served, no more, and
# arrival numbers go on above the highest.
sub goes_on
{
	my ($node, $when, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$database //= 'postgres';
	is( $node->safe_psql($database,
			'SELECT bool_and(o.replayed AND o.id = k.id) FROM (SELECT k.*, c.coupon_id FROM ' . KEYED . ') k, '
			  . 'fcfs.try_issue_coupon(k.coupon_id, k.person_id, k.key) o'),
		't', "$when: what is asked again under its key gets its answer");
	my ($coupon, $highest, $user) = split /\|/, $node->safe_psql($database,
		'SELECT coupon_id, max(arrival), (SELECT max(user_id) FROM fcfs.coupon_issue) FROM fcfs.coupon_issue '
		  . 'GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1');
	$node->safe_psql($database, "UPDATE fcfs.coupon SET quota = "
		  . "(SELECT count(*) + 5 FROM fcfs.coupon_issue WHERE coupon_id = $coupon AND status <> 'revoked') WHERE id = $coupon");
	is( $node->safe_psql($database,
			"SELECT code, count(*) FROM generate_series(1, 8) u, fcfs.try_issue_coupon($coupon, $user + u) GROUP BY 1 ORDER BY 1"),
		"COUPON_EXHAUSTED|3\nOK|5", "$when: what is left is served, and no more");
	is($node->safe_psql($database, "SELECT count(DISTINCT arrival) FROM fcfs.coupon_issue WHERE coupon_id = $coupon AND arrival > $highest"),
		5, "$when: arrival numbers go on above the highest");
}

# Waits until every connection of a load has had an answer since now. That is what
# "nobody waits for ever" looks like from outside.
sub load_goes_on
{
	my ($load, $when) = @_;
	my $from = -s $load->{log} // 0;
	my (%served, $connections);
	my $until = time + 180;
	while (time < $until)
	{
		usleep 20_000;
		$load->{run}->pumpable or die "the load driver has ended: $load->{output}\n";
		next unless -s $load->{log};
		$connections //= slurp_file($load->{log}) =~ /"connections":(\d+)/ ? $1 + 1 : undef;
		%served = map { $_ => 1 } slurp_file($load->{log}, $from) =~ /"c":(\d+),"n":\d+,"what":"answer","code":"(?!UNKNOWN)/g;
		last if $connections && keys %served == $connections;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(scalar(keys %served), $connections, "$when: every connection of the load is served again");
}

# How often a pattern is in the log of a load.
sub logged
{
	my ($load, $pattern) = @_;
	return scalar(() = slurp_file($load->{log}) =~ /$pattern/g);
}

# Starts cutting-proxy in front of a socket. Its own is in $proxy->{host}, with the same port.
sub start_proxy
{
	my ($host, $port, $every) = @_;
	my $proxy = { host => PostgreSQL::Test::Utils::tempdir_short, output => '' };
	$proxy->{run} = IPC::Run::start(
		[ dirname(__FILE__) . '/cutting-proxy', "$proxy->{host}/.s.PGSQL.$port", "$host/.s.PGSQL.$port",
			$ENV{FCFS_SEED} // 1, $every ],
		'>', \$proxy->{output}, '2>&1');
	push @poolers, $proxy;
	IPC::Run::pump($proxy->{run}) until $proxy->{output} =~ /listening/;
	return $proxy;
}

# Ends it, and checks that it has cut connections in both ways.
sub stop_proxy
{
	my ($proxy, $at_least) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$proxy->{run}->signal('TERM');
	$proxy->{run}->finish or die "the proxy failed: $proxy->{output}\n";
	for my $where ('before the answer', 'instead of the answer')
	{
		my ($times) = $proxy->{output} =~ /^(\d+) $where/m;
		cmp_ok($times, '>=', $at_least, "$times connections were cut $where");
	}
	return;
}

# Starts PgBouncer with transaction pooling; options are lines of its configuration.
# Its socket is in $pooler->{host}, its port in $pooler->{port}.
sub start_pooler
{
	my ($node, %option) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $user = getpwuid $<;
	%option = (pool_mode => 'transaction', listen_addr => '', listen_port => $port, unix_socket_dir => $dir,
		auth_type => 'trust', auth_file => "$dir/users", admin_users => $user, logfile => "$dir/log", pidfile => "$dir/pid", %option);
	append_to_file("$dir/users", "\"$user\" \"\"\n");
	append_to_file("$dir/pgbouncer.ini", join '',
		"[databases]\npostgres = host=@{[$node->host]} port=@{[$node->port]} user=$user\n[pgbouncer]\n",
		map { "$_ = $option{$_}\n" } sort keys %option);
	my ($program) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
	my $pooler = { host => $dir, port => $port, conninfo => "host=$dir port=$port user=$user dbname=postgres", output => '' };
	$pooler->{run} = IPC::Run::start([ $program // 'pgbouncer', '-q', "$dir/pgbouncer.ini" ], '>', \$pooler->{output}, '2>&1');
	until (-S "$dir/.s.PGSQL.$port")
	{
		die "the pooler does not start: $pooler->{output}\n" unless $pooler->{run}->pumpable;
		usleep 20_000;
	}
	push @poolers, $pooler;
	return $pooler;
}

# Neither outlives the test that started it.
END
{
	my $status = $?;
	eval { $_->{run}->kill_kill } for @poolers;
	$? = $status;
}

# After a fault: no invariant broken, nothing in flight, nobody waiting, no lock kept.
# (Overdue holds are a chore that nobody does here; on a slow machine they are reported.)
sub nothing_left
{
	my ($node, $when, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$database //= 'postgres';
	is($node->safe_psql($database, "SELECT rule, kind, id, detail FROM fcfs.verify() WHERE rule <> 'overdue_hold'"), '', "$when: verify() is empty");
	is( $node->safe_psql($database,
			"SELECT kind, id, taken_in_flight, pinned_by, waiters FROM fcfs.stat_pools "
			  . "WHERE taken_in_flight <> 0 OR pinned_by <> 0 OR waiters <> 0 "
			  . "UNION ALL SELECT locktype, objid, objsubid, 0, 0 FROM pg_locks WHERE locktype = 'advisory'"),
		'', "$when: nothing is in flight, no lock is kept");
}

#
# Sessions
#

sub session
{
	my ($node, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', on_error_stop => 0);
	$session->set_query_timer_restart;    # each query has its time, not all of them together
	$session->query_safe("SET deadlock_timeout = '10ms'");
	$session->query_safe('\set VERBOSITY verbose');
	$session->{pid} = $session->query_safe('SELECT pg_backend_pid()');
	return $session;
}

# Sends a statement and does not wait for its answer.
sub ask
{
	my ($session, $sql) = @_;
	$session->query_until(qr/asked/, "\\echo asked\n$sql;\n");
}

# The answer to what was asked: rows, then errors.
sub answer
{
	my ($session) = @_;
	my ($rows) = $session->query('');
	my $errors = $session->{stderr};
	$session->{stderr} = '';
	return join "\n", grep { $_ ne '' && $_ ne 'asked' } $rows =~ s/^asked\n//r, $errors;
}

# Waits until one session waits for another in the eyes of the lock manager.
sub wait_until_blocked
{
	my ($node, $waiter, $holder) = @_;
	$node->poll_query_until('postgres', "SELECT $holder->{pid} = ANY (pg_blocking_pids($waiter->{pid}))")
	  or die "session $waiter->{pid} never waited for $holder->{pid}\n";
}

#
# The background worker
#

use constant WORKER => "pg_stat_activity WHERE backend_type = 'pg_fcfs worker' AND datname";

# The process that is the worker of a database; nothing if there is none.
sub worker_of
{
	my ($node, $database) = @_;
	return $node->safe_psql('postgres', "SELECT pid FROM ${\WORKER} = '$database'");
}

# Waits until a database has a worker (that is not process $other), and no more than one; returns its process.
sub worker_comes
{
	my ($node, $database, $when, $other) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$other ||= 0;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 AND min(pid) <> $other FROM ${\WORKER} = '$database'"), "$when: $database has a worker");
	return worker_of($node, $database);
}

sub worker_goes
{
	my ($node, $database, $when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM ${\WORKER} = '$database'"), "$when: $database has no worker");
	return;
}

# Waits until so many of the server's processes are stopped; returns which.
sub stopped_of
{
	my ($node, $wanted) = @_;
	my @stopped;
	for (1 .. 50 * $PostgreSQL::Test::Utils::timeout_default)
	{
		@stopped = grep { /^\d+ \(.*\) T $node->{_pid} /s } map { -r $_ ? eval { slurp_file($_) } // () : () } glob '/proc/[0-9]*/stat';
		last if @stopped == $wanted;
		usleep 20_000;
	}
	@stopped == $wanted or die @stopped . " processes are stopped and not $wanted\n";
	return map { /^(\d+)/ } @stopped;
}

# Stops the only worker of a server where it is about to fall asleep. So what it is seen
# to hold it holds while it sleeps.
sub stop_asleep
{
	my ($node) = @_;
	$node->safe_psql('postgres', $_) for "ALTER SYSTEM SET fcfs.test_point = 'asleep stop'", 'SELECT pg_reload_conf()';
	stopped_of($node, 1);
	$node->safe_psql('postgres', $_) for 'ALTER SYSTEM RESET fcfs.test_point', 'SELECT pg_reload_conf()';
	return;
}

sub go_on
{
	my (@pids) = @_;
	kill CONT => @pids;
	return;
}

# Waits until the server's log has so many lines that match; returns how many there are.
sub in_log
{
	my ($node, $pattern, $wanted) = @_;
	my $found;
	for (1 .. 50 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$found = () = slurp_file($node->logfile) =~ /$pattern/g;
		last if $found >= ($wanted // 0);
		usleep 20_000;
	}
	return $found;
}

#
# Memory
#

# Bytes that a session has in use in its memory contexts, and those that are its
# own of the process, whoever asked for them.
sub memory_of
{
	my ($session) = @_;
	my $used = $session->query_safe('SELECT sum(used_bytes) FROM pg_backend_memory_contexts');
	my ($private) = slurp_file("/proc/$session->{pid}/status") =~ /^RssAnon:\s+(\d+) kB/m or die "no RssAnon\n";
	return ($used, 1024 * $private);
}

# Does something a number of times, and then many times more: from the first to
# the last the session grows by less than so many bytes each time. (Of the whole
# process, two megabytes more: pages that the allocator did not have to touch before.)
sub stays_flat
{
	my ($session, $what, $bytes, $first, $more, $do) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$do->($first);
	my @before = memory_of($session);
	$do->($more);
	my @after = memory_of($session);
	my ($used, $private) = map { $after[$_] - $before[$_] } 0, 1;
	cmp_ok($used, '<', $bytes * $more, "$what, $more times: $used bytes more in use");
	cmp_ok($private, '<', $bytes * $more + 2 * 1024 * 1024, "$what, $more times: the process has $private bytes more");
}

# The SQLSTATE of a statement that fails.
sub sqlstate
{
	my ($node, $sql, $database) = @_;
	my ($status, $out, $error) = $node->psql($database // 'postgres', "\\set VERBOSITY sqlstate\n$sql");
	return $error =~ /ERROR:  (\w{5})/ ? $1 : "no error: $out";
}

# What a page of the documentation tells to run: the SQL under a heading.
sub documented
{
	my ($page, $heading) = @_;
	my $text = slurp_file(dirname(__FILE__) . "/../docs/$page");
	my ($section) = $text =~ /^#+ \Q$heading\E\n(.*?)(?=^#+ |\z)/ms or die "$page has no $heading\n";
	return $section =~ /^```sql\n(.*?)^```/msg;
}

# Kills a server, all its processes at once: one that outlives the others would go
# on answering for a moment.
sub kill_all_of
{
	my ($node) = @_;
	my $server = $node->{_pid};
	kill STOP => $server;
	my @children = grep { -r "/proc/$_/stat" && slurp_file("/proc/$_/stat") =~ /\) \w $server / } map { m{(\d+)$} } glob '/proc/[0-9]*';
	kill KILL => @children, $server;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last unless kill 0 => @children, $server;
		usleep 100_000;
	}
	$node->{_pid} = undef;
}

# All that is in the tables of the extension and in its sequences, a line a table.
# (A standby sees sequences some numbers ahead, so their part can be left out.)
sub state_of
{
	my ($node, $database, $without_sequences) = @_;
	my $kinds = $without_sequences ? "'r'" : "'r', 'S'";
	return $node->safe_psql($database, <<"END");
SELECT c.relname,
       (xpath('/row/r/text()', query_to_xml(CASE c.relkind
           WHEN 'S' THEN format('SELECT last_value || '' '' || is_called AS r FROM fcfs.%I', c.relname)
           ELSE format('SELECT count(*) || '' '' || md5(coalesce(string_agg(t::text, E''\\n'' ORDER BY t::text COLLATE "C"), '''')) AS r FROM fcfs.%I t', c.relname)
       END, false, true, '')))[1]
FROM pg_class c WHERE c.relnamespace = 'fcfs'::regnamespace AND c.relkind IN ($kinds)
ORDER BY c.relname
END
}

1;
