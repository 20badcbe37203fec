# A wait for a lock longer than fcfs.slow_wait is logged once, with the name of the
# lock, how long it took and the process that held it; a shorter one is not, and
# neither is any key or person's name.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('slow', conf => "fcfs.slow_wait = '300ms'\nlog_error_verbosity = default\n");
open_coupon($node, 1, 9, 'strict');
open_coupon($node, 2, 1);
$node->safe_psql('postgres', <<"END");
INSERT INTO fcfs.term (id, code, enroll_opens_at, enroll_closes_at, starts_on, ends_on) VALUES (1, 'T', ${\ALWAYS}, '2099-03-02', '2099-06-12');
INSERT INTO fcfs.student (id) VALUES (7), (8);
INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C', 1);
INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (3, 1, 1, 'A', 1);
INSERT INTO fcfs.item (id, code, stock) VALUES (4, 'I', 1);
END
my ($holder, $waiter) = (session($node), session($node));

# What the log says of a wait for what the holder took, of that many milliseconds.
sub logged
{
	my ($hold, $want, $milliseconds) = @_;
	my $from = -s $node->logfile;
	$holder->query_safe('BEGIN');
	$holder->query_safe($hold);
	ask($waiter, $want);
	wait_until_blocked($node, $waiter, $holder);
	$holder->query_safe("SELECT pg_sleep($milliseconds / 1000.0)");
	$holder->query_safe('ROLLBACK');
	answer($waiter);
	return slurp_file($node->logfile, $from);
}

my %case = (
	'coupon 1' => [ 'SELECT fcfs.issue_coupon(1, 1)', 'SELECT fcfs.issue_coupon(1, 2)' ],
	'coupon 2' => [ 'SELECT fcfs.issue_coupon(2, 1)', 'SELECT fcfs.issue_coupon(2, 2)' ],
	'section 3' => [ 'SELECT fcfs.enroll(7, 3)', 'SELECT fcfs.enroll(8, 3)' ],
	'student 7' => [ 'SELECT fcfs.enroll(7, 3)', 'SELECT fcfs.try_cancel_enrollment(7, 3)' ],
	'item 4' => [ 'SELECT fcfs.reserve(1, 4)', 'SELECT fcfs.reserve(2, 4)' ],
	'customer 6' => [ 'SELECT fcfs.reserve(6, 4)', 'SELECT fcfs.try_reserve(6, 99)' ],
	'user 5' => [ 'SELECT fcfs.issue_coupon(1, 5)', 'SELECT fcfs.try_issue_coupon(2, 5)' ],
	'idempotency key' => [ "SELECT fcfs.issue_coupon(1, 6, 'secret')", "SELECT fcfs.issue_coupon(1, 6, 'secret')" ]);
for my $lock (sort keys %case)
{
	my $log = logged(@{ $case{$lock} }, 400);
	my ($pid) = $holder->{pid};
	like($log, qr/LOG:  waited (?:[4-9]|\d{2})\d\d ms for lock on $lock\b.*\n.*\b$pid\b/, "$lock: logged with time and holder");
	is(() = $log =~ /LOG:  waited/g, 1, "$lock: logged once");
	unlike($log, qr/LOG:.*secret|DETAIL:.*secret/, "$lock: the key is not in the log");
	$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue; DELETE FROM fcfs.enrollment; DELETE FROM fcfs.reservation_line; DELETE FROM fcfs.reservation');
}
unlike(logged(@{ $case{'coupon 1'} }, 20), qr/LOG:  waited/, 'a short wait is not logged');
$node->safe_psql('postgres', 'DELETE FROM fcfs.coupon_issue; ALTER SYSTEM SET fcfs.slow_wait = -1; SELECT pg_reload_conf()');
$waiter->query_safe('SELECT 1');
$node->poll_query_until('postgres', "SELECT current_setting('fcfs.slow_wait') = '-1'") or die;
unlike(logged(@{ $case{'coupon 1'} }, 400), qr/LOG:  waited/, 'fcfs.slow_wait = -1 logs none');

$_->quit for $holder, $waiter;
nothing_left($node, 'in the end');
$node->stop;
done_testing();
