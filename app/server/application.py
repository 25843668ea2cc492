"""The ASGI application: the API by itself, and Starlette for the life cycle and what lies around the API."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import log, session, settings
from app.server import problems, reference, routes
from app.server.api import PREFIX, Api, common_headers
from app.server.postgres import Pool
from app.server.request import read_request

ROUTES_PAUSE = 10.0
"""Seconds between two looks at the routes where nothing can be listened for."""


def create(given: settings.Settings, url: str) -> ASGIApp:
    """The application that serves the database at this address, as the login in it."""
    # Read before the first request: a database that can't be served must fail the start.
    pool = Pool(url, given.connections, given.queue, is_preparing=given.prepared_statements)
    api = Api(pool, routes.load(url))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await pool.open()
        watch = asyncio.create_task(_watch_routes(url, api, listens=given.prepared_statements))
        yield
        watch.cancel()
        await pool.close()
        log.flush()

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        if pool.is_ready:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable"}, 503, {"Retry-After": "1"})

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        word = {404: "not_found", 405: "method_not_allowed", 503: "unavailable"}.get(status, "internal")
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        problem = problems.of_word(api.table.problems, word)
        return Response(problem.body(request.state.request_id), problem.status, headers, "application/problem+json")

    starlette = Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            *reference.routes(lambda: api.table.reference, lambda: api.table.problems),
        ],
        exception_handlers={HTTPException: refuse, Exception: refuse},
        lifespan=lifespan,
    )
    starlette.router.redirect_slashes = False

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await starlette(scope, receive, send)
            return
        started = time.perf_counter()
        request = read_request(scope)
        scope.setdefault("state", {})["request_id"] = request.id.decode()

        async def send_as_all(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                common = [header for header in common_headers(request.id) if header[0] not in own]
                message["headers"] = [*message["headers"], *common]
                log.request(request.id, request.method, request.path, message["status"], time.perf_counter() - started)
            await send(message)

        await starlette(scope, receive, send_as_all)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Past Starlette's routing and middleware, which would cost a request more than the rest of the shim.
        if scope["type"] == "http" and scope["path"].startswith(PREFIX + "/"):
            await api(scope, receive, send)
        else:
            await around(scope, receive, send)

    if not given.cors_origins:
        return application
    return CORSMiddleware(
        application,
        allow_origins=given.cors_origins,
        allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id"],
        expose_headers=["ETag", "Idempotency-Replayed", "Link", "Location", "Retry-After", "X-Request-Id"],
    )


async def _watch_routes(url: str, api: Api, *, listens: bool) -> None:
    """Reads the routes again on NOTIFY, at most once a second; requests under way keep the table they began with.

    Behind a pooler LISTEN would stay on a session that others get, and not tell us: there they are read now and then.
    """
    loop = asyncio.get_running_loop()
    conninfo = session.address(url)
    with ThreadPoolExecutor(1) as executor:
        while True:
            try:
                if not listens:
                    await asyncio.sleep(ROUTES_PAUSE)
                    api.table = await loop.run_in_executor(executor, routes.load, url, api.table.reference)
                    continue
                async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
                    await connection.execute(f"listen {routes.CHANNEL}")
                    while True:
                        # At first too: what was said while nobody listened is in the table.
                        api.table = await loop.run_in_executor(executor, routes.load, url, api.table.reference)
                        await asyncio.sleep(1.0)
                        async for _ in connection.notifies(stop_after=1):
                            pass
            except Exception as error:
                # Whatever it is: the old routes stay, and the watch goes on.
                log.write("warning", message=f"The routes can't be read again for now: {type(error).__name__}.")
                await asyncio.sleep(1.0)


def from_environment() -> ASGIApp:
    """The application that serves DATABASE_URL. Raises SettingsError and psycopg.Error."""
    given = settings.read()
    if given.database_url is None:
        raise settings.SettingsError("DATABASE_URL is not set: give it the address of the database, with leads_api.")
    return create(given, given.database_url)
