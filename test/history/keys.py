"""Idempotency keys: all who use one get the answer of the first."""
import collections
from history import COMMITTED
from operations import OPERATIONS
from world import TIMEOUTS

# Answers that are not kept under a key: try again; and there is no such thing.
NOT_KEPT = (*TIMEOUTS, "IDEMPOTENCY_KEY_REUSED", "TOO_MANY_WAITERS", "NOT_ENROLLED", "NOT_WAITLISTED", "RESERVATION_NOT_FOUND")


class Keys:
    @staticmethod
    def is_kept_answer(call):
        """Is that an answer that is stored under the key? One that was raised is not."""
        return call.code == "OK" or not call.failed and call.code not in NOT_KEPT

    def may_be_replay(self, call):
        """A raised refusal, or a row, does not tell whether it was stored."""
        return call.key is not None and not call.trying and any(
            other is not call and (self.fate(other) or other.lost) and other.sent < call.answered
            and (other.lost or self.is_kept_answer(other) and other.code == call.code)
            for other in self.keys[call.operation, call.key])

    def person_of(self, operation, call):
        """Keys are a person's: that of a reservation is its customer."""
        if operation.claim is None:
            return call.arguments[operation.person]
        claim = self.claim(operation.kind, call.arguments[operation.claim], call)
        return claim.person if claim else None

    def judge_key(self, name, calls):
        """All who use a key get the answer of the first; whoever asks for something else is told so."""
        operation = OPERATIONS[name]
        by_person = collections.defaultdict(list)
        for call in calls:
            by_person[self.person_of(operation, call)].append(call)
        for group in by_person.values():
            stored = [call for call in group if self.fate(call) == COMMITTED and not call.lost and self.is_kept_answer(call)]
            if len({(call.arguments, call.code, call.id) for call in stored}) > 1:
                self.finding("one key, and several answers", *stored)
            if sum(call.trying and not call.replayed for call in stored) > 1:
                self.finding("one key, and done more than once", *stored)
            for call in group:
                if not call.lost:
                    self.judge_with_key(call, group, stored)

    def judge_with_key(self, call, group, stored):
        others = [other for other in group if other is not call and other.sent < call.answered
                  and (self.fate(other) or other.lost or other in call.before)
                  and (other.lost or self.is_kept_answer(other))]
        if call.code == "IDEMPOTENCY_KEY_REUSED":
            if not any(other.arguments != call.arguments for other in others):
                self.finding("nobody has used the key for anything else", call, *group)
        elif call.replayed and not any(other.arguments == call.arguments and
                                       (other.lost or (other.code, other.id) == (call.code, call.id)) for other in others):
            self.finding("nobody was given that answer before", call, *group)
        before = [other for other in stored if other.transaction.done < call.sent]
        # That there is no such reservation is said before its customer, and so the key, is known.
        if not before or call.code in (*TIMEOUTS, "RESERVATION_NOT_FOUND") or call.failed and not call.code:
            return
        first = before[0]
        if first.arguments != call.arguments:
            wanted = call.code == "IDEMPOTENCY_KEY_REUSED"
        else:
            wanted = (call.code, call.id) == (first.code, first.id) and (call.replayed or not call.trying)
        if not wanted:
            self.finding("it is not told what is stored under its key", call, first)
