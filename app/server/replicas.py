"""The replicas: which of them may answer a read, and when the primary must.

Each replica has a pool of its own, and a task that asks it every POLL seconds which positions it has
replayed. A position is what ``auth.current_position`` returns: it is in the header Leads-Position of a
write, and another task reads one from the primary every POLL seconds. The oldest position that a
replica has not replayed says how late it is.

A replica answers only with a success. In all other cases the primary is asked: if the replica does not
answer, reports an error, or has no such record, which the primary may have. So a replica can be late,
but causes no error.

A read with a position sends the question about it before its own statement, in the same round trip.
Both are transactions of their own, because the snapshot of the same statement could be older than the
comparison.
"""

import asyncio
import contextlib
import functools
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq.abc import PGresult

from app import log, session
from app.background import Background
from app.server.postgres import Beside, ConnectionLost, Pool, Statement, StatementFailed
from app.server.queue import Unavailable
from app.server.totals import Totals

HEADER = b"leads-position"
"""The header of a position: in the response to a write, and in a read."""

PRIMARY = b"primary"
"""What the header has instead of a position if that is not known. A read with it is the primary's."""

POLL = 0.25
"""Seconds between two questions to a server."""
SILENCE = 0.5
"""Seconds that its answer may take; up to TICK more."""

STEPS = 40
"""The positions within the lag that a replica may have, at most. More would make the question slow."""

PATIENCE = 1.0
"""Seconds that a read waits for a connection to a replica."""
PAUSES = (0.003, 0.015)
"""Seconds after which a replica that is behind a position is asked again."""

_POSITIONS = re.compile(rb"(?:primary|[A-Za-z0-9+/]{64})(?:[ \t]*,[ \t]*(?:primary|[A-Za-z0-9+/]{64})){0,7}")
_ID = 10
"""Digits of a position that differ between two timelines."""

_STATES = Statement(b"position_states", b"select auth.position_states($1)", function="auth.position_states")
_FAULTS = Statement(b"session_faults", b"select api.session_faults()", function="api.session_faults")
_CURRENT = Statement(b"current_position", b"select auth.current_position()", function="auth.current_position")
_CLUSTER = Statement(
    b"cluster", b"select system_identifier from pg_control_system()", function="pg_catalog.pg_control_system"
)

Read = Callable[[Pool, Beside | None], Awaitable[PGresult]]
"""Runs the read on a pool."""


def read_positions(header: bytes) -> tuple[bytes, ...] | None:
    """The positions of the header. None: it has another form."""
    value = header.strip()
    return tuple(part.strip() for part in value.split(b",")) if _POSITIONS.fullmatch(value) else None


def question(positions: Iterable[bytes]) -> Beside:
    """The question whether the positions are replayed. A session does not forget what it has replayed."""
    return Beside(*_question(positions), lasts=_are_replayed)


def states(asked: Beside) -> set[bytes]:
    """The states of the positions. Empty: the question has failed."""
    return set() if asked.result is None else set(_states(asked.result))


def _are_replayed(result: PGresult) -> bool:
    return set(_states(result)) == {b"replayed"}


def _question(positions: Iterable[bytes]) -> tuple[Statement, Sequence[bytes]]:
    # No character of a position must be quoted in an array.
    return _STATES, (b"{%b}" % b",".join(positions),)


def _states(result: PGresult) -> list[bytes]:
    return (result.get_value(0, 0) or b"").strip(b"{}").split(b",")


def position_behind() -> Beside:
    """The question for a position behind a write."""
    return Beside(_CURRENT)


def position_of(asked: Beside) -> bytes | None:
    """The header's value for the position behind a write. None: the write was not sent."""
    if not asked.is_sent:
        return None
    return (None if asked.result is None else asked.result.get_value(0, 0)) or PRIMARY


class Replica:
    """A replica, as its task has last seen it."""

    def __init__(self, url: str, size: int, queue: int, *, is_preparing: bool) -> None:
        self.name = name_of(url)
        self.pool = Pool(url, size, queue, is_preparing=is_preparing)
        self.watch = _watching(url, session.API, is_preparing=is_preparing)
        self.fault: str | None = "It was not reached yet."
        """Why it is avoided. None: it is used."""
        self.lag: float | None = None
        """How many seconds it is behind the primary. None: unknown."""
        self.pending: tuple[float, bytes] | None = None
        """The oldest position that it had not replayed, and when the primary returned it."""

    @property
    def is_usable(self) -> bool:
        """Whether reads may be sent to it."""
        return self.fault is None and self.pool.has_connections


