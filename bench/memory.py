"""Reads the memory of a process and its descendants from Linux's /proc."""

from dataclasses import dataclass
from pathlib import Path

from bench import cpu


@dataclass(frozen=True)
class Memory:
    """The memory of one process, in MiB."""

    rss: float
    """All memory that it has mapped and that is in use."""
    pss: float
    """The same, but memory that n processes share counts as one n-th."""


def of(pid: int, proc: Path = cpu.PROC) -> list[Memory]:
    """Returns the memory of the process and its living descendants, the largest first.

    Raises FileNotFoundError if the process does not exist. Source: proc_pid_smaps(5).
    """
    processes = [_read(proc / str(process) / "smaps_rollup") for process in cpu.tree(pid, proc)]
    return sorted(processes, key=lambda memory: -memory.pss)


def _read(path: Path) -> Memory:
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines()[1:])
    return Memory(*(int(fields[name].split()[0]) / 1024 for name in ("Rss", "Pss")))
