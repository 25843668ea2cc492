"""The files of this folder are named after the modules that they test."""

from pathlib import Path

from app.settings import ROOT


def test_each_file_is_named_after_a_module_of_the_server() -> None:
    modules = {path.stem for folder in ("app", "app/server") for path in (ROOT / folder).glob("*.py")}
    files = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert files - {"layout"} <= modules
