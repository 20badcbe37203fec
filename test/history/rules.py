"""Each answer against the rules."""
from line import is_join
from history import NEVER
from operations import OPERATIONS, is_function, operation_of
from world import KINDS, RULES, SHORTEST_HOLD, TIMEOUT_STATE, TIMEOUTS, Change, Steps

# Errors that may come to anybody: deadlocks, old snapshots, and faults of the server.
ERRORS = ("40P01", "40001", "25006", "3B001")
ERROR_CLASSES = ("08", "53", "57", "58")


class Rules:
    def never_above_capacity(self):
        """At no moment is more surely taken of anything than there can have been."""
        for name, limit in self.limits.items():
            if not limit.invariant:
                continue
            for moment, value in limit.promised.all():
                if value > 0:
                    held = [claim for claim in self.claims.values()
                            if any(limit_name == name for _, limit_name, _, _ in claim.limits(self.world.facts))
                            and any(since <= moment < until for since, until in self.surely(claim))]
                    self.finding(f"{name}: {value} more than there are were taken at {moment}:", *held[:30])
                    break

    def judge(self, call):
        operation = operation_of(call)
        if call.code in TIMEOUTS or call.state == TIMEOUT_STATE:
            if call.answered - call.sent < self.lock_timeout:
                self.finding("it was told of a timeout before its time was over", call)
        elif call.state in ERRORS or call.state[:2] in ERROR_CLASSES or call.code == "IDEMPOTENCY_KEY_REUSED":
            pass
        elif self.may_be_replay(call):
            pass
        elif operation.kind in ("section", "line") and operation.person is not None and self.lines.concerns(call, call.arguments[operation.person]):
            pass
        elif call.operation == "waitlist_position":
            self.lines.judge_position(call)
        elif operation.bad(call.arguments) or call.state == "22023":
            if call.state != operation.bad(call.arguments):
                self.finding("such arguments are not answered like that", call)
        elif operation.takes or operation.drops:
            self.judge_change(call, operation)
        elif call.operation == "cancel_section" and call.code == "OK":
            self.judge_cancelled(call)
        elif operation.to:
            self.judge_move(call, operation)
        elif operation.capacity is not None:
            self.judge_capacity(call, operation)
        elif call.code != "OK":
            self.finding("that is no answer to it", call)

    def judge_change(self, call, operation):
        """What it gives back and what it takes, at one moment: each rule is about what there is then."""
        change = Change(call, operation, self.world.facts)
        if (self.judge_drops(call, operation, operation.kind, change.drops)
                or self.judge_drops(call, operation, "section", change.holds)):
            return
        if not self.judge_rules(call) and call.code != "OK" and not (is_join(call) and self.judge_as_enrolment(call)):
            self.finding("that is no answer to it", call)

    def judge_rules(self, call):
        """True if one of the rules has refused it."""
        operation = operation_of(call)
        change = Change(call, operation, self.world.facts)
        function = is_function(call)
        for rule in RULES[operation.kind]:
            if call.code in rule.codes:
                if not self.can_refuse(call, rule, change) or function and rule.raw and rule.opening:
                    self.finding(f"{change}: at no moment can it have been refused for that", call)
                return True
            if ((rule.raw if function else rule.policy) or not rule.invariant or call.code in rule.together
                    or is_join(call) and rule.room and call.code != "OK"
                    or call.failed and not call.code.isupper()):
                continue
            if self.must_refuse(call, rule, change):
                self.finding(f"{change}: it must have been refused, all the time, by {rule.codes[0]}", call)
        return False

    def judge_as_enrolment(self, call):
        """Joining a line that nobody is in, when there is a seat: True if one of the rules of enrolling has refused it."""
        change = Change(call, OPERATIONS[self.lines.at_once(call)], self.world.facts)
        rules = [rule for rule in RULES["section"] if call.code in rule.codes and not rule.room]
        if rules and (not self.can_refuse(call, rules[0], change)
                      or self.must_be_for_line(call, change, call.arguments[1], ("section", call.arguments[1]))):
            self.finding(f"{change}: at no moment can it have been refused for that", call)
        return bool(rules)

    def can_refuse(self, call, rule, change):
        if rule.room:
            return self.can_be_full(call, rule, change)
        if rule.lack:
            return getattr(self, rule.lack)(call, rule, change, "can")
        return any(self.can_forbid(call, rule, name, taken, given[0], most) for name, taken, given, most in change.net(rule))

    def must_refuse(self, call, rule, change):
        if rule.room:
            return self.must_be_full(call, rule, change)
        if rule.lack:
            return getattr(self, rule.lack)(call, rule, change, "must")
        return any(self.must_forbid(call, rule, name, taken, given[1], most) for name, taken, given, most in change.net(rule))

    def can_be_refused(self, promotion, drops, with_room):
        """Can there have been a rule against passing that seat on?"""
        change = Change(promotion, operation_of(promotion), self.world.facts)
        change.drops = drops
        return any(self.can_refuse(promotion, rule, change) for rule in RULES["section"]
                   if not rule.raw and not rule.looks and (with_room or not rule.room))

    def judge_drops(self, call, operation, kind, drops):
        """Had they what they were to give back? True if that was answered."""
        lacked = False
        for pool in drops:
            claims = self.by_person[kind, call.arguments[operation.person], pool]
            if call.code == "OK":
                claims = call.gave.get(pool, claims if is_join(call) else ()) if operation.drops else claims
                if not any(self.can_be(claim, call) & set(operation.of) for claim in claims):
                    self.finding(f"{pool} cannot have been {' or '.join(operation.of)} then", call, *claims)
            lacked |= all(self.can_be(claim, call) - set(operation.of) for claim in claims)
        if call.code != operation.missing or not drops:
            return False
        if not lacked:
            self.finding("at no moment can it have been refused for that", call)
        return True

    def can_be_full(self, call, rule, change):
        """Can there have been a moment at which one of the pools had no room, or none for those who come new?"""
        return any(all(self.can_forbid(call, rule, name, taken, given, None)
                       # What it gives up in a cross list it may have again.
                       or given < taken and self.can_be_for_line(call, change, section, name) for name, taken, given in room)
                   for section, rooms in change.rooms(rule) for room in rooms)

    def must_be_full(self, call, rule, change):
        """Was there no moment with room in the pools that it took of, or in any of those it could have?"""
        for section, rooms in change.rooms(rule):
            claim = call.made.get(section)
            taken = claim.pools(rule, self.world.facts) if claim and claim.there and call.code == "OK" else None
            for room in rooms:
                of = room if taken is None else [of for of in room if of[0] in taken]
                if of and all(self.must_forbid(call, rule, *pool, None) or self.must_be_for_line(call, change, section, pool[0])
                              for pool in of):
                    return True
        return False

    @staticmethod
    def line_for(call, change, section, pool):
        """The name of how many there are in line for a pool of a section, if the change has to mind them."""
        if change.kind != "section" or change.raw or call.operation == "promotion" or call.became:
            return None             # those who joined the line have their turn
        return {"section": ("waiting", section), "reserved_seats": ("waiting for", pool[1])}.get(pool[0])

    def can_be_for_line(self, call, change, section, pool):
        if pool[0] == "cross_list" and change.kind == "section" and not change.raw:
            return any(self.can_be_for_line(call, change, other, ("section", other)) for other in self.listed(pool[1]))
        name = self.line_for(call, change, section, pool)
        return name is not None and (max(self.limit(None, name, 0).possible.between(call.sent, call.answered))
                                     + self.taken_before(call, name, perhaps=True) > 0)

    def must_be_for_line(self, call, change, section, pool):
        """Was somebody in line the whole time? Those who are just joining count, but for seats that are reserved."""
        name = self.line_for(call, change, section, pool)
        if pool[0] == "cross_list" and change.kind == "section":
            return self.must_be_shared(call, change, pool)
        if name is None or self.lines.may_have_passed(call):
            return False
        limit = self.limit(None, name, 0)
        steps = limit.promised if name[0] == "waiting" else limit.certain
        return min(steps.between(call.sent, call.answered - 1)) > 0

    def listed(self, cross_list):
        return [section for section, facts in self.world.facts["section"].items() if facts["cross_list"] == cross_list]

    def must_be_shared(self, call, change, pool):
        """Was somebody in line, the whole time, for a section of the cross list that had seats of its own?"""
        if call.before or change.raw or call.became or call.operation == "promotion" or set(change.drops) & set(self.listed(pool[1])):
            return False
        return any(min(self.limit(None, ("waiting", other), 0).certain.between(call.sent, call.answered - 1)) > 0
                   and max(self.limit(None, ("section", other), 0).possible.between(call.sent, call.answered)) < 0
                   for other in self.listed(pool[1]))

    def can_forbid(self, call, rule, name, units, given, most):
        """Can there have been a moment of the call at which the limit did not leave enough? What others
        have taken and not committed does not count: one who wants it has to wait. What the call itself
        gives back is among what there is, when its rules are judged."""
        value = max(self.limit(rule, name, most).possible.between(call.sent, call.answered))
        if rule.room:
            value += self.lines.may_have_taken(call, name)
        return value + self.taken_before(call, name, perhaps=True) + units - given > 0

    def must_forbid(self, call, rule, name, units, given, most):
        """Was there no moment of the call at which the limit can have left enough? Of what it has itself given
        back nothing is certain any more."""
        limit = self.limit(rule, name, most)
        if call.code != "OK":
            units -= given
        if name[0] == "line" and self.lines.may_have_passed(call):
            return False
        if rule.room:               # the takes of the own transaction are among what is promised
            return units > 0 and min(limit.promised.between(call.sent, call.answered - 1)) + units > 0
        value = min(limit.certain.between(call.sent, call.answered - 1))
        return units > 0 and value + self.taken_before(call, name, perhaps=False) + units > 0

    # What would be missing. Each says whether it can, or must, have forbidden the change.

    def least(self, call, name, most, given=0):
        """What was surely had of a limit at each moment of the call, by itself too."""
        limit = self.limit(None, name, most)
        return (min(limit.certain.between(call.sent, call.answered - 1)) + most + self.taken_before(call, name, perhaps=False)
                - (given if call.code != "OK" else 0))

    def most(self, call, name, most, given=0):
        limit = self.limit(None, name, most)
        return max(limit.possible.between(call.sent, call.answered)) + most + self.taken_before(call, name, perhaps=True) - given

    def courses(self, call, rule, change, how):
        """Courses that must have been taken before, or are taken with others: with what is added, and with what stays."""
        facts = self.world.facts["section"]
        added = {facts[pool]["course"] for pool, _ in change.adds}
        dropped = {facts[pool]["course"] for pool in change.drops}
        short, held = (self.least, self.most) if how == "can" else (self.most, self.least)

        def needs(section, code):
            return [course for course, concurrent, graded in facts[section]["needs"] if change.person not in graded
                    and code == ("COREQUISITE_NOT_MET" if concurrent else "PREREQUISITE_NOT_MET")]
        wanted = [code for code in rule.codes if how == "must" or call.code in (code, "")]
        if "PREREQUISITE_NOT_MET" in wanted and any(needs(pool, "PREREQUISITE_NOT_MET") for pool, _ in change.bound(rule)):
            return True
        return "COREQUISITE_NOT_MET" in wanted and (
            any(course not in added and short(call, ("course", change.person, course), 1, course in dropped) < 1
                for pool, _ in change.bound(rule) for course in needs(pool, "COREQUISITE_NOT_MET"))
            or any(other["course"] not in dropped and not change.passes_over(rule, section)
                   and held(call, ("course", change.person, other["course"]), 1) >= 1
                   for section, other in facts.items() for course in needs(section, "COREQUISITE_NOT_MET")
                   if course in dropped - added))

    def minimum(self, call, rule, change, how):
        facts = self.world.facts["section"]
        return any(facts[pool]["min_credits"] and self.falls_below(call, change, facts[pool], how)
                   for pool in change.drops if not change.passes_over(rule, pool))

    def falls_below(self, call, change, section, how):
        """Below the least credits of the term that the section is given up in."""
        facts = self.world.facts["section"]
        added = sum(change.credits(pool) for pool, _ in change.adds if facts[pool]["term"] == section["term"])
        least, most = (sum(facts[pool]["range"][i] for pool in change.drops if facts[pool]["term"] == section["term"]) for i in (0, 1))
        limit = ("credits", change.person, section["term"])
        if how == "can":
            return added < most and self.least(call, limit, section["max_credits"], most) + added < section["min_credits"]
        return added < least and self.most(call, limit, section["max_credits"], least) + added < section["min_credits"]

    def stated(self, _call, _rule, change, _how):
        """Credits that a section cannot be taken for."""
        ranges = {pool: self.world.facts["section"][pool]["range"] for pool in change.stated}
        return any(not ranges[pool][0] <= credits <= ranges[pool][1] for pool, credits in change.stated.items())

    def taken_before(self, call, name, perhaps):
        """What its own transaction has taken of a limit and not committed, less what it gave back:
        the most that it can be, or the least. (What the call itself gives back of it is no longer there.)"""
        taken = 0
        given = set()
        made = set()
        final = set()
        calls = call.before if perhaps or call.code != "OK" else (*call.before, call)
        for earlier in calls:
            operation = operation_of(earlier)
            own = not earlier.replayed and (perhaps or not earlier.key or earlier.trying)
            not_replay = not earlier.replayed and (not perhaps or not earlier.key or earlier.trying)
            if earlier.code != "OK":
                continue
            # A hold of its own that is overdue by now is no longer counted for its customer.
            overdue = not perhaps and operation.kind == "item" and call.answered >= earlier.sent + SHORTEST_HOLD
            if earlier is not call and own and not overdue:
                made.update(earlier.made.values())
            if operation.to in KINDS[operation.kind]["over"] and not_replay:
                given.update(claims[0] for claims in earlier.gave.values())
            elif perhaps and operation.to:          # a hold that it made final is counted for its customer, overdue by now or not
                final.update(claims[0] for claims in earlier.gave.values() if claims[0].expires <= call.answered)
        for claim in made | (given if perhaps else set()):
            sure = [limit for _, limit, _, _ in claim.limits(self.world.facts)]
            for rule, limit, units, _ in claim.limits(self.world.facts, perhaps):
                # Nor is one that it gave back among what is possible, if it would be overdue by now.
                back = claim in given and limit in sure and not (perhaps and rule.policy and claim.expires <= call.answered)
                # A seat that it gave up it may have passed on.
                back = back and not (perhaps and rule.room and claim.kind == "section" and self.lines.may_have_passed(call))
                if limit == name:
                    taken += units * ((claim in made) - back)
        for claim in final - made - given:
            taken += sum(units for rule, limit, units, _ in claim.limits(self.world.facts) if rule.policy and limit == name)
        return taken

    def judge_move(self, call, operation):
        claims = [claim] if (claim := self.claim(operation.kind, call.arguments[operation.claim], call)) else []
        if call.code == "OK":
            if not any(self.can_be(claim, call) & set(operation.of) for claim in claims):
                self.finding(f"it cannot have been {' or '.join(operation.of)} then", call, *claims)
            return
        reasons = set()
        if call.code == operation.missing:
            if all(self.can_be(claim, call) - set(operation.of) for claim in claims):
                reasons.add(call.code)
            if operation.wrong != operation.missing:
                reasons = {call.code} if all("missing" in self.can_be(claim, call) for claim in claims) else set()
        elif call.code == operation.wrong:
            reasons = {status for claim in claims for status in self.can_be(claim, call)} - {"missing", "overdue", "expired", *operation.of}
        elif call.code == "RESERVATION_EXPIRED":
            reasons = {status for claim in claims for status in self.can_be(claim, call)} & {"overdue", "expired"}
        else:
            self.finding("that is no answer to it", call)
            return
        if not reasons:
            self.finding("at no moment can it have been refused for that", call,
                         *(f"{claim}: {sorted(self.can_be(claim, call))}" for claim in claims),
                         *(move for claim in claims for move in claim.makers + claim.moves))

    def can_be(self, claim, call):
        """All that the claim can have been for the call, at some moment of it."""
        looks = not is_function(call) or call.operation == "waitlist_position"
        first, last = call.snapshot if looks else call.sent, call.answered
        own = [earlier for earlier in call.before if earlier in claim.moves and earlier.code == "OK"]
        made = any(earlier in claim.makers for earlier in call.before)
        can = set()
        if own:
            can.add(operation_of(own[-1]).to)
            if not (own[-1].key and not own[-1].trying) and not own[-1].replayed:
                return can
        # A seat that the own transaction may have passed on.
        if any(maker.operation == "promotion" for maker in claim.makers) and self.lines.may_have_passed(call):
            can.add(KINDS[claim.kind]["first"])
        held_until = min(claim.surely_confirmed_since, claim.possible_until)
        if made or claim.there and claim.possible_since <= last and held_until >= first:
            if claim.expires > first:
                can.add(KINDS[claim.kind]["first"])
            # When one that was rolled back would have been over, nothing is left to say.
            if claim.expires <= last or claim.kind == "item" and not claim.there:
                can.add("overdue")
        if not made and (not claim.there or claim.sure_since >= first):
            can.add("missing")
        if claim.confirmed_since <= last and claim.possible_until >= first:
            can.add("confirmed")
        if claim.over_since <= last:
            can.add(claim.status)
        return can

    def judge_cancelled(self, call):
        """All who were in a section that is cancelled, or in its line, were dropped; judge_move() is about each of those."""
        named = {number for number, _ in call.dropped}
        for claim in self.claims.values():
            if (claim.kind in ("section", "line") and claim.pool == call.arguments[0] and claim.id not in named and claim.sure_since <= call.sent
                    and any(since <= call.sent and call.answered <= until for since, until in self.surely(claim))):
                self.finding(f"{claim}: it was not dropped", call, *claim.makers)

    def judge_capacity(self, call, operation):
        """Lowered below what is claimed: that is refused, and only that."""
        pool = (operation.kind, call.arguments[0])
        rule = next(rule for rule in RULES[operation.kind] if rule.room)
        if call.code == "OK":
            return                  # never_above_capacity() judges it
        if call.code not in rule.codes:
            self.finding("that is no answer to it", call)
            return
        claimed = Steps()
        for claim in self.world.claims.values():
            if (claim.kind == operation.kind and pool in claim.pools(rule, self.world.facts, True)
                    and claim.possible_since <= call.answered and claim.possible_until >= call.sent):
                claimed.add(claim.possible_since, claim.possible_until + 1, claim.units)
        cut_out = self.cut_out(call.arguments[0], call) if operation.kind == "section" else 0
        if max(claimed.between(call.sent, call.answered)) <= call.arguments[operation.capacity] - cut_out:
            self.finding(f"{pool}: so little cannot have been free", call)
