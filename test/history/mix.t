#!/usr/bin/python3
"""A random mix of all operations over few pools and people, in transactions that end
one way and another, while capacities change. Every answer is then compared with the
tables and with every other answer. FCFS_SEED chooses another mix, FCFS_SECONDS
another length."""
import collections
import os
import subprocess
import sys
import tempfile
sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "concurrency"))
from load import Tap, nothing_left, rows
from history import Log

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = os.environ.get("FCFS_SEED", "1")
SECONDS = int(os.environ.get("FCFS_SECONDS", "30"))

# Without these the mix would prove less than it is meant to. (A load of a second or two may lack some.)
WANTED = {"commit", "rollback", "rollback_to", "OK", "replayed", "IDEMPOTENCY_KEY_REUSED",
          "ALREADY_ENROLLED", "CREDIT_LIMIT_EXCEEDED", "SCHEDULE_CONFLICT", "COURSE_FULL", "NOT_ENROLLED", "CREDIT_MINIMUM_NOT_MET",
          "PREREQUISITE_NOT_MET", "COREQUISITE_NOT_MET", "swap_enrollment", "change_schedule", "cross_list_capacity",
          "WAITLIST_FULL", "ALREADY_WAITLISTED", "NOT_WAITLISTED", "waitlisted", "waitlist_position", "pass_waitlists",
          "QUANTITY_LIMIT_EXCEEDED", "OUT_OF_STOCK", "RESERVATION_NOT_HELD", "RESERVATION_EXPIRED",
          "COUPON_ALREADY_ISSUED", "COUPON_EXHAUSTED", "COUPON_CLOSED", "section_capacity", "item_stock", "coupon_quota",
          "enrollment_once_a_course", "enrollment_no_overlap", "coupon_issue_once_a_user",
          "load_catalogue", "cancel_section", "release_reserved_seats", "CREDITS_OUT_OF_RANGE", "ENROLLMENT_NOT_STARTED", "ENROLLMENT_CLOSED", "enrollment_section_not_cancelled"}


def run(tap, log, seconds, *options):
    """A load; how many connections there are decides how much happens at once."""
    driver = subprocess.run(
        [os.environ["FCFS_LOAD"], "--log", log, "--seed", SEED, "--seconds", str(seconds), "--connections", "8", *options],
        text=True, capture_output=True, check=False)
    tap.ok(driver.returncode == 0, f"a load of {seconds} seconds with seed {SEED} runs to its end", driver.stderr)


def check(tap, when, *logs):
    checker = subprocess.run([os.path.join(HERE, "check"), *logs], text=True, capture_output=True, check=False)
    lines = checker.stdout.splitlines() or ["no summary"]
    tap.ok(checker.returncode == 0, f"{when}: {lines[-1]}", *lines[:-1], checker.stderr)


def planned(log):
    """What was to be done, for each connection: all but the ids that answers have brought."""
    return {connection: [(call.operation, call.arguments if call.slot is None or call.takes else call.slot, call.trying,
                          call.level, call.key and call.key[1]) for call in calls]
            for connection, calls in log.planned.items() if connection <= log.first["connections"]}


with Tap() as tap, tempfile.TemporaryDirectory() as directory:
    tap.diag(f"FCFS_SEED={SEED}")
    first, second = (os.path.join(directory, name) for name in ("first.log", "second.log"))
    run(tap, first, SECONDS, "--setup")
    check(tap, "the history holds", first)
    log = Log(first)
    seen = collections.Counter(what for transaction in log.transactions for call in transaction.calls
                               for what in ("replayed" if call.replayed else call.code or call.state, *filter(None, [call.status])))
    seen += collections.Counter(call.operation for calls in log.planned.values() for call in calls)
    tap.diag(", ".join(f"{what} {n}" for what, n in sorted(seen.items())))
    tap.equal(sorted(WANTED - set(seen)), [], "the mix had everything in it")
    rows("SELECT fcfs.expire_reservations(1000)")      # a chore that nobody does
    nothing_left(tap, "after the mix")

    run(tap, second, 2)
    check(tap, "once more upon what there is", first, second)
    one, two = planned(log), planned(Log(second))
    common = {connection: min(len(one[connection]), len(two.get(connection, ()))) for connection in one}
    tap.ok(min(common.values()) > 20, "there is something to compare", common)
    tap.equal([connection for connection, length in common.items()
               if one[connection][:length] != two[connection][:length]], [],
              "the same seed makes the same calls in each connection")
    rows("SELECT fcfs.expire_reservations(1000)")
    nothing_left(tap, "in the end")
