"""From when until when claims and capacities were what they were: possibly, and surely."""
import bisect
import collections
from history import COMMITTED, NEVER, UNKNOWN
from operations import is_function, operation_of
from world import KINDS, SHORTEST_HOLD, Steps, shut


def first_of(moments, default=NEVER):
    return min(moments, default=default)


class Limit:
    """What can have been taken of something, and what surely was, less what there was of it."""

    def __init__(self, invariant=True):
        self.invariant = invariant
        self.possible = Steps()     # committed, as far as is possible; the least there can have been
        self.promised = Steps()     # surely taken, in open transactions too; the most there can have been
        self.certain = Steps()      # surely taken and committed; the most there can have been


class Moments:
    def note_capacities(self):
        """The least and the most that the capacity of each pool can have been at each moment."""
        changes = collections.defaultdict(list)     # pool → (since, sure since, value)
        for log in self.logs:
            for kind, pool, value in log.first.get("capacities", ()):
                changes[kind, pool].append((log.first["t"] if changes[kind, pool] else -NEVER, log.first["t"], value))
        for call in self.calls:
            operation = operation_of(call)
            if call.code == "OK" and self.fate(call):
                sure = call.transaction.done if self.fate(call) == COMMITTED else NEVER
                if operation.capacity is not None:
                    changes[operation.kind, call.arguments[0]].append((call.transaction.sent, sure, call.arguments[operation.capacity]))
                if operation.opens is not None:
                    changes["open", call.arguments[0]].append((call.transaction.sent, sure, operation.opens))
                if call.operation == "release_reserved_seats" and call.id > 0:
                    for reserved, (_, release_at) in self.releases().items():
                        if call.answered < release_at:
                            self.finding(f"the time of reserved seats {reserved} had not come", call)
                        changes["reserved_seats", reserved].append((call.transaction.sent, sure, 0))
        for reserved, (_, release_at) in self.releases().items():
            if self.world.worker:   # which tells nobody when it does it
                changes["reserved_seats", reserved].append((release_at, NEVER, 0))
            zero = [change for change in changes["reserved_seats", reserved] if change[2] == 0]
            self.released[reserved] = (first_of(since for since, _, _ in zero), first_of(sure for _, sure, _ in zero))
        for pool, values in changes.items():
            values.sort()
            limit = self.limits[pool] = Limit()
            valid = []              # (since, until, value): it can have been that
            until = NEVER
            for since, sure, value in reversed(values):
                valid.append((since, until, value))
                until = min(until, sure)
            self.note_capacity(limit, valid)
            self.valid[pool] = valid
            if self.world.capacity[pool] not in [value for _, until, value in valid if until == NEVER]:
                self.finding(f"{pool[0]} {pool[1]} has a capacity of {self.world.capacity[pool]}, "
                             f"and not what was acknowledged: {values[-3:]}")
        for section, facts in self.world.facts["section"].items():
            for reserved, _ in facts["reserved"]:       # what is reserved for a group is cut out of it
                self.note_capacity(self.limits["section", section],
                                   [(since, until, -value) for since, until, value in self.valid["reserved_seats", reserved]])

    def releases(self):
        """Reserved seats that are released: of which section, from when on."""
        return {int(reserved): (section, release_at) for section, facts in self.world.facts["section"].items()
                for reserved, release_at in facts["releases"].items()}

    def cut_out(self, section, call):
        """The most that can have been reserved for groups meanwhile."""
        return sum(max(value for since, until, value in self.valid["reserved_seats", reserved] if since <= call.answered and until >= call.sent)
                   for reserved, _ in self.world.facts["section"][section]["reserved"])

    def find_released(self, claim):
        """Had it one of those reserved seats that were released since? Its row does not say it any more."""
        if claim.kind != "section" or claim.raw and not claim.unsure_maker or claim.reserved or not claim.there:
            return
        for reserved, people in self.world.facts["section"][claim.pool]["reserved"]:
            since, sure = self.released.get(reserved, (NEVER, NEVER))
            if claim.person in people and since < NEVER and claim.possible_since <= sure and claim.possible_until >= since:
                claim.released = reserved

    def note_released(self, claim):
        """It surely is one of the section's from the release on, and was perhaps one all the time."""
        since, sure = self.released[claim.released]
        self.limits["section", claim.pool].possible.add(claim.possible_since, claim.possible_until + 1, 1)
        self.limits["reserved_seats", claim.released].possible.add(claim.possible_since, min(claim.possible_until, sure) + 1, 1)
        for since, until in self.surely(claim):
            self.limits["section", claim.pool].promised.add(max(since, sure), until, 1)
            self.limits["section", claim.pool].certain.add(max(since, sure, claim.sure_since), until, 1)

    @staticmethod
    def note_capacity(limit, valid):
        moments = sorted({since for since, _, _ in valid} | {until + 1 for _, until, _ in valid})
        for since, until in zip(moments, moments[1:]):
            can_be = [value for start, end, value in valid if start <= since and until <= end + 1]
            limit.possible.add(since, until, -min(can_be))
            limit.promised.add(since, until, -max(can_be))
            limit.certain.add(since, until, -max(can_be))

    def limit(self, rule, name, most):
        if name not in self.limits:
            limit = self.limits[name] = Limit(rule is None or rule.invariant)
            times = [time for time in shut(self.world.facts, *name[1:]) if time[2] == name[0]] if rule and rule.opening else ()
            for steps in (limit.possible, limit.promised, limit.certain):
                steps.add(-NEVER, NEVER, -most)
                for since, until, _ in times:
                    steps.add(since, until, 1)
        return self.limits[name]

    def note_claim(self, claim):
        self.note_beginning(claim)
        self.note_confirmation(claim)
        self.note_end(claim)
        self.find_released(claim)
        if claim.released and "capacity" not in claim.override:
            self.note_released(claim)
        for rule, name, units, most in claim.limits(self.world.facts):
            limit = self.limit(rule, name, most)
            if rule.raw and claim.passes_over(rule, self.world.facts):
                continue
            possible_until = claim.possible_until
            if rule.policy and not claim.confirmed_perhaps:
                possible_until = min(possible_until, claim.expires)     # an overdue hold is not counted
            if claim.there:
                limit.possible.add(claim.possible_since, possible_until + 1, units)
            # Policies are for functions: what raw SQL has taken may exceed them, and so may what was let pass over a rule.
            if (not rule.policy or claim.makers and all(is_function(call) for call in claim.makers)) and not claim.passes_over(rule, self.world.facts):
                for since, until in self.surely(claim):
                    limit.promised.add(since, until, units)
            for since, until in self.surely(claim):
                limit.certain.add(max(since, claim.sure_since), until, units)

    def note_beginning(self, claim):
        """possible_since, sure_since: its making was committed. promised_since: and answered."""
        claim.possible_since = claim.sure_since = claim.promised_since = NEVER
        makers = [call for call in claim.makers if self.fate(call)]
        if not claim.there:
            return
        if not makers:              # which is a finding already
            claim.possible_since = claim.arrived
            return
        attempts = makers + [call for maker in makers if maker.key
                             for call in self.keys[maker.operation, maker.key] if call.lost or self.fate(call) == UNKNOWN]
        claim.possible_since = first_of(call.transaction.sent for call in attempts)
        claim.sure_since = first_of(call.transaction.done for call in makers if self.fate(call) == COMMITTED)
        if claim.sure_since == NEVER or claim.unsure_maker:
            claim.sure_since = max(call.transaction.done for call in makers)
        claim.promised_since = min(claim.sure_since, first_of(call.answered for call in claim.makers if not claim.unsure_maker))

    def note_confirmation(self, claim):
        """When a hold became final, if it did: possibly since, surely since."""
        calls = [call for call in claim.moves if self.fate(call) and operation_of(call).to not in KINDS[claim.kind]["over"]]
        if claim.status not in ("confirmed", "cancelled"):
            calls = []
        sure = [call for call in calls if self.fate(call) == COMMITTED and not call.lost]
        claim.confirmed_perhaps = bool(calls)
        claim.confirmed = bool(sure) or claim.status == "confirmed"
        claim.confirmed_since = first_of(call.transaction.sent for call in calls)
        claim.surely_confirmed_since = first_of(call.transaction.done for call in sure)
        if claim.status == "confirmed" and not sure:
            claim.surely_confirmed_since = max((call.transaction.done for call in calls), default=NEVER)

    def note_end(self, claim):
        """over_since: its end can have been committed; possible_until: it surely was.
        untouched_until: nobody had asked for its end."""
        enders = [call for call in claim.moves if operation_of(call).to in KINDS[claim.kind]["over"]]
        claim.over_since = claim.possible_until = claim.untouched_until = NEVER
        claim.touched = []          # from when until when somebody who rolled back was giving it back
        kept = [call for call in enders if claim.over and claim.status != "expired" and self.fate(call)
                and (not call.lost or call.sent <= claim.ended <= call.transaction.done)]
        for call in enders:
            if call in kept:
                claim.untouched_until = min(claim.untouched_until, call.sent)
                claim.over_since = min(claim.over_since, call.transaction.sent)
            else:
                claim.touched.append((call.sent, call.transaction.done))
        if claim.status == "expired":
            claim.over_since = claim.ended
            claim.possible_until = self.reaped_by(claim)
        elif claim.over and not kept:   # a place that may have been left and never was a seat, or a finding already
            claim.over_since = claim.untouched_until = claim.ended
        elif claim.over:
            claim.possible_until = first_of(call.transaction.done for call in kept if self.fate(call) == COMMITTED)
            if claim.possible_until == NEVER or claim.unsure_end:
                claim.possible_until = max((call.transaction.done for call in kept), default=NEVER)
        if not claim.confirmed:
            # From then on anybody may end it, and take its units himself, and roll back.
            claim.untouched_until = min(claim.untouched_until, claim.expires)

    def reaped_by(self, claim):
        """When the end of an overdue hold was surely committed: whoever ended it did so in a call
        about items, at the moment that the row says."""
        ends = [call.transaction.done for call in self.at_work(claim.kind, claim.ended) if self.fate(call)]
        return max(ends, default=NEVER)

    def at_work(self, kind, moment):
        """The calls about that kind of pool that were being made at a moment."""
        if not hasattr(self, "by_connection"):
            self.by_connection = collections.defaultdict(list)
            self.lost_by_connection = collections.defaultdict(list)
            for call in self.calls:
                self.by_connection[call.log, call.connection].append(call)
                if call.lost:
                    self.lost_by_connection[call.log, call.connection].append(call)
        found = []
        for connection, calls in self.by_connection.items():
            i = bisect.bisect_right(calls, moment, key=lambda call: call.sent) - 1
            # One whose client heard nothing may still have been at work after the next was sent.
            found += [call for call in calls[max(i, 0):i + 1] if call.answered >= moment]
            found += [call for call in self.lost_by_connection[connection]
                      if call.sent <= moment <= call.transaction.done]
        return [call for call in found if operation_of(call).kind == kind]

    @staticmethod
    def not_over(claim, call):
        """Until when what the call made, and was rolled back, was held: its own transaction may have ended it when it was overdue."""
        return min(call.alive_until, call.sent + SHORTEST_HOLD) if claim.kind == "item" else call.alive_until

    def surely(self, claim):
        """From when until when it was held, beyond any doubt: its call was answered, nobody had
        asked for its end, and its transaction had not ended but by a commit."""
        if not claim.there and (claim.kind == "line" or any(map(self.lines.may_have_passed, claim.makers))):
            return []               # its transaction may have passed it on, or have given it up for another
        if not claim.there:
            given = first_of(move.sent for move in claim.moves)
            return [(call.answered, until) for call in claim.makers
                    if (until := min(self.not_over(claim, call), given)) > call.answered]
        parts = []
        since = claim.promised_since
        for start, end in sorted(claim.touched):
            parts.append((since, min(start, claim.untouched_until)))
            since = max(since, end)
        parts.append((since, claim.untouched_until))
        return [(since, until) for since, until in parts if since < until]
