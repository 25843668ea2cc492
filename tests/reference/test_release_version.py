"""The version of the release is the same in pyproject.toml, in the Python client,
in the database and in the reference.
"""

import tomllib

import httpx

from app.settings import ROOT
from tests.support.process import Server


def test_the_reference_has_the_version_of_the_release(server: Server) -> None:
    for folder in (ROOT, ROOT / "client"):
        version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
        assert httpx.get(server.base + "/openapi.json").json()["info"]["version"] == version
