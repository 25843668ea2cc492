"""pgbench: what PostgreSQL, and the leanest client there is, need for the statement that the server sends.

A session has one script and so, like the server's, each statement prepared once: a script for each key and lead would
double what a read costs. Its clients take another key and lead from the table ``bench.pair`` every few turns.
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
from bench.figures import Sample, Spoilt, less
from bench.operations import PAIRS, Call, Pair

_PROCESSED = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A script of pgbench, and the variables that it needs."""

    text: str
    variables: dict[str, str]
    calls: int
    """So many statements of the server's are in it."""


def script(calls: Sequence[Call], pair: Pair, *, turns: int, clients: int) -> Script:
    """The calls, made for the pair, one after another, with another pair in its place every so many turns.

    In prepared mode a variable is a parameter, and one that isn't defined is NULL. No two clients share a pair.
    """
    # The organization last: where a statement begins with it, it is no claim.
    names = {calls[0].digest: "digest", pair.lead: "lead", pair.organization: "organization"}
    own = len(names)

    def statement(one: Call) -> str:
        def name(placeholder: re.Match[str]) -> str:
            value = one.values[int(placeholder[1]) - 1]
            return ":nothing" if value is None else ":" + names.setdefault(value, f"v{len(names)}")

        return re.sub(r"\$(\d+)", name, one.text) + ";"

    share = PAIRS // clients
    lines = [
        f"\\if :turn % {turns} = 0",
        f"\\set n :client_id * {share} + :turn / {turns} % {share}",
        "select p.digest, p.lead, p.organization from bench.pair as p where p.n = :n \\gset",
        "\\endif",
        "\\set turn :turn + 1",
        *map(statement, calls),
    ]
    variables = {name: value for value, name in list(names.items())[own:]}
    return Script("\n".join(lines) + "\n", {"turn": "0", **variables}, len(calls))


def counts(report: str) -> tuple[int, int]:
    """How many transactions pgbench's report says were done, and how many failed. Raises Spoilt."""
    processed, failed = _PROCESSED.search(report), _FAILED.search(report)
    if processed is None or failed is None:
        raise Spoilt(f"pgbench gives no counts, but: {report.strip()}")
    return int(processed[1]), int(failed[1])


def run(url: str, given: Script, *, clients: int, seconds: int, postmaster: int) -> Sample:
    """Runs pgbench with so many clients, on sessions like the server's. Raises Spoilt where anything fails.

    What connecting and preparing costs, which the server's connections have behind them, is measured and taken off.
    """
    start = _run(url, given, clients, ["-t", "1"], postmaster)
    return less(_run(url, given, clients, ["-T", str(seconds)], postmaster), start)


def _run(url: str, given: Script, clients: int, how_long: list[str], postmaster: int) -> Sample:
    options = " ".join(f"-c {name}={value}" for name, value in SERVER.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script"
        path.write_text(given.text)
        command = [str(embedded.binary("pgbench")), "-n", "-M", "prepared", "-c", str(clients), "-f", str(path)]
        command += [*how_long, *(f"-D{name}={value}" for name, value in given.variables.items()), url]
        before, front, began = cpu.seconds(postmaster), _children(), time.monotonic()
        environment = {**os.environ, "PGOPTIONS": options}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        front, took = _children() - front, time.monotonic() - began
    # A session's time shows in its parent once it has ended, which it does a little after pgbench.
    time.sleep(0.5)
    postgres = cpu.seconds(postmaster) - before
    if ran.returncode != 0:
        raise Spoilt(f"pgbench failed: {ran.stderr.strip()}")
    done, failed = counts(ran.stdout)
    if failed or not done:
        raise Spoilt(f"pgbench made {done} transactions, and {failed} failed.")
    return Sample(done * given.calls, took, front, postgres)


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system
