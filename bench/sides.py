"""The compared servers: starts each of them, and checks its responses."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import psycopg

from app.settings import ROOT
from bench import against, server
from bench.api import Api, answers
from bench.check import check
from bench.database import Database
from bench.figures import BenchmarkError
from bench.peers import LOGINS, PEERS, postgrest
from bench.rest import REST
from bench.server import Server

PRODUCT, POSTGREST, AGAINST = "leads", "postgrest", "against"
"""The names of the sides that are not peers."""
_TITLE = "Leads API"
_STARTS = 3
"""Starts of each server that are measured."""
_PATIENCE = 600.0
"""Seconds in which the user must start PostgREST."""


@dataclass(frozen=True)
class Side:
    """A server that runs, and what is known about it before the rounds."""

    title: str
    api: Api
    server: Server
    database: Database
    starts: tuple[float, ...]
    """Seconds of its starts. Empty: the user has started it."""
    sizes: dict[str, int]
    """The bytes of a checked response of each operation."""


@dataclass(frozen=True)
class Starter:
    """Starts servers, which run until the stack ends."""

    connections: int
    """Connections of each server to PostgreSQL."""
    folder: Path
    stack: ExitStack

    def product(self, own: Database) -> Side:
        """Starts the product. Raises BenchmarkError."""
        return self._commit(_TITLE, PRODUCT, own, server.PYTHON, ROOT)

    def peer(self, name: str, own: Database, product: Side) -> Side:
        """Starts a peer. Raises BenchmarkError."""
        peer = PEERS[name]
        environment = {
            "BENCH_DATABASE": own.server.url(peer.login),
            "BENCH_CONNECTIONS": str(self.connections),
            **peer.environment,
        }
        is_ready = partial(answers, peer.api, own.pairs[0])
        launch = partial(server.started, peer.command, environment, self.folder / f"{name}.log", is_ready)
        return self._side(peer.title, peer.api, own, launch, product)

    def against(self, checkout: Path, other: Database) -> Side:
        """Starts another commit of the product. Raises BenchmarkError."""
        return self._commit(f"{_TITLE} at {checkout.name}", AGAINST, other, against.python(checkout), checkout)

    def postgrest(self, base: str, own: Database, product: Side) -> Side:
        """Waits until the user has started PostgREST at the address. Raises BenchmarkError."""
        secret = postgrest.new_secret()
        api = postgrest.api(secret)
        file = self.folder / "postgrest.conf"
        file.write_text(postgrest.settings(base, own.server.url("bench_postgrest"), secret, self.connections))
        click.echo(f"Start PostgREST now: postgrest {file}", err=True)
        end = time.monotonic() + _PATIENCE
        while not answers(api, own.pairs[0], base):
            if time.monotonic() > end:
                raise BenchmarkError(f"{base} did not answer within {_PATIENCE:.0f} s.")
            time.sleep(0.5)
        served = Server(base, postgrest.process(base), 0.0)
        sizes = check("PostgREST", api, base, product.server.base, own.pairs)
        return Side("PostgREST", api, served, own, (), sizes)

    def _commit(self, title: str, name: str, own: Database, python: str, checkout: Path) -> Side:
        """Starts the product, with the Python and the files of a checkout."""
        launch = partial(
            server.started,
            server.serve_command(python),
            {"DATABASE_URL": own.url, "LEADS_CONNECTIONS": str(self.connections)},
            self.folder / f"{name}.log",
            partial(answers, REST, own.pairs[0]),
            checkout,
        )
        return self._side(title, REST, own, launch, None)

    def _side(
        self,
        title: str,
        api: Api,
        own: Database,
        launch: Callable[[], AbstractContextManager[Server]],
        product: Side | None,
    ) -> Side:
        """Starts the server several times, and checks the last one. product: None for the product."""
        starts = []
        for _ in range(_STARTS - 1):
            with launch() as served:
                starts.append(served.start)
        served = self.stack.enter_context(launch())
        sizes = check(title, api, served.base, (product.server if product else served).base, own.pairs)
        return Side(title, api, served, own, (*starts, served.start), sizes)


def create_logins(own: Database) -> None:
    """Creates the logins of the peers in the database."""
    with psycopg.connect(own.superuser_url, autocommit=True) as superuser:
        superuser.execute(LOGINS.read_bytes())
