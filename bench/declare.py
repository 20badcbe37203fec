"""The vocabulary in which it is declared what is measured: worlds and services,
the sides of a benchmark, the bounds that their figures are held to, and plots."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class World:
    """A database of its own: bench/world/SCRIPT (or ../peers/SCRIPT) run with
    VARIABLES, on the cluster with the library preloaded, on the one without, or on
    the one whose commits wait for a standby."""

    script: str
    variables: tuple = ()
    preload: bool = True
    standby: bool = False


@dataclass(frozen=True)
class Service:
    """A server that is not PostgreSQL. `COMMAND start ARGUMENTS DIR` makes it in the
    empty directory DIR, which holds everything it needs, prints lines of: export
    NAME='value', and leaves the server's process id in DIR/pid. `COMMAND stop DIR`
    ends it and removes DIR, and nothing is wrong if either is gone. The command is a
    path below bench/."""

    command: str
    arguments: tuple = ()


@dataclass(frozen=True)
class Workload:
    """A pgbench script for all clients. Every call has an :i of its own, never
    used before in its world. `rows` counts the claims that calls make, `each` of
    them a call; a run that made more or fewer is a failure. `clients` other than
    CLIENTS, if it is for these that it is measured."""

    script: str
    rows: str = ""
    each: int = 1
    settings: str = ""
    world: World = None
    clients: int = 0


@dataclass(frozen=True)
class Program:
    """A program that drives its system itself, as an application would. It is run as

        COMMAND --clients 32 --seconds 3 --warm-up 1 --first 4000

    with the database in PGHOST, PGPORT, PGUSER and PGDATABASE, and what the services
    export beside it, calls for warm-up + seconds, and prints as its last line

        {"calls": 71000, "rate": 17800.5, "made": 71000}

    all calls, those a second once warm, and how many claims there are more than
    before, counted in its own system; `made` is left out where `rows` counts them in
    the database. "latency": {"50": 1.6, "99": 7.1}, in milliseconds, and other numbers
    may follow, and are reported. Users from `first` on are unused. Whatever it starts must end with it,
    or be in its process group. The command is a path below bench/, and arguments.
    `prepare`, if there is any, is such a command that is run once before all."""

    command: tuple
    prepare: tuple = ()
    rows: str = ""
    each: int = 1
    world: World = None
    services: tuple = ()
    clients: int = 0


@dataclass(frozen=True)
class Arrivals:
    """A workload whose calls come at random moments, at `share` of the highest rate
    that the side `of` has reached before in the same benchmark."""

    workload: Workload
    of: str
    share: float


@dataclass(frozen=True)
class Profile:
    """Where a single client's server process spends its time on a workload."""

    workload: Workload


@dataclass(frozen=True)
class Statement:
    """One SQL script that makes `each` rows, timed as a whole. `before` and
    `after` are not timed."""

    script: str
    rows: str
    each: int
    before: str = ""
    after: str = ""
    world: World = None


@dataclass(frozen=True)
class Value:
    """A number got by SQL; with `less`, less the one got there; so many `times`."""

    script: str
    unit: str
    world: World = None
    less: World = None
    times: float = 1


@dataclass(frozen=True)
class Ratio:
    """What the figure of `of` is to that of `against`. `at_most` bounds the
    inverse: how many times longer `of` takes."""

    what: str
    of: str
    against: str
    at_least: float = None
    at_most: float = None


@dataclass(frozen=True)
class Bound:
    """What a value may be at most."""

    what: str
    of: str
    at_most: float


@dataclass(frozen=True)
class Lines:
    """A plot of lines, and its table. A panel has curves, a curve has points, and
    a point is an x and the side measured there: {panel: {curve: {x: side}}}. With
    `percentiles` each panel has one curve of sides, and shows these of their calls'
    latency instead of their figures."""

    file: str
    title: str
    x: str
    y: str
    panels: dict
    percentiles: tuple = ()
    log_x: bool = True
    log_y: bool = False


@dataclass(frozen=True)
class Shares:
    """A plot of bars, and its table: what part of a profile's time goes where."""

    file: str
    title: str
    sides: tuple


@dataclass(frozen=True)
class Benchmark:
    """What is measured together: its sides take turns, round by round. `rounds` and
    `seconds` where fewer will do than ROUNDS and SECONDS."""

    title: str
    world: World
    sides: dict
    figures: list = field(default_factory=list)
    rounds: int = 0
    seconds: int = 0
    notes: list = field(default_factory=list)
    plots: list = field(default_factory=list)
