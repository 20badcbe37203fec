"""Reads the logs of the load driver: what each call was, when it was sent and
answered, and what became of the transaction that it was in."""
import collections
import copy
import json

NEVER = float("inf")

# How a transaction ended, as far as its client can know.
COMMITTED, ROLLED_BACK, UNKNOWN = "committed", "rolled back", "unknown"


class Call:
    """One call of an operation. sent and answered are microseconds of the clock."""

    def __init__(self, log, line, skipped=False):
        self.log = log
        self.connection = line["c"]
        self.number = line["n"]
        self.attempt = line.get("attempt", 1)
        self.operation = line["op"]
        self.arguments = tuple(tuple(argument) if isinstance(argument, list) else argument for argument in line.get("args", ()))
        self.level = line.get("level")
        self.slot = line.get("slot")
        self.trying = line.get("try", False)
        self.key = (log.run, line["key"]) if "key" in line else None
        self.skipped = skipped
        self.sent = line["t"]
        self.answered = NEVER
        self.code = "UNKNOWN"       # as in the log
        self.state = "00000"
        self.id = None
        self.replayed = False
        self.status = None          # of the claim that it was answered with, where it may have more than one
        self.credits = {}           # pool → what it is taken for, where no argument says so
        self.dropped = ()           # whom a cancelled section has dropped: (id, status)
        self.became = None          # the operation that it turned out to be
        self.transaction = None
        self.before = ()            # calls of the same transaction that stood when it was sent
        self.kept = False           # it is part of what its transaction commits, if it does
        self.alive_until = 0        # it surely stood then, though it was undone later
        self.pid = None             # of its backend, if that is known
        self.snapshot = self.sent   # raw SQL in it sees the tables as of then, or later
        self.made = {}              # pool → the claim that it made, or was answered with
        self.gave = {}              # pool → the claims that it gave back; one of them, if it is not known which

    def answer(self, line):
        self.code = line["code"]
        self.state = line.get("state", "00000")
        self.id = line.get("id")
        self.replayed = line.get("replayed", False)
        self.status = line.get("status")
        if self.operation == "cancel_section":
            self.dropped = [(int(number), status) for number, status in
                            (one.split(" ") for one in (self.status or "").split(", ") if one)]
            self.status = None
        if not self.lost:
            self.answered = line["t"]

    def parts(self):
        """Itself; and what it did to each of those whom it has dropped, as calls of their own."""
        yield self
        for number, status in self.dropped:
            part = copy.copy(self)
            part.operation = "drop_seat" if status == "enrolled" else "drop_place"
            part.arguments, part.id, part.dropped = (number,), number, ()
            part.made, part.gave = {}, {}
            yield part

    @property
    def takes(self):
        """Its slot is where its answer was noted, and not where its argument came from."""
        return self.slot is not None and len(self.arguments) > 1

    @property
    def lost(self):
        return self.code == "UNKNOWN"

    @property
    def failed(self):
        """It was an error, which undid the transaction or subtransaction."""
        return self.state != "00000" and not self.lost

    def __repr__(self):
        key = f" key {self.key[1]}" if self.key else ""
        face = "try_" if self.trying else ""
        answer = self.code or self.state
        return (f"[{self.connection}:{self.number}{'+' * (self.attempt - 1)} "
                f"{self.sent % 10**9 / 1000:.3f}–{self.answered % 10**9 / 1000:.3f} ms] "
                f"{face}{self.operation}{self.arguments}{key} → {answer}"
                f"{'' if self.id is None else f' id {self.id}'}{' replayed' if self.replayed else ''}")


class Transaction:
    """Its commit was sent and done at these times; for one that was rolled back,
    or that nobody knows of, done is when its end is sure."""

    def __init__(self):
        self.calls = []
        self.fate = ROLLED_BACK
        self.sent = NEVER
        self.done = NEVER
        self.alive_until = 0        # it had surely not ended before


