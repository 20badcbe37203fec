"""What the checker knows of the pools and their rules, and of the claims in the
tables. A new kind of pool joins by an entry in KINDS and RULES."""
import bisect
import collections
from history import NEVER
from operations import operation_of

# How claims of a kind of pool are found (id, person, pool, units, status, when it
# arrived, expires, ended, its arrival number, the rules that it was let pass over, which
# reserved seats it is one of, what it gives up, and its credits), the status that they begin
# with, and those that give their units back.
KINDS = {
    "section": {
        "rows": "SELECT e.id, e.student_id, e.section_id, 1, e.status, e.arrived_at, NULL, e.ended_at, NULL, e.override,"
                " e.reserved_seats_id, e.swap_section_id, e.credits::float8"
                " FROM fcfs.enrollment e JOIN fcfs.section p ON p.id = e.section_id WHERE p.code LIKE 'load%'",
        "first": "enrolled", "over": ("cancelled",),
    },
    # Places in line; their rows are those of seats, see line.py.
    "line": {"rows": None, "first": "waitlisted", "over": ("left", "seated")},
    "item": {
        "rows": "SELECT r.id, r.customer_id, l.item_id, l.quantity, r.status, r.arrived_at, r.expires_at, r.ended_at, NULL, NULL, NULL, NULL, NULL"
                " FROM fcfs.reservation r JOIN fcfs.reservation_line l ON l.reservation_id = r.id"
                " JOIN fcfs.item p ON p.id = l.item_id WHERE p.code LIKE 'load%'",
        "first": "held", "over": ("cancelled", "expired"),
    },
    "coupon": {
        "rows": "SELECT i.id, i.user_id, i.coupon_id, 1, i.status, i.arrived_at, NULL, NULL, i.arrival, NULL, NULL, NULL, NULL"
                " FROM fcfs.coupon_issue i JOIN fcfs.coupon p ON p.id = i.coupon_id WHERE p.code LIKE 'load%'",
        "first": "issued", "over": ("revoked",),
    },
}

# The pools that claims take of: id, are they served in strict order, capacity.
POOLS = {
    # What is reserved for a group is cut out of the capacity, see note_capacities().
    "section": "SELECT id, strict_order, capacity FROM fcfs.section WHERE code LIKE 'load%'",
    "reserved_seats": "SELECT r.id, s.strict_order, r.capacity FROM fcfs.reserved_seats r JOIN fcfs.section s ON s.id = r.section_id"
                      " WHERE s.code LIKE 'load%'",
    "line": "SELECT id, false, waitlist_capacity FROM fcfs.section WHERE code LIKE 'load%'",
    # No claim takes of it; there is none of it while the section is cancelled.
    "open": "SELECT id, false, (cancelled_at IS NULL)::integer FROM fcfs.section WHERE code LIKE 'load%'",
    "cross_list": "SELECT id, false, capacity FROM fcfs.cross_list WHERE code LIKE 'load%'",
    "item": "SELECT id, strict_order, stock FROM fcfs.item WHERE code LIKE 'load%'",
    "coupon": "SELECT id, strict_order, quota FROM fcfs.coupon WHERE code LIKE 'load%'",
}

# Answers that are no judgement of the rules: a wait was too long.
TIMEOUTS = ("LOCK_TIMEOUT", "IDEMPOTENCY_KEY_IN_USE")
TIMEOUT_STATE = "55P03"

# How long a reservation of the load is held at least, in microseconds (pools.c).
SHORTEST_HOLD = 150_000


class Rule:
    """One rule about taking: of each of the limits that a claim touches, nobody may have more than so much.
    codes: the answers that say so. room: the pools that there must be room in, for which takes of open
    transactions count too: of each list one. policy: raw SQL may pass over it. lack: it is not about too much,
    but about what would be missing, which the checker judges by a method of that name. raw: it is for raw SQL
    only; invariant: it holds all the same. looks: it only looks at what others take of the limit. credits:
    claims take of it what they are taken for. opening: it is about when a pool is open, which has nothing to do
    with claims. together: answers that are judged in the same turn. override: what an administrator calls it
    who lets somebody pass over it for a pool."""

    def __init__(self, codes, limits=lambda facts, person, pool, units: (), room=None, lack=None, policy=False, raw=False,
                 invariant=True, override=None, looks=False, opening=False, credits=False, together=()):
        self.codes, self.limits, self.room, self.policy, self.raw = codes, limits, room, policy, raw
        self.lack, self.looks, self.opening, self.credits, self.together = lack, looks, opening, credits, together
        self.invariant, self.override = invariant, override


