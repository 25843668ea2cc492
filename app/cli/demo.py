"""``leads demo``: a demo organization with realistic leads, and a second organization."""

import hashlib
import json
import random
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg

from app import embedded, settings
from app.cli.addresses import addresses, call, connect
from app.cli.keys import digest, new_key

ORGANIZATION = "Demo Restoration"
STRANGER = "Stranger Plumbing"
COUNT = 200

_FIRST = "Ada Bea Carl Dana Eli Fay Gus Hana Ivo June Karl Lena Milo Nora Otto Pia Rosa Sam Tess Uma Vera Wes".split()
_LAST = "Abbott Barnes Castle Dalton Ellis Foster Grant Hobbs Irving Jarvis Keller Lowell Mercer Nolan Osborn".split()
_COMPANY = "Alder Birch Cedar Dogwood Elm Fir Gingko Hazel Juniper Linden Maple Oak".split()
_TRADE = ("Property Care", "Dental", "Logistics", "Bakery", "Apartments", "Storage")
_SOURCE = {"google_ads": 30, "website": 25, "referral": 18, "facebook_ads": 12, "phone": 8, "partner": 5, None: 2}
_STAGE = {"new": 26, "contacted": 24, "qualified": 18, "proposal": 12, "won": 11, "lost": 9}
_PAIN = (
    "Recurring basement moisture after spring rain",
    "Roof leak above the stairwell since the last storm",
    "Smoke smell in two rooms after a kitchen fire",
    "Burst pipe in the utility room, floor soaked",
    "Mold behind the bathroom tiles",
    "Hail damage on siding and gutters",
)
_TIMELINE = ("today", "this_week", "this_month", "this_quarter", "just_looking")
_BUDGET = ("under_5k", "5k_to_15k", "15k_to_50k", "over_50k")
_FAR = ("qualified", "proposal", "won")
# Type, value, the share of qualified leads that have the signal, and the share of other leads.
_SIGNALS = (
    ("storm_event", True, 0.5, 0.2),
    ("phone_validated", True, 0.8, 0.4),
    ("fast_form_completion", True, 0.5, 0.3),
    ("email_bounced", True, 0.02, 0.15),
    ("page_views", 4, 0.6, 0.5),
)
_SIZE = ("1-10", "11-50", "51-200", "201-500")


@click.command()
def demo() -> None:
    """Create a demo organization with 200 leads and a second organization,
    and print an API key of the first.

    If the demo organization exists, the command only creates a new key. Both are test
    organizations: pushes to a CRM are simulated.
    """
    with addresses() as urls:
        data_dir = settings.read().data_dir
        with embedded.preparing(data_dir) if urls.is_embedded else nullcontext():
            click.echo(seed(urls.of_operator()))


def seed(operator_url: str) -> str:
    """Creates the organizations that don't exist yet,
    and returns a new key with the scope write.
    """
    with connect(operator_url) as connection:
        ids = {row["name"]: row["id"] for row in call(connection, "admin.organizations")}
        for name, count, number in ((ORGANIZATION, COUNT, 1), (STRANGER, 20, 2)):
            if name not in ids:
                ids[name] = call(connection, "admin.create_organization", name, "test")[0]["create_organization"]
                leads = _leads(random.Random(number), count)
                call(connection, "admin.load_leads", ids[name], json.dumps(leads, default=str))
                signals = _signals(random.Random(number), leads)
                call(connection, "admin.load_signals", ids[name], json.dumps(signals, default=str))
        if not call(connection, "admin.crm_connections", ids[ORGANIZATION]):
            # After the leads, so that they are not pushed when they enter a stage.
            settings = {"record_type_name": "Customer", "status_name": "Lead"}
            call(connection, "admin.connect_crm", ids[ORGANIZATION], "jobnimbus", "demo", json.dumps(settings))
        key = new_key("test")
        call(connection, "admin.create_key", ids[ORGANIZATION], "write", digest(key), "demo")
    return key


def is_good(api_url: str, key: str) -> bool:
    """Whether the API accepts the key."""
    with connect(api_url) as connection:
        try:
            claim = hashlib.sha256(key.encode()).hexdigest()
            call(connection, "auth.enter", claim, "demo", "read", True)
        except psycopg.errors.RaiseException:
            return False
        except psycopg.DatabaseError as error:
            if error.sqlstate == "PT401":
                return False
            raise
    return True


def _leads(draw: random.Random, count: int) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    leads = []
    for _ in range(count):
        stage = _one(draw, _STAGE)
        # Most leads are recent, and most come in by day.
        created = now - timedelta(days=90 * draw.random() ** 1.5, hours=draw.choice((0, 0, 0, 9)) * draw.random())
        updated = created + (now - created) * draw.random() * (0.0 if stage == "new" else 0.8)
        is_qualified = stage in _FAR or (stage == "lost" and draw.random() < 0.6)
        is_business = draw.random() < 0.3
        first, last = draw.choice(_FIRST), draw.choice(_LAST)
        leads.append(
            {
                "id": _id(draw, created),
                "name": f"{first} {last}",
                "company": f"{draw.choice(_COMPANY)} {draw.choice(_TRADE)}" if is_business else None,
                "email": f"{first}.{last}{draw.randrange(1000)}@example.com".lower()
                if not is_business or draw.random() < 0.8
                else None,
                "source": _one(draw, _SOURCE),
                "lead_score": draw.randrange(55, 100) if is_qualified else draw.randrange(0, 75),
                "pipeline_stage": stage,
                "industry": "commercial" if is_business else "residential",
                "company_size": draw.choice(_SIZE) if is_business else None,
                "pain_points": draw.choice(_PAIN) if draw.random() < 0.7 else None,
                "timeline": draw.choice(_TIMELINE) if draw.random() < 0.6 else None,
                "budget_range": draw.choice(_BUDGET) if draw.random() < 0.4 else None,
                "ai_reasoning": "High urgency: water damage signal, in-radius" if is_qualified else None,
                "qualification_completed_at": created + (updated - created) / 2 if is_qualified else None,
                "created_at": created,
                "updated_at": updated,
            }
        )
    return leads


def _signals(draw: random.Random, leads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Signals, observed some minutes after each lead was created.
    Qualified leads have more of them.
    """
    return [
        {
            "lead_id": lead["id"],
            "type": type,
            "value": value,
            "observed_at": lead["created_at"] + timedelta(minutes=draw.randrange(1, 20)),
        }
        for lead in leads
        for type, value, often, seldom in _SIGNALS
        if draw.random() < (often if lead["pipeline_stage"] in _FAR else seldom)
    ]


def _id(draw: random.Random, created: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7) with that time."""
    milliseconds = int(created.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | draw.getrandbits(12) << 64 | 2 << 62 | draw.getrandbits(62))


def _one(draw: random.Random, weights: dict[Any, int]) -> Any:
    return draw.choices(list(weights), list(weights.values()))[0]
