"""The changelog as a page."""

import re
from pathlib import Path

from app.server import changelog


def test_it_shows_every_entry_of_the_file() -> None:
    page = changelog.page("Leads API")
    assert page is not None
    text = page.decode()
    source = changelog.FILE.read_text(encoding="utf-8")
    assert text.count("<li>") == len(re.findall(r"^- ", source, re.MULTILINE))
    assert text.count("<h2>") == len(re.findall(r"^## ", source, re.MULTILINE))
    assert "<title>Changelog of the Leads API</title>" in text


def test_it_has_no_link_to_a_file_of_the_repository_and_no_html_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "CHANGELOG.md"
    file.write_text(
        "# Changelog\n\n- [forms](docs/forms.md#a) and [SemVer](https://semver.org) <script>1</script>\n"
        "- [`leads`](docs/cli.md), [x](javascript:1), [mail](mailto:a@example.com)\n"
    )
    text = (changelog.page("<API>", file) or b"").decode()
    assert '<li>forms and <a href="https://semver.org">SemVer</a> &lt;script&gt;1&lt;/script&gt;</li>' in text
    assert "<li><code>leads</code>, [x](javascript:1), mail</li>" in text
    assert "Changelog of the &lt;API&gt;" in text


def test_without_the_file_there_is_no_page(tmp_path: Path) -> None:
    assert changelog.page("Leads API", tmp_path / "CHANGELOG.md") is None