def early(kind):
    return lambda facts, person, pool, units: [(("early", kind, pool, person), 1, 1)]


def late(kind):
    return lambda facts, person, pool, units: [(("late", kind, pool, person), 1, 1)]


def cancelled(facts, person, section, units):
    return [(("open", section), 1, 1)]


def closed(facts, person, section, units):
    """Nobody may pass over it that a section is cancelled."""
    return cancelled(facts, person, section, units) + (
        late("section")(facts, person, section, units) if "window" not in overrides(facts, "section", person, section) else [])


# Functions come too early, or too late.
ENROLLMENT_WINDOW = (Rule(("ENROLLMENT_NOT_STARTED",), early("section"), policy=True, override="window", opening=True,
                          together=("ENROLLMENT_CLOSED",)),
                     Rule(("ENROLLMENT_CLOSED",), closed, policy=True, opening=True))


def course_once(facts, person, section, _units):
    return [(("course", person, facts["section"][section]["course"]), 1, 1)]


def place_once(_facts, person, section, _units):
    return [(("place", person, section), 1, 1)]


def seats(facts, person, section):
    """A seat of the section or one that is reserved for a group of the person's, and one of its cross list."""
    section_facts = facts["section"][section]
    own = [("section", section)] + [("reserved_seats", reserved) for reserved, people in section_facts["reserved"] if person in people]
    return [own] + ([[("cross_list", section_facts["cross_list"])]] if section_facts["cross_list"] else [])


# In the order in which they are judged. A limit is (name, units that a claim takes of it, how much there is).
RULES = {
    "section": (
        *ENROLLMENT_WINDOW,
        Rule(("enrollment_section_not_cancelled",), cancelled, raw=True, opening=True),
        Rule(("ALREADY_ENROLLED", "enrollment_once_a_course"), course_once, together=("ALREADY_WAITLISTED",)),
        Rule(("ALREADY_WAITLISTED",), place_once, policy=True, looks=True),
        Rule(("COREQUISITE_NOT_MET", "PREREQUISITE_NOT_MET"), lack="courses", policy=True, override="prerequisite"),
        Rule(("CREDITS_OUT_OF_RANGE",), lack="stated", policy=True),
        Rule(("CREDIT_LIMIT_EXCEEDED",),
             lambda facts, person, section, units: [(("credits", person, facts["section"][section]["term"]), units,
                                                     facts["section"][section]["max_credits"])], credits=True, policy=True, override="credits"),
        Rule(("CREDIT_MINIMUM_NOT_MET",), lack="minimum", policy=True, override="credits"),
        Rule(("SCHEDULE_CONFLICT",),
             lambda facts, person, section, units: [(("overlap", person, pair), 1, 1)
                                                    for pair in facts["section"][section]["overlaps"]],
             policy=True, override="conflict"),
        # For the constraint a section overlaps itself too, and what was let overlap does not count.
        Rule(("enrollment_no_overlap",),
             lambda facts, person, section, units: [(("meets", person, pair), 1, 1)
                                                    for pair in [*facts["section"][section]["overlaps"], section]],
             raw=True, override="conflict"),
        Rule(("COURSE_FULL", "section_capacity", "cross_list_capacity"), room=seats, override="capacity"),
    ),
    "line": (
        *ENROLLMENT_WINDOW,
        Rule(("ALREADY_ENROLLED",), course_once, looks=True),
        Rule(("ALREADY_WAITLISTED",), place_once),
        Rule(("PREREQUISITE_NOT_MET",), lack="courses", override="prerequisite"),
        Rule(("CREDITS_OUT_OF_RANGE",), lack="stated"),
        Rule(("WAITLIST_FULL",), room=lambda facts, person, section: [[("line", section)]]),
        # How many wait, for what the section has, and for what it has reserved.
        Rule((), lambda facts, person, section, units: [(("waiting", section), 1, 0)] + [
            (("waiting for", reserved), 1, 0) for reserved, people in facts["section"][section]["reserved"] if person in people],
             invariant=False),
    ),
    "item": (
        Rule(("SALE_NOT_STARTED",), early("item"), policy=True, opening=True),
        Rule(("SALE_CLOSED",), late("item"), policy=True, opening=True),
        Rule(("QUANTITY_LIMIT_EXCEEDED",),
             lambda facts, person, item, units: [(("event", person, facts["item"][item]["event"]), units,
                                                  facts["item"][item]["most"])]
             if facts["item"][item]["most"] else [], policy=True),
        Rule(("OUT_OF_STOCK", "item_stock"), room=lambda facts, person, item: [[("item", item)]]),
    ),
    "coupon": (
        Rule(("COUPON_NOT_STARTED",), early("coupon"), policy=True, opening=True),
        Rule(("COUPON_CLOSED",), late("coupon"), policy=True, opening=True),
        Rule(("COUPON_ALREADY_ISSUED",),
             lambda facts, person, coupon, units: [(("user", person, coupon), 1, facts["coupon"][coupon]["limit"])]),
        # A raw INSERT is the first of its user, or nothing.
        Rule(("coupon_issue_once_a_user",),
             lambda facts, person, coupon, units: [(("first", person, coupon), 1, 1)], raw=True, invariant=False),
        Rule(("COUPON_EXHAUSTED", "coupon_quota"), room=lambda facts, person, coupon: [[("coupon", coupon)]]),
    ),
}

