# A session that calls for ever does not grow, whatever it calls and however the
# calls end; nor does shared memory. FCFS_CALLS is how many calls it makes: 200,000
# unless it says otherwise.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

use constant CALLS => $ENV{FCFS_CALLS} // 200_000;
use constant ROUND => 10_000;

my $node = new_server('memory', conf => "dynamic_shared_memory_type = mmap\nfcfs.slow_wait = -1\n");
$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on, max_credits)
VALUES (1, 'T', ${\ALWAYS}, '2099-03-02', '2099-06-12', 8);
INSERT INTO fcfs.student (id) SELECT generate_series(1, 40);
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 4 FROM generate_series(1, 6) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity) SELECT g, 1, g, 'A', g * 3, g * 2 FROM generate_series(1, 6) g;
INSERT INTO fcfs.meeting (section_id, weekday, starts_at, ends_at)
SELECT s, 1 + s % 3, '09:00', '10:00' FROM generate_series(1, 6) s;
INSERT INTO fcfs.event (id, code, sale_opens_at, sale_closes_at, max_per_customer) VALUES (1, 'E', ${\ALWAYS}, 6);
INSERT INTO fcfs.item (id, event_id, code, stock, price, currency, strict_order)
VALUES (1, 1, 'hall', 40, 1000, 'USD', false), (2, NULL, 'poster', NULL, 300, 'USD', true), (3, 1, 'box', 0, 9000, 'USD', false);
INSERT INTO fcfs.coupon (id, code, quota, per_user_limit, opens_at, closes_at, strict_order)
VALUES (1, 'few', 30, 1, ${\ALWAYS}, false), (2, 'free', NULL, 3, ${\ALWAYS}, true), (3, 'over', 9, 1, '2000-01-01', '2001-01-01', false);
END

# Every operation, with and without a key; n counts up, p is one of 40 persons, r a
# reservation that may be theirs. Each is called by both of its faces.
my @operations = (
	'enroll(p, 1 + n % 6)',
	'cancel_enrollment(p, 1 + n / 2 % 6)',
	"enroll(p, 1 + n % 6, 'key ' || n % 500)",
	'swap_enrollment(p, 1 + n % 6, 1 + (n + 1) % 6)',
	"change_schedule(p, ARRAY[1 + n % 6], ARRAY[1 + (n + 2) % 6, 1 + (n + 4) % 6], 'key ' || n % 500)",
	'join_waitlist(p, 1 + n % 6, NULL, 1 + (n + 3) % 6)',
	'leave_waitlist(p, 1 + n / 3 % 6)',
	'reserve(p, 1 + n % 3, 1 + n % 2)',
	"reserve(p, 1 + n % 3, 1, 'key ' || n % 500)",
	'confirm_reservation(r)',
	'cancel_reservation(r - 3)',
	'issue_coupon(1 + n % 3, p)',
	"issue_coupon(2, p, 'key ' || n % 500)",
	'issue_coupon(99, p)');
my @others = (
	"PERFORM fcfs.call('enroll', jsonb_build_object('student_id', p, 'section_id', 1))",
	"PERFORM fcfs.person_id('somebody ' || p)",
	'PERFORM fcfs.pass_waitlists(5)',
	'INSERT INTO fcfs.coupon_issue (coupon_id, user_id) VALUES (2, n + 1000); DELETE FROM fcfs.coupon_issue WHERE user_id = n + 1000');

# Refusals that are raised are caught; anything else that is raised ends the test.
sub raised_and_answered
{
	my ($call) = @_;
	return "PERFORM fcfs.try_$call; PERFORM o.code FROM fcfs.try_$call AS o; BEGIN PERFORM fcfs.$call; EXCEPTION WHEN OTHERS THEN"
	  . " IF sqlstate NOT LIKE 'RF%' THEN RAISE; END IF; refused := refused + 1; END;\n";
}

my $session = session($node);
my ($n, $refused, $slots) = (0, 0, 0);

# Rows that have come together make way: it is the session that is to last, not they.
sub calls
{
	my ($count) = @_;
	my $times = int($count / (3 * @operations + @others));
	my $body = join '', map({ raised_and_answered($_) } @operations), map { "$_;\n" } @others;
	$session->query_safe(<<"DO");
DO \$do\$
DECLARE
    refused integer := 0;
    p bigint;
    r bigint := (SELECT coalesce(max(id), 0) FROM fcfs.reservation);
BEGIN
    FOR n IN $n .. $n + $times LOOP
        p := 1 + n % 40;
        r := r + 1;
        $body
        IF n % 50 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
    PERFORM set_config('test.refused', refused::text, false);
END
\$do\$
DO
	$n += $times + 1;
	$refused += $session->query_safe("SELECT current_setting('test.refused')");
	$session->query_safe('SELECT fcfs.expire_reservations(), fcfs.expire_idempotency_keys()');
	$session->query_safe('SELECT count(*) FROM fcfs.verify(), fcfs.health()');
	$slots = $node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.stat_pools');
	$session->query_safe('TRUNCATE fcfs.enrollment, fcfs.reservation, fcfs.reservation_line, fcfs.coupon_issue, fcfs.idempotency');
}

# What is allocated of shared memory, by name, and segments made on the way.
sub shared_memory
{
	my $named = $node->safe_psql('postgres',
		"SELECT name, allocated_size FROM pg_shmem_allocations WHERE name <> '<anonymous>' ORDER BY 1");
	return join "\n", $named, sort map { s{.*/}{}r } glob $node->data_dir . '/pg_dynshmem/*';
}

