"""Reads the processor time of a process and its descendants from Linux's /proc."""

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pid: int, proc: Path = PROC) -> float:
    """Returns the user and system time of the process, its living descendants,
    and its ended children.

    Raises FileNotFoundError if the process does not exist. Source: proc_pid_stat(5).
    """
    # utime and stime, and cutime and cstime of the children that have ended.
    return sum(sum(int(field) for field in fields[11:15]) for fields in tree(pid, proc).values()) / _TICKS


def nanoseconds(pid: int, proc: Path = PROC) -> int:
    """Returns the processor time of the process alone, more exactly than ``seconds``.
    Source: Linux, Documentation/scheduler/sched-stats.rst.
    """
    return int((proc / str(pid) / "schedstat").read_text().split()[0])


def tree(pid: int, proc: Path = PROC) -> dict[int, list[str]]:
    """Returns the ids of the process and its living descendants, each with the fields of its stat
    file from the third on.

    Raises FileNotFoundError if the process does not exist. Source: proc_pid_stat(5).
    """
    children: dict[int, list[int]] = {}
    stats: dict[int, list[str]] = {}
    for folder in proc.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The process name, in parentheses, may contain any character. After it comes field 3.
        fields = stat[stat.rindex(")") + 1 :].split()
        children.setdefault(int(fields[1]), []).append(int(folder.name))
        stats[int(folder.name)] = fields
    if pid not in stats:
        raise FileNotFoundError(f"There is no process {pid}.")
    result, waiting = {}, [pid]
    while waiting:
        process = waiting.pop()
        result[process] = stats[process]
        waiting += children.get(process, ())
    return result
