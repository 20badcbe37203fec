# Lock tables that are full, and memory that runs out: the call fails with 53200
# wherever that happens in it, nothing is left behind, and all goes on as before.
# Seeds come from FCFS_SEED.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

use constant SEED => $ENV{FCFS_SEED} // 3;
srand(SEED);
diag('FCFS_SEED=' . SEED);

my $node = new_server('full', conf => "max_connections = 10\nmax_locks_per_transaction = 60\nmax_wal_senders = 0\n"
	. "max_replication_slots = 0\nautovacuum = off\nmax_prepared_transactions = 0\nmax_worker_processes = 0\n");
$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on)
VALUES (1, 'T', ${\ALWAYS}, '2099-03-02', '2099-06-12');
INSERT INTO fcfs.student (id) SELECT generate_series(1, 9);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (1, 1, 1, 'A', 100);
INSERT INTO fcfs.item (id, code, stock, strict_order) VALUES (1, 'I', 100, true);
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 100, ${\ALWAYS});
INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) SELECT g, 'K' || g, 1, ${\ALWAYS} FROM generate_series(1000, 6000) g;
END

#
# Locks
#

# Takes session locks until there is no room for another, then gives back so many.
sub fill_locks
{
	my ($session, $room) = @_;
	$session->query_safe(<<"DO");
DO \$\$
DECLARE
    taken integer := 0;
BEGIN
    LOOP
        BEGIN
            PERFORM pg_advisory_lock(taken);
        EXCEPTION WHEN out_of_memory THEN
            EXIT;
        END;
        taken := taken + 1;
    END LOOP;
    FOR i IN 1 .. $room LOOP
        PERFORM pg_advisory_unlock(taken - i);
    END LOOP;
END
\$\$
DO
}

# Each operation needs a few locks; with room for none, one, two ... of them it
# fails at each in turn, and then does not.
my %statement = (
	'a coupon'            => 'SELECT code FROM fcfs.try_issue_coupon(1, 5, \'key\')',
	'an enrollment'       => 'SELECT code FROM fcfs.try_enroll(5, 1, \'key\')',
	'a reservation'       => 'SELECT code FROM fcfs.try_reserve(5, 1, 2, \'key\')',
	'a coupon by raw SQL' => 'INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (1, 5) RETURNING \'OK\'',
	'a pool that changes' => 'UPDATE fcfs.coupon SET quota = 50, per_user_limit = 2 WHERE id = 1 RETURNING \'OK\'',
	'a pool that goes'    => 'DELETE FROM fcfs.item WHERE id = 1 RETURNING \'OK\'',
	'claims that go'      => 'TRUNCATE fcfs.coupon_issue; SELECT \'OK\'');
my $filler = session($node);
for my $what (sort keys %statement)
{
	my ($failures, $ok) = (0, 0);
	for my $room (0 .. 40)
	{
		# A session that has its plans, and a server that has no slot for the pool.
		my $caller = session($node);
		$caller->query_safe("BEGIN; $statement{$what}; ROLLBACK");
		$caller->query_safe("SELECT fcfs.reload_pool(k, 1) FROM unnest('{section,item,coupon}'::text[]) k");
		fill_locks($filler, $room);
		my ($said) = $caller->query("BEGIN; SAVEPOINT s; $statement{$what}");
		my $error = $caller->{stderr};
		$caller->{stderr} = '';
		$filler->query_safe('SELECT pg_advisory_unlock_all()');
		if ($error =~ /ERROR:  53200/) { $failures++ }
		elsif ($error eq '' && $said =~ /^OK/m) { $ok++ }
		else { fail("$what, room for $room locks: $said $error") }
		$caller->query_safe('ROLLBACK TO s');
		like($caller->query_safe($statement{$what}), qr/^OK/m, "$what, room for $room locks: after the savepoint it goes") if $error;
		$caller->query_safe('ROLLBACK');
		$caller->quit;
		last if $ok;
	}
	cmp_ok($failures, '>', 1, "$what: failed at $failures places for want of a lock");
	is($ok, 1, "$what: and then not");
	nothing_left($node, $what);
}
$filler->quit;

