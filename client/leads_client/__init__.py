"""A typed client of the Leads API. README.md describes it."""

from leads_client import models
from leads_client.client import Leads
from leads_client.errors import LeadsError
from leads_client.generated.types import UNSET, Unset

__all__ = ["UNSET", "Leads", "LeadsError", "Unset", "models"]
