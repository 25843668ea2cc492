"""The small version of ``make worst``: no body makes a backend or the server use much memory.

A number such as 1e131071 has 8 bytes, and 131,072 digits as text. The bound is generous: such bodies took 2.7 GiB.
"""

import sys
from collections.abc import Callable

import pytest

from bench.worst import LIMIT_MB, Attempt, Meter, bodies
from tests.support.database import Database, Organization
from tests.support.process import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_body_costs_little_memory(
    database: Database, new_organization: Callable[..., Organization], new_server: Callable[..., Server]
) -> None:
    server = new_server(database, LEADS_CONNECTIONS="1")
    with Meter(server.base, server.process.pid, new_organization().keys["admin"], database.url()) as meter:
        grown = {}
        for path in ("/leads", "/leads/{id}/signals", "/leads/by-reference/worst", "/leads/bulk", "/forms", "/keys"):
            for name, body in {"empty": "{}", **bodies()}.items():
                method = "PUT" if "reference" in path else "POST"
                cost = meter.cost(Attempt(name, method, path, body), times=1)
                assert cost.status in (200, 201, 400, 422), (name, cost)
                grown[f"{path}: {name}"] = cost.mebibytes
    assert {name: mebibytes for name, mebibytes in grown.items() if mebibytes > 2 * LIMIT_MB} == {}
