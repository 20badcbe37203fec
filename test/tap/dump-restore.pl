# A dump restores into a new database, with triggers on, by every way there is:
# the same rows, the same ids to come, no invariant broken, sold out stays sold out.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('dump');
my $dir = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', world());
nothing_left($node, 'the original');
my $original = state_of($node, 'postgres');

# The world has what makes a restore hard.
is( $node->safe_psql('postgres', <<'END'), 't|t|t|t|t|t|t', 'the world has full and unlimited pools, every status, schedules, lines');
SELECT (SELECT count(*) FROM fcfs.enrollment WHERE section_id = 2 AND status = 'enrolled') = 10,
       (SELECT count(*) > 0 FROM fcfs.enrollment WHERE status = 'cancelled'),
       (SELECT array_agg(format('%s %s %s %s', section_id, status, reserved_seats_id, cross_list_id) ORDER BY id)
            = '{"13 enrolled 1 1","13 enrolled  1","14 enrolled  1","13 enrolled 1 1","13 waitlisted  1","13 waitlisted  1","13 cancelled 2 1"}'
        FROM fcfs.enrollment WHERE section_id > 12),
       (SELECT array_agg(DISTINCT status ORDER BY status) = '{cancelled,confirmed,expired,held}' FROM fcfs.reservation),
       (SELECT array_agg(DISTINCT status ORDER BY status) = '{issued,redeemed,revoked}' FROM fcfs.coupon_issue),
       (SELECT count(*) FROM fcfs.section WHERE schedule <> '{}') = 10,
       (SELECT sum(credits) FROM fcfs.enrollment WHERE student_id = 30) = 32
END

sub restore
{
	my ($way, $database, @steps) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok($_, "$way: @$_[0] ends well") for @steps;
	is(state_of($node, $database), $original, "$way: the same rows and the same ids to come");
	nothing_left($node, $way, $database);
	is( $node->safe_psql($database, <<'END'), 'COURSE_FULL|OUT_OF_STOCK|COUPON_EXHAUSTED', "$way: sold out stays sold out");
SELECT (SELECT code FROM fcfs.try_enroll(40, 2)), (SELECT code FROM fcfs.try_reserve(40, 2)), (SELECT code FROM fcfs.try_issue_coupon(1, 40))
END
	is( $node->safe_psql($database, <<'END'), <<'END' =~ s/\n$//r, "$way: so do a cross list, a section cut short, and a line; a reserved seat is there");
CREATE FUNCTION pg_temp.said(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    EXECUTE command;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN RETURN 'ok';
    WHEN check_violation THEN GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME; RETURN name;
END $$;
SELECT pg_temp.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (39, 14), (40, 14)');
SELECT pg_temp.said('INSERT INTO fcfs.enrollment (student_id, section_id) VALUES (39, 13)');
SELECT pg_temp.said('INSERT INTO fcfs.enrollment (student_id, section_id, status) VALUES (39, 13, ''waitlisted'')');
SELECT pg_temp.said('INSERT INTO fcfs.enrollment (student_id, section_id, reserved_seats_id) VALUES (39, 13, 1)');
SELECT pg_temp.said('UPDATE fcfs.reserved_seats SET seats = 2 WHERE id = 1');
SELECT pg_temp.said('UPDATE fcfs.reserved_seats SET seats = 4 WHERE id = 1');
END
cross_list_capacity
section_capacity
section_waitlist_capacity
cross_list_capacity
ok
reserved_seats_within_section
END
	is( $node->safe_psql($database, <<'END'), 'OK|OK|t', "$way: what is free is served, an answer under a key is replayed");
SELECT (SELECT code FROM fcfs.try_enroll(40, 1)), (SELECT code FROM fcfs.try_issue_coupon(2, 40)),
       (SELECT replayed FROM fcfs.try_enroll(20, 2, 'key of 20'))
END
	nothing_left($node, "$way, in use", $database);
}

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d');
restore('pg_dump | psql', 'plain', [ 'pg_dump', '-f', "$dir/plain.sql", 'postgres' ], [ @psql, 'plain', '-f', "$dir/plain.sql" ]);
restore('pg_dump --inserts', 'inserts',
	[ 'pg_dump', '--inserts', '-f', "$dir/inserts.sql", 'postgres' ], [ @psql, 'inserts', '-f', "$dir/inserts.sql" ]);
restore('in one transaction', 'single', [ @psql, 'single', '-1', '-f', "$dir/plain.sql" ]);
restore('pg_restore', 'archive',
	[ 'pg_dump', '-Fd', '-j2', '-f', "$dir/archive", 'postgres' ], [ 'pg_restore', '--exit-on-error', '-d', 'archive', "$dir/archive" ]);
# In parallel, pg_restore does not keep to the order that foreign keys between the
# tables of an extension need, whosever extension it is: triggers are off for it.
restore('pg_restore -j2', 'parallel',
	[ 'pg_restore', '--schema-only', '--exit-on-error', '-d', 'parallel', "$dir/archive" ],
	[ 'pg_restore', '--data-only', '-j2', '--disable-triggers', '--exit-on-error', '-d', 'parallel', "$dir/archive" ]);

# The rows of one table depend on another's triggers: restored in the order that
# suits them least, claims before meetings, they still agree.
sub restore_in_order
{
	my ($way, $database, @tables) = @_;
	$node->command_ok([ 'pg_restore', '-l', '-f', "$dir/$database.all", "$dir/archive" ], "$way: contents");
	my (@before, %data, @after);
	for (split /\n/, slurp_file("$dir/$database.all"))
	{
		if (/TABLE DATA fcfs (\w+) /) { $data{$1} = $_ }
		elsif (%data) { push @after, $_ }
		else { push @before, $_ }
	}
	my @order = grep { $data{$_} } @tables;
	my %named = map { $_ => 1 } @order;
	append_to_file("$dir/$database.list", join "\n", @before, @data{@order}, @data{ grep { !$named{$_} } sort keys %data }, @after, '');
	restore($way, $database, [ 'pg_restore', '--exit-on-error', '-L', "$dir/$database.list", '-d', $database, "$dir/archive" ]);
}
restore_in_order('claims before meetings', 'claims_first', qw(term student student_group course cross_list section reserved_seats enrollment meeting));
restore_in_order('meetings before claims', 'meetings_first', qw(term student student_group course cross_list section reserved_seats meeting enrollment));

$node->stop;
done_testing();
