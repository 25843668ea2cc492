"""The environment, typed, read once: a wrong value fails at start, by the variable's name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """A variable has a value that can't be used. The message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    The four addresses are libpq connection strings, one login each: the shim, the migrations, the operator's commands
    and the CRM worker. None: the embedded server's.
    """

    host: str
    port: int
    workers: int
    data_dir: Path
    database_url: str | None
    migrate_url: str | None
    operator_url: str | None
    worker_url: str | None
    connections: int
    """Database connections of each server process, 1 to 100."""
    queue: int
    """Requests of each server process that may wait for a connection; one more is answered 503."""
    cors_origins: tuple[str, ...]
    """Origins whose pages may call the API; empty: CORS is off."""


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the environment. An empty value counts as none. Raises SettingsError."""

    def value(name: str, default: T, parse: Callable[[str], T]) -> T:
        text = environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{name} is {text!r}, but {error}. Set it anew, or leave it out.") from None

    return Settings(
        host=value("HOST", "127.0.0.1", str),
        port=value("PORT", 8000, _whole(0, 65535)),
        workers=value("WORKERS", 1, _whole(1, 64)),
        data_dir=value("LEADS_DATA_DIR", ROOT / ".data", lambda text: Path(text).expanduser().absolute()),
        database_url=value("DATABASE_URL", None, str),
        migrate_url=value("LEADS_MIGRATE_URL", None, str),
        operator_url=value("LEADS_OPERATOR_URL", None, str),
        worker_url=value("LEADS_WORKER_URL", None, str),
        connections=value("LEADS_CONNECTIONS", 4, _whole(1, 100)),
        queue=value("LEADS_QUEUE", 256, _whole(0, 10000)),
        cors_origins=value("LEADS_CORS_ORIGINS", (), _origins),
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if not all(origin == "*" or origin.startswith(("http://", "https://")) for origin in origins):
        raise ValueError("it must be origins such as https://app.example.com, separated by commas, or *")
    return origins
