"""Builds the Python client: ``make client`` runs ``python -m tools.client``.

The document comes from ``api.openapi()``, in an empty database that is migrated for it. A generator
(openapi-python-client) makes the models and the requests from it. ``client/`` has what is written by
hand, and a template for the methods. Together they are a wheel, in ``build/``.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from app import embedded
from app.cli import migrate
from app.settings import ROOT

SOURCE = ROOT / "client"
_PROGRAMS = Path(sys.executable).parent
_JSON = "application/json"
_LINES = "application/x-ndjson"
# In a class Key, the generator gives the field "key" and the object itself one name.
_CLASSES = {"Key": {"class_name": "ApiKey", "module_name": "api_key"}}
_CONFIG = {
    "class_overrides": _CLASSES,
    "content_type_overrides": {_LINES: _JSON},
    "literal_enums": True,
    "post_hooks": [],
}
_GENERATE = "generate --path openapi.json --config config.json --custom-template-path templates".split()
_GENERATE += "--meta none --fail-on-warning".split()
_WHEEL = "-m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation".split()
_NAME = "leads_client-*.whl"


def document() -> dict[str, Any]:
    """The OpenAPI document of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with embedded.running(Path(folder) / "postgres", options={"fsync": "off"}) as server:
            migrate.apply(server.url("leads_migrator"))
            with psycopg.connect(server.url("leads_api")) as connection:
                row = connection.execute("select api.openapi()").fetchone()
    assert row is not None
    parsed: dict[str, Any] = json.loads(row[0])
    return parsed


def prepared(value: Any) -> Any:
    """A part of the document without what the generator can't write as a typed method.

    Bodies that are not application/json, and conditional GETs: Leads.request sends these. An export
    has the type of its rows.
    """
    match value:
        case list():
            return [prepared(one) for one in value]
        case {"operationId": _, "responses": _}:
            value = _operation(value)
        case {"enum": [*words, None]}:
            # The generator would make three types of it.
            value = {**value, "anyOf": [{"type": "string", "enum": words}, {"type": "null"}]}
            del value["enum"], value["type"]
    return {key: prepared(one) for key, one in value.items()} if isinstance(value, dict) else value


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    responses = {status: response for status, response in operation["responses"].items() if status != "304"}
    for status, response in responses.items():
        if lines := response.get("content", {}).get(_LINES):
            responses[status] = {**response, "content": {_LINES: {"schema": lines["schema"]["anyOf"][0]}}}
    changed = {
        "tags": ["operations"],
        "parameters": [one for one in parameters if one["name"] not in ("If-None-Match", "Leads-Position", "format")],
        "responses": responses,
    }
    if body := operation.get("requestBody"):
        changed["requestBody"] = {**body, "content": {_JSON: body["content"][_JSON]}}
    return {**operation, **changed}


def _run(folder: Path, program: str, *arguments: str) -> None:
    process = subprocess.run(
        [_PROGRAMS / program, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if process.returncode:
        sys.exit(f"{program} failed. It prints:\n{process.stdout}")


def build(document: dict[str, Any], folder: Path) -> Path:
    """Builds the wheel in the folder, and returns its path. Exits if the generator or the build fails."""
    document = prepared(document)
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "client"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", source)
        (source / "openapi.json").write_text(json.dumps(document))
        (source / "config.json").write_text(json.dumps(_CONFIG))
        output = "leads_client/generated"
        _run(source, "openapi-python-client", *_GENERATE, "--output-path", output)
        _run(source, "ruff", "format", "--quiet", "--isolated", output)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(_NAME):
            old.unlink()
        _run(source, "python", *_WHEEL, "--wheel-dir", str(folder.resolve()), ".")
    (built,) = folder.glob(_NAME)
    return built


def main() -> None:
    """Writes the wheel into build/."""
    wheel = build(document(), ROOT / "build")
    print(f"The client is built. Install it: pip install {wheel.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
