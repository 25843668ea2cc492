"""``make worst``: the requests that cost the most processor time and memory for their size.

It sends requests that are made to be expensive, and random ones of the same building blocks, each to one server process
with one connection. The cost is what a request takes above an empty one, in the server and in its backend. The worst
come first, those that are accepted in a table of their own: these store up to 200 signals. Exit code 1: a refused
request costs more than LIMIT_MS or LIMIT_MB.
"""

import itertools
import json
import os
import random
import re
import string
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import click
import psycopg
from rich.console import Console
from rich.table import Table

from app import embedded
from app.cli.keys import digest
from app.cli.migrate import apply
from app.server.request import MAX_QUERY
from bench import server
from bench.command import end_on_sigterm
from tests.support.keys import new_key

LIMIT_MS = 20.0
LIMIT_MB = 16.0
_MAX_BODY = 64 * 1024
"""Bytes of a body, as most routes accept it."""
_TIMES = 5
"""How often an expensive request is repeated. The least time counts: others only add to it."""
_MAX_HEADERS = 60_000
"""Bytes of one header."""
_CHANGES = 8
"""Building blocks of a random body."""


@dataclass(frozen=True)
class Attempt:
    """A request. path: of a lead that exists if it contains {id}."""

    name: str
    method: str
    path: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Milliseconds of the server and of PostgreSQL, and MiB by which the larger one's peak grew."""

    attempt: Attempt
    status: int
    server: float
    backend: float
    mebibytes: float

    @property
    def milliseconds(self) -> float:
        return self.server + self.backend

    @property
    def is_too_high(self) -> bool:
        # A request that succeeds stores up to 200 signals, each with its event in the audit log.
        return self.status >= 400 and (self.milliseconds > LIMIT_MS or self.mebibytes > LIMIT_MB)


def filled(
    prefix: str, unit: str | Callable[[int], str], suffix: str, separator: str = ",", size: int = _MAX_BODY
) -> str:
    """A text of almost ``size`` bytes: prefix, as many units as fit, suffix."""
    units: list[str] = []
    left = size - len((prefix + suffix).encode())
    for number in itertools.count():
        text = unit if isinstance(unit, str) else unit(number)
        left -= len((text + separator).encode())
        if left < 0:
            return prefix + separator.join(units) + suffix
        units.append(text)
    raise AssertionError


