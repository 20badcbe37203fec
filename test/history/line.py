"""The lines of sections: which places became seats, and between which moments; and that
they did so in the order of arrival.

A place becomes a seat in somebody else's call, and no answer says when. What is known are
the looks of the load's observer: of one that was in line at a look, the change was not
committed when that look began; of one whose join was committed before a look, and that was
not in line any more, it was committed when that look had ended. So each such change is a call of its
own, made up, that was sent and answered at these moments and is judged like any other.

It was made by a call that passes seats on, whose transaction was committed meanwhile. Of
those in line before it nobody can have been free to take the seat, during the whole of
each call that can have passed it on.
"""
import bisect
import collections
import copy
from history import COMMITTED, NEVER, Call, Transaction
from operations import OPERATIONS, operation_of
from world import Claim, overrides

# Calls that pass on what is free: those that give up seats do too.
PASSING = ("join_waitlist", "join_waitlist_to_swap", "leave_waitlist", "pass_waitlists")

# Calls that end a place, and no seat.
LEAVING = {"leave_waitlist", "drop_place"}


def passes_on(call):
    operation = OPERATIONS[call.operation]
    return call.operation in PASSING or bool(operation.kind == "section" and operation.drops and operation.drops(call.arguments))


def is_join(call):
    return call.operation.startswith("join_")


class Promotion(Call):
    """A place becomes a seat; or what was to be given up for it, is."""

    def __init__(self, log, operation, claim, transaction):
        super().__init__(log, {"c": -1, "n": claim.id, "op": operation, "args": [claim.person, claim.pool], "t": -NEVER})
        self.answered = NEVER
        self.code = "OK"
        self.id = claim.id
        self.kept = True
        self.credits = {claim.pool: claim.credits}
        self.transaction = transaction

    def __repr__(self):
        return f"[passed on between {self.sent} and {self.answered}] {self.operation}{self.arguments} id {self.id}"


