"""Order: who comes first is served first."""
import bisect
import collections
from history import COMMITTED
from operations import is_function, operation_of
from world import RULES

# src/lock.h: pools, and the lines of those who wait for uncertain units.
LOCK_CLASSES = {base + i: (kind, line) for i, kind in enumerate(("section", "item", "coupon", "line", "reserved_seats", "cross_list"))
                for base, line in ((0xFC21, False), (0xFC31, True))}


def kind_of_lock(call):
    """A call about a line has the section, too."""
    kind = operation_of(call).kind
    return "section" if kind == "line" else kind


class Order:
    def judge_order(self):
        """Who comes first is served first.

        Arrival numbers are given out with the units, so those of two calls of which one was
        answered before the other was sent are in that order. A pool in strict order (without
        shared memory, every pool) is locked by whoever takes, to the end of his transaction.

        That somebody was waiting is seen in pg_locks: for the lock of a pool, or for a place in
        the line of those who wait for uncertain units. The time at which his wait began is taken
        when he is already in the queue of that lock. Whoever sends his call after that comes
        behind him: these locks are exclusive, and such queues are served in their order. The
        deadlock detector rearranges a queue only if one in it waits for another merely because
        that one is ahead of him; here each also waits for the holder, so it has nothing to gain,
        and cancels one of them instead, which is then not served. Locks of persons are taken
        before, and do not matter: he who is seen in a pool's queue has his already. Left out is
        who has had to do with such a pool earlier in his transaction: he may hold its lock, or
        units of it, and does not queue. A refusal is not service in a line: that there is
        nothing left can be certain at once. Raw SQL does not heed strict_order."""
        served = collections.defaultdict(list)
        for call in self.calls:
            operation = operation_of(call)
            if operation.takes and not call.lost and not call.replayed and not self.may_be_replay(call) and not call.became:
                for pool, _ in operation.adds(call.arguments):
                    served[operation.kind, pool].append(call)
        for pool, calls in served.items():
            self.judge_numbers(pool, [call for call in calls if self.number(call, pool)])
            if self.is_strict(pool):
                self.judge_turns(pool, [call for call in calls if self.has_lock(call)])
        for (kind, line, number), waits in self.waits().items():
            self.judge_waits((kind, number), line, waits, served[kind, number])

    def is_strict(self, pool):
        return self.world.local or pool in self.world.strict

    def has_lock(self, call):
        """Has it come so far as to lock the pool, if that is strict?"""
        operation = operation_of(call)
        codes = [code for rule in RULES[operation.kind] if rule.room for code in rule.codes]
        one = len(operation.adds(call.arguments)) == 1      # of several the first may have refused
        return (is_function(call) or self.world.local) and (call.code == "OK" or one and call.code in codes)

    def number(self, call, pool):
        """What its place in the order of the pool is known by."""
        claim = call.made.get(pool[1]) if call.code == "OK" else None
        if claim is None or not claim.there or claim.unsure_maker:
            return None
        if pool[0] == "coupon":
            return claim.arrival
        # Functions draw the id while they hold the lock; an INSERT draws it before its trigger asks for that.
        return claim.id if self.is_strict(pool) and is_function(call) else None

    def judge_numbers(self, pool, calls):
        numbers = [self.number(call, pool) for call in calls]
        if len(set(numbers)) < len({call.made[pool[1]] for call in calls}):
            self.finding(f"{pool}: a number was given out twice", *(call for call in calls if numbers.count(self.number(call, pool)) > 1))
        highest = None
        answered = iter(sorted(calls, key=lambda call: call.answered))
        earlier = next(answered, None)
        for call in calls:
            while earlier and earlier.answered < call.sent:
                if highest is None or self.number(earlier, pool) > self.number(highest, pool):
                    highest = earlier
                earlier = next(answered, None)
            if highest and self.number(highest, pool) >= self.number(call, pool) and highest.made[pool[1]] is not call.made[pool[1]]:
                self.finding(f"{pool}: number {self.number(highest, pool)} was given out before {self.number(call, pool)}",
                             highest, call)

    def judge_turns(self, pool, calls):
        """One transaction after another: nobody is served while another surely has the lock."""
        turns = []
        for call in calls:
            # One whose COMMIT was lost may have been ended by the server while it was idle.
            until = call.transaction.sent if self.fate(call) == COMMITTED else call.alive_until
            if call.answered < until and not call.failed:
                turns.append((call.answered, until, call))
        turns.sort(key=lambda turn: turn[0])
        for (_, until, call), (since, _, other) in zip(turns, turns[1:]):
            if since < until and call.transaction is not other.transaction:
                self.finding(f"{pool}: two transactions had it at once", call, other)
        starts = [since for since, _, _ in turns]
        for other in calls:
            i = bisect.bisect_right(starts, other.sent) - 1
            if i >= 0:
                _, until, call = turns[i]
                if other.answered <= until and call.transaction is not other.transaction:
                    self.finding(f"{pool}: it was served while another transaction had it", other, call)

    def waits(self):
        """(kind, is it the line, pool) → (call, waiting since, surely still waiting at)"""
        by_pid = collections.defaultdict(list)
        for call in self.calls:
            if call.pid:
                by_pid[call.log, call.pid].append(call)
        seen = {}
        for log in self.logs:
            for looked, _, who in log.waiting:
                for pid, lock_class, pool, since in who:
                    seen[log, pid, lock_class, pool, since] = looked
        waits = collections.defaultdict(list)
        for (log, pid, lock_class, pool, since), until in seen.items():
            if lock_class not in LOCK_CLASSES:
                continue
            kind, line = LOCK_CLASSES[lock_class]
            calls = [call for call in by_pid[log, pid] if (operation_of(call).kind == "line" and operation_of(call).takes) >= (kind == "line")]
            i = bisect.bisect_right(calls, since, key=lambda call: call.sent) - 1
            if i >= 0 and calls[i].answered >= since:
                waits[kind, line, pool].append((calls[i], since, until))
        self.seen_waiting = sum(map(len, waits.values()))
        return waits

    def is_of(self, call, pool):
        """Is it that pool that it took of?"""
        claim = call.made.get(pool[1])
        return pool[0] != "section" or claim is None or any(
            pool in claim.pools(rule, self.world.facts) for rule in RULES["section"] if rule.room)

    def judge_waits(self, pool, line, waits, served):
        """Nobody who came later was served before those who were seen waiting."""
        others = [call for call in served
                  if (call.code == "OK" if line else self.has_lock(call)) and self.is_of(call, pool)
                  and not any(kind_of_lock(earlier) == pool[0] and earlier.sent < call.sent
                              for earlier in call.transaction.calls)]
        sent = [call.sent for call in others]
        lowest = [None] * (len(others) + 1)     # the lowest number from there on
        for i in range(len(others) - 1, -1, -1):
            # The id of a raw row is drawn before the row waits for its pool.
            number = None if others[i].operation.startswith("raw_") else self.number(others[i], pool)
            lowest[i] = min(filter(None, (lowest[i + 1], number)), default=None)
        for call, since, until in waits:
            i = bisect.bisect_right(sent, since)
            for other in others[i:bisect.bisect_right(sent, until)]:
                if other.answered < until and other is not call:
                    self.finding(f"{pool}: it was served before one who was seen waiting from {since} to {until}", other, call)
            number = self.number(call, pool) if operation_of(call).takes else None
            if number and lowest[i] and lowest[i] < number:
                self.finding(f"{pool}: it has number {number}, but was waiting before others came who have lower ones", call,
                             *(other for other in others[i:] if (self.number(other, pool) or number) < number))
