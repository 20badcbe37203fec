"""Commands that end when we end: each leads a process group of its own, and the
group goes with us, whatever ends us."""

import os
import signal
import subprocess
import sys

PATIENCE = 20  # seconds that a group has to end by itself


def run(command, **options):
    """subprocess.run, of text, with its process group."""
    given = options.pop("input", None)
    process = start(command, **options)
    try:
        output, errors = process.communicate(given)
    except BaseException:
        end(process)
        raise
    return done(process, output, errors)


def done(process, output, errors):
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def start(command, **options):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def end(process):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue


def stop_on_signals():
    """A signal ends us by way of exit, so that clusters and services go too; one is enough."""

    def leave(number, frame):
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, lambda number, frame: None)
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
