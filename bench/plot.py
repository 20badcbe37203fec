"""Plots of what shown.py takes from the runs: lines and bars by gnuplot, as SVG. The
same runs give the same bytes."""

import statistics
import subprocess

from cluster import Failure
from declare import Lines
from profile_call import SHARES
from shown import panels, shares

INK, FAINT = "#1f2933", "#e4e7eb"
COLOURS = ("#1f8a70", "#3d6cb9", "#d1495b", "#edae49", "#66819c", "#a06cd5", "#6b4f3a", "#b8c4ce")

HEAD = f"""
set terminal svg size WIDTH,HEIGHT dynamic enhanced font 'system-ui,Helvetica,Arial,sans-serif,13' background '#ffffff'
set encoding utf8
set border 3 lc rgb '{INK}' lw 0.7
set tics nomirror out scale 0.4 textcolor rgb '{INK}'
set grid lc rgb '{FAINT}' lt 1 lw 1
set xlabel textcolor rgb '{INK}'
set bmargin 6
set ylabel textcolor rgb '{INK}'
set title textcolor rgb '{INK}'
"""


def draw(declared, runs, path):
    width, height, script = (line_plot if isinstance(declared, Lines) else share_plot)(declared, runs)
    head = HEAD.replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    done = subprocess.run(["gnuplot"], input=head + script, text=True, capture_output=True)
    if done.returncode or "</svg>" not in done.stdout:
        raise Failure(f"gnuplot: {done.stderr.strip()[-1000:]}")
    with open(path, "w") as file:
        file.write("\n".join(line.rstrip().replace("\t", " ") for line in done.stdout.splitlines()) + "\n")


def quoted(text):
    """As gnuplot's enhanced text wants it."""
    return "'" + text.replace("'", "''").replace("_", "\\_") + "'"


def block(number, rows):
    return f"$d{number} << END\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\nEND\n"


def line_plot(declared, runs):
    shown = panels(declared, runs)
    width = 760 if len(shown) == 1 else 380 * len(shown)
    script = axes(declared, shown)
    if len(shown) > 1:
        script += f"set multiplot layout 1,{len(shown)} title {quoted(declared.title)} textcolor rgb '{INK}'\n"
    number = 0
    for panel, curves in shown.items():
        script += f"set title {quoted(panel if len(shown) > 1 else declared.title)}\n"
        curves_drawn = []
        for name, curve in curves.items():
            rows = [(x, statistics.median(ys), min(ys), max(ys)) for x, ys in sorted(curve.items())]
            script += block(number, rows)
            colour = COLOURS[len(curves_drawn) // 2]
            style = f"lc rgb '{colour}' lw 2 pt 7 ps 0.5"
            curves_drawn += [
                f"$d{number} using 1:2 with linespoints {style} title {quoted(name)}",
                f"$d{number} using 1:2:3:4 with yerrorbars lc rgb '{colour}' lw 1 pt 0 notitle",
            ]
            number += 1
        script += "plot " + ", ".join(curves_drawn) + "\n"
    return width, 420, script


def axes(declared, shown):
    """One scale for all panels; a mark at each x that was measured."""
    xs = sorted({x for curves in shown.values() for curve in curves.values() for x in curve})
    ys = [y for curves in shown.values() for curve in curves.values() for values in curve.values() for y in values]
    marks = ", ".join(f"'{mark(x)}' {x}" for x in xs)
    lowest = min(ys) / 1.5 if declared.log_y else 0
    margin = 1.15 if declared.log_x else 1.03
    script = f"set xlabel {quoted(declared.x)}\nset ylabel {quoted(declared.y)}\n"
    script += f"set xtics ({marks})\nset xrange [{xs[0] / margin}:{xs[-1] * margin}]\n"
    script += f"set yrange [{lowest}:{max(ys) * (1.5 if declared.log_y else 1.1)}]\n"
    script += "set format y '%g'\n"
    script += ("set logscale x\n" if declared.log_x else "") + ("set logscale y\n" if declared.log_y else "")
    return script + key(len(shown) > 1)


def key(narrow=False):
    samples = "samplen 0.6 width -2" if narrow else "samplen 1.2"
    return f"set key outside bottom center horizontal Left reverse {samples} textcolor rgb '{INK}'\n"


def mark(x):
    for unit, name in ((1000000, " million"), (1000, ",000")):
        if x >= 10000 and x % unit == 0:
            return f"{x // unit:,}{name}"
    return f"{x:,}"


def share_plot(declared, runs):
    """A bar a side, from left to right the shares of its time."""
    spent = shares(declared, runs)
    script = f"set title {quoted(declared.title)}\nset xlabel 'microseconds a call'\n"
    names = ", ".join(f"{quoted(name)} {-row}" for row, name in enumerate(spent))
    script += f"set ytics ({names})\nset yrange [{-len(spent) + 0.4}:0.6]\nset xrange [0:*]\nunset ylabel\nset grid noy\n"
    script += "set style fill solid 1 noborder\n"
    script += key()
    drawn = []
    for number, share in enumerate(SHARES):
        rows = []
        for row, by_share in enumerate(spent.values()):
            left = sum(by_share[earlier] for earlier in SHARES[:number])
            rows.append((left, -row, left, left + by_share[share], -row - 0.32, -row + 0.32))
        script += block(number, rows)
        drawn.append(f"$d{number} using 1:2:3:4:5:6 with boxxyerror fc rgb '{COLOURS[number]}' title {quoted(share)}")
    return 860, 90 + 52 * len(spent), script + "plot " + ", ".join(drawn) + "\n"