def microseconds_of(moment):
    return f"(extract(epoch FROM {moment}) * 1000000)::bigint"


def window(opens, closes):
    return ", ".join(f"'{name}', {microseconds_of(moment)}"
                     for name, moment in (("opens", opens), ("closes", closes)))


# What a rule needs to know of the pools, beside their capacity.
FACTS = {
    "section": "SELECT s.id, json_build_object('course', s.course_id, 'term', s.term_id, 'credits', greatest(least(c.credits, s.max_credits), s.min_credits),"
               " 'range', json_build_array(coalesce(s.min_credits, c.credits), coalesce(s.max_credits, c.credits)),"
               " 'max_credits', t.max_credits, 'overlaps', coalesce((SELECT array_agg("
               "   format('%s/%s', least(o.id, s.id), greatest(o.id, s.id))) FROM fcfs.section o"
               "   WHERE o.id <> s.id AND o.schedule && s.schedule), '{}'),"
               " 'min_credits', t.min_credits, 'needs', coalesce((SELECT json_agg(json_build_array(p.required_course_id, p.concurrent, ARRAY("
               "   SELECT g.student_id FROM fcfs.grade g WHERE g.course_id = p.required_course_id"
               "   AND (p.min_points IS NULL OR g.points >= p.min_points)))) FROM fcfs.prerequisite p WHERE p.course_id = s.course_id), '[]'),"
               " 'line', s.waitlist_capacity, 'cross_list', s.cross_list_id, 'reserved', coalesce((SELECT json_agg(json_build_array(r.id, ARRAY("
               "   SELECT m.student_id FROM fcfs.student_group_member m WHERE m.student_group_id = r.student_group_id)))"
               "   FROM fcfs.reserved_seats r WHERE r.section_id = s.id), '[]'), 'releases', coalesce((SELECT json_object_agg(r.id,"
               f"   {microseconds_of('r.release_at')}) FROM fcfs.reserved_seats r WHERE r.section_id = s.id AND r.release_at IS NOT NULL), '{{}}'),"
               " 'overrides', coalesce((SELECT json_object_agg("
               "   o.student_id, o.rules) FROM (SELECT student_id, array_agg(rule) AS rules FROM fcfs.permission_override"
               "   WHERE section_id = s.id GROUP BY 1) o), '{}'),"
               " 'waves', (SELECT json_agg(json_build_array((SELECT json_agg(m.student_id) FROM fcfs.student_group_member m"
               f"   WHERE m.student_group_id = w.student_group_id), {microseconds_of('w.opens_at')}, {microseconds_of('w.closes_at')}))"
               "   FROM fcfs.enrollment_wave w WHERE w.term_id = s.term_id),"
               f" {window('t.enroll_opens_at', 't.enroll_closes_at')})"
               " FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id JOIN fcfs.term t ON t.id = s.term_id"
               " WHERE s.code LIKE 'load%'",
    "item": "SELECT i.id, json_build_object('event', i.event_id, 'most', e.max_per_customer,"
            f" {window('e.sale_opens_at', 'e.sale_closes_at')})"
            " FROM fcfs.item i LEFT JOIN fcfs.event e ON e.id = i.event_id WHERE i.code LIKE 'load%'",
    "coupon": "SELECT id, json_build_object('limit', per_user_limit,"
              f" {window('opens_at', 'closes_at')}) FROM fcfs.coupon WHERE code LIKE 'load%'",
}


