"""The ASGI application: the API itself, and Starlette for the start,
the end and the pages around the API.
"""

import asyncio
import contextlib
import functools
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import log, session, tracing
from app.background import Background
from app.server import cors, loading, problems, reference, totals
from app.server.api import OPEN_PREFIX, PREFIX, Api, common_headers
from app.server.limits import BUCKETS, Limits
from app.server.postgres import Pool
from app.server.replicas import Replicas
from app.server.request import read_request
from app.settings import Settings, SettingsError, read

ROUTES_PAUSE = 10.0
"""Seconds between two readings of the routes if the server can't listen for a notification."""

ROUTES_POLL = 300.0
"""Seconds between two readings of the routes without a notification.

None is sent while the queue is full.
"""


YOUNG_OBJECTS = 10_000
"""New objects after which Python looks for cycles among them."""


def create(settings: Settings, url: str) -> ASGIApp:
    """The application that serves the database at this address, with the login in it."""
    pool = Pool(url, settings.connections, settings.queue, is_preparing=settings.prepared_statements)
    # Read before the first request: if the database can't be served, the start must fail.
    table = loading.load(url)
    limits = None
    if settings.rate_limit is not None:
        buckets = os.environ.get(BUCKETS)
        limits = Limits(settings.rate_limit, settings.rate_burst, None if buckets is None else Path(buckets))
    replicas = None
    if settings.replica_urls:
        replicas = Replicas(
            url,
            settings.replica_urls,
            size=settings.connections,
            queue=settings.queue,
            most_lag=settings.replica_lag,
            is_preparing=settings.prepared_statements,
        )
    api = Api(
        pool,
        table,
        settings.trusted_proxies,
        server_timing=settings.server_timing,
        limits=limits,
        replicas=replicas,
        admin_reads_replicas=settings.replica_admin_keys,
    )
    background = Background()
    drain = _Drain(settings.drain_seconds)
    folder = os.environ.get(totals.FOLDER)
    file = None if folder is None else totals.File(Path(folder))
    if file is not None:
        pool.totals = api.totals = file.totals
        if replicas is not None:
            replicas.totals = file.totals

    spans = tracing.start("leads-api")
    if spans is not None:
        from app.server.traces import Traces

        api.traces = Traces(spans, PREFIX)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await pool.open()
        _tune_garbage_collection()
        if parent := multiprocessing.parent_process():
            # A terminal that is closed sends it to all processes. The parent decides what follows.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            _end_with(parent.sentinel)
        drain.install()
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(
                background.run("routes", lambda: _watch_routes(url, api, listens=settings.prepared_statements))
            )
            uses = tasks.create_task(background.run("key uses", api.uses.report_forever))
            watches = [watch, uses]
            if replicas is not None:
                watches.append(tasks.create_task(replicas.run(background)))
            if file is not None:
                write = functools.partial(file.write_forever, lambda: api.gauges)
                watches.append(tasks.create_task(background.run("metrics", write)))
            yield
            for watch in watches:
                watch.cancel()
        await api.uses.report_at_end()
        await pool.close()
        if replicas is not None:
            await replicas.close()
        if file is not None:
            file.write({})
            file.close()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        log.flush()

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        avoided = [] if replicas is None else replicas.avoided
        is_answering = pool.is_ready or (replicas is not None and len(avoided) < len(replicas.all))
        if drain.has_begun or not is_answering:
            return JSONResponse({"status": "unavailable"}, 503, {"Retry-After": "1"})
        # 200 nevertheless: the routes that were read before are served, a replica answers reads, and
        # other servers have the same fault.
        if failing := [*background.failing(), *([] if pool.is_ready else ["primary"]), *avoided]:
            return JSONResponse({"status": "degraded", "failing": failing})
        return JSONResponse({"status": "ok"})

    async def respond_with_problem(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if not isinstance(error, HTTPException):
            log.failure("The request failed.", error, request_id=request.state.request_id)
        word = {404: "not_found", 405: "method_not_allowed", 503: "unavailable"}.get(status, "internal")
        headers = {"Vary": "Authorization"}
        if isinstance(error, HTTPException):
            headers |= error.headers or {}
        problem = problems.of_word(api.table.problems, word)
        return Response(problem.body(request.state.request_id), problem.status, headers, "application/problem+json")

    starlette = Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            *reference.routes(lambda: api.table.reference, lambda: api.table.problems),
        ],
        exception_handlers={HTTPException: respond_with_problem, Exception: respond_with_problem},
        lifespan=lifespan,
    )
    starlette.router.redirect_slashes = False

    def page_label(path: str) -> totals.Label:
        for route in starlette.routes:
            if isinstance(route, Route) and route.path_regex.match(path):
                return "GET", route.path
        return totals.UNMATCHED

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        """Everything around the API, with the API's common headers and a line in the log."""
        if scope["type"] != "http":
            await starlette(scope, receive, send)
            return
        started = time.perf_counter()
        request = read_request(scope)
        scope.setdefault("state", {})["request_id"] = request.id.decode()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                common = [header for header in common_headers(request.id) if header[0] not in names]
                message["headers"] = [*message["headers"], *common]
                seconds = time.perf_counter() - started
                label = page_label(request.path)
                if file is not None:
                    file.totals.add_request(label, message["status"], seconds)
                log.request(
                    request.id,
                    request.method,
                    request.shown_path,
                    message["status"],
                    seconds,
                    route=None if label is totals.UNMATCHED else label[1],
                    trace_id=request.trace_id,
                )
            await send(message)

        await starlette(scope, receive, send_with_headers)

    application = Application(api, around)
    if not settings.cors_origins:
        return application
    return cors.wrap(application, settings.cors_origins, lambda: api.table)


