# A synchronous standby, in the middle of claims: it shows everything and refuses to
# change anything; promoted when the primary is killed, it has all that was
# acknowledged, and what nobody heard of, asked again under its key, happens once.
# FCFS_SEED chooses another load.
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_server('primary', streaming => 1, conf => "wal_keep_size = 512MB\n");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres', "SELECT sync_state = 'sync' FROM pg_stat_replication") or die "the standby is not synchronous\n";

my $either = sprintf 'host=%s,%s port=%s,%s dbname=postgres target_session_attrs=read-write', map { ($primary->$_, $standby->$_) } qw(host port);
my $load = start_load($primary, dbname => $either, connections => 4);
wait_for_claims($primary, 30);

#
# While it stands by
#

# Every function but those that only look, with arguments of their types, so that
# one that is new is asked too.
my $only_look = join ', ', map { "'$_'" } qw(verify health refusals pools is_preloaded worker_state escrow_differences section_schedule waitlist_position catalogue_columns catalogue_part catalogue_type_problem);
my @writes = split /\n/, $primary->safe_psql('postgres', <<"END");
SELECT format('fcfs.%I(%s)', p.proname, string_agg(coalesce(
    CASE p.proname WHEN 'reload_pool' THEN (ARRAY['''coupon''', '1'])[a.n] END,
    CASE WHEN p.proargnames[a.n] LIKE '%from_section_id' THEN '3' END,
    CASE format_type(a.type, NULL) WHEN 'bigint' THEN id WHEN 'bigint[]' THEN format('ARRAY[%s::bigint + %s]', id, a.n) WHEN 'integer' THEN '1'
        WHEN 'text' THEN '''k''' WHEN 'name' THEN 'current_user' WHEN 'jsonb' THEN '''{}''' WHEN 'boolean' THEN 'false' ELSE 'NULL' END), ', ' ORDER BY a.n))
FROM pg_proc p, unnest(p.proargtypes) WITH ORDINALITY AS a (type, n), unnest(ARRAY['1', '987654321']) AS id
WHERE p.pronamespace = 'fcfs'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.proname NOT IN ($only_look, 'call')
GROUP BY p.oid, p.proname, id
UNION ALL
SELECT format('fcfs.call(%L, %L)', f.proname, (SELECT jsonb_object_agg(a.name, CASE WHEN a.type = 'bigint[]'::regtype THEN jsonb_build_array(a.n)
        WHEN a.name LIKE '%from_section_id' THEN '3' ELSE '1' END)
    FROM unnest(f.proargtypes::oid[]) WITH ORDINALITY AS t (type, n), LATERAL (SELECT t.type, t.n, f.proargnames[t.n] AS name) AS a
    WHERE a.type <> 'numeric[]'::regtype))
FROM pg_proc f
JOIN pg_proc t ON t.proname = 'try_' || f.proname AND t.pronamespace = f.pronamespace
WHERE f.pronamespace = 'fcfs'::regnamespace
ORDER BY 1
END
cmp_ok(@writes, '>', 30, 'functions that write: ' . @writes . ' calls');
my $before = $standby->safe_psql('postgres', 'SELECT count(*) FROM fcfs.coupon_issue');
my ($status, $rows, $errors) = $standby->psql('postgres', join("\n", '\set VERBOSITY sqlstate', map { "SELECT * FROM $_;" } @writes), on_error_stop => 0);
is($rows, '', 'standby: none of them is done');
is($errors =~ s/^.*?ERROR:  //mgr, join("\n", ('25006') x @writes), 'standby: each is refused as read-only');
my ($rounds, $reports) = (0, '');
do
{
	$reports .= $standby->safe_psql('postgres', "SELECT rule, kind, id, detail FROM fcfs.verify() WHERE rule <> 'overdue_hold'");
	$standby->safe_psql('postgres', "SELECT * FROM fcfs.$_") for qw(stat_pools health() refusals());
	$rounds++;
} until ($rounds >= 5 && $standby->safe_psql('postgres', 'SELECT count(*) FROM fcfs.coupon_issue') > $before);
is($reports, '', "standby: verify() is empty at $rounds moments, and everything can be looked at");
is($standby->safe_psql('postgres', 'SELECT count(*) FROM fcfs.stat_pools WHERE pinned_by <> 0'), 0, 'standby: no pool is in use');

#
# Failover
#

# Nothing is sent any more, so everybody who commits waits: what the primary has
# then committed for itself, and acknowledged to nobody, is lost with it.
kill STOP => $primary->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
$primary->poll_query_until('postgres', "SELECT count(*) >= 3 FROM pg_stat_activity WHERE wait_event = 'SyncRep'") or die "nobody waits for the standby\n";
kill_all_of($primary);
$standby->promote;
wait_for_claims($standby, 30);

# What was the primary comes back behind the new one, in the same load. (Before
# version 16 pg_rewind learns of the promotion by the checkpoint after it.)
$standby->safe_psql('postgres', 'CHECKPOINT');
my $conf = slurp_file($primary->data_dir . '/postgresql.conf');
$primary->command_ok([ 'pg_rewind', '--target-pgdata', $primary->data_dir, '--source-server', $standby->connstr('postgres') ],
	'the old primary is rewound');
unlink $primary->data_dir . '/postgresql.conf';
$primary->append_conf('postgresql.conf', $conf);
$primary->enable_streaming($standby);
$primary->start;
wait_for_claims($primary, 30);

stop_load($load);
history_holds($load, 'promoted', node => $standby);
nothing_left($standby, 'promoted');
$standby->wait_for_catchup($primary);
is(state_of($primary, 'postgres', 1), state_of($standby, 'postgres', 1), 'the old primary has what the new one has');
nothing_left($primary, 'the old primary');
goes_on($standby, 'promoted');
nothing_left($standby, 'promoted, in use');

$primary->stop;
$standby->stop;
done_testing();
