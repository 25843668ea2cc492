"""All vendors, by their names in the database and on the command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.worker.calls import Before
from app.worker.vendors import Setting, Vendor, hubspot, jobnimbus, typed, webhook


@dataclass(frozen=True)
class Kind:
    """The parts of a connection to one vendor."""

    title: str
    credential: str
    """The vendor's own word for it."""
    parse_credential: Callable[[str], str]
    """From a person's input to the stored value.
    Raises ValueError, whose message continues after "but ".
    """
    settings: Mapping[str, Setting]
    of: Callable[[httpx.AsyncClient, Mapping[str, Any], str, Before], Vendor]
    """Makes the adapter from parsed settings and a parsed credential."""


VENDORS = {
    "jobnimbus": Kind("JobNimbus", "API key", typed.api_key, jobnimbus.SETTINGS, jobnimbus.of),
    "hubspot": Kind("HubSpot", "access token", typed.api_key, hubspot.SETTINGS, hubspot.of),
    "webhook": Kind("Webhook", "signing secret", webhook.signing_secret, webhook.SETTINGS, webhook.of),
}
