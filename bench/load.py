"""wrk: sends requests to the server over loopback,
and measures what they cost the server and PostgreSQL.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.output import Mistake
from bench import cpu
from bench.figures import BenchmarkError, Sample
from bench.operations import Operation, Pair

_LUA = Path(__file__).with_name("wrk.lua")


def program() -> str:
    """Returns the path of wrk. Raises Mistake if it is not installed."""
    path = shutil.which("wrk")
    if path is None:
        raise Mistake("The benchmark needs wrk, which is not installed: apt install wrk")
    return path


def write_requests(path: Path, operation: Operation, pairs: Sequence[Pair]) -> None:
    """Writes the file for wrk.lua: all pairs with the first body,
    then all pairs with the next one.
    """
    lines = (
        "\t".join((operation.method, operation.path.format(lead=pair.lead), pair.key, body))
        for body in operation.bodies
        for pair in pairs
    )
    path.write_text("\n".join(lines) + "\n")


def summary(report: str) -> dict[str, Any]:
    """Returns the summary that wrk.lua prints. Raises BenchmarkError."""
    lines = [line for line in report.splitlines() if line.startswith("{")]
    if not lines:
        raise BenchmarkError(f"wrk printed no summary, but: {report.strip()}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def run(base: str, requests: Path, *, connections: int, seconds: int, server: int, postmaster: int) -> Sample:
    """Runs wrk on the file of requests.
    Raises BenchmarkError if a response is not 2xx or is missing.
    """
    command = [program(), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(_LUA)]
    command += [base, "--", str(requests)]
    front, postgres = cpu.seconds(server), cpu.seconds(postmaster)
    process = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    front, postgres = cpu.seconds(server) - front, cpu.seconds(postmaster) - postgres
    if process.returncode != 0:
        raise BenchmarkError(f"wrk failed: {(process.stderr or process.stdout).strip()}")
    result = summary(process.stdout)
    if result["refused"] or result["broken"] or not result["requests"]:
        raise BenchmarkError(
            "wrk: {refused} of {requests} requests were refused, and {broken} failed.".format(**result)
        )
    return Sample(
        requests=result["requests"],
        seconds=result["microseconds"] / 1e6,
        front=front,
        postgres=postgres,
        p50=result["p50"] / 1e3,
        p99=result["p99"] / 1e3,
    )
