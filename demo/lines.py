"""What happened in the waves and in the lines of sections: figures, tables and curves."""
from collections import Counter, defaultdict

import waves
from report import percentile


class Lines:
    """The lines over time, in seconds after the opening."""

    def __init__(self, query, opened):
        self.waits = sorted(
            (seated - since, by_worker, person) for seated, since, by_worker, person in query("""
SELECT p.seated, extract(epoch FROM p.arrived_at)::float8, s.by_worker, p.student_id
FROM demo.place p JOIN demo.seated s USING (id)"""))
        self.places = Counter(waves.wave_of(person) for person, in query("SELECT student_id FROM demo.place"))
        self.left = Counter(waves.wave_of(person) for person, in query(
            "SELECT student_id FROM fcfs.enrollment WHERE status = 'waitlisted'"))
        self.names = dict(query(
            "SELECT s.id, c.code || ' ' || s.code FROM fcfs.section s JOIN fcfs.course c ON c.id = s.course_id"))
        self.capacities = dict(query("SELECT id, capacity FROM fcfs.section"))
        self.of_sections, self.all = self.curves(query, opened)
        self.longest = sorted(self.of_sections, key=lambda section: (-self.peak(section)[0], section))

    @staticmethod
    def curves(query, opened):
        """How many are in each line, and in all, after each moment at which that changed."""
        of_sections, total = defaultdict(lambda: [(0.0, 0)]), [(0.0, 0)]
        for section, at, change in query("""
SELECT section_id, extract(epoch FROM arrived_at)::float8 AS at, 1 AS change FROM demo.place
UNION ALL
SELECT section_id, over, -1 FROM demo.place WHERE over < 'infinity'
ORDER BY at, change DESC"""):
            for curve in (of_sections[section], total):
                curve.append((at - opened, curve[-1][1] + change))
        return of_sections, total

    def peak(self, section):
        """The longest that the line was, and when."""
        return max(((length, -at) for at, length in self.of_sections[section]), default=(0, 0))

    def text(self, calls):
        """The tables for the terminal."""
        line = "  {:<14}{:>10}{:>12}{:>14}{:>12}{:>16}{:>16}".format
        text = [line("", "opened at", "enrolments", "most in 1 s", "lined up", "seat from line", "still in line")]
        for wave, group in enumerate(waves.GROUPS):
            got = [call.arrival for call in calls if call.ok and call.function == "enroll" and waves.wave_of(call.person) == wave]
            seated = sum(waves.wave_of(person) == wave for *_, person in self.waits)
            busiest = max(Counter(int(at // 1) for at in got).values(), default=0)
            text.append(line(group, f"{waves.opens_at(wave):.0f} s", f"{len(got):,}", f"{busiest:,}", f"{self.places[wave]:,}",
                             f"{seated:,}", f"{self.left[wave]:,}"))
        return "\n".join(text + [""] + [f"  {what:<27}{value}" for what, value in self.facts()])

    def facts(self):
        """Pairs: what it is, and how much."""
        if not self.longest:
            return [("lines", "none")]
        section = self.longest[0]
        length, at = self.peak(section)
        by_worker = sum(worker for _, worker, _ in self.waits)
        facts = [
            ("longest line", f"{length} for {self.names[section]}, after {-at:.1f} s; most in all lines together "
                             f"{max(length for _, length in self.all):,}"),
            ("seats passed on", f"{len(self.waits):,}: {len(self.waits) - by_worker:,} in the transaction that freed the seat, "
                                f"{by_worker:,} by the worker")]
        if self.waits:
            waits = [wait for wait, *_ in self.waits]
            facts.append(("waited until there was one", f"half of them up to {percentile(waits, 0.5):.1f} s, "
                          f"the longest {waits[-1]:.1f} s, nine of ten up to {percentile(waits, 0.9):.1f} s"))
        return facts
