"""What the checker knows of the operations, of the pools and their rules, and of
the claims in the tables. A new function joins by a line in OPERATIONS, a new kind
of pool by an entry in KINDS and RULES."""
import bisect
import collections
from history import NEVER

# How claims of a kind of pool are found (id, person, pool, units, status, when it
# arrived, expires, ended, and its arrival number), the status that they begin
# with, and those that give their units back.
KINDS = {
    "section": {
        "rows": "SELECT e.id, e.student_id, e.section_id, 1, e.status, e.arrived_at, NULL, e.ended_at, NULL"
                " FROM fcfs.enrollment e JOIN fcfs.section p ON p.id = e.section_id WHERE p.code LIKE 'load%'",
        "pools": "SELECT id, strict_order, capacity FROM fcfs.section WHERE code LIKE 'load%'",
        "first": "enrolled", "over": ("cancelled",),
    },
    "item": {
        "rows": "SELECT r.id, r.customer_id, l.item_id, l.quantity, r.status, r.arrived_at, r.expires_at, r.ended_at, NULL"
                " FROM fcfs.reservation r JOIN fcfs.reservation_line l ON l.reservation_id = r.id"
                " JOIN fcfs.item p ON p.id = l.item_id WHERE p.code LIKE 'load%'",
        "pools": "SELECT id, strict_order, stock FROM fcfs.item WHERE code LIKE 'load%'",
        "first": "held", "over": ("cancelled", "expired"),
    },
    "coupon": {
        "rows": "SELECT i.id, i.user_id, i.coupon_id, 1, i.status, i.arrived_at, NULL, NULL, i.arrival"
                " FROM fcfs.coupon_issue i JOIN fcfs.coupon p ON p.id = i.coupon_id WHERE p.code LIKE 'load%'",
        "pools": "SELECT id, strict_order, quota FROM fcfs.coupon WHERE code LIKE 'load%'",
        "first": "issued", "over": ("revoked",),
    },
}


class Operation:
    """What a call does. takes: it makes a claim of its kind; person, pool, units: which of
    its arguments these are. to: it gives a claim another status, if it is one of those in of;
    claim: which argument is the claim's id, where it is not found by person and pool. missing, wrong: the answers
    that there is no such claim, and that its status is another one. capacity: which
    argument is the new capacity of the pool."""

    def __init__(self, kind, takes=False, person=None, pool=None, units=None, to=None, of=(), claim=None,
                 missing=None, wrong=None, capacity=None):
        self.kind, self.takes, self.person, self.pool, self.units = kind, takes, person, pool, units
        self.to, self.of, self.claim, self.missing, self.wrong, self.capacity = to, of, claim, missing, wrong, capacity


OPERATIONS = {
    "enroll": Operation("section", takes=True, person=0, pool=1),
    "raw_enroll": Operation("section", takes=True, person=0, pool=1),
    "cancel_enrollment": Operation("section", to="cancelled", of=("enrolled",), person=0, pool=1, missing="NOT_ENROLLED"),
    "raw_cancel_enrollment": Operation("section", to="cancelled", of=("enrolled",), claim=0, missing="NONE", wrong="NONE"),
    "reserve": Operation("item", takes=True, person=0, pool=1, units=2),
    "confirm_reservation": Operation("item", to="confirmed", of=("held",), claim=0, missing="RESERVATION_NOT_FOUND",
                                     wrong="RESERVATION_NOT_HELD"),
    "cancel_reservation": Operation("item", to="cancelled", of=("held", "confirmed"), claim=0, missing="RESERVATION_NOT_FOUND",
                                    wrong="RESERVATION_NOT_HELD"),
    "expire_reservations": Operation("item"),
    "issue_coupon": Operation("coupon", takes=True, person=1, pool=0),
    "raw_issue_coupon": Operation("coupon", takes=True, person=1, pool=0),
    "raw_revoke_coupon": Operation("coupon", to="revoked", of=("issued",), claim=0, missing="NONE", wrong="NONE"),
    "set_section_capacity": Operation("section", pool=0, capacity=1),
    "set_item_capacity": Operation("item", pool=0, capacity=1),
    "set_coupon_capacity": Operation("coupon", pool=0, capacity=1),
}