def shut(facts, kind, pool, person):
    """From when until when it is not open to the person, and whether that is too early or too late."""
    pool_facts = facts[kind][pool]
    opens, closes = pool_facts["opens"] or -NEVER, pool_facts["closes"] or NEVER
    yield -NEVER, opens, "early"
    yield closes, NEVER, "late"
    if not pool_facts.get("waves"):
        return
    for wave_opens, wave_closes in sorted((wave[1:] for wave in pool_facts["waves"] if wave[0] is None or person in wave[0])):
        yield opens, min(wave_opens, closes), "early"
        opens = max(opens, wave_closes)
    yield opens, closes, "late"


def overrides(facts, kind, person, pool):
    """The rules that a person may pass over for a pool."""
    return facts[kind][pool].get("overrides", {}).get(str(person), ())


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
        self.override = ()          # the rules that it was let pass over
        self.reserved = None        # which reserved seats it is one of
        self.released = None        # which it may have been one of, until these were released
        self.credits = None         # what it is taken for, if not for those of the section
        self.swap = None            # the section that is given up for the seat, once there is one
        self.seat = None            # of a place in line: the claim that it became, and
        self.passed_by = ()         # the calls that can have passed it on
        self.makers = []            # calls that were answered with it
        self.moves = []             # calls that gave it another status, or may have
        self.unsure_maker = self.unsure_end = False     # not all of them did
        self.unsure = False         # of a place in line: it may never have been one, or never have become a seat

    @classmethod
    def from_row(cls, kind, values):
        *what, arrived, expires, ended, arrival, override, reserved, swap, credits = values
        claim = cls(kind, *what)
        claim.arrived = microseconds(arrived)
        claim.expires = microseconds(expires) if expires else NEVER
        claim.ended = microseconds(ended) if ended else NEVER
        claim.arrival = arrival
        claim.override, claim.reserved, claim.swap, claim.credits = override or (), reserved, swap, credits
        return claim

    @property
    def what(self):
        return self.kind, self.person, self.pool, self.units

    def made_by(self, call):
        self.makers.append(call)
        call.made[self.pool] = self
        if not self.there:
            self.credits = operation_of(call).credits(call.arguments).get(self.pool)

    @property
    def there(self):
        return self.status is not None

    @property
    def over(self):
        return self.status in KINDS[self.kind]["over"]

    def limits(self, facts, perhaps=False):
        """(rule, limit, units, how much there is; None: a pool's capacity) of all that it surely takes, or perhaps."""
        return [(rule, *limit) for rule in RULES[self.kind] if not rule.looks and not rule.opening
                for limit in (((pool, self.units, None) for pool in self.pools(rule, facts, perhaps)) if rule.room else
                              rule.limits(facts, self.person, self.pool, self.units_of(rule, facts)))]

    def units_of(self, rule, facts):
        if not rule.credits:
            return self.units
        return facts["section"][self.pool]["credits"] if self.credits is None else self.credits

    def pools(self, rule, facts, perhaps=False):
        """The pools that it surely takes of, or perhaps."""
        rooms = rule.room(facts, self.person, self.pool)
        if self.passes_over(rule, facts):
            return []
        if not self.there and not self.raw:
            return [pool for room in rooms for pool in room if perhaps or len(room) == 1]
        pools = [room[0] for room in rooms]
        if self.reserved:
            pools[0] = ("reserved_seats", self.reserved)
        elif self.released:
            pools[:1] = [pools[0], ("reserved_seats", self.released)] if perhaps else []
        return pools

    def passes_over(self, rule, facts):
        """May it pass over that rule?"""
        return rule.override is not None and not self.raw and rule.override in (
            self.override if self.there else overrides(facts, self.kind, self.person, self.pool))

    @property
    def raw(self):
        """Raw SQL made it: nobody let it pass over anything, and none of its seats is a reserved one."""
        return any(call.operation.startswith("raw_") for call in self.makers)

    def __repr__(self):
        return (f"{self.kind} {self.pool}: claim {self.id} of {self.person}, {self.units}, "
                f"{self.status or 'not in the tables'}")


