"""A bug in the worker is logged with its traceback, and no task ends without a log line."""

import asyncio
import json
import threading
from typing import Any
from uuid import uuid4

import pytest

from app import background
from app.background import GivenUp
from app.cli import worker as command
from app.cli.addresses import Addresses
from app.settings import read
from app.worker import calls, loop, pushes
from app.worker.connection import Connection
from app.worker.loop import ATTEMPTS, Worker
from app.worker.outbox import Job, Outbox
from app.worker.push import Outcome
from app.worker.pushes import Pushes
from app.worker.totals import Totals
from app.worker.vault import Vault
from app.worker.vendors import Contact
from app.worker.webhook_queue import WebhookQueue
from tests.support.database import Database, make_organization
from tests.support.hooks import add_webhook

SECRET = "a lead's field"
VAULT = Vault([b"k" * 32])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(background, "LONGEST_PAUSE", 0.01)


def errors(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    text = capsys.readouterr().err
    assert SECRET not in text
    return [line for line in map(json.loads, text.splitlines()) if line["level"] == "error"]


def fail(*_: Any, **__: Any) -> Any:
    raise AttributeError(SECRET)


@pytest.mark.parametrize(
    ("owner", "function", "task"),
    [
        (Outbox, "seal", "sealer"),
        (Outbox, "connections_without_key", "housekeeping"),
        (Outbox, "lease", "pushes"),
        (WebhookQueue, "lease", "deliveries"),
        (WebhookQueue, "queue", "queuer"),
        (WebhookQueue, "announce_keys", "announcer"),
        (loop, "session_of", "listener"),
    ],
)
def test_a_task_with_a_bug_is_logged_and_ends_the_worker(
    owner: Any,
    function: str,
    task: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_webhook(
        database, make_organization(database), "https://hooks.example.com/"
    )  # there is something to seal and to queue
    monkeypatch.setattr(owner, function, fail)

    async def run() -> None:
        async with asyncio.timeout(60):
            await Worker(database.url("leads_worker"), VAULT, allow_loopback=False).run()

    with pytest.raises(GivenUp, match=f"'{task}' failed {ATTEMPTS} times in a row"):
        asyncio.run(run())
    logged = [line for line in errors(capsys) if line["message"] == f"The task '{task}' failed."]
    assert len(logged) == ATTEMPTS
    assert logged[0]["error"] == "AttributeError"
    assert logged[0]["traceback"][-1].startswith("tests/crm/test_loop.py:")


def test_the_exit_code_says_that_a_worker_has_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADS_WORKER_URL", database.url("leads_worker"))
    monkeypatch.setenv("LEADS_CRM_KEY", "a2" * 21 + "k=")
    monkeypatch.setattr(Outbox, "seal", fail)
    make_organization(database)  # there is something to seal
    with pytest.raises(SystemExit) as exit:
        command.worker.main([], standalone_mode=False)
    assert exit.value.code == 1
    assert errors(capsys)[-1]["message"].startswith("The worker ends. The task 'sealer' failed")


def test_beside_the_server_a_worker_that_fails_is_started_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = 0
    is_working = threading.Event()

    async def work(*_: Any, stop: asyncio.Event, **__: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            fail()
        is_working.set()
        await stop.wait()

    monkeypatch.setattr(command, "work", work)
    settings = read({"LEADS_CRM_KEY": "a2" * 21 + "k="})
    with command.beside(Addresses(None, None, None, "postgresql:///x", is_embedded=False), settings):
        assert is_working.wait(60)
    (line,) = errors(capsys)
    assert (line["message"], line["error"]) == ("The task 'worker' failed.", "AttributeError")
    assert calls == 2


def job() -> Job:
    organization = uuid4()
    credential, key = VAULT.encrypt("secret", organization_id=organization, vendor="jobnimbus")
    contact = Contact("1", "2", SECRET, SECRET, None, None, None, "", {})
    return Job(organization, uuid4(), 1, "jobnimbus", {}, credential, key, contact, (), ())


def made() -> Pushes:
    return Pushes(
        Outbox(Connection("postgresql:///x")), VAULT, calls.client(allow_loopback=False), Totals(), spans=None
    )


def test_a_bug_of_an_adapter_is_logged_and_the_outcome_is_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pushes, "push", fail)

    async def push() -> Outcome:
        return await made()._push(job())

    outcome = asyncio.run(push())
    assert (outcome.outcome, outcome.message) == ("unknown", "The answer can't be read (AttributeError).")
    (line,) = errors(capsys)
    assert (line["message"], line["error"], line["vendor"]) == ("The adapter failed.", "AttributeError", "jobnimbus")
    assert line["traceback"][0].startswith("app/worker/pushes.py:")


def test_a_push_with_a_bug_is_logged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def settled(*_: Any) -> Outcome:
        return Outcome("created")

    monkeypatch.setattr(Pushes, "_push", settled)
    monkeypatch.setattr(Outbox, "settle", fail)

    async def work() -> None:
        await made().work(job())

    asyncio.run(work())
    (line,) = errors(capsys)
    assert (line["message"], line["error"], line["attempt"]) == ("The push failed.", "AttributeError", 1)
    assert any("in settled: " in frame for frame in line["traceback"])