class Rule:
    """One rule about taking: of each of the limits that a claim touches, nobody may have
    more than so much. codes: the answers that say so. pool: it is the pool's own capacity,
    for which takes of open transactions count too. policy: raw SQL may pass over it."""

    def __init__(self, codes, limits, pool=False, policy=False, raw_only=False):
        self.codes, self.limits, self.pool, self.policy, self.raw_only = codes, limits, pool, policy, raw_only


# In the order in which they are judged. A limit is (name, units that a claim takes of it,
# how much there is; None: the capacity of the pool).
RULES = {
    "section": (
        Rule(("ALREADY_ENROLLED", "enrollment_once_a_course"),
             lambda facts, person, section, units: [(("course", person, facts["section"][section]["course"]), 1, 1)]),
        Rule(("CREDIT_LIMIT_EXCEEDED",),
             lambda facts, person, section, units: [(("credits", person), facts["section"][section]["credits"],
                                                     facts["section"][section]["max_credits"])], policy=True),
        Rule(("SCHEDULE_CONFLICT",),
             lambda facts, person, section, units: [(("overlap", person, pair), 1, 1)
                                                    for pair in facts["section"][section]["overlaps"]]),
        # For the constraint a section overlaps itself too.
        Rule(("enrollment_no_overlap",),
             lambda facts, person, section, units: [(("meets", person, pair), 1, 1)
                                                    for pair in [*facts["section"][section]["overlaps"], section]],
             raw_only=True),
        Rule(("COURSE_FULL", "section_capacity"),
             lambda facts, person, section, units: [(("section", section), 1, None)], pool=True),
    ),
    "item": (
        Rule(("QUANTITY_LIMIT_EXCEEDED",),
             lambda facts, person, item, units: [(("event", person, facts["item"][item]["event"]), units,
                                                  facts["item"][item]["most"])]
             if facts["item"][item]["most"] else [], policy=True),
        Rule(("OUT_OF_STOCK", "item_stock"),
             lambda facts, person, item, units: [(("item", item), units, None)], pool=True),
    ),
    "coupon": (
        Rule(("COUPON_ALREADY_ISSUED",),
             lambda facts, person, coupon, units: [(("user", person, coupon), 1, facts["coupon"][coupon]["limit"])]),
        # A raw INSERT is the first of its user, or nothing.
        Rule(("coupon_issue_once_a_user",),
             lambda facts, person, coupon, units: [(("first", person, coupon), 1, 1)], raw_only=True),
        Rule(("COUPON_EXHAUSTED", "coupon_quota"),
             lambda facts, person, coupon, units: [(("coupon", coupon), 1, None)], pool=True),
    ),
}

# The answers of functions that it is too early, or too late.
WINDOWS = {"section": ("ENROLLMENT_NOT_STARTED", "ENROLLMENT_CLOSED"),
           "item": ("SALE_NOT_STARTED", "SALE_CLOSED"),
           "coupon": ("COUPON_NOT_STARTED", "COUPON_CLOSED")}


def window(opens, closes):
    return ", ".join(f"'{name}', (extract(epoch FROM {moment}) * 1000000)::bigint"
                     for name, moment in (("opens", opens), ("closes", closes)))


# What a rule needs to know of the pools, beside their capacity.
FACTS = {
    "section": "SELECT s.id, json_build_object('course', s.course_id, 'credits', c.credits,"
               " 'max_credits', t.max_credits, 'overlaps', coalesce((SELECT array_agg("
               "   format('%s/%s', least(o.id, s.id), greatest(o.id, s.id))) FROM fcfs.section o"
               "   WHERE o.id <> s.id AND o.schedule && s.schedule), '{}'),"
               f" {window('t.enroll_opens_at', 't.enroll_closes_at')})"
               " FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id JOIN fcfs.term t ON t.id = s.term_id"
               " WHERE s.code LIKE 'load%'",
    "item": "SELECT i.id, json_build_object('event', i.event_id, 'most', e.max_per_customer,"
            f" {window('e.sale_opens_at', 'e.sale_closes_at')})"
            " FROM fcfs.item i LEFT JOIN fcfs.event e ON e.id = i.event_id WHERE i.code LIKE 'load%'",
    "coupon": "SELECT id, json_build_object('limit', per_user_limit,"
              f" {window('opens_at', 'closes_at')}) FROM fcfs.coupon WHERE code LIKE 'load%'",
}


