"""The objects of the API, as the reference names them."""

from leads_client.generated import models
from leads_client.generated.models import *  # noqa: F403

__all__ = models.__all__
