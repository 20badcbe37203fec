# What the background worker does: everything that is overdue, in batches, without
# being in the way of callers, and whatever befalls one of its duties. It runs
# functions of the extension, and nothing that others have planted.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

if (!preloaded())
{
	my $node = new_server('local', conf => 'fcfs.worker = on');
	like($node->safe_psql('postgres', "SELECT ok, detail FROM fcfs.health() WHERE item = 'worker'"), qr/^f\|none/, 'not preloaded: there is no worker');
	$node->stop;
	done_testing();
	exit;
}

my $node = new_server('duties', streaming => 1, conf => "fcfs.worker_interval = '1h'\nwal_level = logical\n");
my $worker;

sub switch
{
	my ($state, $when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql('postgres', $_) for "ALTER SYSTEM SET fcfs.worker = $state", 'SELECT pg_reload_conf()';
	return worker_goes($node, 'postgres', $when) if $state eq 'off';
	$worker = worker_comes($node, 'postgres', $when);
	return;
}

sub overdue_holds
{
	my ($count) = @_;
	$node->safe_psql('postgres', "INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) SELECT g, 0, 'USD', now() FROM generate_series(1, $count) g");
	return;
}

sub becomes_true
{
	my ($query, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($node->poll_query_until('postgres', "SELECT $query"), $what);
	return;
}

my $none_overdue = "NOT EXISTS (SELECT FROM fcfs.reservation WHERE status = 'held')";
my $no_key = 'NOT EXISTS (SELECT FROM fcfs.idempotency)';
my $old_key = "INSERT INTO fcfs.idempotency (function, person_id, key, arguments, code, created_at) "
  . "SELECT 'reserve', 1, 'key ' || g, '', 'OK', now() - interval '2 days' FROM generate_series(1, 2500) g";

#
# Everything that is overdue
#

overdue_holds(1234);
$node->safe_psql('postgres', $old_key);
switch('on', 'begins');
becomes_true($none_overdue, 'more holds than fit into a batch end, with no sleep in between');
becomes_true($no_key, 'more old answers than fit into a batch go');
is($node->safe_psql('postgres', "SELECT count(DISTINCT xmin::text) >= 12 FROM fcfs.reservation WHERE status = 'expired'"), 't', 'each batch is a transaction of its own');
overdue_holds(1);
$node->safe_psql('postgres', $_) for "ALTER SYSTEM SET fcfs.worker_interval = '20ms'", 'SELECT pg_reload_conf()';
becomes_true($none_overdue, 'it heeds that it is to sleep for less than an hour');
my $idle = "SELECT state, xact_start IS NULL AND backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = $worker";
for (1 .. 3)
{
	overdue_holds(1);
	becomes_true($none_overdue, 'it works');
	stop_asleep($node);
	is($node->safe_psql('postgres', $idle), 'idle|t', 'it has no transaction and no snapshot while it sleeps');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $worker"), 0, '... and no lock');
	go_on($worker);
}
nothing_left($node, 'everything is done');

#
# Seats
#

$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES (1001, 'seats', ${\ALWAYS}, '2099-03-02', '2099-06-12');
INSERT INTO fcfs.course (id, code, credits) VALUES (1001, 'seats', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) VALUES (1001, 1001, 1001, 'A', 2, 10);
INSERT INTO fcfs.student (id) SELECT generate_series(1001, 1009);
INSERT INTO fcfs.student_group (id, code) VALUES (1001, 'seats');
INSERT INTO fcfs.reserved_seats (section_id, student_group_id, seats, release_at) VALUES (1001, 1001, 1, 'infinity');
SELECT FROM fcfs.enroll(1001, 1001);
SELECT FROM generate_series(1002, 1004) s, fcfs.join_waitlist(s, 1001);
END
my $enrolled = "(SELECT array_agg(student_id ORDER BY arrived_at) FROM fcfs.enrollment WHERE section_id = 1001 AND status = 'enrolled')";
$node->safe_psql('postgres', 'UPDATE fcfs.reserved_seats SET release_at = now()');
becomes_true('released FROM fcfs.reserved_seats', 'reserved seats are released at their time');
becomes_true("$enrolled = '{1001,1002}'", '... and go to the first in line');
$node->safe_psql('postgres', 'UPDATE fcfs.section SET capacity = 3 WHERE id = 1001');
becomes_true("$enrolled = '{1001,1002,1003}'", 'what an administrator adds goes to the next');

# A seat that nobody in line may have: everybody needs a grade in 1001. Who is judged has their grades looked up,
# those of the course and those of 1001, so these look-ups are counted; nobody else makes any.
$node->safe_psql('postgres', <<'END');
INSERT INTO fcfs.course (id, code, credits) VALUES (1002, 'barred', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) VALUES (1002, 1001, 1002, 'A', 0, 10);
SELECT FROM generate_series(1005, 1007) s, fcfs.join_waitlist(s, 1002);
INSERT INTO fcfs.prerequisite (course_id, required_course_id) VALUES (1002, 1001);
END
my $judged = 'SELECT (coalesce(idx_scan, 0) + seq_scan) / 6 FROM pg_stat_user_tables WHERE relid = \'fcfs.grade\'::regclass';
my $began = time;
# Looks that the time alone explains: each rest is twice as long, up to a minute.
my $explained = sub { my $seconds = time - $began + 1; return 2 + log(1 + $seconds) / log(2) + $seconds / 60 };
my $before_all = $node->safe_psql('postgres', $judged);
$node->safe_psql('postgres', 'UPDATE fcfs.section SET capacity = 1 WHERE id = 1002');
for (1 .. 30)
{
	overdue_holds(1);
	$node->poll_query_until('postgres', "SELECT $none_overdue") or die;
}
my $looks = $node->safe_psql('postgres', $judged) - $before_all;
ok($looks >= 1 && $looks <= $explained->(), "a line of which all are barred is not judged each time that the worker wakes, but $looks times");
for my $more (1 .. 12)
{
	my $last = $node->safe_psql('postgres', $judged);
	$node->safe_psql('postgres', "UPDATE fcfs.section SET capacity = capacity + 1 WHERE id = 1002");
	$node->poll_query_until('postgres', "SELECT ($judged) > $last") or die;
}
$looks = $node->safe_psql('postgres', $judged) - $before_all;
cmp_ok($looks, '>=', 13, "... but whenever it has another seat, $looks times");
cmp_ok($explained->(), '<', 13, '... which time alone does not explain');
$node->safe_psql('postgres', 'INSERT INTO fcfs.grade (student_id, course_id, term_id, points) VALUES (1006, 1001, 1001, 4)');
becomes_true("array_agg(student_id) = '{1006}' FROM fcfs.enrollment WHERE section_id = 1002 AND status = 'enrolled'", '... and after a while for other reasons');

#
# In nobody's way
#

my $session = session($node);
$session->query_safe('BEGIN; LOCK TABLE fcfs.reservation IN ACCESS EXCLUSIVE MODE');
switch('off', 'a table is locked');
$node->safe_psql('postgres', $old_key);
switch('on', 'a table is locked');
becomes_true($no_key, 'what needs another table is done');
$session->query_safe('ROLLBACK');
overdue_holds(1);
becomes_true($none_overdue, 'what needs the table is done when it is free');
is(in_log($node, qr/ERROR:  canceling statement due to lock timeout/), 0, 'that it had to wait is no error');

switch('off', 'a row is locked');
$session->query_safe("INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) VALUES (77, 0, 'USD', now())");
$session->query_safe('BEGIN; SELECT FROM fcfs.reservation WHERE customer_id = 77 FOR UPDATE');
switch('on', 'a row is locked');
overdue_holds(5);
becomes_true("array_agg(customer_id) = '{77}' FROM fcfs.reservation WHERE status = 'held'", 'an overdue hold whose row somebody has locked is passed over');
$session->query_safe('COMMIT');
becomes_true($none_overdue, '... until it is free');

#
# Errors
#

$node->safe_psql('postgres', <<'END');
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.failures'); RAISE 'not today'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON fcfs.reservation FOR EACH ROW EXECUTE FUNCTION fail();
END
switch('off', 'a duty fails');
overdue_holds(3);
$node->safe_psql('postgres', $old_key);
my $since = time;
switch('on', 'a duty fails');
my $failing = $worker;
becomes_true('last_value > 20 FROM failures', 'a duty that fails is tried again and again');
becomes_true($no_key, '... and the others go on');
my $times = in_log($node, qr/ERROR:  not today\n.*CONTEXT: .*\n(?:\t.*\n)*?\tpg_fcfs worker, expire_reservations\(\)/, 1);
is(in_log($node, qr/ERROR:  not today/), $times, '... it is logged, with the duty');
ok($times >= 1 && $times <= 1 + (time - $since) / 60, '... once a minute');
like($node->safe_psql('postgres', "SELECT ok, detail FROM fcfs.health() WHERE item = 'worker'"), qr/^f\|process $worker: 1 of its duties failed/, '... and health() says so');
$node->safe_psql('postgres', "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE 'neither tomorrow' USING ERRCODE = 'division_by_zero'; END \$\$");
is(in_log($node, qr/ERROR:  neither tomorrow/, 1), 1, 'another kind of error is logged, too');
$node->safe_psql('postgres', 'DROP TRIGGER fail ON fcfs.reservation');
becomes_true($none_overdue, 'what failed is done when nothing is in the way any more');
is(worker_of($node, 'postgres'), $failing, 'it was the same worker all the time');
becomes_true("ok FROM fcfs.health() WHERE item = 'worker'", 'health() is content again');

#
# Nothing planted
#

$node->safe_psql('postgres', <<'END');
CREATE ROLE mallory LOGIN;
CREATE DATABASE planted OWNER mallory;
END
$node->safe_psql('planted', "CREATE EXTENSION pg_fcfs CASCADE; GRANT CREATE ON SCHEMA fcfs TO mallory; SELECT fcfs.grant_admin('mallory')");
$worker = worker_comes($node, 'planted', 'a database that somebody else owns');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$node->safe_psql('planted', <<'SQL', extra_params => [ '-U', 'mallory' ]);
CREATE SCHEMA evil;
CREATE TABLE evil.caught (what text);
CREATE FUNCTION evil.note(text) RETURNS void LANGUAGE sql AS $$ INSERT INTO evil.caught VALUES ($1 || ' as ' || current_user) $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT evil.note('clock_timestamp'); SELECT pg_catalog.now() $$;
CREATE FUNCTION evil.lower_equal(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.note('operator'); SELECT true $$;
CREATE OPERATOR evil.<= (FUNCTION = evil.lower_equal, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR evil.< (FUNCTION = evil.lower_equal, LEFTARG = timestamptz, RIGHTARG = timestamptz);
DO $do$
DECLARE
    duty text;
    place text;
    type text;
BEGIN
    FOREACH duty IN ARRAY '{expire_reservations,expire_idempotency_keys,release_reserved_seats,pass_waitlists}'::text[] LOOP
        FOR place, type IN VALUES ('evil', 'integer'), ('evil', 'bigint'), ('fcfs', 'bigint'), ('fcfs', 'smallint'), ('fcfs', 'VARIADIC integer[]') LOOP
            EXECUTE format('CREATE FUNCTION %s.%s(%s) RETURNS integer LANGUAGE sql AS $$ SELECT evil.note(%L); SELECT 0 $$', place, duty, type, place || '.' || duty);
        END LOOP;
    END LOOP;
END
$do$;
ALTER DATABASE planted SET search_path = evil, fcfs, pg_catalog;
ALTER DATABASE planted SET default_transaction_isolation = 'serializable';
ALTER DATABASE planted SET role = mallory;
SQL
# A function of the extension that is not its own any more, with another in its place.
$node->safe_psql('planted', <<'END');
SET ROLE NONE;
ALTER EXTENSION pg_fcfs DROP FUNCTION fcfs.expire_idempotency_keys(integer);
DROP FUNCTION fcfs.expire_idempotency_keys(integer);
CREATE FUNCTION fcfs.expire_idempotency_keys(integer) RETURNS integer LANGUAGE sql AS $$ SELECT evil.note('replaced'); SELECT 0 $$;
ALTER FUNCTION fcfs.expire_idempotency_keys(integer) OWNER TO mallory;
END
worker_comes($node, 'planted', 'with planted functions', $worker);
$node->safe_psql('planted', "SET ROLE NONE; INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) VALUES (1, 0, 'USD', now())");
ok($node->poll_query_until('planted', "SELECT count(*) = 0 FROM fcfs.reservation WHERE status = 'held'"), 'it does what it is to do');
is($node->safe_psql('planted', 'SET ROLE NONE; SELECT string_agg(what, E\'\n\') FROM evil.caught'), '', 'nothing planted was run');
$node->safe_psql('postgres', 'DROP DATABASE planted');

#
# A copy
#

$node->safe_psql('postgres', "CREATE PUBLICATION fcfs FOR TABLES IN SCHEMA fcfs; SELECT pg_create_logical_replication_slot('copy', 'pgoutput'); CREATE DATABASE copy");
switch('off', 'a copy is made');
$node->safe_psql('copy', 'CREATE EXTENSION pg_fcfs CASCADE');
$node->safe_psql('copy', "CREATE SUBSCRIPTION copy CONNECTION 'host=@{[$node->host]} port=@{[$node->port]} dbname=postgres' PUBLICATION fcfs WITH (create_slot = false, copy_data = false)");
switch('on', 'a copy is made');
$worker = worker_comes($node, 'copy', 'a subscriber');
like($node->safe_psql('copy', "SELECT ok, detail FROM fcfs.health() WHERE item = 'worker'"), qr/^t\|.*subscription/, 'a subscriber: health() says that nothing is done');
$node->safe_psql('copy', "INSERT INTO fcfs.reservation (customer_id, amount, currency, expires_at) VALUES (1, 0, 'USD', now())");
becomes_true("count(*) = 1 FROM pg_stat_activity WHERE pid = $worker AND wait_event = 'Extension'", 'a subscriber: it sleeps') for 1 .. 10;
is($node->safe_psql('copy', "SELECT (SELECT status FROM fcfs.reservation), (SELECT state FROM pg_stat_activity WHERE pid = $worker)"), 'held|', 'a subscriber: nothing is done to what comes from elsewhere');
$node->safe_psql('copy', 'DROP SUBSCRIPTION copy');
ok($node->poll_query_until('copy', "SELECT status = 'expired' FROM fcfs.reservation"), 'no subscriber any more: it is done');
$node->safe_psql('postgres', 'DROP DATABASE copy');
$node->safe_psql('postgres', 'DROP PUBLICATION fcfs');

#
# A load, while it works
#

my $load = start_load($node, connections => 6, seconds => 240);
worker_comes($node, 'postgres', 'a load');
load_goes_on($load, 'a worker under load');
wait_for_claims($node, 300);
overdue_holds(50);
stop_load($load);
becomes_true($none_overdue =~ s/'held'/'held' AND expires_at < now() - interval '1 second'/r, 'under load holds end');
history_holds($load, 'a load and a worker');
# It looks at lines all the time, and has pools and students in its hands then.
switch('off', 'after the load');
nothing_left($node, 'a load and a worker');
switch('on', 'after the load');

# For ever: the worker does not grow.
my $memory = sub {
	my $looks = in_log($node, qr/Grand total: /);
	stop_asleep($node);
	$node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($worker)");
	go_on($worker);
	in_log($node, qr/Grand total: /, $looks + 1);
	my ($used) = slurp_file($node->logfile) =~ /.*Grand total: .* (\d+) used/s;
	my ($private) = slurp_file("/proc/$worker/status") =~ /^RssAnon:\s+(\d+) kB/m or die "no RssAnon\n";
	return ($used, $private);
};
my $rounds = sub {
	for (1 .. shift)
	{
		overdue_holds(200);
		$node->poll_query_until('postgres', "SELECT $none_overdue") or die;
	}
};
$rounds->(20);
my @before = $memory->();
$rounds->(60);
my @after = $memory->();
cmp_ok($after[0] - $before[0], '<', 64 * 1024, 'after hundreds of batches it has no more in use');
cmp_ok($after[1] - $before[1], '<', 512, '... and has grown by less than half a megabyte');
is(worker_of($node, 'postgres'), $worker, '... and is the same');
$node->stop;
done_testing();