def bodies() -> dict[str, str]:
    """Bodies of up to 64 KiB, by their names."""

    def nested(levels: int, inner: str) -> str:
        return '{"a":' * levels + inner + "}" * levels

    keys = filled("{", lambda n: f'"{n:x}":1', "}", size=_MAX_BODY - 6 * 30)
    value = ",".join(f'"k{n:x}":"v"' for n in range(24))

    def signals(*texts: str, last: str = ',{"type":"t"}', count: int = 199) -> str:
        value = ",".join(f'"{letter}":{text}' for letter, text in zip(string.ascii_letters, texts, strict=False))
        units = (f'{{"type":"t{n:x}","value":{{{value}}}}}' for n in range(count))
        return '{"signals":[' + ",".join(units) + last + "]}"

    made = {
        **{f"{name}: exponents": filled(f'{{"{name}":[', "1e131071", "]}") for name in ("name", "email", "x")},
        "lead_score: an exponent": '{"email":"a@example.com","lead_score":1e131071}',
        "lead_score: 65,000 digits": '{"email":"a@example.com","lead_score":' + "9" * 65_000 + "}",
        "lead_score: decimals": '{"email":"a@example.com","lead_score":0.' + "9" * 16_300 + "}",
        "many keys": keys,
        "many keys with exponents": filled("{", lambda n: f'"{n:x}":1e131071', "}"),
        "each key twice": filled("{", lambda n: f'"{n // 2:x}":1', "}"),
        "one key": filled("{", '"":1', "}"),
        "long key twice": '{"' + "k" * 32_000 + '":1,"' + "k" * 32_000 + '":1}',
        "escapes in a key": '{"' + "\\u2003" * 10_900 + '":1}',
        "empty arrays": filled('{"a":[', "[]", "]}"),
        "empty objects": filled('{"a":[', "{}", "]}"),
        "objects with a key": filled('{"a":[', '{"":1}', "]}"),
        "objects with a key twice": filled('{"a":[', '{"":1,"":1}', "]}"),
        "499 objects": '{"a":[' + ",".join(['{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6}'] * 498) + "]}",
        "499 objects, a key twice": '{"a":[' + ",".join(['{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"f":6}'] * 498) + "]}",
        "many keys below 30 levels": nested(30, keys),
        "a key twice below 30 levels": nested(30, '{"0":1,' + keys[1:]),
        "text below 30 levels": nested(30, '"' + "x" * 65_000 + '"'),
        "32,000 levels": '{"a":' + "[" * 32_000 + "]" * 32_000 + "}",
        "3,000 levels": '{"a":' + "[" * 3000 + "]" * 3000 + "}",
        "10,000 objects": nested(10_000, "1"),
        "arrays of 29 levels": filled('{"a":[', "[" * 29 + "]" * 29, "]}"),
        "objects of 28 levels": filled('{"a":[', '{"":' * 28 + "1" + "}" * 28, "]}"),
        "empty texts": filled('{"a":[', '""', "]}"),
        "brackets in a text": '{"a":"' + "[" * 65_000 + '","b":[]}',
        "quotes in a text": '{"a":["' + '\\"' * 32_000 + '"]}',
        "long email": '{"email":"' + "a" * 64_000 + '"}',
        "dots in an email": '{"email":"a@' + "a." * 32_000 + '"}',
        "non-ASCII email": '{"email":"a@' + "ü." * 21_000 + '"}',
        "white space": '{"name":"' + " " * 65_000 + '"}',
        "white space of 3 bytes": '{"name":"' + "\u3000" * 21_000 + '"}',
        "invisible": '{"name":"' + "\ufeff" * 21_000 + '"}',
        "fillers": '{"name":"' + "\u3164" * 21_000 + '"}',
        "white space around a text": '{"name":"' + " " * 32_000 + "a" + " " * 32_000 + '"}',
        "white space between": "{" + " " * 65_500 + "}",
        "no JSON": '{"a":' + "[" * 100 + "x" * 60_000,
        "an open text": '{"a":"' + "x" * 65_000,
        "an array": filled("[", "1e131071", "]"),
        "200 signals": json.dumps({"signals": [{"type": "t", "value": 1}] * 200}),
        "signals with exponents": filled('{"signals":[', '{"value":1e131071}', "]}"),
        "200 signals with exponents": filled(
            '{"signals":[', '{"type":"t","value":{' + ",".join(f'"{n}":1e131071' for n in range(20)) + "}}", "]}"
        ),
        "signal type: exponents": filled('{"type":[', "1e131071", "]}"),
        "signal value: exponents": filled('{"type":"t","value":{', lambda n: f'"{n:x}":1e131071', "}}"),
        "dedupe_key: exponents": filled('{"type":"t","dedupe_key":[', "1e131071", "]}"),
        "observed_at: exponents": filled('{"type":"t","observed_at":[', "1e131071", "]}"),
        "30,000 numbers as signals": filled('{"signals":[', "1", "]}"),
        "190 signals with unknown keys": filled(
            '{"signals":[', "{" + ",".join(f'"k{n:x}":1' for n in range(38)) + "}", "]}"
        ),
        "190 signals with objects": filled(
            '{"signals":[', lambda n: f'{{"type":"t","value":{{{value}}},"dedupe_key":"d{n}"}}', "]}", size=56_000
        ),
        "200 signals with 31 texts": signals(*['"b"'] * 31),
        "199 signals with 31 texts, one wrong": signals(*['"b"'] * 31, last=",{}"),
        "199 signals with 31 texts, a blank one in each": signals(*['"b"'] * 30, '" "'),
        "190 signals with 31 texts, a control character in each": signals(*['"b"'] * 30, '"\\u0001"', count=190),
        "199 signals with 31 numbers, one wrong": signals(*["1"] * 31, last=",{}"),
        "180 signals with 31 escapes, one wrong": signals(*['"\\\\f"'] * 31, last=",{}", count=180),
        "200 wrong times": '{"signals":[' + ",".join(['{"type":"t","observed_at":"2026-02-30T13:22Z"}'] * 200) + "]}",
        "long time": '{"type":"t","observed_at":"' + "2" * 65_000 + '"}',
        "phone: digits": '{"phone":"' + "9" * 65_000 + '"}',
        "phone: no digits": '{"phone":"' + "(-" * 32_000 + '"}',
        "details: many keys": '{"details":' + keys[:-500].rpartition(",")[0] + "}}",
        "details: exponents": filled('{"details":{', lambda n: f'"{n:x}":1e131071', "}}"),
        "long url": '{"url":"https://' + "a." * 32_000 + 'example.com"}',
        "url: escapes": '{"url":"https://example.com/' + "%41" * 21_000 + '"}',
        "url: brackets": '{"url":"https://[' + ":" * 65_000 + ']"}',
        "many actions": filled('{"url":"https://example.com","actions":[', lambda n: f'"lead.a{n:x}"', "]}"),
        "one action": filled('{"url":"https://example.com","actions":[', '"lead.created"', "]}"),
        "scope: exponents": filled('{"scope":[', "1e131071", "]}"),
        "many origins": filled('{"origins":[', lambda n: f'"https://a{n:x}.example"', "]}"),
    }  # fmt: skip
    assert all(len(body.encode()) <= _MAX_BODY for body in made.values())
    return made


def bulk_bodies() -> Iterator[tuple[str, str, str]]:
    """The names, the media types and the texts of wrong bodies for many leads."""
    csv, ndjson = "text/csv", "application/x-ndjson"
    yield "many columns", csv, filled("", lambda n: f"c{n:x}", "\n")
    yield "one column", csv, filled("", "email", "\n")
    yield "quotes", csv, "email\n" + '"' * 65_000
    yield "an open quote", csv, 'email\n"' + "a\n" * 32_000
    yield "empty lines", csv, "email" + "\n" * 65_000
    yield "short lines", csv, filled("unknown\n", "a", "", "\n")
    yield "long lines", csv, "email\n" + "," * 65_000
    yield "empty objects", ndjson, filled("", "{}", "", "\n")
    yield "wrong lines", ndjson, filled("", "[", "", "\n")
    yield "one line", ndjson, "{" * 65_000


def random_body(chance: random.Random) -> str:
    """A body of a few building blocks, repeated until it has 64 KiB."""

    def atom() -> str:
        return chance.choice(
            (
                "1e131071",
                "-1e-16383",
                "9" * chance.randrange(1, 400),
                "null",
                '""',
                '"\\u200b"',
                '"' + " " * 50 + '"',
                '"a@b.co"',
                '"2026-02-30T00:00:00Z"',
                "[]",
                "{}",
                '{"":1}',
                '{"a":1,"a":2}',
                '"' + "é" * 300 + '"',
            )
        )

    def key() -> str:
        return chance.choice(
            (
                "name",
                "email",
                "lead_score",
                "source",
                "pipeline_stage",
                "type",
                "value",
                "dedupe_key",
                "observed_at",
                "signals",
                "x",
                "",
                "\\u0061",
                f"{chance.randrange(10**6):x}",
            )
        )

    def block(depth: int) -> str:
        kind = chance.randrange(4) if depth else 0
        if kind == 0:
            return atom()
        if kind == 1:
            return "[" * (levels := chance.randrange(1, 30)) + block(depth - 1) + "]" * levels
        inner = [block(depth - 1) for _ in range(chance.randrange(1, 12))]
        if kind == 2:
            return "[" + ",".join(inner) + "]"
        return "{" + ",".join(f'"{key()}":{one}' for one in inner) + "}"

    blocks = [block(chance.randrange(5)) for _ in range(_CHANGES)]
    if chance.random() < 0.5:
        return filled(f'{{"{key()}":[', lambda n: blocks[n % _CHANGES], "]}")
    return filled("{", lambda n: f'"{chance.choice([key(), f"{n:x}"])}":{blocks[n % _CHANGES]}', "}")


