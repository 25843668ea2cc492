"""pgbench: the processor time of PostgreSQL and a minimal client for the statements that the server
sends.

All clients run one script, so that a session prepares each statement once, like the server. A
script for each key and lead would double the cost of a read. Instead, each client reads another key
and lead from the table ``bench.pair`` every few turns.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app import embedded
from app.session import SERVER
from bench import cpu
from bench.figures import BenchmarkError, Sample, less
from bench.operations import PAIRS, Call, Pair

_PROCESSED = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A script for pgbench, and the variables that it needs."""

    text: str
    variables: dict[str, str]
    calls: int
    """The number of the server's statements in the script."""


def script(calls: Sequence[Call], pair: Pair, *, turns: int, clients: int) -> Script:
    """Returns a script with the calls of the pair.
    Every few turns, a client replaces the pair by another one.

    In prepared mode, a variable is a parameter, and an undefined variable is NULL.
    No two clients share a pair.
    """
    # The organization comes last, because it replaces the digest if a statement starts with it.
    names = {calls[0].digest: "digest", pair.lead: "lead", pair.organization: "organization"}
    pair_names = len(names)

    def statement(call: Call) -> str:
        def name(placeholder: re.Match[str]) -> str:
            value = call.values[int(placeholder[1]) - 1]
            return ":nothing" if value is None else ":" + names.setdefault(value, f"v{len(names)}")

        return re.sub(r"\$(\d+)", name, call.text) + ";"

    share = PAIRS // clients
    lines = [
        f"\\if :turn % {turns} = 0",
        f"\\set n :client_id * {share} + :turn / {turns} % {share}",
        "select p.digest, p.lead, p.organization from bench.pair as p where p.n = :n \\gset",
        "\\endif",
        "\\set turn :turn + 1",
        *map(statement, calls),
    ]
    variables = {name: value for value, name in list(names.items())[pair_names:]}
    return Script("\n".join(lines) + "\n", {"turn": "0", **variables}, len(calls))


def counts(report: str) -> tuple[int, int]:
    """Returns the numbers of processed and failed transactions in pgbench's report.
    Raises BenchmarkError.
    """
    processed, failed = _PROCESSED.search(report), _FAILED.search(report)
    if processed is None or failed is None:
        raise BenchmarkError(f"pgbench printed no counts, but: {report.strip()}")
    return int(processed[1]), int(failed[1])


def run(url: str, script: Script, *, clients: int, seconds: int, postmaster: int) -> Sample:
    """Runs pgbench with sessions like the server's. Raises BenchmarkError if anything fails.

    The cost of connecting and preparing is measured and subtracted,
    because the server's connections are already open.
    """
    start = _run(url, script, clients, ["-t", "1"], postmaster)
    return less(_run(url, script, clients, ["-T", str(seconds)], postmaster), start)


def _run(url: str, script: Script, clients: int, duration: list[str], postmaster: int) -> Sample:
    options = " ".join(f"-c {name}={value}" for name, value in SERVER.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script"
        path.write_text(script.text)
        command = [str(embedded.binary("pgbench")), "-n", "-M", "prepared", "-c", str(clients), "-f", str(path)]
        command += [*duration, *(f"-D{name}={value}" for name, value in script.variables.items()), url]
        before, front, start = cpu.seconds(postmaster), _children(), time.monotonic()
        environment = {**os.environ, "PGOPTIONS": options}
        process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        front, elapsed = _children() - front, time.monotonic() - start
    # A session's time is added to its parent's when the session ends,
    # which is shortly after pgbench ends.
    time.sleep(0.5)
    postgres = cpu.seconds(postmaster) - before
    if process.returncode != 0:
        raise BenchmarkError(f"pgbench failed: {process.stderr.strip()}")
    processed, failed = counts(process.stdout)
    if failed or not processed:
        raise BenchmarkError(f"pgbench processed {processed} transactions, and {failed} failed.")
    return Sample(processed * script.calls, elapsed, front, postgres)


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system
