"""Proves that the reference is correct: runs schemathesis with all its checks on a server."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class Proof:
    """The result of schemathesis."""

    output: str
    report: dict[str, Any]

    @property
    def found(self) -> set[str]:
        """The types of its failures, and its errors."""
        return {failure["type"] for failure in self.report["failures"]} | {
            json.dumps(error) for error in self.report["errors"]
        }

    @property
    def cases(self) -> int:
        """The number of generated requests."""
        return int(self.report["test_cases"]["generated"])

    def share(self, operation: str, what: str = "accepted") -> float:
        """Returns the share of the operation's valid requests that were accepted."""
        counts = list(self.report["valid_rates"].get(operation, {}).values())
        total = sum(sum(phase.values()) for phase in counts)
        return sum(phase[what] for phase in counts) / total if total else 0.0


def known(client: httpx.Client) -> dict[str, list[str]]:
    """Returns ids and stages in the database, for tests/support/openapi_hooks.py."""
    client.post("/webhooks", json={"url": "https://hooks.example.com"})
    keys = sorted(client.get("/keys?limit=200").json()["data"], key=lambda key: key["created_at"])
    return {
        "leads": [lead["id"] for lead in client.get("/leads?limit=20").json()["data"]],
        "events": [event["id"] for event in client.get("/audit-log?limit=20").json()["data"]],
        "webhooks": [webhook["id"] for webhook in client.get("/webhooks").json()["data"][:1]],
        # The oldest keys are older than the first proof: one of them is the client's.
        "keys": [key["id"] for key in keys[:10]],
        "stages": client.get("/organizations/me").json()["pipeline_stages"],
    }


def prove(
    folder: Path,
    client: httpx.Client,
    document: bytes,
    *,
    examples: int,
    seed: int,
    phases: Sequence[str] = PHASES,
    operations: Sequence[str] = (),
) -> Proof:
    """Tests the client's server against the document, with the client's key.

    ``examples`` is the number of cases per operation and phase.
    """
    folder.mkdir(exist_ok=True)
    (folder / "openapi.json").write_bytes(document)
    key = client.headers["authorization"].removeprefix("Bearer ")
    (folder / "schemathesis.toml").write_text(
        f"""
        hooks = "tests.support.openapi_hooks"
        seed = {seed}
        continue-on-failure = true
        request-timeout = 60

        [auth.openapi.key]
        bearer = "{key}"

        [generation]
        max-examples = {examples}
        database = "none"

        # A valid request can be refused: the record does not exist, or it has changed.
        [checks.positive_data_acceptance]
        expected-statuses = ["2xx", 304, 404, 409, 412]

        [checks.negative_data_rejection]
        expected-statuses = [400, 401, 404, 405, 413, 415, 422]
        """
    )
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", "schemathesis.toml"),
        *("run", "openapi.json", "--url", str(client.base_url).rstrip("/"), "--phases", ",".join(phases)),
        *("--report", "json", "--report-json-path", "report.json", "--warnings", "off"),
        *(part for operation in operations for part in ("--include-operation-id", operation)),
    ]
    process = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PROOF_KNOWN": json.dumps(known(client)),
            "PROOF_URL": str(client.base_url),
            "PROOF_KEY": client.headers["authorization"],
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    report = folder / "report.json"
    assert report.exists(), process.stdout
    return Proof(process.stdout, json.loads(report.read_text()))
