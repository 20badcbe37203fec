"""Makes up a university: a catalogue in the files that catalogue.py reads, and what its students wish for.

The same every time: all chance comes from fixed seeds.
"""
import datetime
import itertools
import random

from catalogue import COURSE_COLUMNS, SECTION_COLUMNS, Term

TIME_ZONE = "America/New_York"      # has a change of clocks in the middle of the autumn term
SECTIONS = 500
SUBJECTS = {    # how many students a subject draws, and its courses, beginners' first
    "ANTH": (3, "Cultures of the World|Human Origins|Language and Society|Food and Culture|Archaeology"),
    "ART": (3, "Drawing|Photography|Design|Painting|Sculpture|History of Modern Art"),
    "BIO": (8, "The Cell|Genetics|Ecology|Human Physiology|Microbiology|Evolution|Neurobiology|Plant Biology"),
    "CHEM": (8, "General Chemistry I|General Chemistry II|Organic Chemistry I|Organic Chemistry II|"
             "Physical Chemistry|Analytical Chemistry|Biochemistry"),
    "COMM": (4, "Public Speaking|Media and Society|Journalism|Film and Culture"),
    "CS": (10, "Introduction to Programming|Data Structures|Algorithms|Computer Systems|Databases|Machine Learning|"
           "Operating Systems|Computer Networks|Computer Graphics|Compilers|Software Engineering"),
    "ECON": (8, "Microeconomics|Macroeconomics|Econometrics|Game Theory|Public Finance|Money and Banking"),
    "EE": (4, "Circuits|Signals and Systems|Electronics|Electromagnetics|Control Systems"),
    "ENG": (7, "College Writing|Creative Writing|Shakespeare|The Novel|American Poetry|Rhetoric"),
    "GEO": (3, "Planet Earth|Climate Change|Oceans|Natural Disasters|Mineralogy"),
    "HIST": (5, "World History|The Cold War|Ancient Rome|Modern Asia|History of Science|Women in History"),
    "KOR": (2, "First-Year Korean|Second-Year Korean|Korean Cinema"),
    "MATH": (10, "Calculus I|Calculus II|Linear Algebra|Differential Equations|Discrete Mathematics|Real Analysis|"
             "Abstract Algebra|Number Theory|Numerical Methods"),
    "ME": (4, "Statics|Dynamics|Thermodynamics|Fluid Mechanics|Materials|Robotics"),
    "MUS": (2, "Music Theory|Orchestra|Jazz|World Music|Composition"),
    "PHIL": (4, "Introduction to Philosophy|Logic|Ethics|Philosophy of Mind|Political Philosophy"),
    "PHYS": (8, "Mechanics|Electricity and Magnetism|Waves and Optics|Modern Physics|Quantum Mechanics|Astronomy"),
    "POLI": (5, "American Politics|International Relations|Comparative Politics|Public Policy"),
    "PSYC": (9, "General Psychology|Social Psychology|Cognition|Child Development|Abnormal Psychology|Perception"),
    "SOC": (4, "Society Today|Crime and Justice|Race and Ethnicity|The Family|Social Networks"),
    "SPAN": (4, "First-Year Spanish|Second-Year Spanish|Spanish Conversation|Latin American Literature"),
    "STAT": (7, "Introduction to Statistics|Probability|Regression|Data Science|Bayesian Methods"),
}
WITH_LAB = {"BIO", "CHEM", "EE", "PHYS"}
BLOCKS = [  # days, times, and weights: everybody wants the middle of the day
    ("MWF", [f"{h}:00 - {h}:50" for h in range(8, 17)], [3, 5, 6, 6, 5, 4, 3, 2, 1]),
    ("TuTh", ["8:00 - 9:20", "9:30 - 10:50", "11:00 - 12:20", "12:30 - 13:50", "14:00 - 15:20", "15:30 - 16:50",
              "17:00 - 18:20"], [3, 5, 6, 5, 4, 3, 1]),
]
EVENINGS = [f"{day},18:30 - 21:20" for day in ("M", "Tu", "W", "Th")]
LABS = [f"{day},{time}" for day in ("M", "Tu", "W", "Th", "F")
        for time in ("8:00 - 10:50", "13:00 - 15:50", "16:00 - 18:50")]
