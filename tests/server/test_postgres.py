"""The pool's connections to a server that fails. They run on uvloop, as in production."""

import asyncio
import contextlib
import functools
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from app.server import postgres
from app.server.postgres import Beside, ConnectionLost, Pool, Statement, StatementFailed
from app.server.queue import ClientGone, Crowded, Unavailable
from tests.support.database import Database

STATEMENT = Statement(b"s", b"select 1")
PATIENCE = 30
"""Seconds in which something must happen."""


def message(kind: bytes, content: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!i", len(content) + 4) + content


def error(sqlstate: str, severity: str = "ERROR", routine: str = "f", kind: bytes = b"E") -> bytes:
    """An error, or with the kind N a notice."""
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": "m", "R": routine}
    return message(kind, b"".join(name.encode() + text.encode() + b"\0" for name, text in fields.items()) + b"\0")


READY = message(b"Z", b"I")


class Backend:
    """A server that accepts each session, and then does as it is told."""

    def __init__(self, path: Path, answer: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._answer = answer
        self.sessions = 0
        self.cancellations = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path / ".s.PGSQL.5432"))
        self._listener.listen()
        self._listener.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for task in (tasks := list(self._tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _accept(self) -> None:
        session, _ = self._listener.accept()
        session.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Also of a task that is cancelled before it begins.
        task.add_done_callback(functools.partial(_close, session))

    async def _serve(self, session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if struct.unpack("!ii", (await loop.sock_recv(session, 65536))[:8])[1] == 80877102:
            self.cancellations += 1
            return
        self.sessions += 1
        await loop.sock_sendall(
            session, message(b"R", struct.pack("!i", 0)) + message(b"K", struct.pack("!ii", 7, 7)) + READY
        )
        await self._answer(session)


def _close(session: socket.socket, _: object) -> None:
    session.close()


@asynccontextmanager
async def pooled(
    path: Path,
    answer: Callable[[socket.socket], Awaitable[None]],
    *,
    size: int = 1,
    queue: int = 8,
    is_preparing: bool = True,
) -> AsyncIterator[tuple[Pool, Backend]]:
    """A pool to a server with these answers."""
    backend = Backend(path, answer)
    backend.start()
    pool = Pool(f"postgresql:///x?host={path}&user=x", size, queue, is_preparing=is_preparing)
    try:
        await pool.open()
        yield pool, backend
    finally:
        await pool.close()
        await backend.close()


def answering(data: bytes) -> Callable[[socket.socket], Awaitable[None]]:
    """Answers everything with the data."""

    async def answer(session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while await loop.sock_recv(session, 65536):
            await loop.sock_sendall(session, data)

    return answer


PREPARED = message(b"1", b"")
TYPES = struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)


def row(value: bytes) -> bytes:
    """A complete result of one row, without the ReadyForQuery that ends its transaction."""
    return (
        message(b"2", b"")
        + message(b"T", struct.pack("!h", 1) + b"a\0" + TYPES)
        + message(b"D", struct.pack("!hi", 1, len(value)) + value)
        + message(b"C", b"SELECT 1\0")
    )


def answering_each(*answers: bytes) -> Callable[[socket.socket], Awaitable[None]]:
    """Answers each Sync with the next data. When none is left, sends ReadyForQuery alone."""

    async def answer(session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        left = iter(answers)
        unread = b""
        while data := await loop.sock_recv(session, 65536):
            unread += data
            while len(unread) > 4 and len(unread) > (size := struct.unpack("!i", unread[1:5])[0]):
                kind, unread = unread[:1], unread[size + 1 :]
                if kind == b"S":
                    await loop.sock_sendall(session, next(left, READY))

    return answer


async def silent(session: socket.socket) -> None:
    """Answers nothing."""
    loop = asyncio.get_running_loop()
    while await loop.sock_recv(session, 65536):
        pass


async def until(condition: Callable[[], object]) -> None:
    """Waits until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110, because nothing could set an event
            await asyncio.sleep(0.01)


class Gone:
    """A client that can disconnect."""

    def __init__(self, *, is_gone: bool = False) -> None:
        self.is_gone = is_gone


@pytest.mark.parametrize("is_idle", [False, True], ids=["while a statement runs", "while it is idle"])
def test_an_end_with_last_words_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_idle: bool
) -> None:
    monkeypatch.setattr(postgres, "TICK", 2 * PATIENCE)  # so that nothing but the socket can report it
    is_open = asyncio.Event()

    async def killed(session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if is_idle:
            await is_open.wait()
        else:
            # The statement stays unread, so that the end is an error on the client's socket.
            await until(lambda: is_readable(session))
        await loop.sock_sendall(session, error("57P02", "WARNING", kind=b"N"))

    def is_readable(session: socket.socket) -> bool:
        try:
            return bool(session.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    async def run() -> None:
        async with pooled(tmp_path, killed) as (pool, backend):
            is_open.set()
            if not is_idle:
                with pytest.raises(ConnectionLost):
                    await asyncio.wait_for(pool.execute(STATEMENT, ()), PATIENCE)
            await until(lambda: backend.sessions > 1)

    uvloop.run(run())


def test_an_end_that_nothing_reports_is_found_by_the_next_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = asyncio.Event()

    async def ends(session: socket.socket) -> None:
        await may_end.wait()

    async def run() -> None:
        async with pooled(tmp_path, ends) as (pool, backend):
            (connection,) = pool._all
            asyncio.get_running_loop().remove_reader(connection.socket)
            may_end.set()
            await until(lambda: backend.sessions > 1)

    uvloop.run(run())


def test_a_server_that_does_not_answer_does_not_stop_the_others(tmp_path: Path) -> None:
    """PGconn.connect stopped the whole process, because it waits with Python's lock."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            pool = Pool(f"postgresql://x@127.0.0.1:{listener.getsockname()[1]}/x", 1, 8)
            opening = asyncio.ensure_future(pool.open())
            await asyncio.sleep(0.1)
            assert not opening.done()
            opening.cancel()

    uvloop.run(run())


@pytest.mark.parametrize(
    ("answer", "sqlstate"),
    [
        (error("25006"), "25006"),
        (error("26000"), "26000"),
        (error("42P05"), "42P05"),
    ],
)
def test_an_error_of_the_session_replaces_it_but_not_in_an_endless_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, sqlstate: str
) -> None:
    monkeypatch.setattr(postgres, "YOUNG", 60)

    async def run() -> None:
        async with pooled(tmp_path, answering(answer + READY)) as (pool, backend):
            for _ in range(10):
                with pytest.raises(StatementFailed) as failure:
                    await pool.execute(STATEMENT, ())
                assert failure.value.sqlstate == sqlstate
            assert backend.sessions == 1
            monkeypatch.setattr(postgres, "YOUNG", -1)
            for _ in range(3):
                with pytest.raises(StatementFailed):
                    await pool.execute(STATEMENT, ())
            await until(lambda: backend.sessions == 4)

    uvloop.run(run())


@pytest.mark.parametrize("sqlstate", ["23505", "0A000", "55P03", "42883", "XX000"])
def test_an_error_of_the_statement_keeps_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    monkeypatch.setattr(postgres, "YOUNG", -1)

    async def run() -> None:
        async with pooled(tmp_path, answering(error(sqlstate) + READY)) as (pool, backend):
            for _ in range(3):
                with pytest.raises(StatementFailed):
                    await pool.execute(STATEMENT, ())
            assert backend.sessions == 1

    uvloop.run(run())


def test_a_session_that_a_pooler_ends_is_lost_whatever_its_sqlstate(tmp_path: Path) -> None:
    async def run() -> None:
        async with pooled(tmp_path, answering(error("XX000", "FATAL") + READY)) as (pool, backend):
            with pytest.raises(ConnectionLost) as lost:
                await pool.execute(STATEMENT, ())
            assert lost.value.sqlstate == "XX000"
            await until(lambda: backend.sessions > 1)

    uvloop.run(run())


def test_a_read_whose_client_has_gone_is_cancelled_and_a_write_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TICK", 0.05)

    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, backend):
            gone = Gone()
            read = asyncio.ensure_future(pool.execute(STATEMENT, (), client=gone, is_read_only=True))
            await asyncio.sleep(0.2)
            assert not read.done()
            gone.is_gone = True
            with pytest.raises(ClientGone):
                await asyncio.wait_for(read, PATIENCE)
            await until(lambda: backend.sessions > 1)
            assert backend.cancellations == 1
            write = asyncio.ensure_future(pool.execute(STATEMENT, (), client=gone))
            await asyncio.sleep(0.2)
            assert not write.done()
            assert backend.cancellations == 1
            write.cancel()
            await asyncio.wait({write})

    uvloop.run(run())


def test_a_read_behind_a_pooler_is_not_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PgBouncer could have given the session to another client when the cancellation arrives."""
    monkeypatch.setattr(postgres, "TICK", 0.05)

    async def run() -> None:
        async with pooled(tmp_path, silent, is_preparing=False) as (pool, backend):
            gone = Gone()
            gone.is_gone = True
            read = asyncio.ensure_future(pool.execute(STATEMENT, (), client=gone, is_read_only=True))
            await asyncio.sleep(0.5)
            assert (read.done(), backend.cancellations) == (False, 0)
            read.cancel()
            await asyncio.wait({read})

    uvloop.run(run())


def test_a_client_that_has_gone_leaves_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "TICK", 0.01)

    async def run() -> None:
        async with pooled(tmp_path, silent, queue=2) as (pool, _):
            first = asyncio.ensure_future(pool.execute(STATEMENT, ()))
            gone = Gone()
            waiting = asyncio.ensure_future(pool.execute(STATEMENT, (), client=gone))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            gone.is_gone = True
            with pytest.raises(ClientGone):
                await asyncio.wait_for(waiting, PATIENCE)
            first.cancel()
            await asyncio.wait({first})

    uvloop.run(run())


def test_a_caller_with_many_requests_leaves_a_connection_to_another(tmp_path: Path) -> None:
    async def run() -> None:
        async with pooled(tmp_path, silent, size=8, queue=2) as (pool, _):
            many = [asyncio.ensure_future(pool.execute(STATEMENT, (), caller=b"many")) for _ in range(10)]
            await asyncio.sleep(0.05)
            assert len(pool._idle) == 1
            # Nothing answers, but it is sent.
            other = asyncio.ensure_future(pool.execute(STATEMENT, (), caller=b"other"))
            await asyncio.sleep(0.05)
            assert not pool._idle
            # The tenth of the first caller is refused.
            with pytest.raises(Crowded):
                await asyncio.wait_for(asyncio.ensure_future(many[9]), PATIENCE)
            for task in (*many, other):
                task.cancel()
            await asyncio.wait({*many, other})

    uvloop.run(run())


def test_a_connection_that_does_not_answer_a_probe_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "TICK", 0.01)
    monkeypatch.setattr(postgres, "PROBE", 0.0)
    monkeypatch.setattr(postgres, "PROBE_PATIENCE", 0.1)

    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, backend):
            (silent_one,) = pool._all
            await until(lambda: backend.sessions > 1)
            assert silent_one not in pool._all

    uvloop.run(run())


def test_a_server_whose_connections_are_all_silent_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PROBE_PATIENCE", 60.0)

    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, _):
            first = asyncio.ensure_future(pool.execute(STATEMENT, ()))
            await asyncio.sleep(0)
            before = pool.is_ready
            monkeypatch.setattr(postgres, "PROBE_PATIENCE", 0.05)
            await asyncio.sleep(0.1)
            assert (before, pool.is_ready) == (True, False)
            first.cancel()
            await asyncio.wait({first})

    uvloop.run(run())


def test_a_wait_for_a_connection_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "TICK", 0.01)

    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, _):
            first = asyncio.ensure_future(pool.execute(STATEMENT, ()))
            await asyncio.sleep(0)
            # The second ends before the first, because it has waited elsewhere.
            patient = asyncio.ensure_future(pool.execute(STATEMENT, (), patience=60))
            with pytest.raises(Unavailable):
                await asyncio.wait_for(pool.execute(STATEMENT, (), patience=0.05), PATIENCE)
            assert not patient.done()
            for task in (first, patient):
                task.cancel()
            await asyncio.wait({first, patient})

    uvloop.run(run())


FIRST = PREPARED + row(b"first") + READY


@pytest.mark.parametrize(
    "answers",
    [
        (row(b"1") + row(b"1") + READY, row(b"2") + READY, row(b"3") + READY),
        (row(b"1") + READY + READY, row(b"2") + READY, row(b"3") + READY),
        (row(b"1"), row(b"2") + READY, row(b"3") + READY),
        (READY, row(b"1") + READY, row(b"2") + READY),
        (row(b"1") + READY + row(b"x"), row(b"2") + READY, row(b"3") + READY),
    ],
    ids=["two results", "two ends", "no end", "no result", "a result between two statements"],
)
def test_a_result_that_belongs_to_no_statement_closes_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(postgres, "SLOW", 60.0)

    async def run() -> None:
        async with pooled(tmp_path, answering_each(FIRST, row(b"second") + READY, *answers), size=4) as (pool, backend):
            for value in (b"first", b"second"):
                assert (await pool.execute(STATEMENT, (), is_read_only=True)).get_value(0, 0) == value
            results: list[Any] = await asyncio.gather(
                *(pool.execute(STATEMENT, (), is_read_only=True) for _ in range(3)), return_exceptions=True
            )
            assert any(isinstance(result, ConnectionLost) for result in results)
            for number, result in enumerate(results, 1):
                assert isinstance(result, ConnectionLost) or result.get_value(0, 0) == b"%d" % number
            await until(lambda: backend.sessions == 5)

    uvloop.run(run())


def test_an_error_of_the_commit_is_one_of_its_statement_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "SLOW", 60.0)
    answers = [row(b"second") + READY, row(b"1") + READY, row(b"2") + error("54000") + READY, row(b"3") + READY]

    async def run() -> None:
        async with pooled(tmp_path, answering_each(FIRST, *answers), size=4) as (pool, backend):
            for _ in range(2):
                await pool.execute(STATEMENT, (), is_read_only=True)
            results: list[Any] = await asyncio.gather(
                *(pool.execute(STATEMENT, (), is_read_only=True) for _ in range(3)), return_exceptions=True
            )
            assert [results[n].get_value(0, 0) for n in (0, 2)] == [b"1", b"3"]
            assert isinstance(results[1], StatementFailed)
            assert results[1].sqlstate == "54000"
            assert backend.sessions == 4

    uvloop.run(run())


@pytest.mark.parametrize("late", [row(b"late"), row(b"late") + READY, READY], ids=["a result", "all", "an end"])
@pytest.mark.parametrize("is_together", [False, True], ids=["later", "together"])
def test_what_arrives_without_a_statement_is_no_result_of_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bytes, *, is_together: bool
) -> None:
    monkeypatch.setattr(postgres, "PROBE", 60.0)

    async def answer(session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_recv(session, 65536)
        await loop.sock_sendall(session, FIRST + (late if is_together else b""))
        if not is_together:
            await asyncio.sleep(0.1)
            await loop.sock_sendall(session, late)
        await answering_each(row(b"own") + READY)(session)

    async def run() -> None:
        async with pooled(tmp_path, answer) as (pool, backend):
            first = asyncio.ensure_future(pool.execute(STATEMENT, ()))
            if is_together:
                # It is sent in the moment in which the first one ends.
                second = asyncio.ensure_future(pool.execute(STATEMENT, ()))
                with contextlib.suppress(ConnectionLost):
                    assert (await second).get_value(0, 0) == b"own"
            assert (await first).get_value(0, 0) == b"first"
            await until(lambda: backend.sessions > 1)

    uvloop.run(run())


def test_a_long_statement_runs_on_a_connection_of_its_own(database: Database) -> None:
    async def run() -> list[bytes | None]:
        pool = Pool(database.url("leads_api"), 1, 8)
        await pool.open()
        show = b"select pg_backend_pid()::text, current_setting('statement_timeout')"
        try:
            short, long, again = [
                await pool.execute(Statement(name, show, seconds), ())
                for name, seconds in ((b"a", 10), (b"b", 20), (b"c", 20))
            ]
            # While a long one runs, a short one gets the only other connection.
            slow = asyncio.ensure_future(pool.execute(Statement(b"d", b"select pg_sleep(15)", 20), ()))
            await pool.execute(Statement(b"e", b"select 1"), ())
            assert not slow.done()
            slow.cancel()
        finally:
            await pool.close()
        assert short.get_value(0, 0) not in (long.get_value(0, 0), again.get_value(0, 0))
        return [each.get_value(0, 1) for each in (short, long, again)]

    assert asyncio.run(run()) == [b"10s", b"20s", b"20s"]


OTHER = Statement(b"o", b"select 2")


def answering_in_turn(*answers: bytes) -> Callable[[socket.socket], Awaitable[None]]:
    """Answers when there are as many Syncs, and ends the session."""

    async def answer(session: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        unread = b""
        while len(unread) < 5 or unread.count(b"S\x00\x00\x00\x04") < len(answers):
            unread += await loop.sock_recv(session, 65536)
        for data in answers:
            await loop.sock_sendall(session, data)

    return answer


def test_statements_beside_another_one_get_their_own_results(tmp_path: Path) -> None:
    async def run() -> None:
        answers = (PREPARED + row(value) + READY for value in (b"before", b"own", b"after"))
        async with pooled(tmp_path, answering_each(*answers)) as (pool, _):
            before, after = Beside(OTHER, (b"",)), Beside(Statement(b"p", b"select 3"))
            result = await pool.execute(STATEMENT, (), before=before, after=after)
            assert before.result is not None
            assert after.result is not None
            values = [each.get_value(0, 0) for each in (before.result, result, after.result)]
            assert values == [b"before", b"own", b"after"]
            assert pool.gauges == {"pool_busy": 0, "pool_idle": 1, "pool_waiting": 0}

    uvloop.run(run())


def test_the_failure_of_a_statement_beside_another_one_changes_nothing_else(tmp_path: Path) -> None:
    async def run() -> None:
        answers = (error("42501") + READY, PREPARED + row(b"own") + READY, error("42501") + READY)
        async with pooled(tmp_path, answering_each(*answers)) as (pool, backend):
            before, after = Beside(OTHER, (b"",)), Beside(Statement(b"p", b"select 3"))
            assert (await pool.execute(STATEMENT, (), before=before, after=after)).get_value(0, 0) == b"own"
            assert (before.result, after.result, after.is_sent) == (None, None, True)
            assert backend.sessions == 1

    uvloop.run(run())


def test_a_write_is_known_if_the_connection_ends_behind_it(tmp_path: Path) -> None:
    async def run() -> None:
        answer = answering_in_turn(PREPARED + row(b"written") + READY, b"")
        async with pooled(tmp_path, answer) as (pool, _):
            after = Beside(OTHER)
            assert (await pool.execute(STATEMENT, (), after=after)).get_value(0, 0) == b"written"
            assert (after.result, after.is_sent) == (None, True)

    uvloop.run(run())


def test_a_statement_beside_one_that_was_never_sent_is_not_sent(tmp_path: Path) -> None:
    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, _):
            first = asyncio.ensure_future(pool.execute(STATEMENT, ()))
            await asyncio.sleep(0)
            after = Beside(OTHER)
            with pytest.raises(Unavailable):
                await pool.execute(STATEMENT, (), patience=0, after=after)
            assert (after.result, after.is_sent) == (None, False)
            first.cancel()
            await asyncio.wait({first})

    uvloop.run(run())


def test_a_pool_that_is_cut_off_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    async def run() -> None:
        async with pooled(tmp_path, silent) as (pool, _):
            tasks = [asyncio.ensure_future(pool.execute(STATEMENT, (), patience=60)) for _ in range(2)]
            await asyncio.sleep(0.1)
            assert pool.load == 2
            pool.cut_off()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result) for result in results] == [ConnectionLost, Unavailable]
            assert not pool.has_connections

    uvloop.run(run())


def test_a_connection_does_not_ask_again_for_what_stays_true(tmp_path: Path) -> None:
    def is_lasting(result: Any) -> bool:
        return bool(result.get_value(0, 0) == b"yes")

    async def run() -> None:
        answers = [PREPARED + row(b"no") + READY, PREPARED + row(b"1") + READY, row(b"yes") + READY]
        answers += [row(b"%d" % number) + READY for number in (2, 3)]
        async with pooled(tmp_path, answering_each(*answers, row(b"other") + READY, row(b"4") + READY)) as (pool, _):
            seen = []
            for value in (b"x", b"x", b"x", b"y"):
                before = Beside(OTHER, (value,), lasts=is_lasting)
                result = await pool.execute(STATEMENT, (), before=before)
                assert before.result is not None
                seen.append((before.result.get_value(0, 0), result.get_value(0, 0)))
            assert seen == [(b"no", b"1"), (b"yes", b"2"), (b"yes", b"3"), (b"other", b"4")]

    uvloop.run(run())
