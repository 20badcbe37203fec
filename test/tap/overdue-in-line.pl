# Holds that become overdue while others wait for a unit are ended by the first in
# line, who has waited for it, and not by one who comes later; told of or not, and
# also when somebody has locked them for a while.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('overdue', conf => "fcfs.lock_timeout = '60s'\n");
my $item = 0;

# A new item of two units: customer 1 holds one for so long, and another has
# taken the other one and not committed. First, and then second, want one.
sub two_in_line
{
	my ($hold_for) = @_;
	$item++;
	my %who = map { $_ => session($node) } qw(holder first second other);
	$node->safe_psql('postgres', "INSERT INTO fcfs.item (id, code, stock) VALUES ($item, 'I$item', 2)");
	$who{holder}->query_safe("SET fcfs.hold_for = '$hold_for'; SELECT fcfs.reserve(1, $item)");
	$who{holder}->query_safe("RESET fcfs.hold_for; BEGIN; SELECT fcfs.reserve(2, $item)");
	return %who;
}

sub want
{
	my ($session, $customer) = @_;
	ask($session, "SELECT code FROM fcfs.try_reserve($customer, $item)");
}

sub is_served
{
	my ($expected, $case) = @_;
	is( $node->safe_psql('postgres', "SELECT string_agg(customer_id || ' ' || status, ', ' ORDER BY customer_id) "
			  . "FROM fcfs.reservation JOIN fcfs.reservation_line l ON l.reservation_id = reservation.id WHERE l.item_id = $item"),
		$expected, $case);
}

my $make_overdue = 'UPDATE fcfs.reservation SET expires_at = clock_timestamp() WHERE customer_id = 1';

if (preloaded())
{
	my %who = two_in_line('1h');
	want($who{first}, 3);
	wait_until_blocked($node, @who{qw(first holder)});
	want($who{second}, 4);
	wait_until_blocked($node, @who{qw(second first)});
	$node->safe_psql('postgres', "$make_overdue AND status = 'held'");
	is(answer($who{first}), 'OK', 'in line as a hold becomes overdue: the first has its unit');
	wait_until_blocked($node, @who{qw(second holder)});
	$who{holder}->query_safe('ROLLBACK');
	is(answer($who{second}), 'OK', 'in line as a hold becomes overdue: the second waits on, for the holder');
	is_served('1 expired, 3 held, 4 held', 'in line as a hold becomes overdue: one unit each');
	nothing_left($node, 'in line');

	%who = two_in_line('3s');
	want($who{first}, 3);
	wait_until_blocked($node, @who{qw(first holder)});
	is(answer($who{first}), 'OK', 'time runs out while the first waits: it ends the hold itself');
	$who{holder}->query_safe('ROLLBACK');
	is_served('1 expired, 3 held', 'time runs out while the first waits: as it should be');
	nothing_left($node, 'time runs out');

	# A newcomer finds the hold overdue before the first in line has looked.
	%who = two_in_line('1h');
	$who{other}->query_safe('SELECT pg_advisory_lock(1)');
	$who{first}->query_safe("SET fcfs.test_point = 'turn wait 1'");
	want($who{first}, 3);
	wait_until_blocked($node, @who{qw(first other)});
	$node->safe_psql('postgres', "$make_overdue AND status = 'held'");
	want($who{second}, 4);
	wait_until_blocked($node, @who{qw(second first)});
	$who{other}->query_safe('SELECT pg_advisory_unlock(1)');
	is(answer($who{first}), 'OK', 'a newcomer finds the hold overdue first: it leaves it to the first in line');
	$who{holder}->query_safe('COMMIT');
	is(answer($who{second}), 'OUT_OF_STOCK', 'a newcomer finds the hold overdue first: it waits, and hears that nothing is left');
	is_served('1 expired, 2 held, 3 held', 'a newcomer finds the hold overdue first: one unit each');
	nothing_left($node, 'newcomer');

	# The newcomer could end the hold as soon as it is no longer locked, and does not.
	%who = two_in_line('1h');
	$node->safe_psql('postgres', "$make_overdue AND status = 'held'");
	$who{other}->query_safe("BEGIN; SELECT FROM fcfs.reservation WHERE customer_id = 1 FOR UPDATE");
	want($who{first}, 3);
	wait_until_blocked($node, @who{qw(first holder)});
	want($who{second}, 4);
	wait_until_blocked($node, @who{qw(second first)});
	$who{other}->query_safe('COMMIT');
	is(answer($who{first}), 'OK', 'a hold that was locked: the first looks again');
	$who{holder}->query_safe('COMMIT');
	is(answer($who{second}), 'OUT_OF_STOCK', 'a hold that was locked: the second waits for the holder, and hears that nothing is left');
	is_served('1 expired, 2 held, 3 held', 'a hold that was locked: one unit each');
	nothing_left($node, 'locked');

	# An application's trigger that waits for units of its own while we wait.
	$node->safe_psql('postgres', <<'END');
CREATE FUNCTION consolation() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM fcfs.try_issue_coupon(1, NEW.customer_id); RETURN NULL; END $$;
CREATE TRIGGER consolation AFTER UPDATE ON fcfs.reservation FOR EACH ROW
WHEN (NEW.status = 'expired') EXECUTE FUNCTION consolation();
END
	open_coupon($node, 1, 1);
	for my $end (qw(ROLLBACK cancel))
	{
		%who = two_in_line('1h');
		$who{other}->query_safe("BEGIN; SELECT fcfs.issue_coupon(1, 9)");
		want($who{first}, 3);
		wait_until_blocked($node, @who{qw(first holder)});
		$node->safe_psql('postgres', "$make_overdue AND status = 'held'");
		wait_until_blocked($node, @who{qw(first other)});
		$end eq 'cancel'
		  ? $node->safe_psql('postgres', "SELECT pg_cancel_backend($who{first}{pid})")
		  : $who{other}->query_safe('ROLLBACK');
		like(answer($who{first}), $end eq 'cancel' ? qr/57014/ : qr/^OK$/, "a trigger waits while the first ends a hold, $end: it hears of it");
		$who{other}->query_safe('ROLLBACK') if $end eq 'cancel';
		$who{holder}->query_safe('ROLLBACK');
		is($node->safe_psql('postgres', "SELECT string_agg(code, ' ') FROM fcfs.try_reserve(5, $item, 1)"),
			'OK', "a trigger waits while the first ends a hold, $end: the line goes on");
		nothing_left($node, "a trigger waits, $end");
		$node->safe_psql('postgres', 'TRUNCATE fcfs.coupon_issue');
	}
}
else
{
	# Nobody is in line for a unit here, but for the pool as a whole.
	my %who = two_in_line('1h');
	want($who{first}, 3);
	wait_until_blocked($node, @who{qw(first holder)});
	$who{holder}->query_safe("$make_overdue; COMMIT");
	is(answer($who{first}), 'OK', 'a hold is overdue as the pool is free again: it is ended');
	is_served('1 expired, 2 held, 3 held', 'a hold is overdue as the pool is free again: one unit each');
	nothing_left($node, 'one after the other');
}

done_testing();
