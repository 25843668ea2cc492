"""The changelog as a page: CHANGELOG.md, as HTML."""

import functools
import html
from importlib import resources
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.settings import ROOT

FILE = ROOT / "CHANGELOG.md"


@functools.cache
def page(title: str, file: Path = FILE) -> bytes | None:
    """The page. None: the file is missing. title: of the API."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(text)
    for token in tokens:
        if token.children:
            token.children = _without_relative_links(token.children)
    template = Template((resources.files("app.server") / "page" / "changelog.html").read_text(encoding="utf-8"))
    content = markdown.renderer.render(tokens, markdown.options, {})
    return template.substitute(title=html.escape(title), content=content).encode()


def _without_relative_links(tokens: list[Token]) -> list[Token]:
    """The tokens without the links to files of the repository, which this server does not have. Links don't nest."""
    kept: list[Token] = []
    is_relative = False
    for token in tokens:
        if token.type == "link_open":
            is_relative = not str(token.attrs["href"]).startswith("https://")
        if not (is_relative and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept
