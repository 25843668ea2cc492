"""Removes each tenant predicate of each function and view in turn, and reports what finds it:
`make mutants`.

The linter reads the definition without the predicate. The scenes run with that definition, without
policies. Afterwards each policy is changed to let every row through, and the scenes run with forged
pins. Two tables with the numbers are at the end.
Exit code 1 if neither the linter nor a scene finds a predicate that is missing.

    make mutants ARGS=crm.lease   only what has a name that begins with crm.lease
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app import embedded
from app.cli import migrate
from tests.isolation.changes import definitions, forged, mutants, policies, without_policies
from tests.isolation.scenes import ALL_SCENES, SCENES, Call
from tests.isolation.world import Outcome, World
from tests.support.database import Database
from tools import lint_sql, pins
from tools.sqltext import Sql

FOUND_BY = {
    (True, True): "linter and scene",
    (True, False): "linter only",
    (False, True): "scene only",
    (False, False): "neither",
}


@dataclass
class Runs:
    """Runs of the scenes with these changes, to which each mutant adds its own."""

    world: World
    scenes: Mapping[str, Sequence[Call]]
    changes: list[str]

    def __post_init__(self) -> None:
        self.expected = {name: self.world.run(calls, *self.changes) for name, calls in self.scenes.items()}

    def noticed(self, statement: str, first: Sequence[str] = ()) -> str | None:
        """The first scene that comes to something else with this change;
        those in ``first`` are tried before.
        """
        for name in sorted(self.scenes, key=lambda name: name not in first):
            if self.world.run(self.scenes[name], *self.changes, statement) != self.expected[name]:
                return name
        return None

    def alone(self, name: str, *more: str) -> Outcome:
        """The scene without the victim: what is different there isn't due to the victim's rows."""
        return self.world.run(self.scenes[name], *self.changes, *more, with_victim=False)


def is_found_by_the_linter(definition: str, mutant: str, tables: pins.Tables) -> bool:
    """Whether the linter has more to say about the mutant than about the definition."""
    before, after = ((_findings(text, tables)) for text in (definition, mutant))
    return after > before


def _findings(text: str, tables: pins.Tables) -> int:
    return sum(code == "tenant-not-pinned" for code, _, _ in lint_sql.findings(Sql(text), tables))


@contextmanager
def _world() -> Iterator[World]:
    """In a cluster that goes with the run: a scene makes roles, which belong to a whole cluster."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server's own user passes it
        with embedded.running(Path(folder), options={"fsync": "off"}) as server:
            with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
                connection.execute("create database mutants owner leads_migrator")
            embedded.harden(server.url("postgres", "mutants"))
            migrate.apply(server.url("leads_migrator", "mutants"))
            world = World(Database(server, "mutants"))
            yield world
            world.close()


def main() -> int:
    prefix = sys.argv[1] if len(sys.argv) > 1 else ""
    start, predicates, found_policies = time.monotonic(), Counter[str](), Counter[str]()
    tables = lint_sql.known_tables(lint_sql.ROOT)
    with _world() as world:
        runs = Runs(world, ALL_SCENES, without_policies(world.connection))
        callers = world.callers(ALL_SCENES)
        for name, definition in definitions(world.connection).items():
            for mutant in mutants(name, definition) if name.startswith(prefix) else ():
                function = name.partition("(")[0]
                scene = runs.noticed(mutant.statement, callers.get(function, ()))
                by = FOUND_BY[is_found_by_the_linter(definition, mutant.statement, tables), scene is not None]
                predicates[by] += 1
                print(f"{function} {mutant.place}: {by}{f' ({scene})' if scene else ''}", flush=True)
        runs = Runs(world, SCENES, forged(world.connection, world.victim.id))
        for name, statement in policies(world.connection).items():
            if name.startswith(prefix):
                scene = runs.noticed(statement)
                by = "scene" if scene else "no scene"
                found_policies[by] += 1
                print(f"{name}: {by}{f' ({scene})' if scene else ''}", flush=True)
    print(f"\nAfter {time.monotonic() - start:.0f} s. Predicates removed: {predicates.total()}. Found by:")
    for by in FOUND_BY.values():
        print(f"  {by:17} {predicates[by]:4}")
    print(f"Policies that let every row through: {found_policies.total()}. Found by:")
    for by, count in sorted(found_policies.items(), reverse=True):
        print(f"  {by:17} {count:4}")
    return 1 if predicates["neither"] else 0


if __name__ == "__main__":
    sys.exit(main())