@dataclass(frozen=True)
class Application:
    """The API, and everything around it."""

    api: Api
    around: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request. The API is called directly: Starlette's routing and middleware would
        cost more than the rest of a request.
        """
        if scope["type"] == "http" and scope["path"].startswith((PREFIX + "/", OPEN_PREFIX + "/")):
            await self.api(scope, receive, send)
        else:
            await self.around(scope, receive, send)


def _tune_garbage_collection() -> None:
    """Leaves the objects of the start out of the searches for cycles, and makes these rarer.
    Measured with 16 clients: the server's part of a read is 5 to 8 % smaller.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


class _Drain:
    """The time between SIGTERM and the end of the server. Requests are still taken, and /readyz
    tells the load balancer to send no more.
    """

    def __init__(self, seconds: float) -> None:
        self.has_begun = False
        self._seconds = seconds

    def install(self) -> None:
        """Delays SIGTERM for uvicorn, whose handler stops the server at once and is set already.
        A second SIGTERM is not delayed.
        """
        if not self._seconds or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop):
            return

        def begin(number: int, frame: FrameType | None) -> None:
            if self.has_begun:
                stop(number, frame)
            else:
                self.has_begun = True
                loop.call_soon_threadsafe(loop.call_later, self._seconds, stop, number, None)

        signal.signal(signal.SIGTERM, begin)


def _end_with(sentinel: int) -> None:
    """Ends this server process when its parent has ended, even by SIGKILL: without the parent,
    nobody would stop it, and it would occupy the port. sentinel: a pipe of which the parent has the
    only other end.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(sentinel)
        # Like Ctrl-C, and unlike SIGTERM, this has no drain time.
        signal.raise_signal(signal.SIGINT)
        # Last, because standard error may have ended with the parent.
        log.write("error", message="The parent process has ended, so this server process ends.")

    loop.add_reader(sentinel, end)


async def _watch_routes(url: str, api: Api, *, listens: bool) -> None:
    """Reads the routes again when they change, at most once a second.
    A running request keeps the table it has.

    A notification can be missing (app.notify), so the routes are also read every ROUTES_POLL
    seconds.

    Behind a pooler a LISTEN would stay on a session that other clients use, and not reach us. There
    the routes are read every ROUTES_PAUSE seconds.
    """
    loop = asyncio.get_running_loop()
    conninfo = session.address(url)
    with ThreadPoolExecutor(1) as executor:

        async def read_routes() -> None:
            api.table = await loop.run_in_executor(executor, loading.load, url, api.table.reference)

        while not listens:
            await asyncio.sleep(ROUTES_PAUSE)
            await read_routes()
        while True:
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
                await connection.execute(f"listen {loading.CHANNEL}")
                while True:
                    # Also read at first: a change may have been notified before we listened.
                    await read_routes()
                    await asyncio.sleep(1.0)
                    async for _ in connection.notifies(timeout=ROUTES_POLL, stop_after=1):
                        pass


def from_environment() -> ASGIApp:
    """The application that serves DATABASE_URL. Raises SettingsError and psycopg.Error."""
    settings = read()
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is not set: give it the address of the database, with leads_api.")
    try:
        return create(settings, settings.database_url)
    except psycopg.OperationalError as error:
        if multiprocessing.parent_process() is None:
            raise
        # The parent has reached the database before. It starts this process again, and the other
        # server processes go on.
        log.write("warning", message=f"The server process can't read the routes. {' '.join(str(error).split())}")
        time.sleep(1)
        sys.exit(1)
