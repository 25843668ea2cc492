"""The cost of isolation: PostgreSQL's processor time of one read,
with and without the policy that verifies the key.

All sides read the same lead from the same table with the same index, and produce the same response,
byte for byte, with the body of ``api.get_lead``. pgbench runs the sides alternately.
They differ in the source of the organization:

* ``none``: a parameter. No auth.enter, and no row-level security: a superuser owns the function.
* ``setting``: a policy that reads a setting, which anyone with SQL can change. No key is checked.
* ``entered``, the baseline: like ``none``, after auth.enter. The key is checked, as in every API,
  but the organization is still a parameter.
* ``key``: the server's own statement. auth.enter checks the key, and the policy derives the
  organization from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import psycopg

from app.server.routes import Table
from app.settings import ROOT
from bench import floor
from bench.database import Database
from bench.figures import BenchmarkError, Sample, Spread, ratio
from bench.measure import Plan, Say, rotated
from bench.operations import READ, Call, Pair, call

GOAL = 1.6
"""The maximum cost of the server's read, relative to the baseline:
the cost of the policy, without the key check.
"""

_COMPARED = (("key", "none"), ("setting", "none"), ("entered", "none"), ("key", "entered"))
_PIN = "(select auth.entered_organization_id())"
_BODY = ROOT / "sql" / "api" / "get_lead.sql"

_SETTING = """
create role bench_setting;
grant usage on schema app, api, bench to bench_setting;
grant select on app.lead to bench_setting;
grant execute on all functions in schema app, api to bench_setting;
create policy bench_setting on app.lead for select to bench_setting
  using (organization_id = (select current_setting('bench.organization_id', true)::uuid));
alter function bench.get_lead_by_setting(uuid) owner to bench_setting
"""
_TIDY = """
drop policy bench_setting on app.lead;
drop function bench.get_lead_by_setting(uuid), bench.get_lead(uuid, uuid);
drop owned by bench_setting;
drop role bench_setting
"""
# Parts of the server's statement.
_CALL = "api.get_lead(($5))"
_ENTERING = "from auth.enter($1, $2, $3, $4)"


def measure(plan: Plan, database: Database, say: Say) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        make(superuser)
        try:
            _check(database)
            samples = _rounds(plan, database, say)
        finally:
            _run(superuser, _TIDY)
    return figures_of(samples)


def figures_of(samples: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Returns the figures of the sides' samples.
    Samples with the same position are from the same round.
    """
    ratios = {f"{side}/{base}": asdict(_ratio(samples[side], samples[base])) for side, base in _COMPARED}
    return {
        "goal": GOAL,
        "is_reached": ratios["key/entered"]["median"] <= GOAL,
        "postgres_us": {name: median(sample.postgres_cpu for sample in side) for name, side in samples.items()},
        "ratios": ratios,
        "rounds": {name: [asdict(sample) for sample in side] for name, side in samples.items()},
    }


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    cost = results["postgres_us"]

    def times(name: str) -> str:
        return "{median:.2f} ({least:.2f}-{greatest:.2f})".format(**results["ratios"][name])

    return [
        f"Isolation, CPU of PostgreSQL for one read: {cost['key']:.0f} µs with the policy that verifies the key, "
        f"{cost['entered']:.0f} µs with a key check and no row-level security: {times('key/entered')} times; goal at "
        f"most {results['goal']:.1f}, {'reached' if results['is_reached'] else 'missed'}.",
        f"Without any key check: {cost['none']:.0f} µs. Relative to this, the policy costs {times('key/none')} times, "
        f"a policy on a plain setting ({cost['setting']:.0f} µs) {times('setting/none')}, a key check and no policy "
        f"{times('entered/none')}.",
    ]


def calls(table: Table, pair: Pair) -> dict[str, Call]:
    """Returns the statement of each side, with the values for the pair."""
    key = call(READ, table, pair, "")
    if key.text.count(_CALL) != 1 or key.text.count(_ENTERING) != 1:
        raise BenchmarkError("The server's statement has changed: update the baseline in bench/isolation.py.")
    none = key.text.replace(_CALL, "bench.get_lead($1, $2)").replace(_ENTERING, "")
    setting = key.text.replace(_CALL, "bench.get_lead_by_setting($2)").replace(
        _ENTERING, "from set_config('bench.organization_id', $1, true)"
    )
    entered = key.text.replace(_CALL, "bench.get_lead($6, $5)")
    return {
        "none": Call(none, (pair.organization, pair.lead)),
        "setting": Call(setting, (pair.organization, pair.lead)),
        "entered": Call(entered, (*key.values, pair.organization)),
        "key": key,
    }


def make(superuser: psycopg.Connection[Any]) -> None:
    """Creates the baseline's functions in schema bench, from the body of the server's function.
    Raises BenchmarkError.
    """
    text = _BODY.read_text()
    body = text[text.index("returns api.answer") : text.index("\ncomment on ")].rstrip().removesuffix(";")
    if body.count(_PIN) != 1 or body.count("get_lead.id") != 1:
        raise BenchmarkError("api.get_lead has changed: update the baseline in bench/isolation.py.")
    by_parameter = body.replace(_PIN, "get_lead.organization_id")
    by_setting = body.replace(_PIN, "(select current_setting('bench.organization_id', true)::uuid)")
    superuser.execute(f"create function bench.get_lead(organization_id uuid, id uuid) {by_parameter}".encode())
    superuser.execute(
        f"create function bench.get_lead_by_setting(id uuid) {by_setting}".replace("= get_lead.id", "= $1").encode()
    )
    _run(superuser, _SETTING)


def _run(superuser: psycopg.Connection[Any], statements: str) -> None:
    for statement in statements.split(";"):
        superuser.execute(statement.encode())


def _check(database: Database) -> None:
    """Raises BenchmarkError unless all sides return the same response."""
    with psycopg.connect(database.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        for pair in database.pairs:
            sides = calls(database.table, pair).values()
            answers = [connection.execute(side.text.encode(), side.values).fetchone() for side in sides]
            if any(answer != answers[0] for answer in answers) or not answers[0] or answers[0][0] != 200:
                raise BenchmarkError(f"A read returned {answers}.")


def _rounds(plan: Plan, database: Database, say: Say) -> dict[str, list[Sample]]:
    pair = database.pairs[0]
    scripts = {
        name: floor.script([side], pair, turns=100, clients=plan.connections)
        for name, side in calls(database.table, pair).items()
    }
    samples: dict[str, list[Sample]] = {name: [] for name in scripts}
    database.tidy()
    for number in range(plan.rounds):
        for name in rotated([*scripts], number):
            say(f"isolation, round {number + 1} of {plan.rounds}: {name}")
            samples[name].append(
                floor.run(
                    database.url,
                    scripts[name],
                    clients=plan.connections,
                    seconds=plan.seconds,
                    postmaster=database.postmaster,
                )
            )
    return samples


def _ratio(samples: Sequence[Sample], base: Sequence[Sample]) -> Spread:
    return ratio(samples, base, lambda sample: sample.postgres_cpu)
