"""The private clusters of the benchmarks, the databases in them, and SQL. Knows
nothing of what is measured."""

import atexit
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

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
PRELOAD_CONF = ("fcfs.max_pools = 10000",)


class Failure(Exception):
    """Something did not do what it claims to do, so that no figure counts."""


class Cluster:
    def __init__(self, preload):
        self.dir = tempfile.mkdtemp(prefix="fcfs-bench.", dir=PLACE)
        atexit.register(self.stop)
        command = [f"{TOP}/scripts/cluster", "start", self.dir, "--build", "release"]
        command += ["--preload", "yes" if preload else "no"]
        for line in CONF + (PRELOAD_CONF if preload else ()):
            command += ["--conf", line]
        started = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if started.returncode:
            raise Failure("the cluster does not start")
        self.env = dict(os.environ, **exported(started.stdout))
        self.databases = {}

    def stop(self):
        subprocess.run([f"{TOP}/scripts/cluster", "stop", self.dir])

    def postmaster(self):
        with open(f"{self.dir}/data/postmaster.pid") as file:
            return int(file.readline())

    def sql(self, text, database="postgres", variables=()):
        """Runs text, transaction by transaction; returns its last line of output."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        for name, value in variables:
            command += ["-v", f"{name}={value}"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=self.env)
        if done.returncode:
            raise Failure(done.stderr.strip()[:1000])
        return done.stdout.strip()

    def database(self, world):
        """The database of a world, made if it is not there yet."""
        if world not in self.databases:
            name = f"{world.script.removesuffix('.sql')}_{len(self.databases)}"
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
    """Both clusters, each started when it is first asked for."""

    def __init__(self):
        self.started = {}

    def of(self, world):
        if world.preload not in self.started:
            self.started[world.preload] = Cluster(world.preload)
        return self.started[world.preload]

    def database(self, world):
        return self.of(world).database(world)

    def drop_databases(self):
        for cluster in self.started.values():
            for database in list(cluster.databases.values()):
                database.drop()


def exported(text):
    """The variables in lines of: export NAME='value'."""
    variables = {}
    for name, value in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE):
        variables[name] = shlex.split(value)[0].replace("$PATH", os.environ["PATH"])
    return variables


def stop_on_signals():
    """A signal ends us by way of exit, so that the clusters go too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
