#!/usr/bin/python3
"""Many clients for few units: each pool gives out exactly what it has, and every
other call is answered with the refusal and no error."""
import sys
sys.dont_write_bytecode = True
from load import ALWAYS, WORLD, Tap, counts, nothing_left, pgbench, rows, value

KINDS = {
    # what is claimed: pool, calls, refusal, units claimed
    "seats": ("INSERT INTO fcfs.section (id, term_id, course_id, code, capacity) VALUES (%s, 1, 1, %s, %s)",
              "fcfs.try_enroll(:person, {pool})", "COURSE_FULL",
              "SELECT count(*) FROM fcfs.enrollment WHERE section_id = %s AND status = 'enrolled'"),
    "units": ("INSERT INTO fcfs.item (id, code, stock) VALUES (%s, %s, %s)",
              "fcfs.try_reserve(:person, {pool}, {quantity})", "OUT_OF_STOCK",
              "SELECT sum(quantity)::integer FROM fcfs.reservation_line WHERE item_id = %s AND active"),
    "coupons": (f"INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at) VALUES (%s, %s, %s, {ALWAYS})",
                "fcfs.try_issue_coupon({pool}, :person)", "COUPON_EXHAUSTED",
                "SELECT count(*) FROM fcfs.coupon_issue WHERE coupon_id = %s AND status <> 'revoked'"),
}


def rush(tap, pool, kind, capacity, clients, calls=1, quantity=1):
    """Every call is of another person; its answer is recorded in the transaction that got it."""
    make, call, refusal, claimed = KINDS[kind]
    rows(make, pool, f"P{pool}", capacity)
    call = call.format(pool=pool, quantity=quantity)
    pgbench(f"SELECT nextval('person') AS person \\gset\n"
            f"INSERT INTO answer SELECT {pool}, code, id FROM {call};\n", clients, calls)
    name = f"{clients * calls} for {capacity} {kind}" + (f", {quantity} a call" if quantity > 1 else "")
    served = min(clients * calls, capacity // quantity)
    wanted = {"OK": served, refusal: clients * calls - served}
    tap.equal(counts(f"SELECT code, count(*)::integer FROM answer WHERE pool = {pool} GROUP BY code"),
              {code: n for code, n in wanted.items() if n}, f"{name}: {served} served, the rest refused")
    tap.equal(value(claimed, pool), served * quantity, f"{name}: as many are claimed")


with Tap() as tap:
    rows(WORLD + """
        INSERT INTO fcfs.course (id, code, credits) VALUES (1, 'C', 1);
        CREATE UNLOGGED TABLE answer (pool bigint, code text, id bigint);
        CREATE SEQUENCE person;""")
    for pool, kind in enumerate(KINDS, 1):
        rush(tap, 10 * pool, kind, 1, 100)
        rush(tap, 10 * pool + 1, kind, 100, 100)
        rush(tap, 10 * pool + 2, kind, 100, 101)
        rush(tap, 10 * pool + 3, kind, 100, 100, calls=10)
    rush(tap, 50, "units", 100, 100, quantity=3)

    tap.equal(value("SELECT count(*) FROM fcfs.coupon_issue WHERE arrival IS NULL"), 0, "every coupon has an arrival number")
    tap.equal(rows("SELECT coupon_id, arrival FROM fcfs.coupon_issue GROUP BY 1, 2 HAVING count(*) > 1"), [],
              "no two of a coupon have the same arrival number")
    tap.equal(rows("SELECT coupon_id FROM fcfs.coupon_issue GROUP BY 1 HAVING max(arrival) <> count(*)"), [],
              "arrival numbers have no gap where nothing was rolled back")
    nothing_left(tap, "after all")
