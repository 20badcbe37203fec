"""Figures of the rushes, for the terminal and for the HTML page, and the page itself.

The page is one file that asks for nothing else: gnuplot draws the plots as SVG.
"""
import html
import math
import re
import subprocess
from collections import Counter, namedtuple

import waves

ACCEPTED, REFUSED = "#1f8a70", ["#d1495b", "#edae49", "#66819c", "#a06cd5", "#9aa5b1", "#6b4f3a"]
WAVES = ["#1f8a70", "#3d6cb9", "#edae49", "#d1495b"]
LINES = [ACCEPTED, "#d1495b", "#edae49", "#3d6cb9"]
INK, FAINT = "#1f2933", "#e4e7eb"

Figures = namedtuple("Figures", "name calls accepted refused codes rate p50 p95 p99")


# Figures ----------------------------------------------------------------------

def percentile(ordered, share):
    """Nearest rank: of an ordered list, the least value that `share` of it does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figures(name, calls):
    latencies = sorted(call.latency for call in calls)
    codes = Counter(call.code for call in calls if not call.ok).most_common()
    accepted = sum(call.ok for call in calls)
    seconds = max(call.arrival + call.latency / 1000 for call in calls) - min(call.arrival for call in calls)
    return Figures(name, len(calls), accepted, len(calls) - accepted, codes, len(calls) / seconds,
                   *(percentile(latencies, share) for share in (0.5, 0.95, 0.99)))


def all_figures(rushes):
    """A row for each kind of call in each rush."""
    for rush, calls in rushes.items():
        functions = dict.fromkeys(call.function for call in calls)
        for function in functions:
            name = f"{rush}: {function}" if len(functions) > 1 else rush
            yield figures(name, [call for call in calls if call.function == function])


def table_text(rows):
    line = "{:<26}{:>9}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}".format
    text = [line("", "calls", "accepted", "refused", "calls/s", "p50 ms", "p95 ms", "p99 ms")]
    for row in rows:
        text.append(line(row.name, f"{row.calls:,}", f"{row.accepted:,}", f"{row.refused:,}", f"{row.rate:,.0f}",
                         f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.p99:.1f}"))
        text += [line("  " + code, "", "", f"{count:,}", "", "", "", "").rstrip() for code, count in row.codes]
    return "\n".join(text)


# Plots ------------------------------------------------------------------------

def gnuplot(name, script, width=880, height=340):
    """The SVG of a script; its ids are made unique, for all plots share one page."""
    head = f"""