def attempts(cases: int, seed: int) -> Iterator[Attempt]:
    """All requests that are measured. The others are compared with the empty one before them."""
    chance = random.Random(seed)
    routes = (("POST", "/leads"), ("PATCH", "/leads/{id}"), ("POST", "/leads/{id}/signals"))
    written = [*bodies().items(), *((f"random body {n}", random_body(chance)) for n in range(cases))]
    for method, path in routes:
        yield Attempt("empty", method, path, "{}")
        for name, body in written:
            yield Attempt(name, method, path, body)
    others = (
        ("PATCH", "/leads/{id}/details"), ("PUT", "/leads/by-reference/worst"), ("POST", "/leads/bulk"),
        ("POST", "/forms"), ("POST", "/webhooks"), ("PATCH", f"/webhooks/{uuid.UUID(int=0)}"), ("POST", "/keys"),
    )  # fmt: skip
    for method, path in others:
        yield Attempt("empty", method, path, "{}")
        for name, body in bodies().items():
            yield Attempt(name, method, path, body)
    yield Attempt("empty", "POST", "/leads/bulk", "{}")
    for name, media_type, body in bulk_bodies():
        yield Attempt(f"{media_type}: {name}", "POST", "/leads/bulk", body, {"Content-Type": media_type})
    unknown = f"/leads/{uuid.UUID(int=0)}/signals"
    yield Attempt("empty", "POST", unknown, "{}")
    for name, body in bodies().items():
        if "signals" in name:
            yield Attempt(f"unknown lead: {name}", "POST", unknown, body)
    yield Attempt("empty", "GET", "/leads?limit=1")
    values = ("a", "%20", "%E2%80%8B", "a@b.co", ",", "%00", "2026-02-30T00:00:00Z", "%2B", "a%2C", "1e131071", "eyJ")
    for name, value in itertools.product(
        ("limit", "cursor", "q", "order", "email", "phone", "source", "pipeline_stage", "start_at"), values
    ):
        query = filled(f"{name}=", value, "", "", MAX_QUERY)
        yield Attempt(f"query {name}={value}…", "GET", f"/leads?limit=1&{query[: MAX_QUERY - 20]}")
    for name in ("q", "email", "phone", "source", "pipeline_stage"):
        query = filled(f"{name}=", "a", "", "+" if name == "q" else ",", MAX_QUERY - 20)
        yield Attempt(f"query {name}: list", "GET", f"/leads?limit=1&{query}")
    yield Attempt("unknown parameters", "GET", "/leads?" + filled("", lambda n: f"{n:x}", "", "&", MAX_QUERY))
    yield Attempt("repeated parameter", "GET", "/leads?" + filled("", "limit=1", "", "&", MAX_QUERY))
    tags = ('""', 'W/""', '"', "*", " ", ",", '"\t')
    for name, tag in itertools.product(("If-Match", "If-None-Match", "Idempotency-Key"), tags):
        header = filled(tag, tag, "", chance.choice([",", "", " , "]), _MAX_HEADERS)
        method, path = {"If-None-Match": ("GET", "/leads/{id}"), "If-Match": ("PATCH", "/leads/{id}")}.get(
            name, ("POST", "/leads")
        )
        yield Attempt(f"{name}: {tag}…", method, path, None if method == "GET" else "{}", {name: header})
    for name in (
        "Content-Type", "Content-Encoding", "Authorization", "X-Request-Id", "Accept-Encoding", "Leads-Position",
    ):  # fmt: skip
        header = filled("application/json", ";a=b", "", "", _MAX_HEADERS)
        yield Attempt(f"{name}: long", "POST", "/leads", "{}", {name: header})


