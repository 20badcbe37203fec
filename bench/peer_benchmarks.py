"""One hot coupon against what people use today: the peers of bench/peers, each by
one and the same client, node.js, as an application would call it. So is the
extension's own function, so that like is compared with like."""

from declare import Benchmark, Program, Ratio, Service
from workloads import COUPON, COUPON_LOCAL, ISSUE

REDIS_LOCK = Service("peers/serve-redis-lock")
REDIS_COUNTER = Service("peers/serve-redis-counter")
MARIADB = Service("peers/serve-mariadb")


def peer(name, *services, world=None):
    """A peer of bench/peers/peers.js. It is checked for correctness before it is measured."""
    return Program(
        ("peers/drive", "run", name), prepare=("peers/drive", "prepare", name), services=services, world=world
    )


OURS = "issue_coupon, from node"
LOCKING = "SELECT FOR UPDATE, from node"
PIPELINED = "SELECT FOR UPDATE, pipelined, from node"
REDIS = "Redis lock, from node"

PEERS = {
    "peers": Benchmark(
        "One hot coupon, against what people use today",
        COUPON,
        rounds=4,
        sides={
            "issue_coupon, from pgbench": ISSUE,
            OURS: peer("extension"),
            LOCKING: peer("select-for-update"),
            PIPELINED: peer("select-for-update-pipelined"),
            REDIS: peer("redis-lock", REDIS_LOCK),
            "version column, from node": peer("version-column"),
            "Redis counter, then INSERT, from node": peer("redis-counter", REDIS_COUNTER),
            "MariaDB, from node": peer("mariadb", MARIADB),
            "PL/pgSQL, row lock, from node": peer("plpgsql-row-lock"),
            "PL/pgSQL, advisory lock, from node": peer("plpgsql-advisory-lock"),
            "issue_coupon, not preloaded, from node": peer("extension", world=COUPON_LOCAL),
        },
        figures=[
            Ratio("issue_coupon, both from node", OURS, LOCKING, at_least=10),
            Ratio("the same", OURS, REDIS, at_least=10),
            Ratio("the same", OURS, PIPELINED),
            Ratio("the same", OURS, "version column, from node"),
            Ratio("the same", OURS, "Redis counter, then INSERT, from node"),
            Ratio("the same", OURS, "MariaDB, from node"),
            Ratio("the same", OURS, "PL/pgSQL, row lock, from node"),
            Ratio("the same", OURS, "PL/pgSQL, advisory lock, from node"),
            Ratio("without preloading", "issue_coupon, not preloaded, from node", OURS),
            Ratio("another client", "issue_coupon, from pgbench", OURS),
            Ratio("issue_coupon, from pgbench", "issue_coupon, from pgbench", LOCKING),
            Ratio("the same", "issue_coupon, from pgbench", REDIS),
        ],
    ),
}