# Eight bytes that each call left behind would be twice as much as is allowed.
$session->query_safe('SELECT count(*) FROM fcfs.stat_pools');
my $shared = shared_memory();
stays_flat($session, 'calls of every operation, by both faces', 4, CALLS / 5, CALLS - CALLS / 5, sub {
	for (my $left = $_[0]; $left > 0; $left -= ROUND)
	{
		calls($left < ROUND ? $left : ROUND);
	}
});
cmp_ok($refused, '>', CALLS / 20, "$refused refusals were raised and caught");
is(shared_memory(), $shared, 'shared memory has not grown, and no segment of it is left');
is($slots, preloaded() ? 18 : 0, 'a slot for each pool, and for each line');
nothing_left($node, 'after the calls');

# In one statement, which frees what a row used before the next. Memory is looked at
# from within it.
$session->query_safe('CREATE FUNCTION used() RETURNS numeric LANGUAGE sql VOLATILE RETURN '
	. '(SELECT sum(used_bytes) FROM pg_backend_memory_contexts)');
my $grown = $session->query_safe('SELECT max(used) - min(used) FROM (SELECT o.code, CASE WHEN g IN (10000, 60000) THEN used() END AS used '
	. 'FROM generate_series(1, 60000) g, LATERAL fcfs.try_issue_coupon(3, g * 0 + 5) o) calls');
cmp_ok($grown, '<', 4 * 50_000, "50,000 calls in one statement: $grown bytes more in use");

# Plans that have become invalid are replaced, not added to.
sub plans
{
	return $session->query_safe("SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource'");
}

sub calls_after
{
	my ($change) = @_;
	$session->query_safe("$change; DO \$\$ DECLARE n int := 1; p bigint := 1; r bigint := 1; refused int := 0;"
		. ' BEGIN ' . join('', map { raised_and_answered($_) } @operations) . ' END $$');
}
calls_after('SELECT 1');
my $plans = plans();
# Each invalidation makes some twenty plans anew; one that stayed would have some kilobytes.
stays_flat($session, 'tables altered between calls', 500, 20, 100, sub {
	for my $i (1 .. $_[0])
	{
		calls_after("ALTER TABLE fcfs.$_ SET (fillfactor = @{[ 50 + $i % 50 ]})") for qw(coupon item section coupon_issue idempotency);
	}
});
cmp_ok(plans(), '<=', $plans, 'no more plans than before');

# Waits that end in every way.
my $holder = session($node);
$holder->query_safe('UPDATE fcfs.coupon SET quota = 1 WHERE id = 1');
$holder->query_safe('BEGIN');
$holder->query_safe('SELECT fcfs.issue_coupon(1, 1)');
sub waits
{
	my ($times, $setting) = @_;
	$session->query_safe("SET $setting = '1ms'");
	for (1 .. $times)
	{
		$session->query('SELECT code FROM fcfs.try_issue_coupon(1, 2)');
		my $said = $session->{stderr};
		$session->{stderr} = '';
		die "unexpected: $said\n" unless $said =~ /^$|57014|55P03/;
	}
	$session->query_safe("RESET $setting");
}
for my $setting (qw(fcfs.lock_timeout statement_timeout lock_timeout))
{
	stays_flat($session, "waits that $setting ends", 20, 100, 500, sub { waits($_[0], $setting) });
}
$session->query_safe("BEGIN; SET LOCAL fcfs.lock_timeout = '1ms'");
stays_flat($session, 'waits that run out in one transaction', 20, 100, 500,
	sub { $session->query_safe("DO \$\$ BEGIN FOR i IN 1 .. $_[0] LOOP PERFORM fcfs.try_issue_coupon(1, 2); END LOOP; END \$\$") });
$session->query_safe('ROLLBACK');

# A long wait goes on in slices of a tenth of a second, each a subtransaction.
$session->query_safe('BEGIN');
stays_flat($session, 'slices of a wait', 100, 3, 25, sub {
	$session->query_safe("SET LOCAL fcfs.lock_timeout = '${\($_[0] * 100)}ms'");
	die "it did not wait\n" if $session->query_safe('SELECT code FROM fcfs.try_issue_coupon(1, 2)') ne 'LOCK_TIMEOUT';
});
$session->query_safe('ROLLBACK');
$holder->query_safe('ROLLBACK');
$holder->quit;

# DROP EXTENSION and CREATE EXTENSION: what the server itself keeps of types and
# functions that are gone is some kilobytes each time, but no plan of ours stays.
sub made_anew
{
	$session->query_safe('DROP EXTENSION pg_fcfs; CREATE EXTENSION pg_fcfs; '
		. "INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (1, 'K', 2, ${\ALWAYS})");
	$session->query_safe('SELECT fcfs.try_issue_coupon(1, 1), fcfs.try_issue_coupon(1, 1), fcfs.try_reserve(1, 1)');
}
made_anew() for 1 .. 5;
$plans = plans();
stays_flat($session, 'the extension dropped and made again', 100_000, 5, 20, sub { made_anew() for 1 .. $_[0] });
cmp_ok(plans(), '<=', $plans, 'no plan is left of those that are gone');
is(shared_memory(), $shared, 'shared memory has not grown in the end');
nothing_left($node, 'in the end');

$session->quit;
$node->stop;
done_testing();
