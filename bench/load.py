"""wrk: sends requests to a server over loopback,
and measures what they cost the server and PostgreSQL.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.output import Mistake
from bench import cpu
from bench.figures import BenchmarkError, Sample

_LUA = Path(__file__).with_name("wrk.lua")

_LEAST = 0.6
"""The mean size of the responses, compared with one that was checked. GraphQL reports errors in short
responses of 200. Pages get shorter too, because events differ in size.
"""


@dataclass(frozen=True)
class Request:
    """An HTTP request. headers: without Host and Content-Length."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""


def program() -> str:
    """Returns the path of wrk. Raises Mistake if it is not installed."""
    path = shutil.which("wrk")
    if path is None:
        raise Mistake("The benchmark needs wrk, which is not installed: apt install wrk")
    return path


def write_requests(path: Path, requests: Iterable[Request]) -> None:
    """Writes the file for wrk.lua."""
    lines = (
        "\t".join(
            [request.method, request.path, request.body, *(f"{name}: {value}" for name, value in request.headers)]
        )
        for request in requests
    )
    path.write_text("\n".join(lines) + "\n")


def summary(report: str) -> dict[str, Any]:
    """Returns the summary that wrk.lua prints. Raises BenchmarkError."""
    lines = [line for line in report.splitlines() if line.startswith("{")]
    if not lines:
        raise BenchmarkError(f"wrk printed no summary, but: {report.strip()}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def run(base: str, requests: Path, *, clients: int, seconds: int, server: int, postmaster: int, size: int) -> Sample:
    """Runs wrk on the file of requests.

    clients: connections to the server, each of which sends one request at a time.
    server, postmaster: the processes whose processor time is measured, with their descendants.
    size: the bytes of a response that was checked.
    Raises BenchmarkError if there are no responses, or if they are much shorter than that.
    """
    command = [program(), "-t", "1", "-c", str(clients), "-d", f"{seconds}s", "--timeout", "10s", "-s", str(_LUA)]
    command += [base, "--", str(requests)]
    front, postgres = cpu.seconds(server), cpu.seconds(postmaster)
    process = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    front, postgres = cpu.seconds(server) - front, cpu.seconds(postmaster) - postgres
    if process.returncode != 0:
        raise BenchmarkError(f"wrk failed: {(process.stderr or process.stdout).strip()}")
    return sample(summary(process.stdout), front, postgres, size)


def sample(result: dict[str, Any], front: float, postgres: float, size: int) -> Sample:
    """Returns the sample of wrk's summary. Raises BenchmarkError."""
    if not result["requests"]:
        raise BenchmarkError(f"wrk got no response, and {result['broken']} requests failed.")
    if result["bytes"] / result["requests"] < size * _LEAST:
        raise BenchmarkError(
            f"The responses have {result['bytes'] / result['requests']:.0f} bytes, and one that was checked had {size}."
        )
    return Sample(
        requests=result["requests"],
        seconds=result["microseconds"] / 1e6,
        front=front,
        postgres=postgres,
        p50=result["p50"] / 1e3,
        p99=result["p99"] / 1e3,
        failures=result["refused"] + result["broken"],
    )
