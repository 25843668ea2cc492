"""The client, built from the API's document and installed into a folder of its own."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest

from tests.support.database import Database
from tools import client


@pytest.fixture(scope="session")
def installed(run_dir: Path, new_database: Callable[..., Database]) -> Path:
    """The folder that has the installed client."""
    folder = run_dir / "client"
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            document = json.loads(new_database().sql("select api.openapi()", login="leads_api")[0]["openapi"])
            wheel = client.build(document, folder)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*pip, "--no-index", "--target", folder / "packages", wheel], check=True)
            (folder / "done").touch()
    return folder / "packages"


@pytest.fixture(scope="session")
def sdk(installed: Path) -> Iterator[Any]:
    """The module leads_client."""
    sys.path.insert(0, str(installed))
    yield importlib.import_module("leads_client")
    sys.path.remove(str(installed))
