"""The private clusters of the benchmarks, the databases in them, and SQL. Knows
nothing of what is measured."""

import atexit
import os
import re
import shlex
import tempfile
import time

import command

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Where a commit costs what it costs: a disk, not a file system in memory.
PLACE = os.environ.get("BENCH_TMPDIR", "/var/tmp")

# autovacuum and checkpoints by the clock would fall on one side or the other by
# chance; statistics are made, and a checkpoint, before each measurement.
CONF = (
    "fsync = on",
    "shared_buffers = 1GB",
    "max_wal_size = 8GB",
    "checkpoint_timeout = 1h",
    "autovacuum = off",
)
# So many that the pools of several databases have a slot each.
POOLS = 32768
PRELOAD_CONF = (f"fcfs.max_pools = {POOLS}",)


class Failure(Exception):
    """Something did not do what it claims to do, so that no figure counts."""


def started(script, *arguments):
    """The variables that a script exports which starts a server."""
    done = command.run([script, *arguments], stderr=None)
    if done.returncode:
        raise Failure(f"{os.path.basename(script)} {arguments[0]} failed")
    return exported(done.stdout)


def exported(text):
    """The variables in lines of: export NAME='value'."""
    variables = {}
    for name, value in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE):
        variables[name] = shlex.split(value)[0].replace("$PATH", os.environ["PATH"])
    return variables


class Server:
    """What a script starts in a directory of its own, and stops again when we end."""

    def __init__(self, script, *verb, options=()):
        self.script = script
        self.dir = tempfile.mkdtemp(prefix="fcfs-bench.", dir=PLACE)
        atexit.register(self.stop)
        self.variables = started(script, *verb, self.dir, *options)

    def stop(self):
        command.run([self.script, "stop", self.dir], stdout=None, stderr=None)


class Cluster:
    def __init__(self, preload=True, standby=False):
        options = ["--build", "release", "--preload", "yes" if preload else "no"]
        for line in CONF + (PRELOAD_CONF if preload else ()):
            options += ["--conf", line]
        self.server = Server(f"{TOP}/scripts/cluster", "start", options=options)
        self.dir = self.server.dir
        self.env = dict(os.environ, **self.server.variables)
        self.databases = {}
        if standby:
            self.add_standby()

    def add_standby(self):
        """From now on a commit waits until it is on the standby's disk, too."""
        Server(f"{TOP}/scripts/cluster", "standby", options=[self.dir])
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql("SELECT pg_reload_conf()")
        for _ in range(300):
            if self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1":
                return
            time.sleep(0.1)
        raise Failure("the standby does not come")

    def pids(self):
        """Of the server; those of its sessions are its children."""
        with open(f"{self.dir}/data/postmaster.pid") as file:
            return {int(file.readline())}

    def sql(self, text, database="postgres", variables=()):
        """Runs text, transaction by transaction; returns its last line of output."""
        arguments = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        for name, value in variables:
            arguments += ["-v", f"{name}={value}"]
        done = command.run(arguments, input=text, env=self.env)
        if done.returncode:
            raise Failure(done.stderr.strip()[:1000])
        return done.stdout.strip()

    def database(self, world):
        """The database of a world, made if it is not there yet."""
        if world not in self.databases:
            script = os.path.basename(world.script).removesuffix(".sql").replace("-", "_")
            name = f"{script}_{len(self.databases)}"
            variables = world.variables + (("file", f"{self.dir}/{name}.copy"),)
            self.sql(f"CREATE DATABASE {name}")
            self.sql("CREATE EXTENSION pg_fcfs CASCADE", name)
            with open(f"{TOP}/bench/world/{world.script}") as file:
                self.sql("SET client_min_messages = warning;\n" + file.read(), name, variables)
            self.sql("VACUUM ANALYZE", name)
            self.databases[world] = Database(self, name, variables)
        return self.databases[world]


class Database:
    def __init__(self, cluster, name, variables):
        self.cluster = cluster
        self.name = name
        self.variables = variables
        self.used = 0  # how many :i were given away

    def sql(self, text):
        return self.cluster.sql(text, self.name, self.variables)

    def drop(self):
        for world, database in list(self.cluster.databases.items()):
            if database is self:
                del self.cluster.databases[world]
        self.cluster.sql(f"DROP DATABASE {self.name}")


class Clusters:
    """All clusters and services, each started when it is first asked for."""

    def __init__(self):
        self.started = {}
        self.services = {}

    def of(self, world):
        kind = world.preload, world.standby
        if kind not in self.started:
            self.started[kind] = Cluster(*kind)
        return self.started[kind]

    def database(self, world):
        return self.of(world).database(world)

    def service(self, service):
        if service not in self.services:
            self.services[service] = Server(f"{TOP}/bench/{service.command}", "start", *service.arguments)
        return self.services[service]

    def pids(self):
        """Of all servers there are."""
        pids = set().union(*(cluster.pids() for cluster in self.started.values()))
        for server in self.services.values():
            with open(f"{server.dir}/pid") as file:
                pids.add(int(file.readline()))
        return pids

    def clear(self):
        """Leaves the next benchmark nothing but empty clusters."""
        for cluster in self.started.values():
            for database in list(cluster.databases.values()):
                database.drop()
        for server in self.services.values():
            server.stop()
        self.services = {}
