"""What else the machine did during a run: the time that processors spent on what
is not ours."""

import os

TICK = os.sysconf("SC_CLK_TCK")


class Noise:
    """Counts from when it is made. `servers` are the processes which, with their
    children, are ours as our own children are."""

    def __init__(self, servers):
        self.servers = servers
        self.machine = machine_time()
        self.ours = self.our_time()

    def our_time(self):
        """Of the servers' processes, ended ones included, and of our children."""
        spent = os.times()
        total = spent.user + spent.system + spent.children_user + spent.children_system
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if pid in self.servers:
                total += sum(map(int, fields[11:15])) / TICK
            elif int(fields[1]) in self.servers:
                total += sum(map(int, fields[11:13])) / TICK
        return total

    def during(self, calls):
        """What a Run tells of the time since then."""
        busy, stolen, whole = (now - then for now, then in zip(machine_time(), self.machine))
        ours = self.our_time() - self.ours
        return {
            "calls": calls,
            "cost": 1e6 * ours / max(calls, 1),
            "foreign": max(0.0, (busy - ours) / whole),
            "stolen": stolen / whole,
        }


def machine_time():
    """Seconds that all processors together were busy, were denied, and had."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    user, nice, system, idle, wait, interrupt, soft_interrupt, stolen = (tick / TICK for tick in ticks)
    busy = user + nice + system + interrupt + soft_interrupt
    return busy, stolen, busy + idle + wait + stolen
