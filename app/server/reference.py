"""The reference for people and for the tools that read instead of them: a page, Markdown, llms.txt, OpenAPI.

All of them show one document, the OpenAPI that the routes were read with. The page is drawn by a renderer that comes as
a package of its own (``tools/page.lock``) and is handed out from here: nothing is asked of another host.
"""

import functools
import gzip
import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.server import markdown, problems

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The renderer writes its styles into the page.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy of the page (https://www.w3.org/TR/CSP3/)."""

PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
}

CONFIGURATION: dict[str, Any] = {
    "agent": {"disabled": True},
    "authentication": {"preferredSecurityScheme": "key"},
    "defaultHttpClient": {"targetKey": "shell", "clientKey": "curl"},
    "featuredClients": ["shell/curl", "python/requests", "js/fetch"],
    "hideClientButton": True,
    "mcp": {"disabled": True},
    "showDeveloperTools": "never",
    "telemetry": False,
    "theme": "default",
    "withDefaultFonts": False,
}
"""What the renderer is told (https://scalar.com/products/api-references/configuration)."""

_PACKAGE = "star_openapi_scalar"
_RENDERER = "templates/scalar/js/scalar.standalone.js"
_MISSING = (
    "The page needs the package star-openapi-scalar: install it with pip install --no-deps --require-hashes -r "
    "tools/page.lock, and start again. The same reference is at /docs.md and at /openapi.json."
)


@dataclass(frozen=True)
class File:
    """What a browser may keep for ever: its name holds a hash of its content."""

    path: str
    media_type: str
    content: bytes
    zipped: bytes


@dataclass(frozen=True)
class Files:
    """What the page loads."""

    style: File
    script: File
    renderer: File


def _file(name: str, content: bytes, media_type: str) -> File:
    stem, _, suffix = name.rpartition(".")
    tag = hashlib.sha256(content).hexdigest()[:16]
    return File(f"/docs/{stem}.{tag}.{suffix}", media_type, content, gzip.compress(content, 6, mtime=0))


@functools.cache
def files() -> Files | None:
    """What the page loads, read and compressed at the first call; None: the renderer's package isn't installed."""
    try:
        renderer = resources.files(_PACKAGE).joinpath(_RENDERER).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    own = resources.files("app.server") / "page"
    return Files(
        _file("page.css", (own / "page.css").read_bytes(), "text/css; charset=utf-8"),
        _file("page.js", (own / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
        _file("scalar.js", renderer, "text/javascript; charset=utf-8"),
    )


def page(title: str, found: Files) -> bytes:
    """The page, as HTML."""
    template = Template((resources.files("app.server") / "page" / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        style=found.style.path,
        script=found.script.path,
        renderer=found.renderer.path,
        configuration=html.escape(json.dumps(CONFIGURATION)),
    ).encode()


@dataclass(frozen=True)
class Texts:
    """What is made of the document: its title, and its three forms to read."""

    title: str
    openapi: bytes
    markdown: bytes
    index: bytes


@functools.lru_cache(maxsize=2)
def texts(document: bytes) -> Texts:
    """The forms of a document, made once for each that is served."""
    parsed = json.loads(document)
    return Texts(
        parsed["info"]["title"], document, markdown.reference(parsed).encode(), markdown.index(parsed).encode()
    )


def routes(
    document: Callable[[], bytes], table: Callable[[], problems.Table], found: Callable[[], Files | None] = files
) -> list[Route]:
    """Where the reference is, in each of its forms. ``found``: what the page loads; None: its package isn't there."""

    def made() -> Texts:
        if not document():
            raise HTTPException(503, headers={"Retry-After": "10"})
        return texts(document())

    def openapi(request: Request) -> Response:
        return _tagged(request, made().openapi, "application/json")

    def as_markdown(request: Request) -> Response:
        return _tagged(request, made().markdown, "text/markdown; charset=utf-8")

    def as_index(request: Request) -> Response:
        return _tagged(request, made().index, "text/plain; charset=utf-8")

    def as_page(request: Request) -> Response:
        loaded = found()
        if loaded is None:
            problem = problems.of_word(table(), "not_found", detail=_MISSING)
            return Response(problem.body(request.state.request_id), 404, None, "application/problem+json")
        content = page(made().title, loaded)
        return _tagged(request, content, "text/html; charset=utf-8", PAGE_HEADERS)

    def file(request: Request) -> Response:
        loaded = found()
        named = {one.path: one for one in (loaded.style, loaded.script, loaded.renderer)} if loaded else {}
        one = named.get(request.url.path)
        if one is None:
            raise HTTPException(404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Type": one.media_type,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if _takes_gzip(request):
            return Response(one.zipped, 200, headers | {"Content-Encoding": "gzip"})
        return Response(one.content, 200, headers)

    return [
        Route("/openapi.json", openapi),
        Route("/docs", as_page),
        Route("/docs.md", as_markdown),
        Route("/llms.txt", as_index),
        Route("/docs/{name}", file),
    ]


def _tagged(request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with an entity tag, or 304 for who has it (RFC 9110, section 13.1.2)."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    named = {"X-Content-Type-Options": "nosniff", **(headers or {}), "ETag": tag}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        return Response(None, 304, named)
    return Response(content, 200, named | {"Content-Type": media_type})


def _takes_gzip(request: Request) -> bool:
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", request.headers.get("accept-encoding", "")) is not None
