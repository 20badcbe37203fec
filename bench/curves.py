"""What is shown as curves rather than as one figure: by clients, by arrival rate,
by size; and where the time of a call goes."""

import os
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

FULL = os.environ.get("FULL", "") not in ("", "0")

COMPARED = {"issue_coupon": ISSUE, "bare INSERT": BARE_ISSUE, "PL/pgSQL, row lock": ROW_ISSUE}

CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128)
SHARES_OF_MAXIMUM = (25, 50, 75, 90)
ISSUES_PRESENT = (10000, 100000, 1000000, 5000000)
ENROLLMENTS_PRESENT = (10000, 100000, 1000000) + ((5000000,) if FULL else ())


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
        seconds=2,
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
                "arrivals (% of the side's own maximum)",
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
        seconds=1,
        sides={
            by_present(name, present): replace(side, world=coupon_world(present))
            for present in ISSUES_PRESENT
            for name, side in (("issue_coupon", ISSUE), ("bare INSERT", BARE_ISSUE))
        }
        | {
            by_present("enroll", present): replace(ENROLL_SPREAD, world=enroll_world(present, 1000000))
            for present in ENROLLMENTS_PRESENT
        },
        plots=[
            Lines(
                "growth",
                "Throughput by rows that are there before",
                "rows",
                "claims a second",
                {
                    "": {
                        name: {present: by_present(name, present) for present in sizes}
                        for name, sizes in (
                            ("issue_coupon", ISSUES_PRESENT),
                            ("bare INSERT", ISSUES_PRESENT),
                            ("enroll", ENROLLMENTS_PRESENT),
                        )
                    }
                },
            )
        ],
    ),
    "cost": Benchmark(
        "Where the time of a call goes",
        COUPON,
        rounds=1,
        sides={
            "profile of the bare INSERT": Profile(BARE_ISSUE),
            "profile of issue_coupon": Profile(ISSUE),
            "profile of issue_coupon, sold out": Profile(SOLD_OUT),
            "profile of reserve": Profile(replace(RESERVE_ONLY, world=RESERVE)),
            "profile of enroll": Profile(replace(ENROLL_SPREAD, world=enroll_world(10000, 1000000))),
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