set terminal svg size {width},{height} dynamic enhanced font 'system-ui,Helvetica,Arial,sans-serif,13'
set border 3 lc rgb '{INK}' lw 0.7
set tics nomirror out scale 0.4 textcolor rgb '{INK}'
set grid lc rgb '{FAINT}' lt 1 lw 1
set key outside top left horizontal Left reverse samplen 1.2 spacing 1.1 textcolor rgb '{INK}'
set style fill solid 1 noborder
"""
    result = subprocess.run(["gnuplot"], input=head + script, text=True, capture_output=True, check=False)
    if result.returncode or "<svg" not in result.stdout:
        raise SystemExit(f"gnuplot: {result.stderr.strip()}")
    svg = result.stdout[result.stdout.index("<svg"):]
    svg = re.sub(r"""(\bid=['"]|href=['"]#|url\(#)""", rf"\g<1>{name}-", svg)
    return re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", svg, flags=re.S)


def block(name, rows):
    """Rows as an inline data block of gnuplot."""
    return f"${name} << END\n" + "".join(" ".join(map(str, row)) + "\n" for row in rows) + "END\n"


def binned(calls, width, key):
    """Calls by the time, in steps of a width, and by what key() says of them."""
    bins = {}
    for call in calls:
        bins.setdefault(int(call.arrival // width), Counter())[key(call)] += 1
    return bins


def stacked(name, bins, step, layers, unit=1, more="", **size):
    """What was counted, a second, one layer on the other, from the first time to the last. layers are (key, title, colour)."""
    rows = []
    for n in range(min(bins), max(bins) + 2):
        total, row = 0, [round(n * step, 6)]
        for key, _, _ in layers:
            total += bins.get(n, {}).get(key, 0) / step
            row.append(round(total, 3))
        rows.append(row)
    drawn = [f"$t using ($1*{unit}):{n + 2} with fillsteps lc rgb '{colour}' title '{text}'"
             for n, (_, text, colour) in reversed(list(enumerate(layers)))]
    return gnuplot(name, block("t", rows) + f"""
set xlabel '{"milliseconds" if unit == 1000 else "seconds"} since the opening' textcolor rgb '{INK}'
set ylabel 'calls a second' textcolor rgb '{INK}'
set xrange [{rows[0][0] * unit}:{rows[-1][0] * unit}]
set yrange [0:*]
{more}
plot {", ".join(drawn)}
""", **size)


def timeline(name, calls, **size):
    """Calls a second by their answer."""
    first, last = calls[0].arrival, calls[-1].arrival
    width = next((w for w in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (last - first) / w <= 80), 1)
    codes = ["OK"] + [code for code, _ in Counter(c.code for c in calls if not c.ok).most_common()]
    shown = codes[:1 + len(REFUSED)]
    colours = [ACCEPTED] + REFUSED
    bins = binned(calls, width, lambda call: call.code if call.code in shown else shown[-1])
    return stacked(name, bins, width, [(code, title(code), colour) for code, colour in zip(shown, colours)],
                   unit=1000 if last < 2 else 1, **size)


def enrolments(calls):
    return [call for call in calls if call.ok and call.function == "enroll"]


def wave_timeline(calls):
    """Enrolments a second, by wave."""
    layers = [(wave, group, colour) for wave, (group, colour) in enumerate(zip(waves.GROUPS, WAVES))]
    return stacked("waves", binned(enrolments(calls), 0.25, lambda call: waves.wave_of(call.person)), 0.25, layers,
                   more="set ylabel 'enrolments a second'\n" + marks())


def marks():
    """Lines where something was opened or changed."""
    times = [waves.opens_at(wave) for wave in range(len(waves.GROUPS))] + [waves.THINK_AGAIN[0], waves.SEATS_ADDED_AT]
    return "\n".join(f"set arrow from {at}, graph 0 to {at}, graph 1 nohead lc rgb '{INK}' lw 0.7 dt 3" for at in times)


def line_lengths(lines):
    """How many wait in all lines, and in the longest ones."""
    shown = lines.longest[:len(REFUSED)]
    end = max((at for at, _ in lines.all), default=1) + 1
    data = block("all", [*lines.all, (end, lines.all[-1][1])])
    curves = [f"$all using 1:2 axes x1y2 with fillsteps lc rgb '#dfe5ea' title 'all lines (right)'"]
    for n, section in enumerate(shown):
        curve = lines.of_sections[section]
        data += block(f"l{n}", [*curve, (end, curve[-1][1])])
        curves.append(f"$l{n} using 1:2 with steps lw 2 lc rgb '{REFUSED[n]}' title '{lines.names[section]}'")
    return gnuplot("lines", data + f"""
set border 11 lc rgb '{INK}' lw 0.7
set xlabel 'seconds since the opening' textcolor rgb '{INK}'
set ylabel 'in line for a section' textcolor rgb '{INK}'
set y2label 'in all lines' textcolor rgb '{INK}'
set y2tics nomirror
set xrange [0:{end}]
set yrange [0:{1.08 * lines.peak(shown[0])[0] if shown else 1}]
set y2range [0:{1.08 * max(length for _, length in lines.all) or 1}]
set key maxrows 2
{marks()}
plot {", ".join(curves)}
""")


def wave_timeline_text(calls, lines):
    """Both plots in letters: enrolments a second, and how many are in all lines."""
    end = max([call.arrival for call in calls] + [at for at, _ in lines.all])
    bins = binned(enrolments(calls), 0.5, lambda call: waves.wave_of(call.person))
    data, curves = "", []
    for wave, group in enumerate(waves.GROUPS):
        rows = [(0.5 * n + 0.25, 2 * bins[n][wave]) for n in sorted(bins) if bins[n][wave]]
        data += block(f"w{wave}", rows or [("NaN", "NaN")])
        curves.append(f"$w{wave} using 1:2 with impulses lt {wave + 1} title '{group}'")
    data += block("all", lines.all)
    result = subprocess.run(["gnuplot"], input=data + f"""
set terminal dumb noenhanced size 100,15
set tics nomirror out scale 0.5
set border 3
set xrange [0:{end}]
set yrange [0:*]
set key outside top left horizontal samplen 1 width 3
set title 'enrolments a second'
plot {", ".join(curves)}
set key off
set title 'waiting in all lines'
plot $all using 1:2 with steps
""", text=True, capture_output=True, check=False)
    if result.returncode:
        raise SystemExit(f"gnuplot: {result.stderr.strip()}")
    return "\n".join(line.rstrip() for line in result.stdout.replace("\f", "").splitlines() if line.strip())


def write_svg(path, svg):
    with open(path, "w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n' + svg)


def title(code):
    return "accepted" if code == "OK" else code.replace("_", " ").lower()


def latency_curves(rushes):
    """The share of calls that were answered within a time."""
    kinds = {}
    for rush, calls in rushes.items():
        for call in calls:
            kinds.setdefault(call.function, []).append(call.latency)
    data, curves = "", []
    for n, (function, latencies) in enumerate(kinds.items()):
        latencies.sort()
        steps = min(len(latencies), 400)
        rows = [(f"{percentile(latencies, i / steps):.4f}", 100 * i / steps) for i in range(1, steps + 1)]
        data += block(f"l{n}", rows)
        curves.append(f"$l{n} with lines lw 2.2 lc rgb '{LINES[n % len(LINES)]}' title '{function}'")
    return gnuplot("latency", data + f"""
set logscale x
set xlabel 'milliseconds, as the client sees it' textcolor rgb '{INK}'
set ylabel '% of the calls answered' textcolor rgb '{INK}'
set yrange [0:100]
set ytics 0,25,100
set format x '%g'
plot {", ".join(curves)}
""")


def hottest_sections(rows):
    """Bars: how many wanted a section, how many got in, and how many seats there are."""
    data = [(f'"{label}"', wanted, taken, seats) for label, wanted, taken, seats in rows]
    return gnuplot("sections", block("s", data) + f"""
set xtics rotate by -40 font ',11' scale 0
set xrange [-0.6:{len(rows) - 0.4}]
set yrange [0:*]
set ylabel 'students' textcolor rgb '{INK}'
plot $s using ($0-0.21):2:(0.38) with boxes lc rgb '#cbd2d9' title 'pressed for it', \\
     $s using ($0+0.21):3:(0.38) with boxes lc rgb '{ACCEPTED}' title 'got in', \\
     $s using ($0+0.21):4:(0.24):(0) with vectors nohead lw 2.5 lc rgb '{INK}' notitle, \\
     $s using ($0-0.03):4:(0.48):(0) with vectors nohead lw 2.5 lc rgb '{INK}' title 'seats', \\
     $s using 0:(0):xtic(1) with points pt -1 notitle
""", height=400)


def coupon_arrivals(issued, refused, quota):
    """Each coupon at the moment its request was sent, and the first requests that came too late."""
    last = max(at for at, _ in issued)
    data = block("i", [(1000 * at, n) for at, n in issued])
    data += block("r", [(1000 * at, quota * (1.05 + 0.1 * (n * 0.618 % 1)))
                        for n, at in enumerate(refused) if at < 2.5 * last] or [("NaN", "NaN")])
    return gnuplot("arrivals", data + f"""
set xlabel 'milliseconds since the opening at which the client pressed' textcolor rgb '{INK}'
set ylabel 'arrival number' textcolor rgb '{INK}'
set xrange [0:{2500 * last}]
set yrange [0:{quota * 1.2}]
set arrow from graph 0, first {quota} to graph 1, first {quota} nohead lc rgb '{INK}' dt 2
plot $i with points pt 7 ps 0.5 lc rgb '{ACCEPTED}' title 'issued', \\
     $r with points pt 7 ps 0.25 lc rgb '{REFUSED[0]}' title 'exhausted'
""")


# Page -------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7fa; color: #1f2933; font: 16px/1.5 system-ui, Helvetica, Arial, sans-serif; }
main { max-width: 980px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 34px; line-height: 1.15; margin: 0 0 8px; letter-spacing: -0.02em; }
h2 { font-size: 20px; margin: 0 0 4px; }
p { margin: 0 0 12px; color: #52606d; }
section { background: #fff; border: 1px solid #e4e7eb; border-radius: 10px; padding: 22px 24px; margin-top: 20px; }
.numbers { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; margin-top: 24px; }
.numbers div { background: #fff; border: 1px solid #e4e7eb; border-radius: 10px; padding: 14px 18px; color: #52606d;
               font-size: 14px; }
.numbers b { display: block; font-size: 28px; line-height: 1.2; color: #1f2933; font-variant-numeric: tabular-nums; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 20px; }
.two section { padding: 22px 18px; }
@media (max-width: 760px) { .numbers, .two { grid-template-columns: 1fr; } }
svg { display: block; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th { text-align: right; font-weight: 600; color: #52606d; border-bottom: 1px solid #cbd2d9; padding: 4px 10px; }
td { text-align: right; padding: 4px 10px; border-bottom: 1px solid #eff1f4; }
td:first-child, th:first-child { text-align: left; padding-left: 0; }
tr.code td { color: #7b8794; border: 0; padding-top: 0; padding-bottom: 2px; font-size: 13px; }
tr.code td:first-child { padding-left: 18px; }
.checks td:first-child { width: 34px; }
.checks td { text-align: left; vertical-align: top; }
.good { color: #1f8a70; font-weight: 700; } .bad { color: #d1495b; font-weight: 700; }
summary { cursor: pointer; } summary::marker { color: #9aa5b1; }
pre { background: #f5f7fa; border-radius: 6px; padding: 12px; font-size: 12.5px; overflow-x: auto; }
"""


def table_html(rows):
    head = "".join(f"<th>{h}</th>" for h in ("", "calls", "accepted", "refused", "calls a second", "p50 ms", "p95 ms", "p99 ms"))
    body = []
    for row in rows:
        cells = (row.name, f"{row.calls:,}", f"{row.accepted:,}", f"{row.refused:,}", f"{row.rate:,.0f}",
                 f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.p99:.1f}")
        body.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
        body += [f'<tr class="code"><td>{code}</td><td></td><td></td><td>{count:,}</td><td colspan="4"></td></tr>'
                 for code, count in row.codes]
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def checks_html(checks):
    rows = []
    for rush, what, wanted, got, query in checks:
        mark = '<span class="good">✓</span>' if got == wanted else '<span class="bad">✗</span>'
        rows.append(f"<tr><td>{mark}</td><td><details><summary>{html.escape(what)}: <b>{got:,}</b></summary>"
                    f"<pre>{html.escape(query)}</pre></details></td><td>{html.escape(rush)}</td></tr>")
    return f'<table class="checks">{"".join(rows)}</table>'


def section(heading, text, content):
    return f"<section><h2>{html.escape(heading)}</h2><p>{html.escape(text)}</p>{content}</section>"


def write(path, headline, introduction, numbers, sections):
    """Writes the page. numbers are pairs (number, what it is); sections are HTML."""
    cards = "".join(f"<div><b>{html.escape(number)}</b>{html.escape(what)}</div>" for number, what in numbers)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(headline)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{html.escape(headline)}</h1>
<p>{html.escape(introduction)}</p>
<div class="numbers">{cards}</div>
{"".join(sections)}
</main>
</body>
</html>
""")
