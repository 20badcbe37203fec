"""Registration in waves: what students do, and when.

A group of students after the other may enrol. Who finds a section full tries another
one of the course, and lines up where all are. Days later, which are seconds here,
many think again: they drop a section, swap it, or leave a line, and then the office
adds seats where the lines are longest.
"""
import random

from rush import Press

GROUPS = ("seniors", "juniors", "sophomores", "freshmen")
EVERY = 3.0                     # seconds from one wave to the next
EARLY = 0.2                     # so long before it some press
THINK_AGAIN = (12.5, 18.5)      # between these many do
SEATS_ADDED_AT = 19.5
SEATS_ADDED = 25                # to each of
LONGEST_LINES = 20

ENOUGH_CREDITS = 16             # a full timetable
MOST_LINES = 4
TRADES_UP = 0.3                 # of those who got another section than they wanted: they line up for that


def wave_of(person):
    """Which of the groups, from 0."""
    return (person - 1) % len(GROUPS)


def opens_at(wave):
    """In seconds after the first."""
    return EVERY * wave


class Student:
    """One student, in one window of the browser."""

    def __init__(self, person, wishes, credits_of, thinks_again=True):
        self.person = person
        self.wishes = wishes        # (course, its sections), both in the order of preference
        self.credits_of = credits_of
        self.chance = random.Random(person)
        self.thinks_again = thinks_again and self.chance.random() < 0.6
        self.credits = 0
        self.had = []
        self.lines = []

    def acts(self):
        yield opens_at(wave_of(self.person)) - (EARLY if self.person % 5 == 0 else 0)
        for course, sections in self.wishes:
            if self.credits >= ENOUGH_CREDITS:
                break
            yield from self.take(course, sections)
        if self.thinks_again:
            for when in sorted(self.chance.uniform(*THINK_AGAIN) for _ in range(2)):
                yield when
                yield from self.think_again()

    def take(self, course, sections):
        """A seat in the first section that has one, or a place in the line of the first that has none."""
        full, got = None, None
        for section in sections:
            outcome = yield Press("enroll", self.person, section)
            if outcome.code in ("OK", "ALREADY_ENROLLED"):      # already: in the other window
                self.credits += self.credits_of[course]
            if outcome.ok:
                got = section
                self.had.append(section)
            if outcome.code == "COURSE_FULL":
                full = full or section
            elif outcome.code != "SCHEDULE_CONFLICT":
                break                                           # another section would not help
        if full and len(self.lines) < MOST_LINES and (not got or self.chance.random() < TRADES_UP):
            outcome = yield Press("wait", self.person, full, got)
            if outcome.ok:
                (self.had if outcome.code == "ENROLLED" else self.lines).append(full)

    def think_again(self):
        what = self.chance.random()
        if self.had and what < 0.65:
            given_up = self.chance.choice(self.had)
            self.had.remove(given_up)
            yield Press("cancel", self.person, given_up)
        elif self.had and what < 0.9:
            given_up = self.chance.choice(self.had)
            wanted = self.chance.choice(self.chance.choice(self.wishes)[1])
            if wanted != given_up:
                outcome = yield Press("swap", self.person, wanted, given_up)
                if outcome.ok:
                    self.had[self.had.index(given_up)] = wanted
        elif self.lines:
            yield Press("leave", self.person, self.chance.choice(self.lines))


def counted(call):
    """Where a call is counted: 1 to 4, an enrolment of that wave; 5, another success; 6, a refusal."""
    if not call.ok:
        return 6
    return 1 + wave_of(call.person) if call.function == "enroll" else 5