FINALS = ["8:00 - 10:59", "11:30 - 14:29", "15:00 - 17:59", "19:00 - 21:59"]
UNITS = ["4"] * 12 + ["3"] * 5 + ["2", "5", "2 or 4"]


def coming_term():
    """The next autumn term that starts at least 30 days from now: 14 weeks of classes, then finals."""
    soonest = datetime.date.today() + datetime.timedelta(days=30)
    starts_on = next(day for day in (datetime.date(soonest.year + n, 8, 25) for n in range(2)) if day >= soonest)
    starts_on += datetime.timedelta(days=-starts_on.weekday() % 7)      # a Monday
    classes_end_on = starts_on + datetime.timedelta(days=14 * 7 - 3)
    return Term(starts_on, classes_end_on, classes_end_on + datetime.timedelta(days=8))


class Course:
    """One course of the made-up catalogue."""

    def __init__(self, chance, subject, n, title, term):
        draw, _ = SUBJECTS[subject]
        self.code = f"{subject} {n + 1 if n < 3 else 70 + 10 * n}"
        self.title = title
        self.units = chance.choice(UNITS)
        self.popularity = draw / (n + 1)
        self.lab = subject in WITH_LAB and n < 4
        self.seats = 48 if self.lab else chance.choice([60, 75, 90, 120] if n < 2 else [25, 30, 40, 50])
        date = term.classes_end_on + datetime.timedelta(days=chance.randint(3, 8))
        self.final = f"FI,{date},{chance.choice(FINALS)},HALL {chance.randint(1, 9)}"

    def meetings(self, chance):
        """The meetings of one section; those of one course share nothing but the final."""
        room = f"ROOM {chance.randint(100, 399)}"
        if chance.random() < 0.1:
            lecture = f"LE,{chance.choice(EVENINGS)},{room}"
        else:
            days, times, weights = chance.choice(BLOCKS)
            lecture = f"LE,{days},{chance.choices(times, weights)[0]},{room}"
        lab = [f"LA,{chance.choice(LABS)},LAB {chance.randint(1, 20)}"] if self.lab else []
        return "|".join([lecture, *lab, self.final])


def write(sections_path, courses_path, term):
    """Writes the two files of a catalogue of SECTIONS sections."""
    chance = random.Random(1)
    courses = [Course(chance, subject, n, title, term)
               for subject, (_, titles) in SUBJECTS.items() for n, title in enumerate(titles.split("|"))]
    # One section of each course, the rest where the crowd is.
    more = chance.choices(courses, [c.popularity for c in courses], k=SECTIONS - len(courses) - len(SUBJECTS))
    rows, number_of = [], {}
    for course in courses + more:
        n = number_of[course] = number_of.get(course, -1) + 1
        rows.append((course.code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n % 26] + f"{n // 26:02}", course.seats,
                     course.meetings(chance)))
    rows += [(f"{subject} 199", "A00", 9999, "IN,N/A,0:00 - 0:00,TBA") for subject in SUBJECTS]
    write_rows(sections_path, SECTION_COLUMNS,
               ((course, section, f"{n:06}", *rest) for n, (course, section, *rest) in enumerate(sorted(rows), 1)))
    write_rows(courses_path, COURSE_COLUMNS,
               [(c.code, c.title, c.units) for c in courses]
               + [(f"{subject} 199", "Independent Study", "1–4") for subject in SUBJECTS])


def write_rows(path, columns, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in itertools.chain([columns], rows):
            file.write("\t".join(map(str, row)) + "\n")


def wishes(students, sections_of, seats_of, courses_each=8):
    """Yields for each student a list of (course, its sections), both in the order the student prefers.

    sections_of and seats_of (0 for unlimited) are by course. Courses are wished
    for after Zipf: the n-th most popular one about 1/n as often as the first.
    What offers many seats does so because it is popular, give or take some luck.
    """
    chance = random.Random(2)
    ranked = sorted(sorted(seats_of), key=lambda course: -seats_of[course] * chance.uniform(0.5, 1))
    weights = list(itertools.accumulate(1 / rank ** 0.9 for rank in range(1, len(ranked) + 1)))
    for _ in range(students):
        wanted = {}
        while len(wanted) < min(courses_each, len(ranked)):
            wanted.setdefault(chance.choices(ranked, cum_weights=weights)[0])
        yield [(course, chance.sample(sections_of[course], len(sections_of[course]))) for course in wanted]
