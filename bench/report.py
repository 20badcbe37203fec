"""Figures from runs, and the table and the file that tell them."""

import glob
import json
import os
import platform
import statistics
import subprocess

import plot
import shown
from cluster import CONF, PRELOAD_CONF, TOP
from declare import Bound
from pgbench import WARM_UP
from shown import short

OUT = f"{TOP}/build/bench"

SETTINGS = (
    "server_version shared_buffers max_wal_size checkpoint_timeout autovacuum fsync synchronous_commit"
    " wal_sync_method wal_level commit_delay max_connections shared_preload_libraries fcfs.max_pools"
).split()


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1048576
    return {
        "processor": models[0] if models else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0],
    }


def revision():
    """What was measured: the commit, and whether sources differ from it."""

    def git(*arguments):
        return subprocess.run(["git", "-C", TOP, *arguments], capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "src", "Makefile", "pg_fcfs.control")
    return (commit or "unknown") + (" and changes" if changed else "")


def settings(cluster):
    return {name: cluster.sql(f"SELECT current_setting('{name}', true)") for name in SETTINGS}


def spread(numbers):
    return {"median": statistics.median(numbers), "min": min(numbers), "max": max(numbers)}


def cost(runs):
    return statistics.median(run.cost for run in runs)


def figure(declared, runs):
    """What a Ratio or a Bound says of the runs of its sides."""
    of = [run.figure for run in runs[declared.of]]
    result = {"what": declared.what, "of": declared.of, "of_figure": spread(of), "of_cost": cost(runs[declared.of])}
    if isinstance(declared, Bound):
        value = result["of_figure"]
    else:
        against = [run.figure for run in runs[declared.against]]
        pairs = list(zip(of, against))
        result["against"] = declared.against
        result["against_figure"] = spread(against)
        result["against_cost"] = cost(runs[declared.against])
        result["ratio"] = value = spread([b / a if declared.at_most else a / b for a, b in pairs])
        result["at_least"] = declared.at_least
    result["at_most"] = declared.at_most
    if declared.at_most:
        result["holds"] = value["median"] <= declared.at_most
    elif declared.at_least:
        result["holds"] = value["median"] >= declared.at_least
    return result


def told(numbers):
    if numbers["min"] == numbers["max"]:
        return short(numbers["median"])
    return f"{short(numbers['median'])} ({short(numbers['min'])}..{short(numbers['max'])})"


def side(result, which):
    spent = result[f"{which}_cost"]
    text = f"{result[which]}: {told(result[which + '_figure'])}"
    return text + (f", {short(spent)} µs" if 0 < spent < 10000 else "")


def row(result):
    bound = f"at most {result['at_most']:g}" if result.get("at_most") else ""
    bound = f"at least {result['at_least']:g}" if result.get("at_least") else bound
    holds = {True: "yes", False: "**no**", None: ""}[result.get("holds")]
    cells = [
        result["what"],
        side(result, "of"),
        side(result, "against") if "against" in result else "",
        told(result["ratio"]) if "ratio" in result else "",
        bound,
        holds,
    ]
    return "| " + " | ".join(cells) + " |"


def markdown(report, plots):
    about = report["machine"]
    lines = [
        f"Revision {report['revision']}, {report['started']}, {report['minutes']:.1f} minutes. "
        f"PostgreSQL {report['settings']['server_version']}, {about['system']}, "
        f"{about['processors']} x {about['processor']}, {about['memory_gb']} GB.",
        "",
        f"{report['clients']} clients unless said otherwise (pgbench -j 2 -M prepared on the same machine), "
        f"{report['rounds']} rounds of {report['seconds']} s, or fewer and shorter where the list of benchmarks"
        f" says so, after {WARM_UP} s of warm-up, sides in turn. "
        f"Settings: {', '.join(CONF + PRELOAD_CONF)}.",
        "",
        "Claims or answers a second: median (lowest..highest round), and what one cost in microseconds of"
        " processor, client and server together. The ratio is the median of the rounds' ratios.",
        "",
        "| what | measured | against | ratio | contract | holds |",
        "|---|---|---|---|---|---|",
    ]
    lines += [row(result) for result in report["figures"]]
    lines += [""] + report["notes"]
    lines += programs(report["runs"])
    for declared in plots:
        lines += ["", f"## {declared.title}", "", f"![{declared.title}]({declared.file}.svg)", ""]
        lines += shown.table(declared, report["runs"])
    return "\n".join(lines) + "\n"


def programs(runs):
    """What clients other than pgbench told of themselves, medians."""
    told = {name: side for name, side in runs.items() if any(run["told"] for run in side)}
    if not told:
        return []
    lines = ["", "| side | ms: p50 | p95 | p99 | what the clients told |", "|---|---|---|---|---|"]
    for name, side in told.items():
        cells = [short(statistics.median(run["latency"][p] for run in side)) for p in ("50", "95", "99")]
        further = [f"{key.replace('_', ' ')} {short(statistics.median(run['told'][key] for run in side))}" for key in side[0]["told"]]
        lines.append("| " + " | ".join([name, *cells, ", ".join(further)]) + " |")
    return lines


def noise_note(runs):
    """How quiet the machine was, so that readers know what a figure is worth."""
    all_runs = [run for side in runs for run in side if run.calls]
    if not all_runs:
        return []
    foreign = spread([100 * run.foreign for run in all_runs])
    stolen = spread([100 * run.stolen for run in all_runs])
    loud = sum(run.foreign > 0.05 or run.stolen > 0.02 for run in all_runs)
    return [
        f"Noise: other processes and the kernel used {foreign['median']:.1f}% of the processors"
        f" ({foreign['min']:.1f}..{foreign['max']:.1f}), the host took {stolen['median']:.1f}%"
        f" ({stolen['min']:.1f}..{stolen['max']:.1f});"
        f" {loud} of {len(all_runs)} runs had more than 5% or 2%."
        + (" The machine was not quiet: repeat this before you believe it." if 4 * loud > len(all_runs) else "")
    ]


def write(report, benchmarks):
    """The files, with the plots of which all sides were measured."""
    plots = [declared for benchmark in benchmarks.values() for declared in benchmark.plots]
    plots = [declared for declared in plots if all(side in report["runs"] for side in shown.sides(declared))]
    os.makedirs(OUT, exist_ok=True)
    for old in glob.glob(f"{OUT}/*.svg") + glob.glob(f"{OUT}/result.*"):
        os.remove(old)
    with open(f"{OUT}/result.json", "w") as file:
        json.dump(report, file, indent=1)
    for declared in plots:
        plot.draw(declared, report["runs"], f"{OUT}/{declared.file}.svg")
    with open(f"{OUT}/result.md", "w") as file:
        file.write(markdown(report, plots))