class Lines:
    def __init__(self, checker):
        self.checker = checker
        self.world = checker.world
        self.looks = sorted((look for log in checker.logs for look in log.line), key=lambda look: look[0])
        self.passing = []
        self.promoted = []          # places that became seats
        self.compared = 0

    # Before claims are found ----------------------------------------------------------------

    def split(self):
        """Of each row that was a place in line, or may have been: the place, and the seat that it became."""
        seen = {number for _, _, numbers in self.looks for number in numbers}
        kept = [call for call in self.checker.calls if self.checker.fate(call)]
        joins = [call for call in kept if is_join(call)]
        places = {(call.id, *call.arguments[:2]) for call in joins if call.code == "OK" and call.status == "waitlisted"}
        seats = {(call.id, call.arguments[0]) for call in kept if call.code == "OK" and (
            call.operation in ("enroll", "swap_enrollment", "raw_enroll") or is_join(call) and call.status == "enrolled")}
        # Whoever joins may be seated at once; of a lost call nobody knows.
        lost = [call for call in joins if call.lost]
        self.seated_at_once = [self.seated(call) for call in lost]
        self.find_enders([call for call in kept if call.code in ("OK", "UNKNOWN")])
        rows = [claim for _, claim in sorted(self.world.claims.items(), key=str) if claim.kind == "section"]
        for claim in rows:
            maybe = (claim.id, claim.person) not in seats and any(
                call.arguments[:2] == (claim.person, claim.pool) and call.sent <= claim.arrived <= call.transaction.done for call in lost)
            sure = claim.status == "waitlisted" or claim.id in seen or (claim.id, claim.person, claim.pool) in places
            if sure or maybe:
                self.split_one(claim, sure)
        ids = {claim.id for claim in rows}
        for call in self.checker.calls:
            if is_join(call) and call.code == "OK":
                place = call.status == "waitlisted"
                if self.checker.fate(call) and call.id in ids:
                    place = ("line", call.id) in self.world.claims
                call.became = None if place else self.at_once(call)

    @staticmethod
    def at_once(call):
        return "join_enrolled" if call.operation == "join_waitlist" else "join_swapped"

    def seated(self, call):
        """What a call that joins a line did if there was a seat."""
        other = copy.copy(call)
        other.became = self.at_once(call)
        other.made, other.gave = {}, {}
        return other

    def find_enders(self, calls):
        """By person and section, or by id: the calls that may have ended a place, or a seat."""
        self.enders = collections.defaultdict(list)
        for call in calls:
            operation = OPERATIONS[self.at_once(call) if is_join(call) else call.operation]
            if operation.kind in ("section", "line") and operation.to:
                if operation.claim is not None:
                    self.enders["id", call.arguments[operation.claim]].append(call)
                else:
                    for pool in operation.drops(call.arguments) if operation.drops else [call.arguments[operation.pool]]:
                        self.enders[call.arguments[operation.person], pool].append(call)

    def enders_of(self, claim):
        return self.enders[claim.person, claim.pool] + self.enders["id", claim.id]

    def ended_with(self, call, claim):
        return any(since <= claim.ended <= until for since, until in self.checker.moments(call))

    def ended_by_others(self, claim, call):
        """Has surely somebody else ended it? If perhaps, that is noted."""
        others = [other for other in self.enders_of(claim) if other is not call and (other.key is None or other.key != call.key)
                  and self.ended_with(other, claim)
                  and (other.lost or self.names(other) in (None, claim.id) and (other.became or not is_join(other)))]
        if any(not other.lost and self.checker.fate(other) == COMMITTED and (
                self.names(other) or not any(self.ended_with(other, another) for another in self.checker.by_person[
                    "section", claim.person, claim.pool] if another.over and another is not claim)) for other in others):
            return True
        claim.unsure_end |= bool(others)
        return False

    @staticmethod
    def names(call):
        """The id of the claim that it has ended, if its answer tells."""
        return (call.id if call.operation in ("leave_waitlist", "cancel_enrollment") else
                call.arguments[0] if OPERATIONS[call.operation].claim is not None else None)

    def split_one(self, claim, sure):
        place = Claim("line", claim.id, claim.person, claim.pool, 1, "waitlisted")
        place.arrived, place.swap, place.credits = claim.arrived, claim.swap, claim.credits
        self.world.claims["line", claim.id] = place
        place.unsure = not sure
        if claim.status != "waitlisted":
            place.status = self.what_became(claim, place)
        if place.status != "seated":
            del self.world.claims["section", claim.id]
            place.ended = claim.ended
            return
        place.seat = claim
        self.promoted.append(place)
        transaction = Transaction()
        transaction.fate = COMMITTED
        transaction.sent = -NEVER
        claim.made_by(Promotion(self.checker.logs[-1], "promotion", place, transaction))

    def what_became(self, claim, place):
        """Was it left, or did it become a seat (that was given back in its turn)? If it may be either, it was perhaps a seat."""
        if claim.status == "enrolled":
            return "seated"
        enders = self.enders_of(claim)
        named = {call.operation for call in enders if call.code == "OK" and self.checker.fate(call) == COMMITTED
                 and self.names(call) == claim.id}
        if named:
            return "left" if named <= LEAVING else "seated"
        enders = [call for call in enders if self.ended_with(call, claim)]
        left = [call for call in enders if call.operation in LEAVING]
        # A seat may also have been given up for another that was waited for.
        if left and len(left) == len(enders) and not any(
                other.swap == claim.pool for other in self.world.claims.values() if other.person == claim.person):
            return "left"
        if left:
            place.unsure, place.ended = True, claim.ended
        return "seated"

    # Between finding who made a claim and who ended it ----------------------------------------

    def find_promotions(self):
        """Between which moments each became a seat."""
        starts = [look[0] for look in self.looks]
        seen = collections.defaultdict(list)
        for since, _, numbers in self.looks:
            for number in numbers:
                seen[number].append(since)
        self.passing = sorted((call for call in self.checker.calls if passes_on(call) and self.checker.fate(call)
                               and call.code in ("OK", "UNKNOWN")), key=lambda call: call.transaction.done)
        for place in self.promoted:
            joins = [call for call in place.makers if self.checker.fate(call)]
            first = min((call.transaction.sent for call in joins), default=place.arrived)
            sure = min((call.transaction.done for call in joins if self.checker.fate(call) == COMMITTED), default=NEVER)
            since = max([first, *seen[place.id][-1:]])
            i = bisect.bisect_left(starts, max([sure, *seen[place.id][-1:]]))
            if seen[place.id]:
                i = bisect.bisect_right(starts, seen[place.id][-1])
            until = self.looks[i][1] if i < len(self.looks) and (sure <= starts[i] or seen[place.id]) else NEVER
            until = min([until, *(call.transaction.done for call in self.enders_of(place)
                                  if call.code == "OK" and self.checker.fate(call) == COMMITTED and call.operation not in LEAVING
                                  and place.id == (call.id if OPERATIONS[call.operation].claim is None else call.arguments[0]))])
            self.bound(place, since, until)

    def bound(self, place, since, until):
        """By the calls that can have passed it on, which is what they were then."""
        promotion = place.seat.makers[0]
        place.passed_by = [call for call in self.passing[bisect.bisect_left(self.passing, since, key=lambda call: call.transaction.done):]
                           if call.transaction.sent <= until and min(call.answered, call.transaction.done) >= place.arrived]
        if place.passed_by and not self.world.worker:
            since = max(since, min(call.transaction.sent for call in place.passed_by))
            until = min(until, max(call.transaction.done for call in place.passed_by))
        elif not self.world.worker and not place.unsure and self.checker.only_before is None:
            self.checker.finding(f"{place}: it became a seat, and nobody was passing on any", promotion)
        promotion.transaction.sent = since
        promotion.transaction.done = promotion.answered = until
        # In the eyes of the transaction itself it was one before that.
        promotion.sent = promotion.snapshot = max(place.arrived, min([since, *(call.sent for call in place.passed_by)]))
        moved = Promotion(promotion.log, "promotion", place, promotion.transaction)
        moved.sent, moved.answered = promotion.sent, until
        if self.world.worker:       # what it gives back comes a moment after it is seen, and nobody was told when
            moved.transaction = Transaction()
            moved.transaction.fate, moved.transaction.sent = COMMITTED, since
        place.moves.append(moved)
        if place.swap is not None:
            self.bound_swap(place, promotion, moved.transaction)

    def bound_swap(self, place, promotion, transaction):
        """What it gave up for the seat, if that was still there: the row says when, not for whom."""
        given = Promotion(promotion.log, "promotion_gives_up", place, transaction)
        given.sent, given.answered, given.arguments = promotion.sent, promotion.answered, (place.person, place.swap)
        for claim in self.checker.by_person["section", place.person, place.swap]:
            if (claim.there and claim.over and promotion.sent <= claim.ended <= promotion.answered
                    and not self.ended_by_others(claim, given)):
                # Two places may have been to give up the same, and only the first had to.
                claim.unsure_end |= any(move.operation == given.operation for move in claim.moves)
                claim.moves.append(given)
                promotion.arguments = (place.person, place.pool, place.swap)

    # The rules ------------------------------------------------------------------------------------

    def may_have_passed(self, call):
        """Has its own transaction passed on what nobody else has seen yet, and perhaps never will?"""
        return any(passes_on(earlier) for earlier in call.before)

    def may_have_taken(self, call, name):
        """How many seats of a pool its own transaction may have passed on."""
        if not self.may_have_passed(call):
            return 0
        facts = self.world.facts["section"]
        pools = [section for section in facts if name in (("section", section), ("cross_list", facts[section]["cross_list"]),
                                                          *(("reserved_seats", reserved) for reserved, _ in facts[section]["reserved"]))]
        return sum(self.may_be_passed_by(place, call) for section in pools for place in self.of_seats[self.seats_of(section)]
                   if place.pool == section)

    @staticmethod
    def may_be_passed_by(place, call):
        """Can it have been in line when the transaction passed on what there was?"""
        return (place.possible_since <= call.answered and place.possible_until >= min(earlier.sent for earlier in call.before)
                or any(maker in call.before for maker in place.makers))

    def concerns(self, call, person):
        """Can that have been about the person of the call?"""
        return self.may_have_passed(call) and any(self.may_be_passed_by(place, call) for place in self.of_person[person])

    def judge(self):
        for place in self.promoted:
            if not place.unsure:
                self.judge_promotion(place)
                self.judge_order(place)
        for call in self.checker.calls:     # those who joined and were seated at once
            if is_join(call) and call.became and call.code == "OK" and not call.replayed and self.checker.fate(call) == COMMITTED:
                seat = call.made.get(call.arguments[1])
                if seat and seat.there and not self.checker.may_be_replay(call):
                    seat.seat, seat.passed_by = seat, [call]
                    self.judge_order(seat)
        self.judge_last_pass()

    def judge_promotion(self, place):
        """Whoever got a seat passed the rules."""
        promotion = place.seat.makers[0]
        if promotion.answered == NEVER or promotion.sent == -NEVER:
            return
        self.checker.judge_rules(promotion)
        for claim in self.checker.by_person["section", place.person, place.swap]:
            if claim.sure_since <= promotion.sent and any(since <= promotion.sent and promotion.answered < until
                                                          for since, until in self.checker.surely(claim)):
                self.checker.finding(f"{claim}: it was to be given up for the seat", promotion, *claim.makers)

    def prepare(self):
        """All places, by person and by what they wait for."""
        self.of_person = collections.defaultdict(list)
        self.of_seats = collections.defaultdict(list)
        for claim in self.checker.claims.values():
            if claim.kind == "line":
                self.of_person[claim.person].append(claim)
                self.of_seats[self.seats_of(claim.pool)].append(claim)

    def seats_of(self, section):
        facts = self.world.facts["section"][section]
        return ("cross_list", facts["cross_list"]) if facts["cross_list"] else ("section", section)

    def judge_order(self, place):
        """Nobody ahead could have had the seat."""
        if not place.passed_by or self.world.worker or "capacity" in place.seat.override or any(call.lost for call in place.passed_by):
            return
        for ahead in self.of_seats[self.seats_of(place.pool)]:
            if (ahead.there and (ahead.arrived, ahead.id) < (place.arrived, place.id) and self.could_take(ahead, place)
                    and all(self.was_passed_over(ahead, place, call) for call in place.passed_by)):
                self.checker.finding(f"{ahead}: it was ahead of {place}, which became a seat before it", place.seat.makers[0],
                                     *ahead.makers, *ahead.moves, *place.passed_by)

    def could_take(self, ahead, place):
        """Is the seat one that they might have, too?"""
        if ahead.pool != place.pool and self.keeps_shared_seat(place):
            return False
        seats = place.seat.reserved or place.seat.released
        if seats is None:
            return True
        return ahead.pool == place.pool and any(
            reserved == seats and ahead.person in people
            for reserved, people in self.world.facts["section"][place.pool]["reserved"])

    def keeps_shared_seat(self, place):
        """Did it give up another section of its cross list, and keep the seat of the list?"""
        facts = self.world.facts["section"]
        given = {pool for maker in place.seat.makers if (operation := operation_of(maker)).drops for pool in operation.drops(maker.arguments)}
        return any(facts[pool]["cross_list"] == facts[place.pool]["cross_list"] for pool in given)

    def was_passed_over(self, ahead, place, call):
        """Was it surely in line during the whole of the call, and free to take the seat?"""
        last = min(call.answered, call.transaction.done)
        waited = ahead.sure_since <= call.sent and any(
            since <= call.sent and last < until for since, until in self.checker.surely(ahead))
        self.compared += waited
        return waited and not self.may_be_barred(ahead, call, ahead.pool != place.pool or self.keeps_shared_seat(place))

    def may_be_barred(self, place, call, with_room):
        """Can there have been a rule against seating it, at some moment of the call?"""
        wanted = Promotion(call.log, "promotion", place, call.transaction)
        wanted.sent, wanted.answered, wanted.snapshot = call.sent, min(call.answered, call.transaction.done), call.sent
        wanted.before = (*call.before, call)
        wanted.code = ""
        if with_room and "capacity" in overrides(self.world.facts, "section", place.person, place.pool):
            return True             # nothing is passed on without a seat
        swaps = [()]
        if place.swap is not None:
            held = [self.checker.can_be(claim, wanted) for claim in self.checker.by_person["section", place.person, place.swap]]
            swaps = ([(place.swap,)] if any("enrolled" in can for can in held) else []) + (
                [()] if all(can - {"enrolled"} for can in held) else [])
        if any(other is not place and any(by.transaction is call.transaction for by in other.passed_by)
               for other in self.of_person[place.person]):
            return True             # it may have got another seat by the same call
        if with_room and any(other is not place and other.pool == place.pool and any(by.transaction is call.transaction for by in other.passed_by)
                             for other in self.promoted):
            return True             # or another in its line, who was before it, the seat that there was
        return any(self.checker.can_be_refused(wanted, swap, with_room) for swap in swaps)

    def judge_last_pass(self):
        """Once nobody was calling any more, whoever passes the rules has a seat, if there is one."""
        passes = [call for log in self.checker.logs[-1:] for transaction in log.transactions for call in transaction.calls
                  if call.operation == "pass_waitlists" and call.connection == log.first["connections"] + 1]
        if not passes or passes[-1].code != "OK" or passes[-1].id != 0:
            return
        last = passes[-1]
        if any(call.lost and call.transaction.done >= last.sent for call in self.checker.calls):
            return
        for place in self.world.claims.values():
            if place.kind == "line" and place.status == "waitlisted" and not self.may_be_barred(place, last, True):
                self.checker.finding(f"{place}: it was not passed on to, though there is a seat", *place.makers, last)

    def judge_position(self, call):
        """How many are ahead: all who surely are, none who cannot be."""
        person, section = call.arguments
        places = [place for place in self.of_person[person] if place.pool == section]
        first, last = call.snapshot, call.answered
        if call.code != "OK":
            self.checker.finding("that is no answer to it", call)
        if self.may_have_passed(call):
            return
        if call.id is None:
            if any(since <= first and last < until and place.sure_since <= first for place in places
                   for since, until in self.checker.surely(place)):
                self.checker.finding("it is in line all the time", call, *places)
            return
        places = [place for place in places if "waitlisted" in self.checker.can_be(place, call)]
        if not places:
            self.checker.finding("it cannot have been in line then", call)
        if len(places) != 1 or not places[0].there:
            return
        others = [place for place in self.checker.claims.values() if place.kind == "line" and place.pool == section
                  and (not place.there or (place.arrived, place.id) < (places[0].arrived, places[0].id))]
        sure = sum(any(since <= first and last < until and place.sure_since <= first for since, until in self.checker.surely(place))
                   for place in others)
        perhaps = sum(any(maker in call.before for maker in place.makers)
                      or place.there and place.possible_since <= last and place.possible_until >= first for place in others)
        if not sure < call.id <= perhaps + 1:
            self.checker.finding(f"there must have been {sure} to {perhaps} ahead of it", call, *places)

    def summary(self):
        places = sum(claim.kind == "line" for claim in self.world.claims.values())
        return f"{places} places in line, {len(self.promoted)} of them passed on, {self.compared} compared with others ahead"