class Meter:
    """Sends requests to one server process, and measures it and its backend."""

    def __init__(self, base: str, pid: int, key: str, url: str) -> None:
        parts = urlsplit(base)
        self._address = (parts.hostname or "", parts.port or 0)
        self._key = key
        self._server = pid
        self._database = psycopg.connect(url, autocommit=True)
        made = json.loads(self._send(Attempt("", "POST", "/leads", '{"email":"a@example.com"}'))[1])
        self.lead = made["id"]

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def cost(self, attempt: Attempt, times: int = _TIMES) -> Cost:
        """The cost of a request: the least processor time, and the highest peak."""
        best: Cost | None = None
        for _ in range(times):
            backends = self._backends()
            server, backend = milliseconds(self._server), sum(map(milliseconds, backends))
            resident = {pid: memory(pid, "VmRSS") for pid in (self._server, *backends)}
            for pid in resident:
                # Resets the peak (proc_pid_clear_refs(5)).
                with suppress(FileNotFoundError, ProcessLookupError):
                    Path(f"/proc/{pid}/clear_refs").write_text("5")
            status, _ = self._send(attempt)
            grown = max(memory(pid, "VmHWM") - before for pid, before in resident.items())
            server = milliseconds(self._server) - server
            backend = sum(map(milliseconds, backends)) - backend
            if best is None or server + backend < best.milliseconds:
                best = Cost(attempt, status, server, backend, max(grown, best.mebibytes if best else 0))
            if best.milliseconds < LIMIT_MS / 2:
                break
        assert best is not None
        return best

    def _backends(self) -> list[int]:
        # One runs the requests, and one waits for changes of the routes.
        rows = self._database.execute(
            "select pid from pg_stat_activity where usename = 'leads_api' and datname = current_database()"
        ).fetchall()
        return [int(row[0]) for row in rows]

    def _send(self, attempt: Attempt) -> tuple[int, bytes]:
        connection = HTTPConnection(*self._address, timeout=120)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"} | attempt.headers
            path = "/api/v1" + attempt.path.replace("{id}", getattr(self, "lead", ""))
            body = None if attempt.body is None else attempt.body.encode()
            connection.request(attempt.method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def milliseconds(pid: int) -> float:
    """The processor time of a process: the first number of schedstat, in nanoseconds."""
    total = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(file.read_text().split()[0])
    return total / 1e6


def memory(pid: int, name: str) -> float:
    """A number of MiB from the status of a process. 0: the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    match = re.search(rf"^{name}:\s*([0-9]+)", status, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0


@contextmanager
def running() -> Iterator[Meter]:
    """A meter on a new database, and a server with one connection."""
    with tempfile.TemporaryDirectory(prefix="leads-worst-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded.running(folder / "database", options={"fsync": "off"}) as postgres:
            apply(postgres.url("leads_migrator"))
            key = new_key("test")
            with psycopg.connect(postgres.url("leads_operator")) as connection:
                row = connection.execute("select admin.create_organization('Worst', 'test')").fetchone()
                assert row
                connection.execute("select admin.create_key(%s, 'admin', %s)", [row[0], digest(key)])
            environment = {"DATABASE_URL": postgres.url("leads_api"), "LEADS_CONNECTIONS": "1"}
            with server.running(folder / "log", **environment) as served:
                # The connection that has read the routes ends.
                time.sleep(1)
                with Meter(served.base, served.pid, key, postgres.url("postgres")) as meter:
                    yield meter


def measure(meter: Meter, cases: int, seed: int) -> list[Cost]:
    """The cost of each request above that of the empty request to the same path, the highest first."""
    costs: list[Cost] = []
    empty = Cost(Attempt("", "", ""), 0, 0, 0, 0)
    for attempt in attempts(cases, seed):
        if attempt.name == "empty":
            for _ in range(20):
                empty = meter.cost(attempt)
            continue
        cost = meter.cost(attempt)
        above = (cost.server - empty.server, cost.backend - empty.backend)
        costs.append(Cost(attempt, cost.status, *above, cost.mebibytes))
    return sorted(costs, key=lambda cost: max(cost.milliseconds / LIMIT_MS, cost.mebibytes / LIMIT_MB), reverse=True)


@click.command()
@click.option("--cases", type=click.IntRange(0), default=200, show_default=True, help="Random bodies.")
@click.option("--seed", type=int, default=None, help="Repeats the random bodies of a run.")
@click.option("--rows", type=click.IntRange(1), default=20, show_default=True, help="Rows of each table.")
def main(cases: int, seed: int | None, rows: int) -> None:
    """Search for expensive requests; exit code 1 if a refused one costs more than 20 ms or 16 MiB."""
    if seed is None:
        seed = int.from_bytes(os.urandom(4))
    with running() as meter:
        costs = measure(meter, cases, seed)
    for title, chosen in (
        ("refused", [cost for cost in costs if cost.status >= 400]),
        ("accepted", [cost for cost in costs if cost.status < 400]),
    ):
        shown = Table(title, "status", "server ms", "PostgreSQL ms", "MiB", box=None)
        for cost in chosen[:rows]:
            name = f"{cost.attempt.method} {cost.attempt.path.partition('?')[0]}: {cost.attempt.name}"
            figures = [f"{figure:.1f}" for figure in (cost.server, cost.backend, cost.mebibytes)]
            shown.add_row(name, str(cost.status), *figures)
        Console().print(shown)
    high = [cost for cost in costs if cost.is_too_high]
    print(
        f"{len(costs)} requests, {len(high)} above {LIMIT_MS:.0f} ms or {LIMIT_MB:.0f} MiB. --seed {seed} repeats them."
    )
    sys.exit(1 if high else 0)


if __name__ == "__main__":
    end_on_sigterm()
    main()
