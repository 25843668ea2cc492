"""Reads the processor time of a process and its descendants from Linux's /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """Returns the user and system time of the process, its living descendants,
    and its ended children.

    Raises FileNotFoundError if the process does not exist. Source: proc_pid_stat(5).
    """
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for folder in proc.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The process name, in parentheses, may contain any character. After it comes field 3.
        fields = stat[stat.rindex(")") + 1 :].split()
        children.setdefault(int(fields[1]), []).append(int(folder.name))
        # utime and stime, and cutime and cstime of the children that have ended.
        ticks[int(folder.name)] = sum(int(field) for field in fields[11:15])
    if pid not in ticks:
        raise FileNotFoundError(f"There is no process {pid}.")
    total, tree = 0, [pid]
    while tree:
        process = tree.pop()
        total += ticks[process]
        tree += children.get(process, ())
    return total / _TICKS