# One transaction that wants locks without end.
my $greedy = session($node);
$greedy->query_safe('BEGIN');
$greedy->query_safe('SELECT fcfs.issue_coupon(1, 1)');
$greedy->query_safe('SAVEPOINT s');
$greedy->query('SELECT count(*) FROM generate_series(2, 100000) u, fcfs.try_issue_coupon(1000 + u % 5000, u)');
like($greedy->{stderr}, qr/ERROR:  53200/, 'more persons than there are locks: 53200');
$greedy->{stderr} = '';
$greedy->query_safe('ROLLBACK TO s');
is($node->safe_psql('postgres', 'SELECT code FROM fcfs.try_issue_coupon(2, 2)'), 'COUPON_NOT_FOUND', 'others are served after the rollback to a savepoint');
is($greedy->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 3)'), 'OK', 'and so is the transaction itself');
$greedy->query_safe('COMMIT');
$greedy->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.coupon_issue'), 2, 'what was kept is there, and no more');
nothing_left($node, 'after want of locks');
$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue');

#
# Memory
#

# A session that may have no more than so many kilobytes beyond what it has.
sub limit_memory
{
	my ($session, $more) = @_;
	my ($now) = slurp_file("/proc/$session->{pid}/status") =~ /^VmSize:\s+(\d+) kB/m;
	my $limit = defined $more ? 1024 * ($now + $more) : 'unlimited';
	system_or_bail('prlimit', "--pid=$session->{pid}", "--as=$limit:");
}

# One transaction that claims of thousands of pools, each hundred of them in a
# savepoint within the one before, so that the ledger grows, and its list of what may
# be rolled back. By raw SQL, which takes no lock for each person.
my $claims = <<'SQL';
CREATE PROCEDURE pg_temp.claim(depth integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fcfs.coupon_issue (coupon_id, user_id)
    SELECT 1000 + depth * 100 + g, 7 FROM generate_series(0, 99) g;
    IF depth < 40 THEN
        CALL pg_temp.claim(depth + 1);
    END IF;
EXCEPTION WHEN division_by_zero THEN
    RAISE;
END $$
SQL

# The stack grows before there is a limit: no process survives it if that fails.
my $deep = <<'SQL';
SET max_stack_depth = '1MB';
DO $$ BEGIN PERFORM repeat('[', 100000)::json; EXCEPTION WHEN statement_too_complex THEN NULL; END $$;
RESET max_stack_depth
SQL
my %ended;
for my $round (1 .. 10)
{
	my $session = session($node);
	my $more = int(rand(6_000));
	$session->query_safe("SET client_min_messages = warning; SELECT fcfs.try_issue_coupon(1, $round)");
	$session->query_safe($deep);
	$session->query_safe($claims);
	$session->query_safe('BEGIN; CALL pg_temp.claim(39); ROLLBACK');
	limit_memory($session, $more);
	$session->query('BEGIN');
	$session->query('CALL pg_temp.claim(0)');
	my ($where) = $session->{stderr} =~ /memory context "(.*?)"/;
	my ($code) = $session->{stderr} =~ /ERROR:  (\w{5})/;
	$ended{ $code // 'none' }++;
	limit_memory($session);
	$session->{stderr} = '';
	$session->query_safe('ROLLBACK');
	is($session->query_safe("SELECT code FROM fcfs.try_issue_coupon(1, 100 + $round)"), 'OK', "$more kB more (" . ($where // $code // 'enough') . '): its session goes on');
	$session->quit;
}
nothing_left($node, 'after want of memory');
cmp_ok($ended{53200} // 0, '>', 2, 'memory ran out: ' . join ', ', map { "$_ $ended{$_} times" } sort keys %ended);
is(join(' ', grep { !/^(?:53200|none)$/ } sort keys %ended), '', 'and was what each failed for');
is( $node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE ok) FROM generate_series(1000, 6000) c, fcfs.try_issue_coupon(c, 1 + c % 7) WHERE c % 50 = 0'),
	'101|101', 'every unit is free again');

$node->stop;
done_testing();
