"""Crowds that press at once: the clients of the demonstration.

A client is a generator that yields calls and is sent their outcomes. Each of a
number of processes has one connection and a share of the clients, whose calls
it makes in turn, one at a time, so that everybody's first wish comes first. A
latency is what the client sees: on a small machine it is mostly the wait for a
processor, which server and clients share.
"""
import multiprocessing
import multiprocessing.connection
import signal
import time
from collections import deque, namedtuple

import psycopg2

CONNECTIONS = 48
CALLS = {   # what the clients may call; the try_ face answers a refusal and raises none
    "enroll": "PREPARE enroll(bigint, bigint) AS SELECT ok, code, id FROM fcfs.try_enroll($1, $2)",
    "reserve": "PREPARE reserve(bigint, bigint) AS SELECT ok, code, id FROM fcfs.try_reserve($1, $2)",
    "confirm": "PREPARE confirm(bigint, bigint) AS SELECT ok, code, id FROM fcfs.try_confirm_reservation($2)",
    "issue": "PREPARE issue(bigint, bigint) AS SELECT ok, code, id FROM fcfs.try_issue_coupon($2, $1)",
}
ENOUGH_CREDITS = 16     # a full timetable
AGAIN = {"ENROLLMENT_NOT_STARTED", "LOCK_TIMEOUT", "TOO_MANY_WAITERS"}      # press the same button once more

Outcome = namedtuple("Outcome", "ok code id")
# arrival in seconds after the opening, latency in milliseconds
Call = namedtuple("Call", "function person target arrival latency ok code id")

fork = multiprocessing.get_context("fork")


# Clients ----------------------------------------------------------------------

def student(person, wishes, credits_of):
    """Takes what is to be had, in the order of preference, until the timetable is full."""
    credits = 0
    for course, sections in wishes:
        if credits >= ENOUGH_CREDITS:
            return
        for section in sections:
            outcome = yield "enroll", person, section
            if outcome.code in ("OK", "ALREADY_ENROLLED"):      # already: in the other tab
                credits += credits_of[course]
            if outcome.code not in ("COURSE_FULL", "SCHEDULE_CONFLICT"):
                break                                           # another section would not help


def buyer(person, item):
    """Reserves one, and confirms it if there was one left."""
    outcome = yield "reserve", person, item
    if outcome.ok:
        yield "confirm", person, outcome.id


def collector(person, coupon):
    yield "issue", person, coupon


# Processes --------------------------------------------------------------------

def connect(user):
    """A connection as an application has it: prepared statements, caches warm."""
    connection = psycopg2.connect(user=user)
    connection.autocommit = True
    cursor = connection.cursor()
    for name, statement in CALLS.items():
        cursor.execute(statement)
        cursor.execute(f"EXECUTE {name}(-1, -1)")
    return cursor


def press(cursor, clients, opening, counts):
    """Makes the clients' calls until they are content; counts[0] calls, counts[1] accepted, as they come."""
    done = []
    waiting = deque((client, next(client)) for client in clients)
    while waiting:
        client, (function, person, target) = waiting.popleft()
        start = time.monotonic()
        cursor.execute(f"EXECUTE {function}({person}, {target})")
        outcome = Outcome(*cursor.fetchone())
        end = time.monotonic()
        done.append(Call(function, person, target, start - opening, 1000 * (end - start), *outcome))
        counts[0] += 1
        counts[1] += outcome.ok
        if outcome.code in AGAIN:
            waiting.append((client, (function, person, target)))
            continue
        try:
            waiting.append((client, client.send(outcome)))
        except StopIteration:
            pass
    return done


def work(pipe, user, clients, early, counts):
    """One process: connect, say so, wait for the opening, press, hand over what happened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # the parent ends us
    try:
        cursor = connect(user)
        pipe.send(None)
        opening = pipe.recv()
        time.sleep(max(0, opening - early - time.monotonic()))
        pipe.send(press(cursor, clients, opening, counts))
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


def run(user, clients, open_at, early, progress):
    """Lets the clients press at once; returns all calls in the order of arrival.

    open_at(seconds) sets the opening that many seconds from now and returns its
    time.monotonic(). Clients begin `early` seconds before it. progress(seconds,
    calls, accepted) is called every second and at the end.
    """
    counts = [multiprocessing.RawArray("q", 2) for _ in range(CONNECTIONS)]
    pipes, processes = [], []
    for n in range(CONNECTIONS):
        ours, theirs = fork.Pipe()
        process = fork.Process(target=work, daemon=True, args=(theirs, user, clients[n::CONNECTIONS], early, counts[n]))
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
        progress(now - opening, sum(c[0] for c in counts), sum(c[1] for c in counts))

    time.sleep(max(0, opening - time.monotonic()))
    calls, open_pipes, next_line = [], set(pipes), opening + 1
    while open_pipes:
        ready = multiprocessing.connection.wait(open_pipes, max(0, next_line - time.monotonic()))
        for pipe in ready:
            calls += receive(pipe)
            open_pipes.remove(pipe)
        if time.monotonic() >= next_line and open_pipes:
            tell(next_line)
            next_line += 1
    tell(time.monotonic())
    for process in processes:
        process.join()
    return sorted(calls, key=lambda call: call.arrival)
