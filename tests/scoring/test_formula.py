"""Computes scores twice: scoring.compute_scores and Python's decimal agree on random models and
leads.
"""

import json
import math
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.contract import WHITE_SPACE
from tests.support.database import Database

CASES = int(os.environ.get("SCORING_CASES", "1000"))
"""The minimum number of compared pairs of a model and a lead."""

Connection = psycopg.Connection[dict[str, Any]]

fuzz = settings(
    deadline=None,
    # The examples are always the same, so that a failure is reproducible.
    # With SCORING_CASES they are random.
    derandomize="SCORING_CASES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

CENT = Decimal("0.01")
NOON = datetime(2026, 4, 27, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

FIELDS = ["name", "company", "email", "source", "industry", "company_size", "pain_points", "timeline", "budget_range"]
TYPES = ["storm_event", "phone_validated", "visits", "never_seen"]
KEYS = ["size", "a", "0", "🏠"]
NUMBERS = [
    Decimal(number)
    for number in (
        "1", "1.0", "1E+2", "100", "0", "2.5", "-3", "1E-7", "12345678901234567890.1", "12345678901234567890.2",
        "9999999999999999999999999999999999999999",
    )
]  # fmt: skip
TEXTS = ["a", "1", "true", "null", "false", "A", "é", "e\u0301", '🏠 "x"; (+0.10)', "1.0", "{}", ""]
COMPARABLE = [*NUMBERS, *TEXTS, *NUMBERS[:3], *TEXTS[:3]]
SCALARS = [True, *COMPARABLE, False, None, True, True]
VALUES = [True, *SCALARS, *(dict(zip(KEYS[: n % 5], SCALARS[n:] + SCALARS, strict=False)) for n in range(30))]
HALF_LIVES = [100, None, 7_200, None, 1, 2_400, 8_760_000]
LABELS = [
    "phone validated", "Recent storm event in service radius", 'said "yes"', "a (+0.18); b (-0.15)", "100%s %1$s %%",
    "it's", "\\u0041 \\", "👩🏽‍🔧", "🏚" * 128, "$1 {0} ; (", "No rule of the scoring model counts", "a b", "null",
]  # fmt: skip


@dataclass(frozen=True)
class Signal:
    id: uuid.UUID
    type: str
    value: Any
    observed_at: datetime


@dataclass(frozen=True)
class Lead:
    """A lead, and the time as of which it is scored."""

    id: uuid.UUID
    fields: dict[str, str | None]
    signals: list[Signal]
    instant: datetime = NOON


@dataclass(frozen=True)
class Batch:
    """A model, and leads that are scored with it in one call.
    The numbers of the model are decimals.
    """

    model: dict[str, Any]
    leads: list[Lead]
    counts_future: bool = True


@dataclass(frozen=True)
class Outcome:
    score: int
    sentence: str
    contributions: str


@dataclass
class Row:
    """A rule that applies, with its contribution."""

    rule: dict[str, Any]
    signal_id: str | None
    contribution: Decimal


# --- the computation in decimal ---


def expected_outcome(batch: Batch, lead: Lead, rounding: str = ROUND_HALF_UP, has_caps: bool = True) -> Outcome:
    """Returns the score according to the specification.
    Arguments other than the defaults give wrong scores.
    """
    with localcontext(prec=60):
        latest: dict[str | None, Signal] = {}
        for signal in sorted(lead.signals, key=lambda signal: (signal.observed_at, signal.id)):
            if batch.counts_future or signal.observed_at <= lead.instant:
                latest[signal.type] = signal

        rows: list[Row] = []
        for rule in batch.model["rules"]:
            latest_signal = latest.get(rule.get("signal"))
            if holds(rule, value_of(rule, lead, latest_signal)):
                part = contribution(rule, lead, latest_signal).quantize(CENT, rounding)
                rows.append(Row(rule, str(latest_signal.id) if latest_signal else None, part))

        for name, group in batch.model.get("groups", {}).items():
            left = group["cap"].quantize(CENT)
            positive = [row for row in rows if row.rule.get("group") == name and row.contribution > 0]
            for row in sorted(positive, key=lambda row: -row.contribution) if has_caps else ():
                row.contribution = min(row.contribution, left)
                left -= row.contribution

        rows = sorted((row for row in rows if row.contribution), key=lambda row: -row.contribution)
        base = batch.model["base"].quantize(CENT)
        share = min(max(base + sum(row.contribution for row in rows), Decimal(0)), Decimal(1))
        return Outcome(
            score=int((100 * share).quantize(Decimal(1), ROUND_HALF_UP)),
            sentence="; ".join(f"{row.rule['label']} ({row.contribution:+.2f})" for row in rows)
            or f"No rule of the scoring model counts: this is its base, {base}.",
            contributions=spelled(
                [
                    {
                        "rule": row.rule["name"],
                        "label": row.rule["label"],
                        "contribution": row.contribution,
                        "signal_id": row.signal_id,
                    }
                    for row in rows
                ]
            ),
        )


def value_of(rule: dict[str, Any], lead: Lead, signal: Signal | None) -> Any:
    if "field" in rule:
        return lead.fields[rule["field"]]
    value = signal.value if signal else None
    if "key" in rule:
        return value.get(rule["key"]) if isinstance(value, dict) else None
    return value


def holds(rule: dict[str, Any], value: Any) -> bool:
    operator, operand = rule.get("operator", "present"), rule.get("value")
    if value is None or value is False:
        return bool(operator == "absent")
    match operator:
        case "equals":
            return is_same(value, operand)
        case "differs":
            return not is_same(value, operand)
        case "one_of":
            return isinstance(value, Decimal | str) and any(is_same(value, item) for item in rule["value"])
        case "at_least":
            return isinstance(value, Decimal) and value >= rule["value"]
        case "at_most":
            return isinstance(value, Decimal) and value <= rule["value"]
        case _:
            return bool(operator == "present")


def is_same(value: Any, other_value: Any) -> bool:
    return type(value) is type(other_value) and bool(value == other_value)


def contribution(rule: dict[str, Any], lead: Lead, signal: Signal | None) -> Decimal:
    weight: Decimal = rule["weight"]
    if "half_life_hours" not in rule:
        return weight
    assert signal
    age = max((lead.instant - signal.observed_at) // MILLISECOND, 0)
    half_lives: Decimal = age / (rule["half_life_hours"] * 3_600_000)
    return weight * Decimal("0.5") ** half_lives


def spelled(value: Any) -> str:
    """Returns the value as JSON, with unchanged decimals."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {spelled(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(spelled(item) for item in value) + "]"
        case _:
            return json.dumps(value)


# --- the computation in SQL ---


@contextmanager
def kept(connection: Connection, batch: Batch) -> Iterator[uuid.UUID]:
    """Stores the leads during the block, without triggers,
    and yields the id of their organization.
    """
    organization_id = uuid.uuid4()
    leads: list[dict[str, Any]] = [{"id": str(lead.id), **lead.fields} for lead in batch.leads]
    signals: list[dict[str, Any]] = [
        {
            "id": str(signal.id),
            "lead_id": str(lead.id),
            "type": signal.type,
            "value": signal.value,
            "observed_at": signal.observed_at.isoformat(),
        }
        for lead in batch.leads
        for signal in lead.signals
    ]
    with connection.transaction(force_rollback=True):
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            f"""insert into app.lead (organization_id, id, {", ".join(FIELDS)})
            select %s, r.* from json_to_recordset(%s) as r (id uuid, {" text, ".join(FIELDS)} text)""".encode(),
            [organization_id, spelled(leads)],
        )
        # json_to_recordset turns a JSON null into an SQL null.
        connection.execute(
            """insert into scoring.signal (organization_id, id, lead_id, type, value, observed_at)
            select %s, r.id, r.lead_id, r.type, coalesce(r.value, 'null'), r.observed_at from json_to_recordset(%s)
            as r (id uuid, lead_id uuid, type text, value jsonb, observed_at timestamptz)""",
            [organization_id, spelled(signals)],
        )
        yield organization_id


def arguments(organization_id: uuid.UUID, batch: Batch) -> list[Any]:
    return [
        organization_id,
        [lead.id for lead in batch.leads],
        [lead.instant for lead in batch.leads],
        spelled(batch.model),
        batch.counts_future,
    ]


def outcomes(connection: Connection, batch: Batch) -> dict[uuid.UUID, Outcome]:
    """Returns the outcome of scoring.compute_scores for each lead, by the lead's id."""
    with kept(connection, batch) as organization_id:
        rows = connection.execute(
            """select r.lead_id, r.lead_score, r.ai_reasoning, r.contributions::text
            from scoring.compute_scores(%s, %s, %s, %s, %s) as r""",
            arguments(organization_id, batch),
        ).fetchall()
    assert len(rows) == len(batch.leads)
    return {
        row["lead_id"]: Outcome(
            row["lead_score"],
            row["ai_reasoning"],
            spelled(json.loads(row["contributions"], parse_float=Decimal, parse_int=Decimal)),
        )
        for row in rows
    }


# --- models and leads ---


def hundredths(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[Decimal]:
    """Numbers with two decimals, written as 0.10 or as short as possible."""
    decimals = numbers.map(lambda number: Decimal(number).scaleb(-2))
    return decimals | decimals.map(Decimal.normalize)


labels = st.sampled_from(LABELS) | st.text(
    # A label must not contain control characters, line separators or characters that change the
    # text direction.
    st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp"],
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=128,
).map(lambda label: label.strip(WHITE_SPACE)).filter(bool)
weights = hundredths(
    st.sampled_from([1, 2, 3, -1, 5, 7, 10, 18, -15, -6, 64, 100])
    | st.integers(-100, 100).filter(lambda number: number != 0)
)
half_lives = hundredths(st.integers(1, 8_760_000))
bases = hundredths(st.sampled_from([55, 0, 30, 50, 70, 100]) | st.integers(0, 100))
caps = hundredths(st.sampled_from([20, 10, 5, 1]) | st.integers(1, 100))


def picked(*pools: Sequence[Any]) -> st.SearchStrategy[list[Any]]:
    """One element of each pool, in a single draw, because a draw takes Hypothesis about 0.1 ms."""

    def pick(number: int) -> list[Any]:
        picks = []
        for pool in pools:
            number, at = divmod(number, len(pool))
            picks.append(pool[at])
        return picks

    count = math.prod(map(len, pools))
    # Hypothesis prefers small numbers in a large range.
    assert count <= 2**24
    return st.integers(0, count - 1).map(pick)


RULE = picked(
    [*(("signal", type) for type in TYPES * 4), *(("field", field) for field in FIELDS)],
    [None, None, None, None, *KEYS],
    ["present", None, "present", "absent", "equals", "differs", "one_of", "at_least", "at_most"],
    range(len(COMPARABLE)),
    [*HALF_LIVES, "any"],
    range(6),
)
SIGNAL = picked(TYPES[:3], VALUES, range(17), range(4), range(16))
FIELD: dict[str, list[str | None]] = {field: [None, *TEXTS[:5]] for field in FIELDS} | {
    "email": [None, None, "a@b.co", "A@b.co"],
    "source": [*TEXTS[:5]],
}
LEAD = picked(*FIELD.values())


@st.composite
def rules(draw: st.DrawFn, groups: list[str]) -> dict[str, Any]:
    (kind, target), key, operator, nth, half_life, group = draw(RULE)
    rule: dict[str, Any] = {kind: target, "label": draw(labels), "weight": draw(weights)}
    if kind == "field" and operator in ("at_least", "at_most"):
        operator = "equals"
    if operator:
        rule["operator"] = operator
    if operator in ("at_least", "at_most"):
        rule["value"] = NUMBERS[nth % len(NUMBERS)]
    elif operator in ("equals", "differs"):
        rule["value"] = COMPARABLE[nth] or True
    elif operator == "one_of":
        rule["value"] = COMPARABLE[nth : nth + 1 + nth % 6]
    if kind == "signal" and key:
        rule["key"] = key
    if kind == "signal" and half_life and operator != "absent":
        rule["half_life_hours"] = draw(half_lives) if half_life == "any" else Decimal(half_life).scaleb(-2)
    if group < len(groups):
        rule["group"] = groups[group]
    return rule


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    model: dict[str, Any] = {"base": draw(bases)}
    groups = ["b", "a", "c-1"][: draw(st.integers(0, 3))]
    if groups:
        model["groups"] = {name: {"cap": draw(caps)} for name in groups}
    rule = rules(groups)
    drawn = draw(
        st.lists(rule, min_size=6, max_size=20) | st.lists(rule, max_size=64) | st.lists(rule, min_size=20, max_size=64)
    )
    # The order of the names differs from the order of the rules.
    model["rules"] = [{"name": f"rule-{99 - nth}", **rule} for nth, rule in enumerate(drawn)]
    return model


@st.composite
def leads(draw: st.DrawFn, number: int, model: dict[str, Any]) -> Lead:
    """A lead with signals whose ages are the half-lives of the rules that use them,
    or other ages.
    """
    fields = dict(zip(FIELDS, draw(LEAD), strict=True))
    if not (fields["name"] and fields["company"]):
        fields["email"] = fields["email"] or "a@b.co"
    instant = NOON + draw(st.integers(0, 10**11)) * MILLISECOND
    recent, old = draw(st.integers(0, 10**9)), draw(st.integers(0, 10**12))
    signals = []
    for nth, (type, value, age, which, first) in enumerate(draw(st.lists(SIGNAL, max_size=12))):
        # A hundredth of an hour is 36 seconds.
        lives = [
            int(rule["half_life_hours"] * 100) * 36_000
            for rule in model["rules"]
            if rule.get("signal") == type and "half_life_hours" in rule
        ] or [3_600_000]
        life = lives[which % len(lives)]
        multiples = [life, life, life, 2 * life, 3 * life, 7 * life, 8 * life, life // 2, life - 1, life + 1]
        milliseconds = [*multiples, recent, recent, old, 0, 1, -1, -recent][age]
        id = uuid.UUID(int=(first << 120) + (number << 16) + nth)
        signals.append(Signal(id, type, value, instant - milliseconds * MILLISECOND))
    return Lead(uuid.UUID(int=number), fields, signals, instant)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    model = draw(models())
    count = draw(st.integers(1, 20))
    return Batch(model, [draw(leads(number, model)) for number in range(count)], draw(st.booleans()))


def lead_with(*signals: tuple[str, Any, timedelta]) -> Lead:
    """Returns a lead with signals. Each signal is a type, a value and an age at noon."""
    return Lead(
        uuid.uuid4(),
        dict.fromkeys(FIELDS) | {"email": "ada@example.com"},
        [Signal(uuid.uuid4(), type, value, NOON - age) for type, value, age in signals],
    )


# --- the tests ---


@pytest.fixture(scope="module")
def connection(database: Database) -> Iterator[Connection]:
    """A connection as a superuser."""
    with database.connect() as connection:
        yield connection


# The output of a failure can be long.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_sql_and_decimal_agree_on_scores_sentences_and_contributions(connection: Connection) -> None:
    compared = half_cents = cut = 0

    # A batch has about eleven leads.
    @settings(fuzz, max_examples=CASES // 6)
    @given(batches())
    def check(batch: Batch) -> None:
        nonlocal compared, half_cents, cut
        [faults] = connection.execute("select scoring.model_faults(%s)::text", [spelled(batch.model)]).fetchall()
        assert faults["model_faults"] is None
        results = outcomes(connection, batch)
        for lead in batch.leads:
            outcome, expected = results[lead.id], expected_outcome(batch, lead)
            assert outcome == expected, f"{spelled(batch.model)} as of {lead.instant} for {lead}"
            summed = [entry["contribution"] for entry in json.loads(outcome.contributions, parse_float=Decimal)]
            assert outcome.score == 100 * min(max(batch.model["base"] + sum(summed), 0), 1)
            compared += 1
            half_cents += expected != expected_outcome(batch, lead, rounding=ROUND_HALF_EVEN)
            cut += expected != expected_outcome(batch, lead, has_caps=False)

    check()
    assert compared >= CASES
    assert half_cents > CASES / 100
    assert cut > CASES / 20


def test_a_wrong_computation_is_detected(connection: Connection) -> None:
    def rule(name: str, weight: str, **members: Any) -> dict[str, Any]:
        return {"name": name, "signal": name, "label": name, "weight": Decimal(weight), **members}

    hour = timedelta(hours=1)
    decaying = Batch(
        {"base": Decimal("0.55"), "rules": [rule("storm", "0.01", half_life_hours=Decimal(1))]},
        [lead_with(("storm", True, hour))],
    )
    capped = Batch(
        {
            "base": Decimal("0.5"),
            "groups": {"web": {"cap": Decimal("0.2")}},
            "rules": [rule("form", "0.15", group="web"), rule("visit", "0.1", group="web")],
        },
        [lead_with(("form", True, hour), ("visit", True, hour))],
    )
    [[storm], [form]] = [list(outcomes(connection, batch).values()) for batch in (decaying, capped)]

    assert (storm.score, storm.sentence) == (56, "storm (+0.01)")
    assert storm == expected_outcome(decaying, decaying.leads[0])
    assert storm != expected_outcome(decaying, decaying.leads[0], rounding=ROUND_HALF_EVEN)

    assert (form.score, form.sentence) == (70, "form (+0.15); visit (+0.05)")
    assert form == expected_outcome(capped, capped.leads[0])
    assert form != expected_outcome(capped, capped.leads[0], has_caps=False)


@pytest.mark.parametrize(
    ("weight", "half_life", "milliseconds", "score"),
    [
        ("0.66", "80231.38", 854059237228, 18),
        ("0.65", "85110.09", 1091670552608, 16),
        ("0.21", "86031.85", 1670079757208, 10),
        ("0.60", "82608.10", 225166262358, 45),
        ("0.93", "83989.96", 2279569129123, 11),
    ],
)
def test_the_computation_rounds_half_cents_correctly(
    connection: Connection, weight: str, half_life: str, milliseconds: int, score: int
) -> None:
    """Contributions within 1e-19 of half a cent, from a search of 32 million.
    With 16 digits they round wrongly.
    """
    rule = {
        "name": "r",
        "signal": "visits",
        "label": "L",
        "weight": Decimal(weight),
        "half_life_hours": Decimal(half_life),
    }
    batch = Batch({"base": Decimal("0.10"), "rules": [rule]}, [lead_with(("visits", True, milliseconds * MILLISECOND))])
    [outcome] = outcomes(connection, batch).values()
    assert outcome.score == score
    assert outcome == expected_outcome(batch, batch.leads[0])


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_settings_of_the_session_do_not_change_the_bytes(connection: Connection) -> None:
    @settings(fuzz, max_examples=10)
    @given(batches())
    def check(batch: Batch) -> None:
        with kept(connection, batch) as organization_id:

            def rows() -> list[dict[str, Any]]:
                return connection.execute(
                    "select r::text from scoring.compute_scores(%s, %s, %s, %s, %s) as r order by r.lead_id",
                    arguments(organization_id, batch),
                ).fetchall()

            first = rows()
            assert len(first) == len(batch.leads)
            assert rows() == first
            for setting, value in (
                ("TimeZone", "Asia/Tokyo"),
                ("DateStyle", "SQL, DMY"),
                ("IntervalStyle", "sql_standard"),
                ("extra_float_digits", "-15"),
            ):
                connection.execute("select set_config(%s, %s, true)", [setting, value])
                assert rows() == first, setting

    check()
