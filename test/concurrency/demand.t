#!/usr/bin/python3
"""The demand that a university's registration saw, replayed: every sample at which a
section's numbers changed becomes claims, releases and changes of capacity, by 8
clients. Each call's answer is known beforehand: seats go to those who come while
there are any, the others are refused, and come again when one is free."""
import sys
import tempfile
sys.dont_write_bytecode = True
from load import Tap, counts, nothing_left
from replay import make_sections, replay, samples
from ucsd import files


class Group:
    """One section as it should be: who is in it, who waits outside."""

    def __init__(self, section, first_student):
        self.section = section
        self.next_student = first_student
        self.capacity = 0
        self.demand = 0
        self.enrolled = []
        self.outside = []

    def change(self, client, available, waitlisted, total):
        if total != self.capacity:
            self.set_capacity(client, total)
        change = total - available + waitlisted - self.demand
        self.demand += change
        if change > 0:
            self.outside += range(self.next_student, self.next_student + change)
            self.next_student += change
            self.enroll(client, self.outside[-change:] if self.free() == 0 else self.outside)
        elif change < 0:
            self.release(client, -change)

    def free(self):
        return self.capacity - len(self.enrolled)

    def set_capacity(self, client, capacity):
        possible = capacity >= len(self.enrolled)
        client.expect(possible, client.resize(self.section, capacity), f"capacity {capacity} with {len(self.enrolled)} enrolled")
        if possible:
            self.capacity = capacity
            self.enroll(client, self.outside[:self.free()])

    def enroll(self, client, students):
        """All of them ask, in order; as many as there are seats get one."""
        fit = min(self.free(), len(students))
        codes = client.each("try_enroll", students, self.section)
        client.expect(["OK"] * fit + ["COURSE_FULL"] * (len(students) - fit), codes, f"{len(students)} for {self.free()} seats")
        served = students[:fit]
        self.enrolled += served
        self.outside = [student for student in self.outside if student not in set(served)]

    def release(self, client, number):
        """Those who came first leave, and whoever is outside comes again."""
        leaving, self.enrolled = self.enrolled[:number], self.enrolled[number:]
        client.expect(["OK"] * len(leaving), client.each("try_cancel_enrollment", leaving, self.section), "cancelling")
        self.outside = self.outside[number - len(leaving):]
        self.enroll(client, self.outside[:self.free() + 1])


with Tap() as tap, tempfile.TemporaryDirectory() as directory:
    data = files(tap, directory)
    recorded = samples(data)
    names = sorted({name for name, _ in recorded})
    groups = {name: Group(n, n * 10_000) for n, name in enumerate(names, 1)}
    make_sections(names)
    clients = replay(recorded, groups)

    calls, refused = sum(c.calls for c in clients), sum(c.refused for c in clients)
    wrong = [text for client in clients for text in client.wrong]
    tap.ok(not wrong, f"{data.name}: {len(recorded)} samples of {len(names)} groups, {calls} calls, {refused} of them refused: all as foreseen",
           len(wrong), *wrong[:5])
    tap.ok(refused > 0, "the demand was more than there was")
    tap.equal(counts("SELECT section_id, array_agg(student_id ORDER BY student_id) FROM fcfs.enrollment WHERE status = 'enrolled' GROUP BY 1"),
              {g.section: sorted(g.enrolled) for g in groups.values() if g.enrolled}, "each section has exactly those who were served")
    tap.equal(counts("SELECT id, capacity FROM fcfs.section"), {g.section: g.capacity for g in groups.values()}, "and its capacity")
    nothing_left(tap, "after all")
