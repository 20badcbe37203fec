"""The vocabulary in which benchmarks.py declares what is measured: worlds,
workloads, statements, values, and the bounds that their figures are held to."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class World:
    """A database of its own: bench/world/SCRIPT run with VARIABLES, on the
    cluster with the library preloaded, or on the one without."""

    script: str
    variables: tuple = ()
    preload: bool = True


@dataclass(frozen=True)
class Workload:
    """A pgbench script for all clients. Every call has an :i of its own, never
    used before in its world. `rows` counts the claims that calls make, `each` of
    them a call; a run that made more or fewer is a failure."""

    script: str
    rows: str = ""
    each: int = 1
    settings: str = ""
    world: World = None


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
    """A number got by SQL; with `less`, got there less the one got here."""

    script: str
    unit: str
    world: World = None
    less: World = None


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
class Benchmark:
    """What is measured together: its sides take turns, round by round."""

    title: str
    world: World
    sides: dict
    figures: list
    rounds: int = 0
    notes: list = field(default_factory=list)
