"""The tables against what was acknowledged: which call made each claim, and which gave it back."""
import collections
from history import COMMITTED, NEVER, UNKNOWN
from line import is_join, passes_on
from operations import operation_of
from world import KINDS, Change, Claim


def unmatched(wanted):
    """One for each, and nothing for two: those that remain without. wanted: each → what it may have."""
    matched = {}

    def match(one, tried):
        for it in wanted[one]:
            if it not in tried:
                tried.add(it)
                if it not in matched or match(matched[it], tried):
                    matched[it] = one
                    return True
        return False
    return [one for one in wanted if not match(one, set())]


class Makers:
    def find_makers(self):
        """Every acknowledged claim is there, once, as it was answered; and no other."""
        answered = collections.defaultdict(list)
        others = collections.defaultdict(list)      # calls that may have made something, and cannot say which it is
        for call in self.calls:
            operation = operation_of(call)
            for pool, units in operation.adds(call.arguments) if operation.takes else ():
                what = (operation.kind, call.arguments[operation.person], pool, units)
                if call.code == "OK" and operation.id_is == "claim":
                    answered[operation.kind, call.id].append((call, *what[1:]))
                elif call.code == "OK" or call.lost and self.fate(call) and not operation.bad(call.arguments):
                    others[self.row(what)].append(call)
        for (kind, number), makers in answered.items():
            self.find_claim(kind, number, makers)
        told = {self.scope(call) for call in self.calls if call.key and self.fate(call) == COMMITTED
                and self.is_kept_answer(call) and operation_of(call).takes}
        rows = collections.defaultdict(list)
        for claim in self.world.claims.values():
            if not any(map(self.fate, claim.makers)):
                rows[self.row(claim.what)].append(claim)
        for what in {**others, **rows}:
            # What was stored under a key was done once, by whoever was the first to ask.
            self.find_unnamed(what, rows[what], [call for call in others[what] if not call.lost or self.scope(call) not in told])

    def find_claim(self, kind, number, makers):
        """The claim of calls that were answered with one id. An id that a transaction drew and lost may be
        given out again, by a server that took over: its claim is another, which was undone."""
        sure = [call for call, *_ in makers if self.fate(call) == COMMITTED]
        keys = {call.key for call in sure} - {None}
        claim = self.world.claims.get((kind, number))
        for call, person, pool, units in makers:
            fits = claim and (claim.person, claim.pool, claim.units) == (person, pool, units)
            replay = call.replayed or call.key in keys or self.may_be_replay(call)
            if call in sure or fits and (replay or not sure and self.fate(call) == UNKNOWN):
                claim = claim or self.claims.setdefault((kind, number), Claim(kind, number, person, pool, units))
                claim.made_by(call)
                if not fits and claim.there:
                    self.finding(f"{claim} is not what was answered", call)
            elif claim is None and self.fate(call) == UNKNOWN:
                self.claims.setdefault((kind, number), Claim(kind, number, person, pool, units)).made_by(call)
            else:
                undone = Claim(kind, number, person, pool, units)
                undone.made_by(call)
                self.claims[kind, number, call.transaction] = undone
        if sure and not claim.there:
            self.finding(f"{claim}, was acknowledged", *sure)
        if len(sure) > 1 and (len(keys) > 1 or None in {call.key for call in sure}):
            self.finding(f"{claim}, was answered to calls that have no key in common", *sure)

    def moments(self, call):
        """When what it was answered with was asked for: by itself, or by another under its key."""
        asked = [call] if not call.replayed else []
        if call.key:
            asked += [other for other in self.keys[call.operation, call.key] if other is not call and not other.replayed
                      and other.sent < call.answered and other.arguments == call.arguments and (other.lost or other.code == "OK")]
        return [(other.sent, min(other.answered, other.transaction.done)) for other in asked]

    def find_unnamed(self, what, rows, calls):
        """The claims of calls that cannot say which is theirs, since their answers name none, or are lost: one
        that arrived with them. Where it may be that of several, nothing is concluded that does not hold for each."""
        fitting = {}                # what was asked for once, by a call or under a key → its calls, and the rows that may be theirs
        for call in calls:
            asked, may_be = fitting.setdefault(self.scope(call) or call, ([], []))
            asked.append(call)
            moments = [(call.sent, call.transaction.done)] if call.lost else self.moments(call)
            mine = [claim for claim in rows if any(since <= claim.arrived <= until for since, until in moments)
                    and (is_join(call) or claim.kind != "line" or claim.unsure)]
            may_be += (claim for claim in mine if self.fate(call) and claim not in may_be)
            if mine and not call.lost and (call.key or self.fate(call)):
                call.made[what[2]] = mine[0].seat or mine[0]
            elif not call.lost and self.fate(call) != COMMITTED:
                undone = Claim(operation_of(call).kind, None, *what[1:])
                undone.made_by(call)
                self.claims[undone.kind, None, call, undone.pool] = undone
        sure = {one: may_be for one, (asked, may_be) in fitting.items() if any(self.fate(call) == COMMITTED for call in asked)}
        for one in unmatched(sure):
            self.finding(f"{what[0]} {what[2]} of {what[1]}: there is no such claim that arrived then", *fitting[one][0])
        makers = {claim: [one for one, (_, may_be) in fitting.items() if claim in may_be] for claim in rows}
        for claim in unmatched(makers):
            self.finding(f"{claim}, is there, and no call that may have been committed made it", *claim.makers)
        for claim, ones in makers.items():
            ones = [one for one in ones if sure.get(one) == [claim]][:1] or ones
            claim.unsure_maker = len(ones) > 1
            for call in (call for one in ones for call in fitting[one][0] if self.fate(call)):
                claim.makers.append(call)
                if call.code == "OK":
                    call.made[what[2]] = claim.seat or claim

    @staticmethod
    def row(what):
        """Places in line are rows of those tables that the seats are in."""
        kind, *others = what
        return ("section" if kind == "line" else kind, *others)

    def claim(self, kind, number, call):
        """The claim of that id, for that call: perhaps one that its own transaction has made and undone."""
        return self.claims.get((kind, number, call.transaction)) or self.claims.get((kind, number))

    def scope(self, call):
        """What a key is one of: a function's and a person's. None without a key."""
        return call.key and (call.operation, self.person_of(operation_of(call), call), call.key)

    def judge_whole(self):
        """A call that makes several claims makes all of them: they arrived at one moment."""
        arrived = {(self.row(claim.what), claim.arrived) for claim in self.world.claims.values()}
        for claim in self.world.claims.values():
            makers = [call for call in claim.makers if self.fate(call)]
            if len(makers) != 1 or makers[0].lost:
                continue
            operation = operation_of(makers[0])
            if makers[0].operation == "promotion":
                continue
            for pool, units in operation.adds(makers[0].arguments):
                if (self.row((claim.kind, claim.person, pool, units)), claim.arrived) not in arrived:
                    self.finding(f"{claim}: it came without that of {pool}", *makers)

    def judge_credits(self):
        """A claim is for the credits that were stated, or else for those of its section."""
        for claim in self.world.claims.values():
            for call in claim.makers:
                if claim.credits is None or claim.unsure_maker or call.lost or self.fate(call) != COMMITTED or call.operation == "promotion":
                    continue
                credits = Change(call, operation_of(call), self.world.facts).credits(claim.pool)
                if claim.credits != credits:
                    self.finding(f"{claim}: it is for {claim.credits} credits, and should be for {credits}", call)

    def find_moves(self):
        # Who was dropped is known for certain.
        for call in sorted([*self.calls, *self.lines.seated_at_once], key=lambda call: call.operation != "drop_seat"):
            operation = operation_of(call)
            if operation.to is None or call.code not in ("OK", "UNKNOWN") or operation.bad(call.arguments):
                continue
            if operation.claim is not None:
                of = self.find_moved(operation.kind, call.arguments[operation.claim], call)
                self.note_move(call, None, [of] if of else [])
            elif call.code == "OK" and not operation.takes:
                of = self.find_moved(operation.kind, call.id, call) or self.unnamed_claim(call, operation)
                self.note_move(call, call.arguments[operation.pool], [of] if of else [])
                if of and (of.person, of.pool) != (call.arguments[operation.person], call.arguments[operation.pool]):
                    self.finding(f"{of} is not what was asked for", call)
            else:
                for pool in operation.drops(call.arguments):
                    claims = self.dropped(call, operation, pool)
                    if claims or not is_join(call):
                        self.note_move(call, pool, claims)

    def find_moved(self, kind, number, call):
        """The claim of that id; if need be a seat that its transaction has passed on, which nobody else has seen."""
        place = self.claim("line", number, call) if kind == "section" else None
        passing = [earlier for earlier in call.before if passes_on(earlier)] if place else ()
        if passing and not self.claim(kind, number, call):
            seat = Claim(kind, number, place.person, place.pool, 1)
            seat.credits = place.credits
            seat.makers.append(passing[-1])
            self.claims[kind, number, call.transaction] = seat
            self.by_person[kind, seat.person, seat.pool].append(seat)
        return self.claim(kind, number, call)

    def note_move(self, call, pool, claims):
        if call.code == "OK" and not claims and not self.lines.may_have_passed(call) and self.only_before is None:
            self.finding("there never was such a claim", call)
        for claim in claims:
            claim.moves.append(call)
        if call.code == "OK" and claims:
            call.gave[pool] = claims

    def unnamed_claim(self, call, operation):
        """One that its own transaction made without being told its id, and that is not there."""
        of = next((claim for claim in self.by_person[operation.kind, call.arguments[operation.person], call.arguments[operation.pool]]
                   if claim.id is None and claim.makers[0] in call.before and not claim.moves), None)
        if of:
            of.id = call.id
        return of

    def dropped(self, call, operation, pool):
        """The claims that it may have given back: which one, its answer does not say, but the row says when."""
        claims = [claim for claim in self.by_person[operation.kind, call.arguments[operation.person], pool]
                  if (claim.arrived <= call.answered if claim.there else
                      any(maker.sent < call.sent and (maker.lost or maker in call.before) for maker in claim.makers))]
        if call.code == "OK" and self.fate(call) == COMMITTED:
            moments = self.moments(call)
            claims = [claim for claim in claims if claim.over and any(since <= claim.ended <= until for since, until in moments)]
            # What was to be given up for a seat somebody else may have ended while it was waited for.
            claims = [claim for claim in claims if not is_join(call) or not self.lines.ended_by_others(claim, call)]
            claims = [claim for claim in claims if not any(move.operation == "drop_seat" and self.fate(move) == COMMITTED for move in claim.moves)]
        else:
            own = [claim for claim in claims if any(maker in call.before for maker in claim.makers)
                   and not any(move in call.before for move in claim.moves)]
            claims = own or claims
        for claim in claims:
            claim.unsure_end |= len(claims) > 1
        return claims

    def compare_statuses(self):
        """Each has a status that the acknowledged operations upon it leave; and a seat that it may have."""
        for claim in self.world.claims.values():
            if claim.reserved and not any(claim.reserved == reserved and claim.person in people for reserved, people
                                          in self.world.facts[claim.kind][claim.pool]["reserved"]):
                self.finding(f"{claim}: its seat is reserved for others", *claim.makers)
            kind = KINDS[claim.kind]
            sure, perhaps = set(), set()
            for call in claim.moves:
                if self.fate(call):
                    (sure if self.fate(call) == COMMITTED and not call.lost else perhaps).add(operation_of(call).to)
            final = sure.intersection(kind["over"])
            allowed = final or (sure or {kind["first"]}) | perhaps
            if claim.expires < NEVER and not sure:
                allowed = allowed | {"expired"}
            if claim.status not in allowed:
                self.finding(f"{claim}: its status should be {' or '.join(sorted(allowed))}", *claim.makers, *claim.moves)
            ended = [call for call in claim.moves if self.fate(call) == COMMITTED and not call.lost
                     and not call.replayed and operation_of(call).to in kind["over"]]
            if len(ended) > 1 and not claim.unsure_end and (None in {call.key for call in ended} or len({call.key for call in ended}) > 1):
                self.finding(f"{claim}: it was given back more than once", *ended)
