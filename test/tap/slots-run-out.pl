# Many more pools than slots in shared memory: pools come and go, those in use
# stay, and every count is exact all the same.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Spec;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

use constant POOLS => 300;

my $node = new_server('slots', conf => 'fcfs.max_pools = 16');
my $dir = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir);
$node->safe_psql('postgres', 'CREATE TABLE answer (coupon bigint, code text); CREATE SEQUENCE n START 1000000;'
	. 'INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) '
	. "SELECT g, 'K' || g, 4, ${\ALWAYS} FROM generate_series(1, ${\POOLS}) g");

# Each of 8 clients goes through the pools; half of the claims are rolled back.
append_to_file("$dir/through.sql", <<"END");
\\set coupon random(1, ${\POOLS})
\\set keep random(0, 1)
BEGIN;
INSERT INTO answer SELECT :coupon, code FROM fcfs.try_issue_coupon(:coupon, nextval('n'));
\\if :keep
COMMIT;
\\else
ROLLBACK;
\\endif
END
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 800, '-f', "$dir/through.sql", '-h', $node->host, '-p', $node->port, 'postgres' ],
	'claims on many more pools than slots');
is($node->safe_psql('postgres', 'SELECT coupon_id FROM fcfs.coupon_issue GROUP BY 1 HAVING count(*) > 4'), '', 'no pool is oversold');
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM answer WHERE code = 'OK') - (SELECT count(*) FROM fcfs.coupon_issue)"),
	0, 'every claim that was answered and committed is there');
nothing_left($node, 'after going through the pools');
is( $node->safe_psql('postgres', <<"END"), '', 'each pool gives out exactly what is left of it');
WITH before AS MATERIALIZED (SELECT coupon_id, count(*) FROM fcfs.coupon_issue GROUP BY 1),
claims AS MATERIALIZED (
    SELECT c.id, count(*) FILTER (WHERE o.ok) AS sold
    FROM fcfs.coupon c, generate_series(1, 6) u, fcfs.try_issue_coupon(c.id, u) o GROUP BY 1)
SELECT id, sold, count FROM claims LEFT JOIN before ON coupon_id = id WHERE sold + coalesce(count, 0) <> 4
END
nothing_left($node, 'all sold out');

# One transaction that goes on needs more pools than there are slots: others wait,
# no longer than they have to, and are then served as if nothing had been.
$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue');
my $holder = session($node);
$holder->query_safe('BEGIN');
is($holder->query_safe("SELECT count(*) FROM generate_series(1, ${\POOLS}) c, fcfs.try_issue_coupon(c, 7) WHERE ok"), POOLS,
	'one transaction holds units of all pools');
my $codes = $node->safe_psql('postgres',
	"SET fcfs.lock_timeout = '5ms'; SET statement_timeout = '20s'; SELECT DISTINCT code FROM generate_series(1, ${\POOLS}) c, fcfs.try_issue_coupon(c, 8)");
like($codes, qr/^(?:OK|LOCK_TIMEOUT|LOCK_TIMEOUT\nOK|OK\nLOCK_TIMEOUT)$/, 'others meanwhile are served, or told that a lock was not to be had');
$holder->query_safe('SAVEPOINT s');
$holder->query_safe('SELECT count(*) FROM generate_series(1, 50) c, fcfs.try_issue_coupon(c, 9)');
$holder->query_safe('ROLLBACK TO s');
$holder->query_safe('COMMIT');
$holder->quit;
$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue WHERE user_id = 8');
nothing_left($node, 'after holding all pools');
is($node->safe_psql('postgres', "SELECT code, count(*) FROM generate_series(1, ${\POOLS}) c, generate_series(11, 14) u, fcfs.try_issue_coupon(c, u) GROUP BY 1 ORDER BY 1"),
	'COUPON_EXHAUSTED|' . POOLS . "\nOK|" . 3 * POOLS, 'after it three of each are left');

# COPY of claims over 200 pools in one transaction, sold out exactly and one too many.
$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue');
my @rows = map { my $u = $_; map { "$_\t$u" } 1 .. 200 } 1 .. 4;
append_to_file("$dir/claims", join("\n", @rows) . "\n");
append_to_file("$dir/too-many", join("\n", @rows, "77\t9") . "\n");
my $copy = 'COPY fcfs.coupon_issue (coupon_id, user_id) FROM';
my ($status, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$copy '$dir/too-many'");
like($error, qr/ERROR:  23514.*coupon_quota/s, 'COPY of one claim too many is refused');
nothing_left($node, 'after the refused COPY');
$node->safe_psql('postgres', "$copy '$dir/claims'");
is($node->safe_psql('postgres', 'SELECT DISTINCT code FROM generate_series(1, 200) c, fcfs.try_issue_coupon(c, 10)'), 'COUPON_EXHAUSTED',
	'COPY that fits sells all 200 pools out');
is($node->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE ok) FROM generate_series(201, 300) c, fcfs.try_issue_coupon(c, 10)'), 100,
	'the other pools are as they were');
