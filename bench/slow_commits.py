"""The hot pool where a commit takes longer than on this disk: because somebody
says so (commit_delay), or because a standby must have it, too. A row lock is
held for the length of a commit; escrow is not."""

from dataclasses import replace

from declare import Benchmark, Lines, Ratio
from workloads import BARE_ISSUE, COUPON, ISSUE, ROW_ISSUE, coupon_world

COMPARED = {"issue_coupon": ISSUE, "bare INSERT": BARE_ISSUE, "PL/pgSQL, row lock": ROW_ISSUE}


def delayed(milliseconds, clients=0):
    """The compared, each with commits that take so long."""
    settings = f"-c commit_delay={1000 * milliseconds} -c commit_siblings=0"
    suffix = f", {milliseconds} ms" + (f", {clients} clients" if clients else "")
    return {f"{name}{suffix}": replace(side, settings=settings, clients=clients) for name, side in COMPARED.items()}


def ratios(what, suffix, at_least=None):
    of = f"issue_coupon{suffix}"
    return [
        Ratio(what, of, f"PL/pgSQL, row lock{suffix}", at_least=at_least),
        Ratio("the same", of, f"bare INSERT{suffix}"),
    ]


SLOW_COMMITS = {
    "slow-commit": Benchmark(
        "One hot coupon where a commit takes 2 ms, and 5 ms with many clients",
        COUPON,
        seconds=1,
        sides={**delayed(2), **delayed(5, clients=128)},
        figures=[
            *ratios("issue_coupon, a commit takes 2 ms", ", 2 ms", at_least=30),
            *ratios("issue_coupon, a commit takes 5 ms, 128 clients", ", 5 ms, 128 clients", at_least=50),
        ],
    ),
    "slower-commit": Benchmark(
        "The same where a commit takes 1 and 5 ms",
        COUPON,
        rounds=2,
        seconds=1,
        sides={**delayed(1), **delayed(5)},
        figures=[
            *ratios("issue_coupon, a commit takes 1 ms", ", 1 ms"),
            *ratios("issue_coupon, a commit takes 5 ms", ", 5 ms"),
        ],
        plots=[
            Lines(
                "slow-commits",
                "One hot coupon where commits are slow, 32 clients",
                "a commit takes (ms)",
                "claims a second",
                {"": {name: {ms: f"{name}, {ms} ms" for ms in (1, 2, 5)} for name in COMPARED}},
                log_y=True,
            )
        ],
    ),
    "standby": Benchmark(
        "One hot coupon where a commit waits for a synchronous standby",
        coupon_world(standby=True),
        rounds=2,
        seconds=1,
        sides={f"{name}, standby": side for name, side in COMPARED.items()},
        figures=ratios("issue_coupon, with a synchronous standby", ", standby"),
    ),
}
