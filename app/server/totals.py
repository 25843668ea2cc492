"""What a server process has counted for the metrics (app/metrics.py), and the files in which the server
processes of ``leads serve`` leave it.

A request only adds to numbers of its process. Twice a second the process writes them into its file,
and the process with the metrics' address adds up the files of all. A process takes the first file that
no other has locked, and counts on from the numbers in it. So a process that is killed loses what it has
counted for half a second, and no sum ever decreases.

The files are not the shared memory of prometheus_client's own mode for several processes: to write to
a mapped file on a full disk ends the process, and each update costs a microsecond.
"""

import asyncio
import contextlib
import fcntl
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = "LEADS_METRICS_FOLDER"
"""The variable that tells the server processes the folder. ``leads serve`` sets it."""

PERIOD = 0.5
"""Seconds between two writings of a process's file."""

BOUNDS = (0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0)
"""The upper bounds of the histogram of request durations, in seconds."""

Label = tuple[str, str]
"""The method and the path of a route."""

UNMATCHED: Label = ("other", "unmatched")
"""The label of requests that no route answers."""

_NEW_CELL = [0] * (len(BOUNDS) + 1) + [0.0]


class Totals:
    """The numbers of one process. They only increase."""

    def __init__(self) -> None:
        self.requests: dict[tuple[Label, int], list[float]] = {}
        """For each route and status: the number of requests up to each bound, the number of longer
        ones, and the seconds of all.
        """
        self.statements: dict[str, list[float]] = {}
        """For each function of the database: the number of its statements, and the seconds of all."""
        self.reconnects = 0
        self.reads: dict[tuple[str, str], int] = {}
        """The reads of an installation with replicas, by the server that has answered and, if it was the
        primary, the reason.
        """

    def add_request(self, label: Label, status: int, seconds: float) -> None:
        """Counts a request."""
        cell = self.requests.get((label, status))
        if cell is None:
            cell = self.requests[label, status] = _NEW_CELL.copy()
        cell[bisect_left(BOUNDS, seconds)] += 1
        cell[-1] += seconds

    def add_statement(self, function: str, seconds: float) -> None:
        """Counts a statement that PostgreSQL has answered."""
        cell = self.statements.get(function)
        if cell is None:
            cell = self.statements[function] = [0, 0.0]
        cell[0] += 1
        cell[1] += seconds

    def add_read(self, target: str, reason: str) -> None:
        """Counts a read of an installation with replicas."""
        self.reads[target, reason] = self.reads.get((target, reason), 0) + 1

    def add(self, other: "Totals") -> None:
        """Adds the numbers of another process."""
        add_cells(self.requests, other.requests)
        add_cells(self.statements, other.statements)
        self.reconnects += other.reconnects
        for key, count in other.reads.items():
            self.reads[key] = self.reads.get(key, 0) + count

    def to_json(self) -> dict[str, Any]:
        """The numbers, as an object of JSON."""
        return {
            "requests": [[*label, status, *cell] for (label, status), cell in self.requests.items()],
            "statements": [[function, *cell] for function, cell in self.statements.items()],
            "reconnects": self.reconnects,
            "reads": [[*key, count] for key, count in self.reads.items()],
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Totals":
        """The numbers of ``to_json``."""
        totals = cls()
        totals.requests = {((method, path), status): cell for method, path, status, *cell in stored["requests"]}
        totals.statements = {function: cell for function, *cell in stored["statements"]}
        totals.reconnects = stored["reconnects"]
        totals.reads = {(target, reason): count for target, reason, count in stored["reads"]}
        return totals


def add_cells(sums: dict[Any, list[float]], others: Mapping[Any, list[float]]) -> None:
    """Adds the numbers of each key to those that the sums have for it."""
    for key, cell in others.items():
        sums[key] = [a + b for a, b in zip(sums[key], cell, strict=True)] if key in sums else cell.copy()


class File:
    """The file of this process, from its creation until the process ends."""

    def __init__(self, folder: Path) -> None:
        number = 0
        while True:
            # The system releases the lock when the process ends, however it ends.
            self._lock = (folder / f"{number}.lock").open("wb")
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            self._lock.close()
            number += 1
        self._path = folder / f"{number}.json"
        self._written = ""
        self.totals = _read(self._path)[0]
        """What this process counts, and what earlier processes with this file have counted."""

    def write(self, gauges: Mapping[str, float]) -> None:
        """Replaces the numbers in the file. If that fails, the next call writes them."""
        text = json.dumps({"totals": self.totals.to_json(), "gauges": gauges}, separators=(",", ":"))
        if text == self._written:
            return
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            new.write_text(text, encoding="utf-8")
            new.replace(self._path)
            self._written = text

    async def write_forever(self, gauges: Callable[[], Mapping[str, float]]) -> None:
        """Replaces the numbers every PERIOD."""
        while True:
            self.write(gauges())
            await asyncio.sleep(PERIOD)

    def close(self) -> None:
        """Leaves the file to another process."""
        self._lock.close()


def collect(folder: Path) -> tuple[Totals, list[dict[str, float]]]:
    """The sum of all files, and the gauges of each process that runs."""
    sums, all_gauges = Totals(), []
    for path in folder.glob("*.json"):
        totals, gauges = _read(path)
        sums.add(totals)
        if _is_locked(path.with_suffix(".lock")):
            all_gauges.append(gauges)
    return sums, all_gauges


def _is_locked(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read(path: Path) -> tuple[Totals, dict[str, float]]:
    try:
        stored = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Totals(), {}
    return Totals.of_json(stored["totals"]), stored["gauges"]
