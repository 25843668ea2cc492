"""An error about one organization holds up no round of the worker for the others."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest

from app.metrics import of_worker
from app.worker import connection, rounds
from app.worker.totals import Totals
from app.worker.vault import Vault
from tests.support.chain import seal, verdict
from tests.support.database import Database, make_organization
from tests.support.hooks import add_webhook
from tests.support.pushing import at_work, wait_for

VAULT = Vault([b"k" * 32])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PAUSE", 0.05)
    monkeypatch.setattr(rounds, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(rounds, "LONGEST_WAIT", 0.4)


@dataclass(frozen=True)
class Failing:
    """A fault about one organization ({o}), and how much of the task is left for an organization ({o})."""

    task: str
    plant: Callable[[Database, str], AbstractContextManager[None]]
    left: str
    sqlstate: str
    is_prepared: bool = True
    """Whether the events are sealed before the fault, because the sealer would meet it too."""


def check(table: str) -> Callable[[Database, str], AbstractContextManager[None]]:
    """A constraint that the organization's new rows violate."""

    @contextmanager
    def plant(database: Database, organization: str) -> Iterator[None]:
        database.sql(
            f"alter table {table} add constraint planted check (organization_id <> '{organization}') not valid"
        )
        try:
            yield
        finally:
            database.sql(f"alter table {table} drop constraint planted")

    return plant


@contextmanager
def lock(database: Database, organization: str) -> Iterator[None]:
    """A row that another session holds, so that the sealer's statement runs into its lock_timeout."""
    with database.connect() as holder, holder.transaction(force_rollback=True):
        holder.execute(
            "insert into app.unindexed_lead (organization_id, lead_id) "
            "select organization_id, id from app.lead where organization_id = %s",
            [organization],
        )
        yield


UNSEALED = "select count(*) as n from audit.unsealed where organization_id = '{o}'"
CASES = {
    "a check of the sealer": Failing("sealer", check("audit.seal"), UNSEALED, "23514", is_prepared=False),
    "a lock that the sealer needs": Failing("sealer", lock, UNSEALED, "55P03", is_prepared=False),
    "a check of the indexer": Failing(
        "indexer",
        check("app.lead_word"),
        "select count(*) as n from app.unindexed_lead where organization_id = '{o}'",
        "23514",
    ),
    "a check of the counter": Failing(
        "counter",
        check("app.stage_stay"),
        "select count(*) as n from app.uncounted_seal where organization_id = '{o}'",
        "23514",
    ),
    "a check of the queuer": Failing(
        "queuer",
        check("webhook.delivery"),
        "select count(*) as n from webhook.unqueued_batch where organization_id = '{o}'",
        "23514",
    ),
}


def add_lead(database: Database, organization: str) -> None:
    database.sql("insert into app.lead (organization_id, email) values (%s, 'ada@example.com')", organization)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_organization_that_fails_holds_up_no_other(
    case: Failing, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.sqlstate != "55P03":
        # The statement that removes the fault takes a lock, on a busy machine for longer than a worker waits.
        monkeypatch.setitem(connection.SESSION, "lock_timeout", "60000")
    made = [make_organization(database, name, environment="live") for name in ("Acme", "Beacon", "Crest")]
    # The functions take the organizations in the order of their ids.
    first, *others = sorted(made, key=lambda organization: organization.id)
    for organization in made:
        add_webhook(database, organization, "https://hooks.example.com/leads")
        add_lead(database, organization.id)
    if case.is_prepared:
        seal(database)

    def left(id: str) -> int:
        return int(database.sql(case.left.format(o=id))[0]["n"])

    assert all(left(organization.id) for organization in made)
    with ExitStack() as fault:
        fault.enter_context(case.plant(database, first.id))
        with at_work(database, VAULT) as totals:
            wait_for(lambda: not any(left(organization.id) for organization in others))
            wait_for(lambda: totals.failing[case.task] == 1)
            assert left(first.id)
            metrics = {metric.name: metric for metric in of_worker(totals)()}
            samples = metrics["leads_worker_failing_organizations"].samples
            assert {sample.labels["task"]: sample.value for sample in samples}[case.task] == 1
            # Events that come while the organization fails are not held up, either.
            for organization in others:
                add_lead(database, organization.id)
            wait_for(lambda: not left_of_all(database, first.id))
            fault.close()
            wait_for(lambda: not left(first.id) and not left_of_all(database))
            wait_for(lambda: totals.failing[case.task] == 0)
    for organization in made:
        result = verdict(database, organization.id)
        assert (result["holds"], result["unsealed"]) == (True, 0)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    ours = [line for line in lines if f"The task '{case.task}'" in line["message"]]
    *failures, end = [line for line in ours if line.get("organization_id") == first.id]
    assert end["message"] == f"The task '{case.task}' serves an organization again."
    assert {line["sqlstate"] for line in failures} == {case.sqlstate}
    # A line for each step, and steps that grow.
    waits = [line["message"].rpartition(" for ")[2].split()[0] for line in failures]
    assert waits == (["0.1", "0.2"] + ["0.4"] * len(waits))[: len(waits)]
    assert [line for line in ours if line.get("organization_id") != first.id] == []
    assert "ada@example.com" not in json.dumps(lines)


def left_of_all(database: Database, but: str | None = None) -> int:
    """How many events of all organizations but one are not sealed, counted or queued for webhooks."""
    (row,) = database.sql(
        "select count(*) as n from (select organization_id from audit.unsealed union all "
        "select organization_id from app.uncounted_seal union all select organization_id from webhook.unqueued_batch) "
        "as q where q.organization_id is distinct from %s",
        but,
    )
    return int(row["n"])


def go_round(*outcomes: int | Exception | None) -> Totals:
    """Makes rounds with one organization, of which each call has the next of these outcomes."""
    ahead, organization_id, totals = list(outcomes), uuid4(), Totals()

    async def organizations(*_: object) -> list[UUID]:
        return [organization_id]

    async def work(*_: object) -> int | None:
        if not ahead:
            raise asyncio.CancelledError
        outcome = ahead.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with suppress(asyncio.CancelledError):
        asyncio.run(rounds.Rounds("sealer", organizations, work, totals).run())
    return totals


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError(),  # the connection is lost
        psycopg.errors.AdminShutdown(),
        psycopg.errors.ReadOnlySqlTransaction(),  # after a failover to a standby
        psycopg.errors.DiskFull(),
    ],
)
def test_an_error_about_the_server_is_no_fault_of_an_organization(
    error: psycopg.Error, capsys: pytest.CaptureFixture[str]
) -> None:
    """The task waits for the database, with one line in the log and not one for each organization."""
    with pytest.raises(type(error)):
        go_round(error)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.QueryCanceled(),  # its events take longer than statement_timeout
        psycopg.errors.LockNotAvailable(),
        psycopg.errors.DataCorrupted(),
        psycopg.DataError(),  # raised by psycopg, for a value that Python can't have
    ],
)
def test_another_error_leaves_the_organization_out(error: psycopg.Error, capsys: pytest.CaptureFixture[str]) -> None:
    assert go_round(error, 1).failing["sealer"] == 0
    failure, end = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (failure["level"], failure["sqlstate"]) == ("warning", error.sqlstate)
    assert failure["message"] == f"The task 'sealer' leaves out an organization for 0.1 s ({type(error).__name__})."
    assert end["message"] == "The task 'sealer' serves an organization again."


def test_the_turn_of_another_worker_is_no_success() -> None:
    assert go_round(psycopg.errors.CheckViolation(), None, None).failing["sealer"] == 1
