"""wrk: requests to the server over loopback, and what they cost it and PostgreSQL."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.output import Mistake
from bench import cpu
from bench.figures import Sample, Spoilt
from bench.operations import Operation, Pair

_LUA = Path(__file__).with_name("wrk.lua")


def program() -> str:
    """Where wrk is. Raises Mistake where it isn't."""
    found = shutil.which("wrk")
    if found is None:
        raise Mistake("The benchmark sends its requests with wrk, which is not installed: apt install wrk")
    return found


def write_requests(path: Path, operation: Operation, pairs: Sequence[Pair]) -> None:
    """Writes what wrk.lua reads: all pairs with the first body, then all with the next."""
    lines = (
        "\t".join((operation.method, operation.path.format(lead=pair.lead), pair.key, body))
        for body in operation.bodies
        for pair in pairs
    )
    path.write_text("\n".join(lines) + "\n")


def summary(report: str) -> dict[str, Any]:
    """What wrk.lua says at the end. Raises Spoilt."""
    lines = [line for line in report.splitlines() if line.startswith("{")]
    if not lines:
        raise Spoilt(f"wrk gives no summary, but: {report.strip()}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def run(base: str, requests: Path, *, connections: int, seconds: int, server: int, postmaster: int) -> Sample:
    """Runs wrk on the file of requests. Raises Spoilt where any answer is no 2xx, or none comes."""
    command = [program(), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(_LUA)]
    command += [base, "--", str(requests)]
    front, postgres = cpu.seconds(server), cpu.seconds(postmaster)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    front, postgres = cpu.seconds(server) - front, cpu.seconds(postmaster) - postgres
    if ran.returncode != 0:
        raise Spoilt(f"wrk failed: {(ran.stderr or ran.stdout).strip()}")
    found = summary(ran.stdout)
    if found["refused"] or found["broken"] or not found["requests"]:
        raise Spoilt("wrk: of {requests} requests {refused} were refused, and {broken} failed.".format(**found))
    return Sample(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        front=front,
        postgres=postgres,
        p50=found["p50"] / 1e3,
        p99=found["p99"] / 1e3,
    )