nothing_left($node, 'in the end');

# Whoever finds no slot waits to have the table alone. One who was there before may
# load the same pool meanwhile: then that slot counts, and not a count of one's own.
SKIP_LOCAL:
{
	last SKIP_LOCAL unless preloaded($node);
	$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue; UPDATE fcfs.coupon SET quota = 2 WHERE id = 300');
	my ($first, $second, $late) = map { session($node) } 1 .. 3;
	$_->query_safe('BEGIN') for $first, $second;
	$first->query_safe('SELECT count(*) FROM generate_series(1, 15) c, fcfs.try_issue_coupon(c, 1)');
	$second->query_safe('SELECT fcfs.issue_coupon(16, 2)');
	ask($late, 'SELECT code FROM fcfs.try_issue_coupon(300, 3)');
	wait_until_blocked($node, $late, $second);
	$first->query_safe('COMMIT');
	is($second->query_safe('SELECT code FROM fcfs.try_issue_coupon(300, 4)'), 'OK', 'one who was there before loads the pool');
	$second->query_safe('COMMIT');
	is(answer($late), 'OK', 'one who waited for the table takes the last unit');
	is($node->safe_psql('postgres', 'SELECT code FROM fcfs.try_issue_coupon(300, 5)'), 'COUPON_EXHAUSTED', 'and it was the last');
	$_->quit for $first, $second, $late;
	nothing_left($node, 'after the table was waited for');

	# A slot is chosen to make room, and before it is taken out of the index
	# ("evict") somebody takes from that pool: it stays, and counts.
	$node->safe_psql('postgres', 'INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) '
		. "SELECT g, 'L' || g, CASE WHEN g = 416 THEN 2 ELSE 1 END, ${\ALWAYS} FROM generate_series(401, 418) g");
	my ($gate, $holder, $evictor, $taker) = map { session($node) } 1 .. 4;
	my $stop = sub
	{
		my ($for) = @_;
		$gate->query_safe('SELECT pg_advisory_lock(1)');
		$evictor->query_safe("SET fcfs.test_point = 'evict wait 1'");
		ask($evictor, "SELECT code FROM fcfs.try_issue_coupon($for, 4)");
		wait_until_blocked($node, $evictor, $gate);
	};
	$holder->query_safe('BEGIN');
	is($holder->query_safe('SELECT count(*) FROM generate_series(401, 415) c, fcfs.try_issue_coupon(c, 1) WHERE ok'), 15, 'all slots but one are in use');
	$taker->query_safe('SELECT fcfs.issue_coupon(416, 3)');
	$stop->(417);
	$taker->query_safe('BEGIN');
	is($taker->query_safe('SELECT code FROM fcfs.try_issue_coupon(416, 2)'), 'OK', 'a unit is taken from the slot that is to go');
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	wait_until_blocked($node, $evictor, $taker);
	$taker->query_safe('COMMIT');
	$holder->query_safe('COMMIT');
	is(answer($evictor), 'OK', 'who wanted the slot is served without it');
	is($node->safe_psql('postgres', 'SELECT code FROM fcfs.try_issue_coupon(416, 5)'), 'COUPON_EXHAUSTED', 'the unit that was taken counts');
	nothing_left($node, 'after a take from the slot that was to go');

	# The slot is that of another pool by then.
	$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue WHERE coupon_id > 400');
	$holder->query_safe('BEGIN');
	$holder->query_safe('SELECT count(*) FROM generate_series(401, 415) c, fcfs.try_issue_coupon(c, 1)');
	$taker->query_safe('SELECT fcfs.issue_coupon(416, 3)');
	$stop->(417);
	is($taker->query_safe('SELECT code FROM fcfs.try_issue_coupon(418, 2)'), 'OK', 'somebody else is faster, and has the slot');
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	is(answer($evictor), 'OK', 'the slot goes from pool to pool');
	$holder->query_safe('ROLLBACK');
	is($node->safe_psql('postgres', 'SELECT c, code FROM generate_series(416, 418) c, generate_series(5, 6) u, fcfs.try_issue_coupon(c, u) ORDER BY 1, 2'),
		"416|COUPON_EXHAUSTED\n416|OK\n417|COUPON_EXHAUSTED\n417|COUPON_EXHAUSTED\n418|COUPON_EXHAUSTED\n418|COUPON_EXHAUSTED",
		'each pool has what is left of it');
	nothing_left($node, 'after the slot went from pool to pool');

	# Somebody waits for a pool that another has alone; before it does ("uncertain")
	# that pool is deleted, and its slot is one that somebody has alone again.
	$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue WHERE coupon_id > 400');
	$holder->query_safe('BEGIN');
	$holder->query_safe('SELECT count(*) FROM generate_series(401, 415) c, fcfs.try_issue_coupon(c, 1)');
	my $other = session($node);
	$other->query_safe('BEGIN');
	$other->query_safe('DELETE FROM fcfs.coupon WHERE id = 416');
	$gate->query_safe('SELECT pg_advisory_lock(1)');
	$evictor->query_safe("SET fcfs.test_point = 'uncertain wait 1'; SET statement_timeout = '20s'");
	ask($evictor, 'SELECT code FROM fcfs.try_issue_coupon(416, 4)');
	wait_until_blocked($node, $evictor, $gate);
	$other->query_safe('COMMIT');
	$taker->query_safe('BEGIN');
	$taker->query_safe('DELETE FROM fcfs.coupon WHERE id = 418');
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	is(answer($evictor), 'COUPON_NOT_FOUND', 'who waited for a pool that is gone does not wait for the next in its slot');
	$_->query_safe('ROLLBACK') for $taker, $holder;
	nothing_left($node, 'after a slot was waited for that went to another');

	# TRUNCATE takes the pools out of shared memory, and leaves their slots to others.
	for (1 .. 3)
	{
		$holder->query_safe('BEGIN');
		$holder->query_safe('SELECT count(*) FROM generate_series(1, 16) c, fcfs.try_issue_coupon(c, 1)');
		is($node->safe_psql('postgres', 'SELECT count(*) FROM fcfs.stat_pools WHERE pinned_by > 0'), 16, 'all slots can be used');
		$holder->query_safe('COMMIT');
		$node->safe_psql('postgres', 'TRUNCATE fcfs.coupon_issue');
	}
	$_->quit for $gate, $holder, $evictor, $taker, $other;
	nothing_left($node, 'after TRUNCATE');
}