class Log:
    """One log: its calls, with their transactions, and what was observed."""

    def __init__(self, path):
        self.run = path
        self.transactions = []
        self.planned = collections.defaultdict(list)   # connection → every first attempt
        self.waiting = []
        self.line = []              # looks: from, t, the ids of the places in line that there were
        self.complete = False
        self.clock_set = 0
        self.first = {}
        self._open = {}             # connection → _Session
        self._lost = []             # (pid, time, direct, transaction)
        self._gone = collections.defaultdict(list)
        with open(path, encoding="utf-8") as file:
            for text in file:
                if not text.endswith("\n"):
                    break           # cut short by the end of its writer
                self._line(json.loads(text))
        for session in self._open.values():
            session.lose()
        for pid, time, direct, transaction in self._lost:
            if direct:
                transaction.done = min((t for t in self._gone[pid] if t > time), default=NEVER)

    def _line(self, line):
        what = line["what"]
        if what == "run":
            self.first = line
            self.run = line["run"]
        elif what == "end":
            self.complete = True
            self.clock_set = line["clock_set"]
        elif what == "gone":
            self._gone[line["pid"]].append(line["t"])
        elif what == "line":
            self.line.append((line["from"], line["t"], frozenset(line["ids"])))
        elif what == "waiting":
            self.waiting.append((line["from"], line["t"], line["who"]))
        elif what == "connected":
            if line["c"] in self._open:
                self._open[line["c"]].lose()
            self._open[line["c"]] = _Session(self, line)
        elif what == "answer":
            self._open[line["c"]].answer(line)
        else:
            call = Call(self, line, what == "skipped")
            if call.attempt == 1:
                self.planned[call.connection].append(call)      # commands as well
            if what == "call":
                self._open[line["c"]].send(call)

    def lost(self, session, transaction, time):
        self._lost.append((session.pid, time, session.direct, transaction))


class _Session:
    """One connection to a server: follows blocks and savepoints."""

    def __init__(self, log, line):
        self.log = log
        self.pid = line["pid"]
        self.direct = line["direct"]
        self.call = None            # sent, not answered
        self.block = None
        self.snapshot = None        # when it was begun, if all of it has one snapshot
        self.frames = []            # calls that stand, for each savepoint

    def send(self, call):
        self.call = call
        call.pid = self.pid if self.direct else None
        if self.block:
            call.before = tuple(call for frame in self.frames for call in frame)
            call.snapshot = self.snapshot or call.sent

    def answer(self, line):
        call, self.call = self.call, None
        call.answer(line)
        if self.block is None and not call.operation.startswith("begin"):
            self._single(call)
        else:
            self._in_block(call)

    def _single(self, call):
        if not call.arguments:
            return                  # the end of a block that was never begun
        transaction = Transaction()
        transaction.calls = [call]
        call.transaction = transaction
        call.kept = not call.failed
        transaction.sent = call.sent
        transaction.done = call.answered
        transaction.alive_until = call.sent
        transaction.fate = UNKNOWN if call.lost else ROLLED_BACK if call.failed else COMMITTED
        self.log.transactions.append(transaction)
        if call.lost:
            call.kept = True
            self.log.lost(self, transaction, call.sent)

    def _in_block(self, call):
        if call.operation.startswith("begin"):
            self.block = Transaction()
            self.frames = [[]]
            self.snapshot = call.sent if call.operation != "begin" else None
            if call.failed or call.lost:
                self._abandon(call)
                return
        elif call.operation in ("commit", "rollback"):
            self._end(call)
            return
        elif call.lost:
            self._abandon(call)
            return
        elif call.failed:
            self._undo(len(self.frames) - 1)
            self.frames.append([])
        elif call.operation == "savepoint":
            self.frames.append([])
        elif call.operation == "release":
            kept = [kept for frame in self.frames[call.level:] for kept in frame]
            del self.frames[call.level:]
            self.frames[-1] += kept
        elif call.operation == "rollback_to":
            self._undo(call.level)
            self.frames.append([])
        elif call.arguments:
            self.frames[-1].append(call)
        if not call.failed:
            self.block.alive_until = call.answered
        if call.arguments:
            call.transaction = self.block
            self.block.calls.append(call)

    def _undo(self, level):
        for call in (call for frame in self.frames[level:] for call in frame):
            call.alive_until = self.block.alive_until
        del self.frames[level:]

    def _end(self, call):
        standing = [call for frame in self.frames for call in frame]
        block = self._close()
        block.sent, block.done = call.sent, call.answered
        if call.operation == "commit" and not call.failed and call.code == "OK":
            block.fate = COMMITTED
        elif call.operation == "commit" and call.lost:
            block.fate = UNKNOWN
        if call.lost:
            self.log.lost(self, block, call.sent)
        for kept in standing:
            kept.kept = block.fate != ROLLED_BACK

    def _abandon(self, call):
        """The connection went in the middle of a block: it was rolled back."""
        if call and call.arguments:
            call.transaction = self.block
            self.block.calls.append(call)
        block = self._close()
        block.sent = call.sent if call else block.alive_until
        self.log.lost(self, block, block.sent)

    def _close(self):
        self._undo(0)
        block, self.block = self.block, None
        self.log.transactions.append(block)
        return block

    def lose(self):
        """There is no more of it in the log."""
        if self.call:
            self.answer({"code": "UNKNOWN"})
        if self.block:
            self._abandon(None)
