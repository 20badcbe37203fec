"""Crowds that press at once: the clients of the demonstration.

A client is a generator that yields calls and is sent their outcomes; where it yields
a number it sleeps until so many seconds after the opening. Each of a number of
processes has one connection and a share of the clients, whose calls it makes in
turn, one at a time, so that everybody's first wish comes first. A latency is what
the client sees: on a small machine it is mostly the wait for a processor, which
server and clients share.
"""
import heapq
import itertools
import multiprocessing
import multiprocessing.connection
import signal
import time
from collections import deque, namedtuple

import psycopg2

CONNECTIONS = 48
CALLS = {   # what the clients may call; the try_ face answers a refusal and raises none, and in its
            # detail who lines up is told whether there was a seat after all
    "enroll": "fcfs.try_enroll($1, $2)",
    "swap": "fcfs.try_swap_enrollment($1, $3, $2)",
    "cancel": "fcfs.try_cancel_enrollment($1, $2)",
    "wait": "fcfs.try_join_waitlist($1, $2, swap_from_section_id => $3)",
    "leave": "fcfs.try_leave_waitlist($1, $2)",
    "reserve": "fcfs.try_reserve($1, $2)",
    "confirm": "fcfs.try_confirm_reservation($2)",
    "issue": "fcfs.try_issue_coupon($2, $1)",
}
AGAIN = {"ENROLLMENT_NOT_STARTED", "LOCK_TIMEOUT", "TOO_MANY_WAITERS"}      # press the same button once more,
AGAIN_AFTER = 0.02                                                          # seconds later

Outcome = namedtuple("Outcome", "ok code id")
# what is called for whom: `other` is the section that is given up, if one is
Press = namedtuple("Press", "function person target other", defaults=(None,))
# arrival in seconds after the opening, latency in milliseconds
Call = namedtuple("Call", "function person target other arrival latency ok code id")

fork = multiprocessing.get_context("fork")


# Clients ----------------------------------------------------------------------

def buyer(person, item):
    """Reserves one, and confirms it if there was one left."""
    outcome = yield Press("reserve", person, item)
    if outcome.ok:
        yield Press("confirm", person, outcome.id)


def collector(person, coupon):
    yield Press("issue", person, coupon)


# Processes --------------------------------------------------------------------

def connect(user):
    """A connection as an application has it: prepared statements, caches warm."""
    connection = psycopg2.connect(user=user)
    connection.autocommit = True
    cursor = connection.cursor()
    for name, call in CALLS.items():
        cursor.execute(f"PREPARE {name}(bigint, bigint, bigint) AS "
                       f"SELECT ok, CASE detail WHEN 'enrolled' THEN 'ENROLLED' ELSE code END, id FROM {call}")
        cursor.execute(f"EXECUTE {name}(-1, -1, -2)")
    return cursor


class Crowd:
    """The clients of one process: who is next, and who sleeps until when."""

    def __init__(self, clients, opening):
        self.opening = opening
        self.ready = deque()
        self.asleep = []
        self.number = itertools.count()
        for client in clients:
            self.ask(client, None)

    def ask(self, client, outcome):
        """What a client wants to do next, told what came of the last."""
        try:
            wish = client.send(outcome)
        except StopIteration:
            return
        if isinstance(wish, Press):
            self.ready.append((client, wish))
        else:
            self.sleep(client, None, wish)

    def sleep(self, client, press, until):
        heapq.heappush(self.asleep, (until, next(self.number), client, press))

    def wake(self):
        while self.asleep and self.asleep[0][0] <= time.monotonic() - self.opening:
            _, _, client, press = heapq.heappop(self.asleep)
            if press:
                self.ready.append((client, press))
            else:
                self.ask(client, None)

    def next(self):
        """The next client and what it presses; None once all are content."""
        self.wake()
        while not self.ready and self.asleep:
            time.sleep(max(0, self.opening + self.asleep[0][0] - time.monotonic()))
            self.wake()
        return self.ready.popleft() if self.ready else None


def press_all(cursor, clients, opening, counted, counts):
    """Makes the clients' calls until they are content. counts[0] are the calls, and
    counts[n] those that counted(call) says belong there, as they come."""
    done = []
    crowd = Crowd(clients, opening)
    while (pressed := crowd.next()) is not None:
        client, press = pressed
        start = time.monotonic()
        cursor.execute(f"EXECUTE {press.function}(%s, %s, %s)", press[1:])
        outcome = Outcome(*cursor.fetchone())
        end = time.monotonic()
        call = Call(*press, start - opening, 1000 * (end - start), *outcome)
        done.append(call)
        counts[0] += 1
        counts[counted(call)] += 1
        if outcome.code in AGAIN:
            crowd.sleep(client, press, end - opening + AGAIN_AFTER)
        else:
            crowd.ask(client, outcome)
    return done


def work(pipe, user, clients, early, counted, counts):
    """One process: connect, say so, wait for the opening, press, hand over what happened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # the parent ends us
    try:
        cursor = connect(user)
        pipe.send(None)
        opening = pipe.recv()
        time.sleep(max(0, opening - early - time.monotonic()))
        pipe.send(press_all(cursor, clients, opening, counted, counts))
    except psycopg2.Error as error:
        pipe.send(str(error))


def receive(pipe):
    """What a process says next; a process that failed fails the demonstration."""
    try:
        message = pipe.recv()
    except EOFError:
        message = "a client process died"
    if isinstance(message, str):
        raise SystemExit(f"a client failed: {message.strip()}")
    return message


def accepted(call):
    return 1 if call.ok else 2


def run(user, clients, open_at, progress, early=0.0, counted=accepted, events=()):
    """Lets the clients press at once; returns all calls in the order of arrival.

    open_at(seconds) sets the opening that many seconds from now and returns its
    time.monotonic(). Clients begin `early` seconds before it. progress(seconds,
    counts) is called every second and at the end, with the number of calls and
    those that counted(call), 1 to 9, has put together; and each of `events`, a time
    and a function, at its time.
    """
    counts = [multiprocessing.RawArray("q", 10) for _ in range(CONNECTIONS)]
    pipes, processes = [], []
    for n in range(CONNECTIONS):
        ours, theirs = fork.Pipe()
        process = fork.Process(target=work, daemon=True,
                               args=(theirs, user, clients[n::CONNECTIONS], early, counted, counts[n]))
        process.start()
        theirs.close()      # so that a dead process is an end of file
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        receive(pipe)
    opening = open_at(1.0)
    for pipe in pipes:
        pipe.send(opening)

    def tell(now):
        progress(now - opening, [sum(column) for column in zip(*counts)])

    time.sleep(max(0, opening - time.monotonic()))
    calls, open_pipes, next_line = [], set(pipes), opening + 1
    events = deque(sorted(events, key=lambda event: event[0]))
    while open_pipes:
        due = min([next_line] + [opening + at for at, _ in events])
        ready = multiprocessing.connection.wait(open_pipes, max(0, due - time.monotonic()))
        for pipe in ready:
            calls += receive(pipe)
            open_pipes.remove(pipe)
        while events and time.monotonic() >= opening + events[0][0]:
            events.popleft()[1]()
        if time.monotonic() >= next_line and open_pipes:
            tell(next_line)
            next_line += 1
    tell(time.monotonic())
    for at, happen in events:
        time.sleep(max(0, opening + at - time.monotonic()))
        happen()
    for process in processes:
        process.join()
    return sorted(calls, key=lambda call: call.arrival)
