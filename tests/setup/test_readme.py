"""The README is short, its tour works exactly as it is printed,
and the links between the pages lead somewhere.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from app.settings import ROOT

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "client" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_WORDS = 900
MARK = "--- end of the block ---"
"""Printed after each block of the tour, to tell their outputs apart."""

# Words, columns and links


def without_blocks(text: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of the links and pictures, in prose, that are not addresses of other hosts."""
    prose = re.sub(r"`[^`\n]+`", "`", without_blocks(text))
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    names: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        copies = (f"{name}-{number}" for number in range(1, 100))
        names.add(name if name not in names else next(copy for copy in copies if copy not in names))
    return names


def broken_links(page: Path) -> list[str]:
    """The page's relative links whose file or anchor does not exist."""
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


def test_the_readme_has_at_most_900_words() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MAX_WORDS


def wide_lines(text: str) -> list[str]:
    """The lines of prose that are longer than 100 characters.
    Tables and pictures can't be wrapped.
    """
    return [line for line in without_blocks(text).splitlines() if len(line) > 100 and not line.startswith(("|", "!["))]


each_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


@each_page
def test_prose_is_wrapped_at_100_columns(page: Path) -> None:
    assert wide_lines(page.read_text(encoding="utf-8")) == []


def test_a_wide_line_is_found() -> None:
    wide = "word " * 21
    assert wide_lines(f"{wide}\n| {wide}\n```\n{wide}\n```\nshort") == [wide]


@each_page
def test_relative_links_and_anchors_exist(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    text = "# A page\n[a](security.md) [b](#a-page) [c](https://x.example/y) `[d](e)`\n"
    assert links(text) == ["security.md", "#a-page"]
    assert anchors("# A page\n## A page\n```sh\n# no heading\n```\n## `leads` & more\n") == {
        "a-page",
        "a-page-1",
        "leads--more",
    }
    broken = tmp_path / "page.md"
    broken.write_text("[a](missing.md) [b](#missing)")
    assert broken_links(broken) == ["missing.md", "#missing"]


# The tour


def tour() -> list[tuple[str, str | None, str | None]]:
    """Each shell block of the tour, with the JSON and the text that the README shows below it."""
    section = README.read_text(encoding="utf-8").partition("\n## Tour\n")[2].partition("\n## ")[0]
    block = r"^```sh\n(.+?)^```\n(?:\n```json\n(.+?)^```\n)?(?:\n```text\n(.+?)^```\n)?"
    blocks = re.findall(block, section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == section.count("```sh")
    return [(script, shown or None, text or None) for script, shown, text in blocks]


def differences(shown: Any, actual: Any, path: str = "$") -> list[str]:
    """Where the actual JSON differs from the shown one.
    An ellipsis in a shown string stands for anything.
    """
    if shown == "…":
        return []
    if isinstance(shown, dict) and isinstance(actual, dict):
        if list(shown) != list(actual):
            return [f"{path}: keys {list(actual)}"]
        return [each for key in shown for each in differences(shown[key], actual[key], f"{path}.{key}")]
    if isinstance(shown, list) and isinstance(actual, list):
        if len(shown) != len(actual):
            return [f"{path}: {len(actual)} elements"]
        pairs = enumerate(zip(shown, actual, strict=True))
        return [each for number, pair in pairs for each in differences(*pair, f"{path}[{number}]")]
    if isinstance(shown, str) and isinstance(actual, str):
        return [] if matches(shown, actual) else [f"{path}: {actual!r}"]
    return [] if (type(shown), shown) == (type(actual), actual) else [f"{path}: {actual!r}"]


def matches(shown: str, actual: str) -> bool:
    """Whether the text is the shown one, where an ellipsis stands for any text."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


@pytest.fixture(scope="module")
def export(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts ``leads serve`` with an embedded database. Yields the export line that it prints."""
    log = tmp_path_factory.mktemp("tour") / "log"
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environ |= {"LEADS_DATA_DIR": str(run_dir / f"tour {os.getpid()}"), "PORT": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"], cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 300
        line = None
        while line is None and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            line = re.search(r"^ *(export .+)\n", log.read_text(), re.MULTILINE)
        assert line is not None, log.read_text()
        yield line[1]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0


@pytest.fixture(scope="module")
def outputs(export: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints, and then the two blocks that the README says can be repeated."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".venv").symlink_to(sys.prefix)
    scripts = [script for script, _, _ in tour()]
    repeated = [script for script in scripts if "Idempotency-Key" in script or "If-Match" in script]
    assert len(repeated) == 2
    text = export + "\n" + "".join(f"{script}echo '{MARK}'\n" for script in [*scripts, *repeated])
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    # By standard input, so that bash reads it as pasted lines: one command at a time.
    process = subprocess.run(
        ["bash"],
        input=text,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    outputs = process.stdout.split(MARK + "\n")
    assert outputs.pop() == ""
    assert len(outputs) == len(scripts) + len(repeated), process.stdout
    return outputs


@pytest.mark.parametrize("number", range(len(tour())))
def test_a_block_of_the_tour_prints_what_the_readme_shows(outputs: list[str], number: int) -> None:
    _, shown, text = tour()[number]
    output = outputs[number]
    if shown is not None:
        assert differences(json.loads(shown.replace("\n", " ")), json.loads(output)) == []
    elif text is not None:
        trimmed = "\n".join(line.rstrip() for line in output.splitlines())
        assert matches(text.rstrip("\n"), trimmed), output
    else:
        assert output == ""


def test_the_tour_shows_its_outputs() -> None:
    assert sum(shown is not None for _, shown, _ in tour()) >= 6
    assert sum(text is not None for _, _, text in tour()) == 1


def test_the_repeated_commands_do_what_the_readme_says(outputs: list[str]) -> None:
    created, refused = outputs[-2:]
    first = next(output for output, (script, _, _) in zip(outputs, tour(), strict=False) if "Idempotency-Key" in script)
    assert created == first
    assert json.loads(refused)["status"] == 412


def test_a_difference_is_found() -> None:
    shown = {"id": "…", "name": "Ada…", "rows": [{"score": 1}], "next": "…"}
    assert differences(shown, {"id": "1", "name": "Ada Abbott", "rows": [{"score": 1}], "next": None}) == []
    actual = {"id": "1", "name": "Bea", "rows": [{"score": True}], "next": None}
    assert differences(shown, actual) == ["$.name: 'Bea'", "$.rows[0].score: True"]
    assert differences(shown, {"name": "Ada", "id": "1"}) == ["$: keys ['name', 'id']"]
    assert differences([1], [1, 2]) == ["$: 2 elements"]
