# Idempotency keys and names of people do not get into the server's log: not in a
# message, detail, hint or context of any error of a call, nor with log_min_messages
# at debug1. What a client sends as text is its own: the server is told to leave out
# the statement of an error, and what is left is what messages say.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('secrets', conf => <<'END');
log_min_messages = debug1
log_min_error_statement = panic
log_error_verbosity = verbose
log_lock_waits = on
deadlock_timeout = 10ms
fcfs.slow_wait = 0
END
$node->safe_psql('postgres', world());
my $operations = $node->safe_psql('postgres', <<'END');
SELECT p.proname, string_agg(name, ',' ORDER BY number), string_agg(format_type(type, NULL), ',' ORDER BY number)
FROM pg_proc p, unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, number)
WHERE p.pronamespace = 'fcfs'::regnamespace AND 'idempotency_key' = ANY (p.proargnames) AND name <> 'idempotency_key'
GROUP BY p.proname ORDER BY 1
END

# Every function with a key: well, refused, twice, with other arguments, with bad
# input, in a transaction that may not write, with a key that is too long.
my ($calls, $commands) = (0, '');
for my $line (split /\n/, $operations)
{
	my ($function, $names, $types) = map { [ split /,/ ] } split /\|/, $line;
	for my $value ('1', '2', '2', 'NULL', '0', '-1', '99', '9223372036854775807')
	{
		for my $key (qw(k1-hush-hush k2-hush-hush), 'hush-hush' x 40)
		{
			my @values = map { $_ eq 'integer' && length $value > 9 ? 0 : $value } @$types;
			my $arguments = join ', ', map { "$names->[$_] => " . ($types->[$_] =~ /\[\]$/ ? "ARRAY[$values[$_]]::$types->[$_]" : $values[$_]) } keys @$names;
			my $json = lc join ', ', map { "\"$names->[$_]\": " . ($types->[$_] =~ /\[\]$/ ? "[$values[$_]]" : $values[$_]) } keys @$names;
			my $operation = $function->[0] =~ s/^try_//r;
			$commands .= "SELECT fcfs.$function->[0]($arguments, idempotency_key => '$key');\n"
			  . "BEGIN READ ONLY; SELECT fcfs.$function->[0]($arguments, idempotency_key => '$key'); ROLLBACK;\n"
			  . "SELECT fcfs.call('$operation', '{$json, \"idempotency_key\": \"$key\"}');\n"
			  . "SELECT fcfs.call('$operation', '{$json, \"idempotency_key\": [\"$key\"]}');\n";
			$calls += 4;
		}
	}
}
$commands .= "SELECT fcfs.person_id('hush-hush'); SELECT fcfs.person_id(repeat('hush-hush', 40)); SELECT fcfs.person_id('');\n";
# The answer of a row that is gone, and one that no version knows.
$commands .= "SELECT fcfs.issue_coupon(2, 77, 'gone hush-hush'); DELETE FROM fcfs.coupon_issue; SELECT fcfs.issue_coupon(2, 77, 'gone hush-hush');\n"
  . "UPDATE fcfs.idempotency SET code = 'NEVER_HEARD'; SELECT fcfs.issue_coupon(2, 77, 'gone hush-hush');\n";
$node->psql('postgres', $commands, on_error_stop => 0);

# A key, and a person, that somebody else has in use: waited for, given up, cancelled.
my ($holder, $waiter) = (session($node), session($node));
$holder->query_safe("BEGIN; SELECT fcfs.issue_coupon(2, 88, 'busy hush-hush'); SELECT fcfs.person_id('new hush-hush')");
for my $setting ('fcfs.lock_timeout', 'statement_timeout', 'lock_timeout')
{
	for my $call ("fcfs.try_issue_coupon(2, 88, 'busy hush-hush')", "fcfs.issue_coupon(2, 88, 'other hush-hush')", "fcfs.person_id('new hush-hush')",
		"fcfs.call('issue_coupon', '{\"coupon_id\": 2, \"user_id\": 88, \"idempotency_key\": \"busy hush-hush\"}')")
	{
		$waiter->query("SET $setting = '50ms'; SELECT $call; RESET $setting");
		$calls++;
	}
}
$waiter->query("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1");
$holder->query_safe('COMMIT');
$waiter->query($_)
  for "SAVEPOINT a; SELECT fcfs.person_id('new hush-hush')", "ROLLBACK TO a; SELECT fcfs.call('issue_coupon', '{\"coupon_id\": 2, \"user_id\": 88, \"idempotency_key\": \"busy hush-hush\"}')", 'ROLLBACK';
$_->quit for $holder, $waiter;

my $log = slurp_file($node->logfile);
my @lines = split /\n/, $log;
for my $seen ('must not be null', 'must be at least 1', 'must not be longer than 255 characters', 'waited \d+ ms for lock on idempotency key',
	'waited \d+ ms for lock on user 88', 'RF\d{3}', '25006', '40001', 'in fcfs.idempotency', 'PL/pgSQL function fcfs.call', 'still waiting for')
{
	like($log, qr/$seen/, "the log has: $seen");
}
cmp_ok(scalar(grep { /ERROR:/ } @lines), '>', $calls / 3, "$calls calls, and the log of their errors");
my @told = grep { /hush-hush/ } @lines;
is(scalar @told, 0, 'and no key or name in it') or diag(join "\n", splice @told, 0, 10);
nothing_left($node, 'in the end');
$node->stop;
done_testing();
