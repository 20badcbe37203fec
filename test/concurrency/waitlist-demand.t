#!/usr/bin/python3
"""The demand that a university's registration saw, replayed through wait lists: each
sample at which a section's numbers changed becomes enrolments and places in line,
seats given up, lines left, and changes of capacity, by 8 clients. A model of the line
says beforehand what every call answers and, after each change, who is in line: seats
go to who is first, in the order of arrival. The longest line on record is reached, and
drained to the end: as recorded, by more seats, and once more seat by seat."""
import random
import sys
import tempfile
import threading
sys.dont_write_bytecode = True
from load import Tap, counts, nothing_left, value
from replay import Client, make_sections, replay, samples
from ucsd import files

# Seats that are added are passed on by a call of their own. Two of these at once would
# each leave to the other what they both look at.
passing = threading.Lock()


class Group:
    """One section as it should be: who is in it, and who in its line."""

    def __init__(self, section, name):
        self.section = section
        self.next_student = section * 10_000
        self.chance = random.Random(name)
        self.capacity = 0
        self.demand = 0
        self.enrolled = []
        self.line = []
        self.longest = 0
        self.passed_on = 0
        self.as_recorded = 0    # samples at which it was

    def change(self, client, available, waitlisted, total):
        if total != self.capacity:
            self.set_capacity(client, total)
        change = total - available + waitlisted - self.demand
        self.demand += change
        if change > 0:
            newcomers = list(range(self.next_student, self.next_student + change))
            self.next_student += change
            self.arrive(client, newcomers)
        for _ in range(-change):
            self.give_up(client)
        if change:
            self.look_at_line(client)
        if available == 0 and total == self.capacity:
            client.expect(waitlisted, len(self.line), f"section {self.section}: in line, as recorded")
            self.as_recorded += waitlisted > 0

    def free(self):
        return self.capacity - len(self.enrolled)

    def set_capacity(self, client, capacity):
        """Not below those enrolled; what is added goes to the line, and to nobody else."""
        possible = capacity >= len(self.enrolled)
        with passing:
            client.expect(possible, client.resize(self.section, capacity), f"capacity {capacity} with {len(self.enrolled)} enrolled")
            if not possible:
                return
            self.capacity = capacity
            if self.free() > 0 and self.line:
                client.expect(["COURSE_FULL"], client.each("try_enroll", [self.next_student + 1], self.section), "a newcomer before the line")
                client.query("SELECT fcfs.pass_waitlists(1000000)")
        self.pass_on()
        self.look_at_line(client)

    def pass_on(self):
        """Who has a seat now."""
        seated = self.line[:self.free()]
        self.enrolled += seated
        self.passed_on += len(seated)
        del self.line[:len(seated)]

    def arrive(self, client, students):
        """All of them ask, in order; who gets no seat lines up."""
        fit = min(self.free(), len(students))
        client.expect(["OK"] * fit + ["COURSE_FULL"] * (len(students) - fit), client.each("try_enroll", students, self.section),
                      f"{len(students)} for {self.free()} seats")
        self.enrolled += students[:fit]
        client.expect(["OK"] * (len(students) - fit), client.each("try_join_waitlist", students[fit:], self.section), "lining up")
        self.line += students[fit:]
        self.longest = max(self.longest, len(self.line))

    def give_up(self, client):
        """One has enough of it: somebody in line, or somebody enrolled, whose seat goes to the first in line."""
        if self.line and (not self.enrolled or self.chance.random() < 0.5):
            self.leave(client, self.chance.choice(self.line))
        elif self.enrolled:
            self.cancel(client, self.chance.choice(self.enrolled))

    def leave(self, client, student):
        client.expect(["OK"], client.each("try_leave_waitlist", [student], self.section), "leaving the line")
        self.line.remove(student)

    def cancel(self, client, student):
        client.expect(["OK"], client.each("try_cancel_enrollment", [student], self.section), "cancelling")
        self.enrolled.remove(student)
        self.pass_on()

    def look_at_line(self, client):
        (there,), = client.query("SELECT coalesce(array_agg(student_id ORDER BY arrived_at, id), '{}') FROM fcfs.enrollment"
                                 " WHERE section_id = %s AND status = 'waitlisted'", self.section)
        client.expect(self.line, there, f"section {self.section}: the line")


def drain(tap, group, recorded):
    """The longest line once more, up to its longest moment; then seat by seat, until nobody is in line."""
    client = Client()
    client.connect()
    longest = max(waitlisted for _, waitlisted, _ in recorded)
    for numbers in recorded:
        group.change(client, *numbers)
        if numbers[1] == longest:
            break
    tap.equal(len(group.line), longest, f"{longest} are in line for {group.capacity} seats")
    tap.equal(client.query("SELECT array_agg(fcfs.waitlist_position(s.id, %s) ORDER BY s.n) FROM unnest(%s) WITH ORDINALITY s (id, n)",
                           group.section, group.line), [(list(range(1, longest + 1)),)], "each is told the place that is theirs")
    arrived, seated = list(group.line), []
    while group.line:
        before = set(group.enrolled)
        group.cancel(client, group.chance.choice(group.enrolled))
        group.look_at_line(client)
        seated += set(group.enrolled) - before
    tap.ok(not client.wrong, f"seat by seat, {longest} seats: after each one the line is as foreseen", *client.wrong[:5])
    tap.equal(seated, arrived, "all of them are seated, in the order of arrival")


with Tap() as tap, tempfile.TemporaryDirectory() as directory:
    data = files(tap, directory)
    recorded = samples(data)
    names = sorted({name for name, _ in recorded})
    longest, longest_name = max((numbers[1], name) for name, numbers in recorded)
    most_seats = max(total for name, (_, _, total) in recorded if name == longest_name)
    groups = {name: Group(n, name) for n, name in enumerate(names, 1)}
    make_sections([*names, "once more"], waitlist_capacity=1000)
    clients = replay(recorded, groups)

    calls, refused = sum(c.calls for c in clients), sum(c.refused for c in clients)
    wrong = [text for client in clients for text in client.wrong]
    passed_on, as_recorded = sum(g.passed_on for g in groups.values()), sum(g.as_recorded for g in groups.values())
    tap.ok(not wrong, f"{data.name}: {len(recorded)} samples of {len(names)} groups, {calls} calls, {passed_on} seats passed on: all as foreseen",
           len(wrong), *wrong[:5])
    tap.ok(as_recorded > 0, f"at {as_recorded} samples a line was as long as recorded")
    tap.equal(groups[longest_name].longest, longest, f"the longest line on record, {longest} for a group of {most_seats} seats in the end, is reached")
    for status, wanted in (("enrolled", "enrolled"), ("waitlisted", "line")):
        tap.equal(counts(f"SELECT section_id, array_agg(student_id ORDER BY student_id) FROM fcfs.enrollment WHERE status = '{status}' GROUP BY 1"),
                  {g.section: sorted(getattr(g, wanted)) for g in groups.values() if getattr(g, wanted)}, f"{status} are exactly those who should be")
    drain(tap, Group(len(names) + 1, longest_name), [numbers for name, numbers in recorded if name == longest_name])
    tap.equal(value("SELECT fcfs.pass_waitlists(1000000)"), 0, "nothing is left to be passed on")
    nothing_left(tap, "after all")
