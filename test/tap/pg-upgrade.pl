# pg_upgrade to another cluster: the same rows and ids to come, the same objects
# with the same rights, once what docs/operation.md tells to do after it is done;
# sold out stays sold out, and claims go on. (Both clusters are of one major
# version: how the extension is carried over is the same.)
use strict;
use warnings;
use Fcfs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Every object of the extension and its schema, a line each. (Not the text of
# functions with a parsed body: it reads a little differently each time.)
sub objects_of
{
	my ($node) = @_;
	return $node->safe_psql('postgres', <<'END');
SELECT 'member', pg_describe_object(classid, objid, objsubid), NULL FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_fcfs')
UNION ALL SELECT 'extension', extversion || ' ' || extrelocatable || ' ' || extnamespace::regnamespace,
    (SELECT string_agg(c::regclass::text, ' ' ORDER BY c::regclass::text COLLATE "C") FROM unnest(extconfig) c) FROM pg_extension WHERE extname = 'pg_fcfs'
UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
    p.prolang, p.prosrc, p.provolatile, p.proparallel, p.prosecdef, p.proconfig, p.proacl) FROM pg_proc p WHERE p.pronamespace = 'fcfs'::regnamespace
UNION ALL SELECT 'relation', c.oid::regclass::text, concat_ws(' ', c.relkind, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))) FROM pg_class c WHERE c.relnamespace = 'fcfs'::regnamespace
UNION ALL SELECT 'column', a.attrelid::regclass || '.' || a.attname,
    concat_ws(' ', a.atttypid::regtype, a.attnotnull, a.attidentity, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = a.attrelid AND adnum = a.attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'fcfs'::regnamespace AND a.attnum > 0
UNION ALL SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'fcfs'::regnamespace
UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'fcfs'::regnamespace
UNION ALL SELECT 'trigger', t.tgrelid::regclass || ' ' || coalesce(k.conname || ' ' || t.tgfoid::regproc::text, t.tgname), concat_ws(' ', t.tgenabled, t.tgtype)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint WHERE c.relnamespace = 'fcfs'::regnamespace
ORDER BY 1, 2, 3
END
}

# The lines of one text that are not in another.
sub lines_without
{
	my ($text, $other) = @_;
	my %there = map { $_ => 1 } split /\n/, $other;
	return join "\n", grep { !$there{$_} } split /\n/, $text;
}

my $old = new_server('old');
$old->safe_psql('postgres', world());
$old->safe_psql('postgres', "CREATE ROLE web; SELECT fcfs.grant_app('web')");
my ($rows, $objects) = (state_of($old, 'postgres'), objects_of($old));
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', "log_statement = none\n");
my $bin = $new->config_data('--bindir');
$new->command_ok(
	[ 'pg_upgrade', '--no-sync', '-s', $new->host, '-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir, '-p', $old->port, '-P', $new->port ],
	'pg_upgrade');
$new->start;
$new->safe_psql('postgres', documented('operation.md', 'Dump, restore, upgrade'));
is(state_of($new, 'postgres'), $rows, 'the same rows and the same ids to come');
my $after = objects_of($new);
is(lines_without($objects, $after), '', 'no object is missing');
is(lines_without($after, $objects), '', 'no object is new');
nothing_left($new, 'upgraded');
is( $new->safe_psql('postgres', <<'END'), 'COURSE_FULL|OUT_OF_STOCK|COUPON_EXHAUSTED|OK|OK|t', 'sold out stays sold out, what is free is served, an answer under a key is replayed');
SELECT (SELECT code FROM fcfs.try_enroll(40, 2)), (SELECT code FROM fcfs.try_reserve(40, 2)), (SELECT code FROM fcfs.try_issue_coupon(1, 40)),
       (SELECT code FROM fcfs.try_enroll(40, 1)), (SELECT code FROM fcfs.try_issue_coupon(2, 40)),
       (SELECT replayed FROM fcfs.try_enroll(20, 2, 'key of 20'))
END
nothing_left($new, 'upgraded, in use');
is($new->safe_psql('postgres', 'DROP EXTENSION pg_fcfs; SELECT count(*) FROM pg_class WHERE relname LIKE \'%enrollment%\''), 0, 'upgraded: all of it can be dropped');

$new->stop;
done_testing();
