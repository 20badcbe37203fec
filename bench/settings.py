"""How long and with how many is measured: what the environment says, or else what
a benchmark says, or else this."""

import os

CLIENTS = int(os.environ.get("CLIENTS", 32))
FULL = os.environ.get("FULL", "") not in ("", "0")

DEFAULT_ROUNDS, DEFAULT_SECONDS = 5, 2


def rounds(declared=0):
    return int(os.environ.get("ROUNDS", 0)) or declared or DEFAULT_ROUNDS


def seconds(declared=0):
    return int(os.environ.get("SECONDS", 0)) or declared or DEFAULT_SECONDS