def _watching(url: str, application_name: str, *, is_preparing: bool) -> Pool:
    """A pool of one connection, so that a question waits behind no request."""
    pool = Pool(url, 1, 1, is_preparing=is_preparing, application_name=application_name)
    pool.deadline = SILENCE
    return pool


def name_of(url: str) -> str:
    """The host and the port of an address, for logs and metrics."""
    parts = conninfo_to_dict(url)
    host = str(parts.get("host") or parts.get("hostaddr") or "localhost")
    return f"{host}:{parts.get('port') or 5432}"


class Replicas:
    """All replicas, and the positions of the primary of the last seconds."""

    def __init__(
        self, primary: str, urls: Sequence[str], *, size: int, queue: int, most_lag: float, is_preparing: bool = True
    ) -> None:
        """primary, urls: addresses. most_lag: seconds. size, queue, is_preparing: as in Pool."""
        self.all = [Replica(url, size, queue, is_preparing=is_preparing) for url in urls]
        self.totals: Totals | None = None
        """Where the reads are counted. None: nowhere."""
        self._primary = _watching(primary, session.with_replicas(len(urls), most_lag), is_preparing=is_preparing)
        self._most_lag = most_lag
        self._positions: deque[tuple[float, bytes]] = deque()
        """Positions of the primary, and when it returned them. All are of one timeline."""
        self._cluster = b""
        """The system identifier of the primary. Empty: unknown."""
        self._error = ""
        """The SQLSTATE of the last error of the primary that was logged."""
        self._turn = 0

    @property
    def avoided(self) -> list[str]:
        """The replicas that are avoided."""
        return [f"replica {replica.name}" for replica in self.all if not replica.is_usable]

    @property
    def gauges(self) -> dict[str, float]:
        """The state of each replica, for the metrics."""
        gauges: dict[str, float] = {}
        for replica in self.all:
            gauges[f"replica_usable {replica.name}"] = replica.is_usable
            if replica.lag is not None:
                gauges[f"replica_lag {replica.name}"] = round(replica.lag, 3)
        return gauges

    async def run(self, background: Background) -> None:
        """Opens the connections, and watches the servers until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._primary.open())
            tasks.create_task(background.run("positions", self._watch_primary))
            for replica in self.all:
                replica.pool.totals = self.totals
                # The start does not wait for a replica that is silent.
                tasks.create_task(replica.pool.open())
                tasks.create_task(replica.watch.open())
                tasks.create_task(background.run(f"replica {replica.name}", functools.partial(self._watch, replica)))

    async def close(self) -> None:
        """Closes all connections. No request may be running."""
        await self._primary.close()
        for replica in self.all:
            await replica.watch.close()
            await replica.pool.close()

    async def answer(self, read: Read, positions: Sequence[bytes] = ()) -> tuple[PGresult, str] | None:
        """The answer of a replica, and its name. None: the primary must answer. positions: what the replica
        must have replayed.
        Raises ClientGone, and StatementFailed if the read took too long.
        """
        reason, replica = "requested", None
        if PRIMARY not in positions:
            for pause in (*PAUSES, None):
                replica = self._choose(replica)
                if replica is None:
                    reason = "no_replica"
                    break
                asked = question(positions) if positions else None
                result, reason = await _ask(replica, read, asked)
                if result is not None:
                    self._count(replica.name, "")
                    return result, replica.name
                if reason != "behind" or pause is None:
                    break
                await asyncio.sleep(pause)
        self._count("primary", reason)
        return None

    def count_primary(self, reason: str) -> None:
        """Counts a read that was not offered to the replicas."""
        self._count("primary", reason)

    def _count(self, target: str, reason: str) -> None:
        if self.totals is not None:
            self.totals.add_read(target, reason)

    def _choose(self, behind: Replica | None = None) -> Replica | None:
        """The usable replica with the fewest statements. Between equals, the turns go round. behind: was asked
        before, so it is the last choice.
        """
        usable = [replica for replica in self.all if replica.is_usable and replica is not behind]
        if behind is not None and not usable and behind.is_usable:
            return behind
        if len(usable) < 2:
            return usable[0] if usable else None
        self._turn += 1
        first = self._turn % len(usable)
        return min(usable[first:] + usable[:first], key=lambda replica: replica.pool.load)

    async def _watch_primary(self) -> None:
        """Reads positions from the primary. While it can't be reached, the replicas are compared with
        the last one, so that they go on answering.
        """
        while True:
            try:
                self._cluster = self._cluster or await _cluster(self._primary)
                result = await self._primary.execute(_CURRENT, (), patience=SILENCE)
                self._note(result.get_value(0, 0))
            except (Unavailable, ConnectionLost):
                pass
            except StatementFailed as error:
                if error.sqlstate != self._error:
                    self._error = error.sqlstate
                    log.write("warning", message="The positions of the primary can't be read.", sqlstate=error.sqlstate)
            await asyncio.sleep(POLL)

    def _note(self, position: bytes | None) -> None:
        """Adds a position of the primary. None: the server is no primary."""
        if position is None:
            return
        positions = self._positions
        if positions and positions[-1][1][:_ID] != position[:_ID]:
            positions.clear()
        now = monotonic()
        # A replica is asked about all positions that it lacks. The last one is always the newest.
        if len(positions) > 1 and positions[-1][0] - positions[-2][0] < self._most_lag / STEPS:
            positions.pop()
        positions.append((now, position))
        while len(positions) > 1 and positions[1][0] < now - self._most_lag:
            positions.popleft()

    async def _watch(self, replica: Replica) -> None:
        """Asks the replica what it has replayed."""
        while True:
            try:
                if self._positions:
                    fault = await self._fault(replica)
                    if fault is None and replica.fault is not None:
                        # The login could be another one than that of the primary.
                        result = await replica.watch.execute(_FAULTS, (), patience=SILENCE)
                        faults = (result.get_value(row, 0) or b"" for row in range(result.ntuples))
                        fault = b" ".join(faults).decode() or None
                    self._judge(replica, fault)
            except (Unavailable, ConnectionLost):
                if replica.fault is None:
                    # Its connections would be silent for longer.
                    replica.pool.cut_off()
                self._judge(replica, "It does not answer.")
            except StatementFailed as error:
                self._judge(replica, f"It reports an error ({error.sqlstate}).")
            await asyncio.sleep(POLL)

    async def _fault(self, replica: Replica) -> str | None:
        """Why the replica is to be avoided. None: it can be used."""
        newest, pending = self._positions[-1], replica.pending
        if pending is None or pending[1][:_ID] != newest[1][:_ID]:
            asked = [newest]
        else:
            asked = [pending, *(each for each in self._positions if each[0] > pending[0])]
        result = await replica.watch.execute(*_question(position for _, position in asked), patience=SILENCE)
        answers = _states(result)
        behind = [each for each, state in zip(asked, answers, strict=True) if state == b"behind"]
        replica.pending = behind[0] if behind else asked[-1]
        replica.lag = None
        if answers[-1] == b"primary":
            return "It is no replica: it was promoted, or the address is that of a primary."
        if answers[-1] not in (b"replayed", b"behind"):
            cluster = await _cluster(replica.watch)
            if cluster and self._cluster and cluster != self._cluster:
                ids = cluster.decode(), self._cluster.decode()
                return "It is another cluster: its system identifier is {}, and that of the primary is {}.".format(*ids)
            return "It does not follow the primary: it follows an older one, or the address has another database."
        replica.lag = asked[-1][0] - behind[0][0] if behind else 0.0
        return f"It is more than {self._most_lag:g} s behind the primary." if replica.lag > self._most_lag else None

    def _judge(self, replica: Replica, fault: str | None) -> None:
        if fault != replica.fault:
            if fault is not None:
                log.write("warning", message=f"The replica {replica.name} is avoided. {fault}")
            else:
                log.write("info", message=f"The replica {replica.name} is used.")
        replica.fault = fault


async def _cluster(pool: Pool) -> bytes:
    """The system identifier of the server. Empty: the login may not read it."""
    with contextlib.suppress(StatementFailed):
        result = await pool.execute(_CLUSTER, (), patience=SILENCE)
        return result.get_value(0, 0) or b""
    return b""


async def _ask(replica: Replica, read: Read, asked: Beside | None) -> tuple[PGresult | None, str]:
    """The replica's answer, or the reason why the primary must answer."""
    try:
        result = await read(replica.pool, asked)
    except (ConnectionLost, Unavailable):
        return None, "no_answer"
    except StatementFailed as error:
        if error.sqlstate == "57014":  # the primary would need as long
            raise
        return None, "error"
    if asked is not None and (found := states(asked)) != {b"replayed"}:
        return None, "behind" if found and found <= {b"replayed", b"behind"} else "position"
    status = result.get_value(0, 0) if result.ntuples else None
    return (result, "") if status is not None and status.startswith(b"2") else (None, "not_found")