def microseconds(moment):
    return int(moment.timestamp()) * 1000000 + moment.microsecond


class Claim:
    """A claim: what the tables have of it, or, if it is not there, what was answered of it;
    and the moments between which things happened to it. All are sure: what was possible
    began to be so at the first moment that it can have been, and so on."""

    def __init__(self, kind, number, person, pool, units, status=None):
        self.kind, self.id, self.person, self.pool, self.units, self.status = kind, number, person, pool, units, status
        self.arrived = 0
        self.expires = self.ended = NEVER
        self.arrival = None
        self.makers = []            # calls that were answered with it
        self.moves = []             # calls that gave it another status, or may have

    @classmethod
    def from_row(cls, kind, values):
        *what, arrived, expires, ended, arrival = values
        claim = cls(kind, *what)
        claim.arrived = microseconds(arrived)
        claim.expires = microseconds(expires) if expires else NEVER
        claim.ended = microseconds(ended) if ended else NEVER
        claim.arrival = arrival
        return claim

    @property
    def there(self):
        return self.status is not None

    @property
    def over(self):
        return self.status in KINDS[self.kind]["over"]

    def limits(self, facts):
        """(rule, limit, units, how much there is) of all that it takes."""
        return [(rule, *limit) for rule in RULES[self.kind]
                for limit in rule.limits(facts, self.person, self.pool, self.units)]

    def __repr__(self):
        return (f"{self.kind} {self.pool}: claim {self.id} of {self.person}, {self.units}, "
                f"{self.status or 'not in the tables'}")


class World:
    """The tables."""

    def __init__(self, cursor):
        self.claims = {}
        self.doubles = []
        self.facts = {}
        self.strict = set()
        self.capacity = {}
        for kind, queries in KINDS.items():
            for values in self._rows(cursor, queries["rows"]):
                claim = Claim.from_row(kind, values)
                if (kind, claim.id) in self.claims:
                    self.doubles.append(claim)
                self.claims[kind, claim.id] = claim
            for pool, strict, capacity in self._rows(cursor, queries["pools"]):
                self.capacity[kind, pool] = NEVER if capacity is None else capacity
                if strict:
                    self.strict.add((kind, pool))
            self.facts[kind] = dict(self._rows(cursor, FACTS[kind]))
        # Overdue holds are a chore that nobody does after the load.
        self.broken = self._rows(cursor, "SELECT rule, kind, id, detail FROM fcfs.verify() WHERE rule <> 'overdue_hold'")
        cursor.execute("SELECT fcfs.is_preloaded()")
        self.local = not cursor.fetchone()[0]

    @staticmethod
    def _rows(cursor, query):
        cursor.execute(query)
        return cursor.fetchall()

    def of_person(self, kind, person, pool):
        return [claim for claim in self.claims.values()
                if (claim.kind, claim.person, claim.pool) == (kind, person, pool)]


class Steps:
    """A number that changes at moments: the sum of what holds from one until another."""

    def __init__(self):
        self.changes = collections.defaultdict(int)
        self.times = None

    def add(self, since, until, units):
        if since < until:
            self.changes[since] += units
            self.changes[until] -= units

    def _build(self):
        if self.times is None:
            total = 0
            self.times, self.values = [-NEVER], [0]
            for time in sorted(self.changes):
                total += self.changes[time]
                if time == -NEVER:
                    self.values[0] = total
                else:
                    self.times.append(time)
                    self.values.append(total)

    def all(self):
        """(moment, the value from then on)"""
        self._build()
        return zip(self.times, self.values)

    def between(self, first, last):
        """All values that it has from first to last, both included."""
        self._build()
        return self.values[self._at(first):self._at(max(first, last)) + 1]

    def _at(self, time):
        return bisect.bisect_right(self.times, time) - 1
