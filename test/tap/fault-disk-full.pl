# The disk is full in the middle of claims. Where it is that of the tables, calls
# fail, one by one, and everything else goes on; where it is that of the log, the
# server stops, and comes back once there is room. Nothing that was acknowledged is
# lost, nothing that failed is counted.
# FCFS_SEED chooses another load.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $disk = $ENV{SMALL_DISK};    # from test/small-disk

# Writes until nothing more fits.
sub fill
{
	open my $file, '>', "$disk/ballast" or die "$disk/ballast: $!\n";
	for my $size (1 << 16, 1 << 12)
	{
		1 while (syswrite($file, "\0" x $size) // 0) == $size;
	}
	ok($!{ENOSPC}, 'the disk is full');
}

sub make_room
{
	unlink "$disk/ballast" or die "$disk/ballast: $!\n";
}

# Waits until so many calls of the load have failed with that.
sub until_told
{
	my ($load, $state, $times) = @_;
	usleep 100_000 while (() = slurp_file($load->{log}) =~ /"state":"$state"/g) < $times;
}

# Waits until a server has ended by itself.
sub gone
{
	my ($node) = @_;
	usleep 100_000 while -e $node->data_dir . '/postmaster.pid';
	$node->_update_pid(0);
}

#
# The tables, and what is sorted or kept for a while
#

my $node = new_server('tables');
mkdir "$disk/tables" or die "$disk/tables: $!\n";
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/tables'");
$node->safe_psql('postgres', 'CREATE DATABASE small TABLESPACE small');
$node->safe_psql('small', 'CREATE EXTENSION pg_fcfs CASCADE');
$node->safe_psql('small', 'CREATE TABLE large AS SELECT g, md5(g::text) FROM generate_series(1, 50000) g');
my $load = start_load($node, database => 'small');
wait_for_claims($node, 30, 'small');
fill();
until_told($load, '53100', 20);
my ($status, $out, $error) = $node->psql('small', "\\set VERBOSITY sqlstate\nSET work_mem = '64kB'; SELECT count(*) FROM (SELECT * FROM large ORDER BY md5 OFFSET 1) s");
like($error, qr/ERROR:  53100/, 'what must be put aside on the disk fails');
($status, $out, $error) = $node->psql('small', "\\set VERBOSITY sqlstate\nSELECT * FROM fcfs.verify() WHERE rule <> 'overdue_hold'");
is("$status $out $error", '0  ', 'tables: verify() works, and has nothing to report, on a full disk');
make_room();
wait_for_claims($node, 30, 'small');
stop_load($load);
history_holds($load, 'tables', database => 'small');
nothing_left($node, 'tables', 'small');
$node->stop;

#
# The log
#

$node = new_server('log', initdb => [ '--wal-segsize=1', "--waldir=$disk/wal" ], conf => "max_wal_size = 10GB\n");
$load = start_load($node);
wait_for_claims($node, 30);
fill();
$node->wait_for_log(qr/PANIC:  could not write to file .*No space left on device/);
gone($node);
make_room();
$node->start;
wait_for_claims($node, 30);
stop_load($load);
history_holds($load, 'log');
nothing_left($node, 'log');
$node->stop;

done_testing();
