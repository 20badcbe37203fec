# Copies made in the middle of claims: a base backup, dumps in every format, and
# the archive of the log up to a moment. Each restores to a state that was: what was
# acknowledged before is there, nothing that came after, no invariant broken; and
# goes on from there. Whoever is being copied goes on too.
# FCFS_SEED chooses another load.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = new_server('source', streaming => 1, archiving => 1);
my $dir = PostgreSQL::Test::Utils::tempdir;
my $load = start_load($source, connections => 4);
my %since;
wait_for_claims($source, 30);

sub now
{
	return $source->safe_psql('postgres', 'SELECT clock_timestamp()');
}

# Copies while claims are made, and notes what must be in the copy.
sub in_the_middle
{
	my ($name, $copy) = @_;
	$since{$name} = now();
	my $claims = claims($source);
	$copy->();
	cmp_ok(claims($source), '>', $claims, "$name: claims were made meanwhile");
	wait_for_claims($source, 30);
}

in_the_middle('base backup', sub { $source->backup('base') });
for my $dump ([ plain => '-Fp' ], [ custom => '-Fc' ], [ parallel => '-Fd', '-j2' ])
{
	my ($name, @format) = @$dump;
	in_the_middle("dump $name", sub { $source->command_ok([ 'pg_dump', @format, '-f', "$dir/$name", 'postgres' ], "dump $name: made") });
}
my $moment = now();
wait_for_claims($source, 30);
stop_load($load);
history_holds($load, 'source');
nothing_left($source, 'source');

#
# Each copy, restored
#

sub restored
{
	my ($node, $database, $name) = @_;
	nothing_left($node, $name, $database);
	history_holds($load, $name, node => $node, database => $database, acknowledged_only_before => $since{$name});
	isnt(claims($node, $database), claims($source), "$name: what came later is not there");
	goes_on($node, $name, $database);
	nothing_left($node, "$name, in use", $database);
}

sub server_from_backup
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($source, 'base', standby => 0, has_restoring => $option{restoring});
	$node->append_conf('postgresql.conf', "archive_mode = off\n" . ($option{conf} // ''));
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die "$name does not end its recovery\n";
	return $node;
}

my %restore = (
	plain => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ],
	custom => [ 'pg_restore', '--exit-on-error' ],
	parallel => [ 'pg_restore', '--exit-on-error' ]);
for my $name (sort keys %restore)
{
	my ($program, @options) = @{ $restore{$name} };
	$source->safe_psql('postgres', "CREATE DATABASE $name");
	$source->command_ok([ $program, '-d', $name, @options, "$dir/$name" ], "dump $name: restores, triggers on");
	restored($source, $name, "dump $name");
}

my $copy = server_from_backup('copy');
restored($copy, 'postgres', 'base backup');
$copy->stop;

my $last = $source->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$source->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver") or die "the log is not archived\n";
$since{moment} = $moment;
my $past = server_from_backup('past', restoring => 1, conf => "recovery_target_time = '$moment'\nrecovery_target_action = promote\n");
is( $past->safe_psql('postgres', <<"END"), 0, 'moment: nothing that arrived after it is there');
SELECT (SELECT count(*) FROM fcfs.enrollment WHERE greatest(arrived_at, ended_at) > '$moment')
     + (SELECT count(*) FROM fcfs.reservation WHERE greatest(arrived_at, ended_at) > '$moment')
     + (SELECT count(*) FROM fcfs.coupon_issue WHERE arrived_at > '$moment')
     + (SELECT count(*) FROM fcfs.idempotency WHERE created_at > '$moment')
END
restored($past, 'postgres', 'moment');
$past->stop;
$source->stop;
done_testing();
