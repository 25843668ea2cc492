"""Each protection holds alone: the pin without the policies, and the policies without the pin.

The functions of leads_jobs, leads_audit and leads_eraser work for all organizations, and their
policies let every row through. There the pin is the only protection, so only the first half of the
tests covers them.

The controls show that the tests detect a missing predicate or policy.
`make mutants` tries every one of them.
"""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.isolation.changes import definitions, forged, mutants, policies, without_policies
from tests.isolation.mutants import Runs, is_found_by_the_linter
from tests.isolation.scenes import ALL_SCENES, PLAIN, SCENES
from tests.isolation.world import World
from tests.support.database import Database
from tools import lint_sql

_REACHABLE = """
select distinct p.pronamespace::regnamespace || '.' || p.proname
from pg_proc as p
cross join unnest(array['leads_api', 'leads_worker', 'leads_operator', 'leads_router']) as l (login)
where p.pronamespace::regnamespace::text = any (array['admin', 'api', 'app', 'audit', 'auth', 'crm', 'intake', 'scoring', 'webhook'])
  and has_function_privilege(l.login, p.oid, 'execute') and has_schema_privilege(l.login, p.pronamespace, 'usage')
union all
select c.oid::regclass::text from pg_class as c where c.relnamespace = 'bi'::regnamespace and c.relkind = 'v'
"""


@pytest.fixture(scope="module")
def world(new_database: Callable[..., Database]) -> Iterator[World]:
    world = World(new_database())
    yield world
    world.close()


@pytest.fixture(scope="module")
def pins(world: World) -> Runs:
    """The scenes without policies."""
    return Runs(world, SCENES, without_policies(world.connection))


@pytest.fixture(scope="module")
def proofs(world: World) -> Runs:
    """The scenes with pins that name the victim."""
    return Runs(world, SCENES, forged(world.connection, world.victim.id))


def test_each_function_that_a_login_may_call_and_each_view_succeeds_in_a_scene(world: World) -> None:
    reachable = {name for (name,) in world.rows(_REACHABLE)}
    succeeded = " ".join(
        call.statement
        for calls in ALL_SCENES.values()
        for call, answer in zip(calls, world.run(calls).answers, strict=True)
        if not answer.removeprefix(f"{call.name}: ")[:5].isalnum()  # an SQLSTATE
    )
    assert len(reachable) > 60
    missing = {name for name in reachable if f"{name}(" not in succeeded and f" from {name}" not in succeeded}
    assert missing <= PLAIN


@pytest.mark.parametrize("scene", SCENES)
def test_another_organizations_rows_neither_show_nor_change_without_policies(pins: Runs, scene: str) -> None:
    expected, alone = pins.expected[scene], pins.alone(scene)
    assert expected.answers == alone.answers
    assert expected.own == alone.own
    assert expected.victims == pins.world.run(()).victims != ()


@pytest.mark.parametrize("scene", SCENES)
def test_another_organizations_rows_neither_show_nor_change_with_a_forged_pin(proofs: Runs, scene: str) -> None:
    expected, alone = proofs.expected[scene], proofs.alone(scene)
    assert expected.answers == alone.answers
    assert expected.own == alone.own
    assert expected.victims == proofs.world.run(()).victims != ()


def mutated(world: World, function: str) -> Iterator[str]:
    """The statements that make a function or a view without each of its predicates."""
    for name, definition in definitions(world.connection).items():
        if name.partition("(")[0] == function:
            yield from (mutant.statement for mutant in mutants(name, definition))


@pytest.mark.parametrize(
    ("function", "scene"),
    [
        ("api.list_leads", "read"),
        ("api.get_audit_event", "read"),
        ("api.update_lead", "write"),
        ("crm.settle_attempt", "work"),
        ("admin.crm_syncs", "operate"),
        ("audit.erase_lead", "erase a lead"),
        ("bi.stage_history", "analyse"),
    ],
)
def test_a_missing_predicate_is_detected_only_without_policies(pins: Runs, function: str, scene: str) -> None:
    world, calls = pins.world, SCENES[scene]
    statement = next(mutated(world, function))
    assert world.run(calls, *pins.changes, statement) != pins.expected[scene]
    assert pins.alone(scene, statement) == pins.alone(scene)
    if function.startswith(("api.", "bi.")):
        assert world.run(calls, statement) == world.run(calls)


@pytest.mark.parametrize(
    ("policy", "scene"),
    [
        ("app.lead.lead_exec_select", "read"),
        ("audit.event.event_exec_select", "read"),
        ("crm.connection.connection_exec_select", "read"),
    ],
)
def test_a_missing_policy_is_detected_with_a_forged_pin(proofs: Runs, policy: str, scene: str) -> None:
    world = proofs.world
    statement = policies(world.connection)[policy]
    assert world.run(SCENES[scene], *proofs.changes, statement) != proofs.expected[scene]


def test_the_linter_finds_each_missing_predicate_or_a_scene_does(world: World) -> None:
    tables, missed, count = lint_sql.known_tables(lint_sql.ROOT), [], 0
    for name, definition in definitions(world.connection).items():
        # A subscription runs it, which no scene does: tests/cells/test_move.py proves it.
        if name.startswith("app.tg_check_arrival"):
            continue
        for mutant in mutants(name, definition):
            count += 1
            if not is_found_by_the_linter(definition, mutant.statement, tables):
                missed.append(mutant.statement)
    assert count > 150
    # The filters of functions that show all organizations, unless one is named.
    assert len(missed) < 12
    calls = SCENES["operate"]
    expected = world.run(calls)
    assert [statement for statement in missed if world.run(calls, statement) == expected] == []


def test_forging_reaches_every_view_and_the_functions_of_the_api(world: World) -> None:
    changed = forged(world.connection, world.victim.id)
    assert sum("FUNCTION api." in text for text in changed) >= 13
    assert sum("view bi." in text for text in changed) >= 6
    with world.scene(*changed), pytest.raises(psycopg.errors.UndefinedFunction):
        world.connection.execute("select auth.forged_organization_id()")


def test_the_victims_rows_come_first_in_every_table(world: World) -> None:
    for table in world.tables:
        order = [row[0] for row in world.rows(f"select organization_id::text from {table}")]
        assert order == sorted(order, key=world.victim.id.__ne__), table
