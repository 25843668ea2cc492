"""The context of the figures: the machine, its load, the versions and the commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import Any

from app.settings import ROOT


def facts(server_version: str) -> dict[str, Any]:
    """Returns what does not change during the benchmark."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "postgresql": server_version,
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "is_changed": bool(_git("status", "--porcelain", "--", "app", "sql", "migrations")),
    }


def load() -> float:
    """Returns the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _git(*arguments: str) -> str | None:
    try:
        process = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        return None
    return process.stdout.strip() if process.returncode == 0 else None
