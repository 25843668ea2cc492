"""The API reference, for people and for tools: a page, Markdown, llms.txt and OpenAPI.

All four are made from one document, the OpenAPI that was read together with the routes. The page's
renderer is a package of its own (``tools/page.lock``) and is served from here. The page loads
nothing from other hosts. /docs/changelog is beside them (``changelog.py``).
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

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server import changelog, markdown, problems

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The renderer adds its styles to the page.
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
"""The renderer's settings (https://scalar.com/products/api-references/configuration)."""

_PACKAGE = "star_openapi_scalar"
_RENDERER = "templates/scalar/js/scalar.standalone.js"
_MISSING = (
    "The page needs the package star-openapi-scalar: install it with pip install --no-deps --require-hashes -r "
    "tools/page.lock, and start again. The same reference is at /docs.md and at /openapi.json."
)


@dataclass(frozen=True)
class File:
    """A file that a browser may keep forever, because its name contains a hash of its content."""

    path: str
    media_type: str
    content: bytes
    compressed: bytes
    """By gzip, once: to compress the renderer for each request would cost 0.2 s of CPU."""


@dataclass(frozen=True)
class Files:
    """The files that the page loads."""

    style: File
    script: File
    renderer: File


def _file(name: str, content: bytes, media_type: str) -> File:
    stem, _, suffix = name.rpartition(".")
    tag = hashlib.sha256(content).hexdigest()[:16]
    return File(f"/docs/{stem}.{tag}.{suffix}", media_type, content, gzip.compress(content, 6, mtime=0))


@functools.cache
def files() -> Files | None:
    """The files that the page loads, read at the first call.
    None: the renderer's package isn't installed.
    """
    try:
        renderer = resources.files(_PACKAGE).joinpath(_RENDERER).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    folder = resources.files("app.server") / "page"
    return Files(
        _file("page.css", (folder / "page.css").read_bytes(), "text/css; charset=utf-8"),
        _file("page.js", (folder / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
        _file("scalar.js", renderer, "text/javascript; charset=utf-8"),
    )


def page(title: str, files: Files) -> bytes:
    """The page, as HTML."""
    template = Template((resources.files("app.server") / "page" / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        style=files.style.path,
        script=files.script.path,
        renderer=files.renderer.path,
        configuration=html.escape(json.dumps(CONFIGURATION)),
    ).encode()


@dataclass(frozen=True)
class Texts:
    """The document's title, and the document in three forms."""

    title: str
    openapi: bytes
    markdown: bytes
    index: bytes


@functools.lru_cache(maxsize=2)
def texts(document: bytes) -> Texts:
    """The forms of a document. They are made once for each document."""
    parsed = json.loads(document)
    return Texts(
        parsed["info"]["title"], document, markdown.reference(parsed).encode(), markdown.index(parsed).encode()
    )


def routes(
    document: Callable[[], bytes],
    table: Callable[[], problems.Table],
    page_files: Callable[[], Files | None] = files,
) -> list[Route]:
    """The routes of the reference, in each of its forms.
    page_files: None: the renderer's package isn't installed.
    """

    def current() -> Texts:
        if not document():
            raise HTTPException(503, headers={"Retry-After": "10"})
        return texts(document())

    def openapi(request: Request) -> Response:
        return _tagged(request, current().openapi, "application/json")

    def as_markdown(request: Request) -> Response:
        return _tagged(request, current().markdown, "text/markdown; charset=utf-8")

    def as_index(request: Request) -> Response:
        return _tagged(request, current().index, "text/plain; charset=utf-8")

    def as_page(request: Request) -> Response:
        loaded = page_files()
        if loaded is None:
            problem = problems.of_word(table(), "not_found", detail=_MISSING)
            body = problem.body(request.state.request_id)
            return Response(body, 404, {"Vary": "Authorization"}, "application/problem+json")
        content = page(current().title, loaded)
        return _tagged(request, content, "text/html; charset=utf-8", PAGE_HEADERS)

    def as_changelog(request: Request) -> Response:
        content = changelog.page(current().title)
        if content is None:
            raise HTTPException(404)
        return _tagged(request, content, "text/html; charset=utf-8", PAGE_HEADERS)

    def as_file(request: Request) -> Response:
        loaded = page_files()
        by_path = {file.path: file for file in (loaded.style, loaded.script, loaded.renderer)} if loaded else {}
        file = by_path.get(request.url.path)
        if file is None:
            raise HTTPException(404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Type": file.media_type,
            "Vary": "Accept-Encoding",
        }
        if _accepts_gzip(request.scope):
            return Response(file.compressed, 200, headers | {"Content-Encoding": "gzip"})
        return Response(file.content, 200, headers)

    def as_root(_: Request) -> Response:
        # Not 308: browsers would keep it for as long as they like.
        return RedirectResponse("/docs", 307, {"Vary": "Authorization"})

    compressed = [Middleware(_compressed)]
    return [
        Route("/", as_root),
        Route("/openapi.json", openapi, middleware=compressed),
        Route("/docs", as_page, middleware=compressed),
        Route("/docs.md", as_markdown, middleware=compressed),
        Route("/llms.txt", as_index, middleware=compressed),
        Route("/docs/changelog", as_changelog, middleware=compressed),
        Route("/docs/{name}", as_file),
    ]


def _tagged(request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response with an entity tag, or 304 if the client has the current version (RFC 9110,
    section 13.1.2).

    The tag is weak, because it is the same with and without compression (section 8.8.1).
    """
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    common = {**(headers or {}), "ETag": f"W/{tag}", "Vary": "Authorization"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        # GZipMiddleware adds Accept-Encoding only if there is a body.
        return Response(None, 304, common | {"Vary": "Authorization, Accept-Encoding"})
    return Response(content, 200, common | {"Content-Type": media_type})


def _compressed(app: ASGIApp) -> ASGIApp:
    """GZipMiddleware, which doesn't know that ``gzip;q=0`` refuses gzip (RFC 9110,
    section 12.4.2).
    """
    compressing = GZipMiddleware(app, minimum_size=1, compresslevel=6)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not _accepts_gzip(scope):
            headers = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
            scope = {**scope, "headers": headers}
        await compressing(scope, receive, send)

    return application


def _accepts_gzip(scope: Scope) -> bool:
    accepted = Headers(scope=scope).get("accept-encoding", "")
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted) is not None
