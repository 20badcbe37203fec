"""What is shown as curves rather than as one figure: by clients, by arrival rate,
by size; and where the time of a call goes."""

from dataclasses import replace

from declare import Arrivals, Benchmark, Lines, Profile, Shares
from workloads import (
    BARE_ISSUE,
    COUPON,
    ENROLL_SPREAD,
    ISSUE,
    RESERVE,
    RESERVE_ONLY,
    ROW_ISSUE,
    SOLD_OUT,
    coupon_world,
    enroll_world,
)

COMPARED = {"issue_coupon": ISSUE, "bare INSERT": BARE_ISSUE, "PL/pgSQL, row lock": ROW_ISSUE}

CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128)
SHARES_OF_MAXIMUM = (25, 50, 75, 90)
ISSUES_PRESENT = (10000, 100000, 1000000, 5000000)


def by_clients(name, clients):
    return f"{name}, {clients} clients"


def by_arrivals(name, percent):
    return f"{name}, {percent}% of its maximum"


def by_present(name, present):
    return f"{name}, {present:,} present"


CURVES = {
    "clients": Benchmark(
        "Throughput by number of clients",
        COUPON,
        rounds=1,
        seconds=1,
        sides={
            by_clients(name, clients): replace(side, clients=clients)
            for clients in CLIENTS
            for name, side in COMPARED.items()
        },
        plots=[
            Lines(
                "clients",
                "One hot coupon by number of clients",
                "clients",
                "claims a second",
                {"": {name: {clients: by_clients(name, clients) for clients in CLIENTS} for name in COMPARED}},
            )
        ],
    ),
    "latency": Benchmark(
        "Latency by arrival rate",
        COUPON,
        rounds=1,
        sides={
            **{f"{name}, maximum": side for name, side in COMPARED.items()},
            **{
                by_arrivals(name, percent): Arrivals(side, f"{name}, maximum", percent / 100)
                for percent in SHARES_OF_MAXIMUM
                for name, side in COMPARED.items()
            },
        },
        plots=[
            Lines(
                "latency",
                "Latency of one hot coupon by arrival rate, 32 clients",
                "arrivals (% of its maximum)",
                "milliseconds",
                {
                    name: {name: {percent: by_arrivals(name, percent) for percent in SHARES_OF_MAXIMUM}}
                    for name in COMPARED
                },
                percentiles=("50", "95", "99", "99.9"),
                log_x=False,
                log_y=True,
            )
        ],
    ),
    "growth": Benchmark(
        "Throughput by rows that are there before",
        COUPON,
        rounds=1,
        seconds=1,
        sides={
            by_present(name, present): replace(side, world=coupon_world(present))
            for present in ISSUES_PRESENT
            for name, side in (("issue_coupon", ISSUE), ("bare INSERT", BARE_ISSUE))
        },
        plots=[
            Lines(
                "growth",
                "One hot coupon by rows that are there before",
                "rows",
                "claims a second",
                {
                    "": {
                        name: {present: by_present(name, present) for present in ISSUES_PRESENT}
                        for name in ("issue_coupon", "bare INSERT")
                    }
                },
            )
        ],
    ),
    "cost": Benchmark(
        "Where the time of a call goes",
        COUPON,
        rounds=1,
        seconds=1,
        sides={
            "profile of the bare INSERT": Profile(BARE_ISSUE),
            "profile of issue_coupon": Profile(ISSUE),
            "profile of issue_coupon, sold out": Profile(SOLD_OUT),
            "profile of reserve": Profile(replace(RESERVE_ONLY, world=RESERVE)),
            "profile of enroll": Profile(replace(ENROLL_SPREAD, world=enroll_world(10000, 200000))),
        },
        plots=[
            Shares(
                "cost",
                "Where the server's time goes in a call of one client",
                (
                    "profile of the bare INSERT",
                    "profile of issue_coupon, sold out",
                    "profile of issue_coupon",
                    "profile of reserve",
                    "profile of enroll",
                ),
            )
        ],
    ),
}
