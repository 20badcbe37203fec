"""What the plots of a benchmark show, taken from the runs of a whole, and the same
as tables."""

import statistics

from declare import Lines
from profile_call import SHARES


def short(number):
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def figures(runs):
    return [run["figure"] for run in runs]


def latencies(runs, percentile):
    return [run["latency"][percentile] for run in runs]


def sides(declared):
    """The names of the sides that a plot shows."""
    if not isinstance(declared, Lines):
        return list(declared.sides)
    return [side for curves in declared.panels.values() for curve in curves.values() for side in curve.values()]


def panels(declared, runs, rates=False):
    """{panel: {curve: {x: [a number a round]}}}, percentiles as curves; with `rates`
    those of the calls as one more."""
    shown = {}
    for panel, curves in declared.panels.items():
        shown[panel] = {}
        for name, curve in curves.items():
            rate = {x: figures(runs[side]) for x, side in curve.items()}
            if not declared.percentiles:
                shown[panel][name] = rate
            elif rates:
                shown[panel]["calls a second"] = rate
            for percentile in declared.percentiles:
                shown[panel][f"p{percentile}"] = {x: latencies(runs[side], percentile) for x, side in curve.items()}
    return shown


def shares(declared, runs):
    """Microseconds a call by share, of each side."""
    return {
        name.removeprefix("profile of "): {
            share: statistics.median(run["spent"][share] for run in runs[name]) for share in SHARES
        }
        for name in declared.sides
    }


def table(declared, runs):
    return line_table(declared, runs) if isinstance(declared, Lines) else share_table(declared, runs)


def line_table(declared, runs):
    """A row an x, a column a curve: medians, and lowest and highest round."""
    lines = []
    for panel, curves in panels(declared, runs, rates=bool(declared.percentiles)).items():
        lines += [f"{panel}:", ""] if panel else []
        lines += [f"| {declared.x} | " + " | ".join(curves) + " |", "|---" * (len(curves) + 1) + "|"]
        for x in sorted({x for curve in curves.values() for x in curve}):
            cells = [told(curve[x]) if x in curve else "" for curve in curves.values()]
            lines.append(f"| {x:,} | " + " | ".join(cells) + " |")
        lines += [""]
    unit = f"{declared.y[0].upper()}{declared.y[1:]}"
    return lines + [unit + (": median (lowest..highest round)." if rounds(declared, runs) > 1 else ".")]


def rounds(declared, runs):
    return max(len(runs[side]) for side in sides(declared))


def told(numbers):
    if len(numbers) == 1:
        return short(numbers[0])
    return f"{short(statistics.median(numbers))} ({short(min(numbers))}..{short(max(numbers))})"


def share_table(declared, runs):
    lines = ["| | " + " | ".join(SHARES) + " | all |", "|---" * (len(SHARES) + 2) + "|"]
    for name, spent in shares(declared, runs).items():
        whole = sum(spent.values())
        cells = [f"{short(spent[share])} ({100 * spent[share] / whole:.0f}%)" for share in SHARES]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {short(whole)} |")
    return lines + ["", "Microseconds of the server's processor time a call, one client."]