class Change:
    """What a call takes and gives back, of one person's and of pools'."""

    def __init__(self, call, operation, facts):
        self.kind, self.person, self.facts = operation.kind, call.arguments[operation.person], facts
        self.raw = call.operation.startswith("raw_")
        self.adds = operation.adds(call.arguments) if operation.adds else []
        self.drops = operation.drops(call.arguments) if operation.drops else ()
        self.holds = operation.holds(call.arguments)
        self.stated = operation.credits(call.arguments)
        self.known = call.credits

    def bound(self, rule):
        """What it takes where the rule is not passed over."""
        return [(pool, units) for pool, units in self.adds if not self.passes_over(rule, pool)]

    def passes_over(self, rule, pool):
        """May it pass over that rule? Not over a constraint: it is written as let pass over what there was when it
        was judged, and raw SQL may write something in its way since."""
        return not self.raw and not rule.raw and rule.override in overrides(self.facts, self.kind, self.person, pool)

    def rooms_of(self, rule, pool):
        return [room[:1] if self.raw else room for room in rule.room(self.facts, self.person, pool)]

    def credits(self, pool):
        """What a section that is added is taken for."""
        return {pool: self.facts["section"][pool]["credits"], **self.known, **self.stated}[pool]

    def net(self, rule):
        """(limit, units taken, least and most units given back, how much there is), for each limit that bounds it."""
        taken, least, given, most = collections.Counter(), collections.Counter(), collections.Counter(), {}
        for pool, units in self.bound(rule):
            for name, wanted, most[name] in rule.limits(self.facts, self.person, pool, self.credits(pool) if rule.credits else units):
                taken[name] += wanted
        for pool in self.drops:     # which claim that is, is not known here
            for counter, units in zip((least, given), self.facts[self.kind][pool]["range"] if rule.credits else (1, 1)):
                for name, units, _ in rule.limits(self.facts, self.person, pool, units):
                    counter[name] += units
        for pool in self.holds:     # it will be given up, and is not yet
            for name, units, _ in rule.limits(self.facts, self.person, pool, 1):
                taken[name] -= units
        return [(name, taken[name], (least[name], given[name]), there_is) for name, there_is in most.items()]

    def rooms(self, rule):
        """(pool that is added, its rooms, each a list of pools of which one is taken: name, units taken, units given back)"""
        given = collections.Counter(room[0] for pool in self.drops if not self.passes_over(rule, pool)
                                    for room in self.rooms_of(rule, pool) if len(room) == 1)
        taken = collections.Counter()
        for pool, units in self.bound(rule):
            taken.update({name: units for room in self.rooms_of(rule, pool) for name in room})
        return [(pool, [[(name, taken[name], given[name]) for name in room] for room in self.rooms_of(rule, pool)])
                for pool, _ in self.bound(rule)]

    def __repr__(self):
        return f"{self.kind} of {self.person}: {self.adds}" + (f" instead of {self.drops}" if self.drops else "")


class World:
    """The tables."""

    def __init__(self, cursor):
        self.claims = {}
        self.doubles = []
        self.facts = {}
        self.strict = set()
        self.capacity = {}
        for kind, queries in KINDS.items():
            for values in self._rows(cursor, queries["rows"]) if queries["rows"] else ():
                claim = Claim.from_row(kind, values)
                if (kind, claim.id) in self.claims:
                    self.doubles.append(claim)
                self.claims[kind, claim.id] = claim
            self.facts[kind] = dict(self._rows(cursor, FACTS[kind if kind in FACTS else "section"]))
        for kind, query in POOLS.items():
            for pool, strict, capacity in self._rows(cursor, query):
                self.capacity[kind, pool] = NEVER if capacity is None else capacity
                if strict:
                    self.strict.add((kind, pool))
        # Overdue holds are a chore that nobody does after the load.
        self.broken = self._rows(cursor, "SELECT rule, kind, id, detail FROM fcfs.verify() WHERE rule <> 'overdue_hold'")
        cursor.execute("SELECT fcfs.is_preloaded()")
        self.local = not cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(current_setting('fcfs.worker', true), 'off')::boolean")
        self.worker = not self.local and cursor.fetchone()[0]

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
