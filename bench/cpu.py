"""Processor time, from Linux's /proc: of a process, of all that descend from it, and of those that it has outlived."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """User and system time of the process, of its descendants that live, and of those that were waited for.

    Raises FileNotFoundError where there is no such process. Source: proc_pid_stat(5).
    """
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for folder in proc.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name before it, in parentheses, may hold anything; what follows begins with field 3.
        fields = stat[stat.rindex(")") + 1 :].split()
        children.setdefault(int(fields[1]), []).append(int(folder.name))
        # utime, stime, and cutime, cstime of the children that were waited for.
        ticks[int(folder.name)] = sum(int(field) for field in fields[11:15])
    if pid not in ticks:
        raise FileNotFoundError(f"There is no process {pid}.")
    total, tree = 0, [pid]
    while tree:
        one = tree.pop()
        total += ticks[one]
        tree += children.get(one, ())
    return total / _TICKS
