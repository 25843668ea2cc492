"""The vendors that there are, by the name that the database and the command line call them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.worker.calls import Before
from app.worker.vendors import Setting, Vendor, hubspot, jobnimbus, typed, webhook


@dataclass(frozen=True)
class Kind:
    """What a connection to one vendor takes."""

    title: str
    credential: str
    """What people call it."""
    parse_credential: Callable[[str], str]
    """From what a person types to what is kept. Raises ValueError; the message goes on after "but "."""
    settings: Mapping[str, Setting]
    of: Callable[[httpx.AsyncClient, Mapping[str, Any], str, Before], Vendor]
    """The vendor, with parsed settings and a parsed credential."""


VENDORS = {
    "jobnimbus": Kind("JobNimbus", "API key", typed.api_key, jobnimbus.SETTINGS, jobnimbus.of),
    "hubspot": Kind("HubSpot", "access token", typed.api_key, hubspot.SETTINGS, hubspot.of),
    "webhook": Kind("Webhook", "signing secret", webhook.signing_secret, webhook.SETTINGS, webhook.of),
}