# A pool in the slot of another knows nothing of when the holds of that were overdue.
$node->safe_psql('postgres', <<'END');
INSERT INTO fcfs.item (id, code, stock) SELECT g, 'I' || g, 1 FROM generate_series(1, 40) g;
SELECT count(*) FROM generate_series(1, 40) i, fcfs.reserve(1000 + i, i);
UPDATE fcfs.reservation SET expires_at = clock_timestamp();
DO $$
BEGIN
    FOR i IN 1 .. 40 LOOP
        PERFORM fcfs.reserve(2000 + i, i);
        COMMIT;
    END LOOP;
END $$;
END
nothing_left($node, 'after overdue holds of many items');

# One table of claims, pools of four kinds: whoever has the table alone counts pools of
# each kind on slots of its own, and finds those that are in shared memory there.
$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES (1, 'T', ${\ALWAYS}, '2099-01-01', '2099-02-01');
INSERT INTO fcfs.student (id, max_credits) SELECT g, 1000 FROM generate_series(1, 40) g;
INSERT INTO fcfs.student_group (id, code) VALUES (1, 'G');
INSERT INTO fcfs.student_group_member (student_group_id, student_id) SELECT 1, g FROM generate_series(1, 10) g;
INSERT INTO fcfs.course (id, code, credits) SELECT g, 'C' || g, 1 FROM generate_series(1, 20) g;
INSERT INTO fcfs.cross_list (id, code, capacity) SELECT g, 'X' || g, 3 FROM generate_series(1, 20) g;
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity, waitlist_capacity, cross_list_id) SELECT g, 1, g, 'A', 4, 1, g FROM generate_series(1, 20) g;
INSERT INTO fcfs.reserved_seats (id, section_id, student_group_id, seats) SELECT g, g, 1, 2 FROM generate_series(1, 20) g;
END
my ($all, $some) = map { session($node) } 1 .. 2;
$some->query_safe('BEGIN');
is($some->query_safe('SELECT code FROM fcfs.try_enroll(1, 20)'), 'OK', 'one who was there before');
$all->query_safe("BEGIN; SET fcfs.lock_timeout = '20s'");
ask($all, 'SELECT code, count(*) FROM generate_series(1, 20) s, fcfs.try_enroll(2, s) GROUP BY 1');
wait_until_blocked($node, $all, $some);
$some->query_safe('ROLLBACK');
is(answer($all), 'OK|20', 'more sections, reserved seats, lines and cross lists than slots in one transaction');
is($all->query_safe(<<'END'), "20\n20\nCOURSE_FULL|20", 'it counts on, seat by seat');
SELECT count(fcfs.enroll(3, s)) FROM generate_series(1, 20) s;
SELECT count(fcfs.enroll(21, s)) FROM generate_series(1, 20) s;
SELECT code, count(*) FROM generate_series(1, 20) s, fcfs.try_enroll(4, s) GROUP BY 1;
END
$all->query_safe('COMMIT');
$_->quit for $all, $some;
nothing_left($node, 'after it');
is($node->safe_psql('postgres', 'SELECT code, count(*) FROM generate_series(1, 20) s, generate_series(21, 22) u, fcfs.try_enroll(u, s) GROUP BY 1 ORDER BY 1'),
	"ALREADY_ENROLLED|20\nCOURSE_FULL|20", 'all of them are full');

$node->stop;
done_testing();
