"""The history of the demo organization: what admin.load_history inserts. The people are invented.

It is the same for each seed, except that all times are relative to now.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

COUNT = 400
DAYS = 90

Row = dict[str, Any]

_FIRST = "Ada Bea Carl Dana Eli Fay Gus Hana Ivo June Karl Lena Milo Nora Otto Pia Rosa Sam Tess Uma Vera Wes".split()
_LAST = "Abbott Barnes Castle Dalton Ellis Foster Grant Hobbs Irving Jarvis Keller Lowell Mercer Nolan Osborn".split()
_COMPANY = "Alder Birch Cedar Dogwood Elm Fir Gingko Hazel Juniper Linden Maple Oak".split()
_TRADE = ("Property Care", "Dental", "Logistics", "Bakery", "Apartments", "Storage")
_SIZE = ("1-10", "11-50", "51-200", "201-500")
_PAIN = (
    "Recurring basement moisture after spring rain",
    "Smoke smell in two rooms after a kitchen fire",
    "Burst pipe in the utility room, floor soaked",
    "Mold behind the bathroom tiles",
)
_STORM_PAIN = ("Roof leak above the stairwell since the last storm", "Hail damage on siding and gutters")
_TIMELINE = ("today", "this_week", "this_month", "this_quarter", "just_looking")
_BUDGET = ("under_5k", "5k_to_15k", "15k_to_50k", "over_50k")
# Weight, how promising its leads are, and the usual hours until one is contacted.
_SOURCE: dict[str | None, tuple[int, float, float]] = {
    "google_ads": (30, -0.06, 6),
    "website": (25, 0.02, 3),
    "referral": (18, 0.16, 1.5),
    "facebook_ads": (12, -0.12, 14),
    "phone": (8, 0.12, 0.3),
    "partner": (5, 0.06, 20),
    None: (2, -0.1, 24),
}
# In these days before now, many leads come in, with the signal of a storm.
_STORM = (41, 36)
_STORM_SHARE = 0.17

_RULES: list[Row] = [
    {
        "name": "storm_event", "signal": "storm_event", "label": "Recent storm event in service radius",
        "weight": 0.18, "half_life_hours": 72,
    },
    {"name": "phone_validated", "signal": "phone_validated", "label": "phone validated", "weight": 0.10},
    {
        "name": "fast_form_completion", "signal": "fast_form_completion", "label": "fast form completion",
        "weight": 0.08,
    },
    {"name": "email_bounced", "signal": "email_bounced", "label": "email bounced", "weight": -0.15},
]  # fmt: skip
_MORE_RULES: list[Row] = [
    {
        "name": "urgent", "field": "timeline", "operator": "one_of", "value": ["today", "this_week"],
        "label": "wants to act this week", "weight": 0.07,
    },
    {
        "name": "just_looking", "field": "timeline", "operator": "equals", "value": "just_looking",
        "label": "just looking", "weight": -0.17,
    },
    {
        "name": "few_pages", "signal": "page_views", "operator": "at_most", "value": 2,
        "label": "few pages viewed", "weight": -0.12,
    },
]  # fmt: skip
# The version, its document, and how many days before now it was activated.
_MODELS: tuple[tuple[int, Row, int], ...] = (
    (
        1,
        {
            "base": 0.35,
            "rules": [
                {"name": "page_views", "signal": "page_views", "label": "pages viewed", "weight": 0.15},
                {"name": "phone_validated", "signal": "phone_validated", "label": "phone validated", "weight": 0.2},
                {"name": "budget", "field": "budget_range", "label": "budget known", "weight": 0.1},
            ],
        },
        89,
    ),
    # The default model's rules and three more: a new lead without a timeline has the default score.
    (2, {"base": 0.55, "rules": [*_RULES, *_MORE_RULES]}, 45),
)
# The CRM did not answer for a day, and the connection was paused for three.
_CONNECTED = 80
_OUTAGE = (38.5, 37.5)
_PAUSE = (61, 58)


def history(seed: int, count: int) -> Row:
    """Returns count leads of the last 90 days and their history, as admin.load_history reads it."""
    now = datetime.now(UTC)
    result: Row = {
        "models": [
            {
                "version": version,
                "state": "active" if version == len(_MODELS) else "retired",
                "document": document,
                "activated_at": _text(_days_ago(now, days)),
            }
            for version, document, days in _MODELS
        ],
        "connection": {
            "vendor": "jobnimbus",
            "account": "demo",
            "settings": {"record_type_name": "Customer", "status_name": "Lead"},
            "created_at": _text(_days_ago(now, _CONNECTED)),
        },
        **{name: [] for name in ("leads", "stages", "signals", "scores", "pushes")},
    }
    for number in range(count):
        # Of its own, so that what one lead draws before now does not change the others.
        draw = random.Random(f"{seed} {number}")
        _add_lead(result, draw, now, is_of_storm=number < count * _STORM_SHARE)
    return result


def _add_lead(result: Row, draw: random.Random, now: datetime, *, is_of_storm: bool) -> None:
    created = _created(draw, now, is_of_storm)
    source = draw.choices(list(_SOURCE), [weight for weight, _, _ in _SOURCE.values()])[0]
    _, promise, hours = _SOURCE[source]
    is_business = draw.random() < 0.3
    quality = min(max(draw.betavariate(2, 2.6) + promise + (0.34 if is_of_storm else 0), 0), 1)
    signals = list(_signals(draw, created, quality, is_of_storm))
    lead = _lead(draw, created, source, quality, is_business=is_business, is_of_storm=is_of_storm)
    result["leads"].append({**lead, "created_at": _text(created)})

    stages = [(stage, at) for stage, at in _stages(draw, created, quality, hours) if at < now]
    result["stages"] += [{"lead_id": lead["id"], "stage": stage, "at": _text(at)} for stage, at in stages]
    for type, value, observed in signals:
        stored = observed + timedelta(seconds=draw.randrange(2, 40))
        if stored < now:
            result["signals"].append(
                {
                    "id": _id(draw, stored), "lead_id": lead["id"], "type": type, "value": value,
                    "observed_at": _text(observed), "created_at": _text(stored),
                }
            )  # fmt: skip
    scored = [created + timedelta(minutes=21, seconds=draw.randrange(60))]
    if draw.random() < 0.3:
        scored.append(scored[0] + timedelta(hours=draw.uniform(20, 90)))
    for at in scored:
        if at < now:
            version = max(model for model, _, days in _MODELS if _days_ago(now, days) <= at)
            result["scores"].append({"lead_id": lead["id"], "version": version, "at": _text(at)})
    for stage, at in stages:
        if stage == "qualified" and at > _days_ago(now, _CONNECTED):
            result["pushes"].append({"lead_id": lead["id"], **_push(draw, at, now)})


def _created(draw: random.Random, now: datetime, is_of_storm: bool) -> datetime:
    """A time of the last 89 days. More leads come in than before, and most of them by day."""
    days = draw.uniform(*_STORM) if is_of_storm else (DAYS - 2) * draw.random() ** 1.25
    hour = draw.triangular(5, 24, 15) if draw.random() < 0.9 else draw.uniform(0, 24)
    midnight = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    created = midnight + timedelta(hours=hour, milliseconds=draw.randrange(1000))
    while created > now - timedelta(minutes=5):
        created -= timedelta(days=1)
    return created


def _lead(
    draw: random.Random, created: datetime, source: str | None, quality: float, *, is_business: bool, is_of_storm: bool
) -> Row:
    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    has_email = not is_business or draw.random() < 0.8
    # A promising lead wants to act soon.
    timeline = _TIMELINE[min(int((1 - quality) * 4 + draw.random() * 2), 4)]
    return {
        "id": _id(draw, created),
        "name": f"{first} {last}",
        "company": f"{draw.choice(_COMPANY)} {draw.choice(_TRADE)}" if is_business else None,
        "email": f"{first}.{last}{draw.randrange(1000)}@example.com".lower() if has_email else None,
        "phone": _phone(draw) if draw.random() < 0.4 else None,
        "source": source,
        "industry": "commercial" if is_business else "residential",
        "company_size": draw.choice(_SIZE) if is_business else None,
        "pain_points": draw.choice(_STORM_PAIN if is_of_storm else _PAIN) if draw.random() < 0.7 else None,
        "timeline": timeline if draw.random() < 0.6 else None,
        "budget_range": draw.choice(_BUDGET) if draw.random() < 0.4 else None,
        "details": {"roof_age": draw.randrange(1, 40)} if draw.random() < 0.25 else None,
    }


def _phone(draw: random.Random) -> str:
    """A number that is reserved for fiction."""
    return f"+1 {draw.choice((212, 303, 512, 614))} 555 01{draw.randrange(100):02}"


def _signals(
    draw: random.Random, created: datetime, quality: float, is_of_storm: bool
) -> Iterator[tuple[str, Any, datetime]]:
    """Type, value and time of each signal. A promising lead has more of them."""
    for type, value, chance in (
        ("storm_event", True, 0.9 if is_of_storm else 0.02),
        ("phone_validated", True, 0.25 + 0.6 * quality),
        ("fast_form_completion", True, 0.15 + 0.5 * quality),
        ("email_bounced", True, max(0.25 - 0.4 * quality, 0)),
        ("page_views", max(1, round(draw.gauss(2 + 5 * quality, 2))), 0.75),
    ):
        if draw.random() < chance:
            yield type, value, created + timedelta(minutes=draw.uniform(1, 19))
    if draw.random() < 0.15:
        yield "page_views", draw.randrange(1, 12), created + timedelta(hours=draw.uniform(12, 72))


def _stages(draw: random.Random, created: datetime, quality: float, hours: float) -> Iterator[tuple[str, datetime]]:
    """The stages that a lead enters after "new", and when. Some leads are forgotten on the way."""
    at = created
    for stage, usual_hours, chance in (
        ("contacted", hours, 0.96),
        ("qualified", 40, 0.15 + 0.9 * quality),
        ("proposal", 90, 0.65 + 0.3 * quality),
        ("won", 190, 0.1 + 0.9 * quality),
    ):
        if draw.random() < 0.09:
            return
        at += timedelta(hours=usual_hours * draw.lognormvariate(0, 0.8), minutes=3)
        if draw.random() > chance:
            yield "lost", at + timedelta(hours=48 * draw.lognormvariate(0, 0.7))
            return
        yield stage, at


def _push(draw: random.Random, at: datetime, now: datetime) -> Row:
    """The push of a lead that is qualified: when it ended, and with which result."""
    requested = at + timedelta(milliseconds=20)
    push: Row = {"id": _id(draw, requested), "status": "ok", "attempts": 1, "requested_at": _text(requested)}
    days = (now - at) / timedelta(days=1)
    ended = requested + timedelta(seconds=draw.lognormvariate(0.5, 0.9))
    chance = draw.random()
    if _PAUSE[1] < days < _PAUSE[0]:
        return push | {"status": "skipped", "error_code": "paused", "attempts": 0}
    if days < 1.5:
        # The demo's worker pushes it a day later.
        waits = now + timedelta(hours=24)
        error = "Simulated: the CRM did not answer."
        return push | {"status": "pending", "error": error, "attempts": draw.randrange(3, 9), "run_at": _text(waits)}
    if chance < 0.07:
        error = "Simulated: the CRM refused the record."
        return push | {"status": "failed", "error_code": "rejected", "error": error}
    if _OUTAGE[1] < days < _OUTAGE[0]:
        ended = _days_ago(now, _OUTAGE[1]) + timedelta(minutes=draw.uniform(1, 40))
        push["attempts"] = draw.randrange(5, 16)
    elif chance < 0.2:
        ended += timedelta(minutes=draw.uniform(1, 12))
        push["attempts"] = draw.randrange(2, 6)
    return push | {"ended_at": _text(min(ended, now))}


def _days_ago(now: datetime, days: float) -> datetime:
    return now - timedelta(days=days)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _id(draw: random.Random, created: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7) with that time."""
    milliseconds = int(created.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | draw.getrandbits(12) << 64 | 2 << 62 | draw.getrandbits(62))
