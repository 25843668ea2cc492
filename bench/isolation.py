"""What the isolation costs: PostgreSQL's processor time of one read, under the key-verified policy and under none.

All sides read the same lead of the same table by the same index, and make the same answer, byte for byte, by the body
of ``api.get_lead``; pgbench runs each on its own, in turns. They differ in how the organization is found:

* ``none``: a parameter says it. No auth.enter, and no row-level security: a superuser owns the function.
* ``setting``: a policy asks a setting, which anybody with SQL sets as they like. No key is proven.
* ``entered``, the baseline: as ``none``, behind auth.enter: the key is proven, as every API must, and then the
  parameter is believed.
* ``key``: the server's own statement. auth.enter proves the key, and the policy asks for its organization.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import psycopg

from app.settings import ROOT
from bench import floor
from bench.database import Database
from bench.figures import Sample, Spoilt, Spread, spread
from bench.measure import Plan, Say
from bench.operations import OPERATIONS, Call, Pair, call

GOAL = 1.6
"""So many times the baseline the server's own read may cost: what the policy costs, and not what proving a key does."""

_COMPARED = (("key", "none"), ("setting", "none"), ("entered", "none"), ("key", "entered"))
_POLICY = "(select auth.organization_id('read'))"
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
_TEXT = "select (a.r).status, (a.r).headers, (a.r).body from (select {call} as r {entering} offset 0) as a"


def measure(plan: Plan, database: Database, say: Say) -> dict[str, Any]:
    """The figures. Raises Spoilt."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        _make(superuser)
        try:
            _check(database)
            samples = _rounds(plan, database, say)
        finally:
            _run(superuser, _TIDY)
    return figures_of(samples)


def figures_of(samples: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """The sides' samples, of which those of one round stand at the same place, as figures."""
    ratios = {f"{one}/{base}": asdict(_ratio(samples[one], samples[base])) for one, base in _COMPARED}
    return {
        "goal": GOAL,
        "is_reached": ratios["key/entered"]["median"] <= GOAL,
        "postgres_us": {name: median(_each(one) * 1e6 for one in taken) for name, taken in samples.items()},
        "ratios": ratios,
        "rounds": {name: [asdict(one) for one in taken] for name, taken in samples.items()},
    }


def sentences(found: dict[str, Any]) -> list[str]:
    """The figures in words."""
    cost = found["postgres_us"]

    def times(name: str) -> str:
        return "{median:.2f} ({least:.2f}-{greatest:.2f})".format(**found["ratios"][name])

    return [
        f"Isolation, CPU of PostgreSQL for one read: {cost['key']:.0f} µs under the key-verified policy, "
        f"{cost['entered']:.0f} µs with the key proven and no row-level security: {times('key/entered')} times; goal "
        f"at most {found['goal']:.1f}, {'reached' if found['is_reached'] else 'missed'}.",
        f"With no key proven at all {cost['none']:.0f} µs: the policy's is {times('key/none')} times that, a policy on "
        f"a mere setting ({cost['setting']:.0f} µs) {times('setting/none')}, the key proven and no policy "
        f"{times('entered/none')}.",
    ]


def calls(database: Database, pair: Pair) -> dict[str, Call]:
    """Each side's statement, with the values for the pair."""
    key = call(OPERATIONS[0], database.table, pair, "")
    entering = "from auth.enter($1, $2, $3, $4)"
    none = _TEXT.format(call="bench.get_lead($1, $2)", entering="")
    setting = _TEXT.format(
        call="bench.get_lead_by_setting($2)", entering="from set_config('bench.organization_id', $1, true)"
    )
    entered = _TEXT.format(call="bench.get_lead($6, $5)", entering=entering)
    if key.text != _TEXT.format(call="api.get_lead($5)", entering=entering):
        raise Spoilt("The server's statement isn't what the baseline was made after.")
    return {
        "none": Call(none, (pair.organization, pair.lead)),
        "setting": Call(setting, (pair.organization, pair.lead)),
        "entered": Call(entered, (*key.values, pair.organization)),
        "key": key,
    }


def _make(superuser: psycopg.Connection[Any]) -> None:
    """Makes the baseline's functions out of the server's own, so that they can't drift apart. Raises Spoilt."""
    text = _BODY.read_text()
    body = text[text.index("returns api.answer") : text.index("\nend;") + len("\nend;")]
    if body.count(_POLICY) != 1 or body.count("get_lead.id") != 1:
        raise Spoilt("api.get_lead isn't what the baseline was made after.")
    by_parameter = body.replace(_POLICY, "get_lead.organization_id")
    by_setting = body.replace(_POLICY, "(select current_setting('bench.organization_id', true)::uuid)")
    superuser.execute(f"create function bench.get_lead(organization_id uuid, id uuid) {by_parameter}".encode())
    superuser.execute(
        f"create function bench.get_lead_by_setting(id uuid) {by_setting}".replace("= get_lead.id", "= $1").encode()
    )
    _run(superuser, _SETTING)


def _run(superuser: psycopg.Connection[Any], statements: str) -> None:
    for statement in statements.split(";"):
        superuser.execute(statement.encode())


def _check(database: Database) -> None:
    """Raises Spoilt unless all sides answer alike."""
    with psycopg.connect(database.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        for pair in database.pairs:
            sides = calls(database, pair).values()
            answers = [connection.execute(one.text.encode(), one.values).fetchone() for one in sides]
            if any(answer != answers[0] for answer in answers) or not answers[0] or answers[0][0] != 200:
                raise Spoilt(f"A read is answered {answers}.")


def _rounds(plan: Plan, database: Database, say: Say) -> dict[str, list[Sample]]:
    pair = database.pairs[0]
    scripts = {
        name: floor.script([one], pair, turns=100, clients=plan.clients) for name, one in calls(database, pair).items()
    }
    samples: dict[str, list[Sample]] = {name: [] for name in scripts}
    database.tidy()
    for number in range(plan.rounds):
        # Each is first, and last, as often as the others.
        order = [*scripts][number % len(scripts) :] + [*scripts][: number % len(scripts)]
        for name in order:
            say(f"isolation, round {number + 1} of {plan.rounds}: {name}")
            samples[name].append(
                floor.run(
                    database.url,
                    scripts[name],
                    clients=plan.clients,
                    seconds=plan.seconds,
                    postmaster=database.postmaster,
                )
            )
    return samples


def _each(sample: Sample) -> float:
    return sample.postgres / sample.requests


def _ratio(samples: Sequence[Sample], base: Sequence[Sample]) -> Spread:
    return spread([_each(one) / _each(other) for one, other in zip(samples, base, strict=True)])
