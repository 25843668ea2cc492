"""The move of an organization from one cell to another.

A move is a list of steps. The two cells hold its whole state, and each step may be repeated, so a move
that was interrupted at any point goes on when its steps run again. The schema ``cell`` of each cell has
the functions that need a superuser (prepare.sql), and the schema ``admin`` all others.

Exactly one cell answers at any time: the target takes over only after the source is fenced and has
finished, and the source is never opened again after that.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.cells.database import NOT_PREPARED, checked_digest
from app.cli.addresses import call
from app.cli.output import Mistake, counted

LOOK = 0.2
"""Seconds between two looks at the replication while the organization is served."""
RENEWAL = 12 * 3600.0
"""Seconds after which the password of the login is renewed. It is accepted for a day."""
LOCK_PATIENCE = 3.0
"""Seconds to wait for another command. The session of one that has just ended lives on for a moment."""
LATE_REQUESTS = 5.0
"""Seconds in which a request that the router has sent to the source before it knew the new place has been answered. It
waits there for a connection for 3 seconds at most. Until then the source says 503, and afterwards 401.
"""
REPORT = 2.0
"""Seconds between two lines about the progress of the copy."""
LOOK_FENCED = 0.01
"""Seconds between two looks while its requests are refused."""
LEASE = 60.0
"""Seconds after which every push and delivery that has begun must have ended. A lease lasts for 15."""
CLOSE = 1 << 20
"""Bytes of the write-ahead log that the target may still lack when the organization is fenced."""
REPLICA_LAG = 5.0
"""Seconds after which a server avoids a late replica by default (LEADS_REPLICA_LAG)."""
NOTICE = 2.0
"""Seconds that it may take to notice that a replica is late, and more than it takes."""
ERRORS = 3
"""Errors of the subscription after which the move stops. PostgreSQL tries again every 5 seconds."""
SILENCE = 20.0
"""Seconds without a connection of the subscription after which the move stops."""

Connection = psycopg.Connection[DictRow]


@dataclass(frozen=True)
class Side:
    """One of the two cells, with a connection of leads_operator in autocommit mode."""

    name: str
    connection: Connection

    def call(self, function: str, *arguments: object) -> list[DictRow]:
        """The rows of a function."""
        return call(self.connection, function, *arguments)


@dataclass
class Move:
    """A move, with what it has found out.

    say: gets a line of progress. check_routers: raises Mistake if a router could not send requests to the
    target. publish: gets digests of keys, and makes the routers send requests that have them to the target;
    it raises Mistake if it can't.
    """

    organization: UUID
    source: Side
    target: Side
    say: Callable[[str], None]
    check_routers: Callable[[], None]
    publish: Callable[[list[str]], None]
    give_up_after: float
    """Seconds for which the source's requests may be refused before the move is abandoned."""
    digests: list[str] | None = None
    """The digests of its keys; None: not read yet."""
    rows: dict[str, int] = field(default_factory=dict)
    """The rows copied of each table, as far as they were seen."""
    years: list[int] = field(default_factory=list)
    """The years of which the organization has events."""
    analysts: list[DictRow] = field(default_factory=list)
    """The analysts who can read the organization in the source (admin.analysts)."""
    logins: frozenset[str] = frozenset()
    """The logins of the target that may be bound to the organization: those of the same people. A name proves nothing:
    somebody else may have it there."""
    bound: list[str] = field(default_factory=list)
    """Those that the target has bound to the organization."""
    errors: int = 0
    """The errors of the subscription before this command."""
    connected_at: float = 0.0
    """When the subscription was last seen to be connected to the source, by time.monotonic()."""
    renewed_at: float = 0.0
    """When the login got its password, by time.monotonic()."""
    fenced_at: float | None = None
    """When this command fenced the organization, by time.monotonic(); None: another command has, or none yet."""
    answered_at: float | None = None
    """When the routers sent requests to the target, by time.monotonic(); None: not yet."""

    def place(self, side: Side) -> str:
        """Where a cell stands (admin.placement)."""
        return str(side.call("admin.placement", self.organization)[0]["placement"])

    @property
    def refused_seconds(self) -> float | None:
        """How long requests were refused; None: another command has fenced the organization."""
        if self.fenced_at is None or self.answered_at is None:
            return None
        return round(self.answered_at - self.fenced_at, 3)


def run(move: Move, done: Callable[[str], None] = lambda _: None) -> None:
    """Runs the steps that are left. done: is called after each one, with its name.
    Raises Mistake and psycopg.Error.
    """
    has_taken_over = move.place(move.target) == "here"
    for step in (*(() if has_taken_over else TAKING_OVER), *FINISHING):
        side = move.target if step in _AT_TARGET else move.source
        move.say(f"{side.name}: {step.__doc__}")
        try:
            step(move)
        except BaseException:
            if step in _FENCED:
                _answer_again(move)
            raise
        done(step.__name__)


def check(move: Move) -> None:
    """Raises Mistake if the target can't serve the organization as the source does. Then the source answers."""
    if move.place(move.target) == "here":
        return
    try:
        _check(move)
    except Mistake:
        if move.place(move.source) in ("draining", "moving"):  # an earlier command was killed
            _answer_again(move)
        raise


def _answer_again(move: Move) -> None:
    """Opens the source again. Once the target may have taken over, the source refuses that, and the move must
    be finished instead.
    """
    with suppress(psycopg.Error):
        move.source.call("admin.unfence", move.organization)


def _check(move: Move) -> None:
    move.check_routers()
    if unknown := move.logins - {row["login"] for row in _analysts(move)}:
        raise Mistake(f"The organization has no analyst {min(unknown)} in the cell {move.source.name}.")
    if move.place(move.target) == "moved":
        raise Mistake(
            f"The cell {move.target.name} still has the rows of the organization from before it moved away. Delete "
            f"them first, with LEADS_MIGRATE_URL of that cell: leads organizations delete-moved {move.organization}"
        )
    for side, function, argument in (
        (move.source, "cell.late_replicas", "0/0"),
        (move.target, "cell.arrival", move.organization),
    ):
        try:
            side.call(function, argument)
        except NOT_PREPARED:
            raise _not_prepared(side) from None
    releases = {side.name: side.call("admin.cell")[0]["release"] for side in (move.source, move.target)}
    if len(set(releases.values())) > 1:
        raise Mistake(
            "The cells have different releases: "
            + ", ".join(f"{name} {release}" for name, release in releases.items())
            + ". Upgrade the older one first, with leads migrate."
        )
    _check_keys(move)


def _check_keys(move: Move) -> None:
    """Raises Mistake if the target could not open what the source has encrypted."""
    needed = [row["needed_keys"] for row in move.source.call("admin.needed_keys", move.organization)]
    if missing := [row["missing_keys"] for row in move.target.call("admin.missing_keys", needed)]:
        raise Mistake(
            f"The workers of {move.target.name} don't have the key {missing[0]} of {move.source.name}, so that they "
            "could not open the credentials of the CRM and the secrets of webhooks. Give both cells' workers the same "
            f"LEADS_CRM_KEY, and start the worker of {move.target.name} once."
        )


@contextmanager
def locked(side: Side, organization: UUID) -> Iterator[None]:
    """Keeps other commands from working on the move. Raises Mistake if one does, or if the cell isn't prepared."""
    end = time.monotonic() + LOCK_PATIENCE
    try:
        while not side.call("cell.lock_move", organization)[0]["lock_move"]:
            if time.monotonic() > end:
                raise Mistake(f"Another command is moving the organization {organization}. Wait until it has ended.")
            time.sleep(0.1)
    except NOT_PREPARED:
        raise _not_prepared(side) from None
    yield  # the end of the session unlocks it


def _not_prepared(side: Side) -> Mistake:
    """The mistake of a cell in which the superuser's script hasn't run."""
    return Mistake(
        f"The cell {side.name} isn't prepared for moves. Print the script, and let a superuser run it in the cell's "
        f"database: leads cells prepare {side.name}"
    )


# The steps. The first line of each is printed.


def begin(move: Move) -> None:
    """publish the rows"""
    move.years = (
        move.source.call("admin.begin_move", move.organization, move.target.name)[0]["begin_move"]["years"] or []
    )


def prepare_target(move: Move) -> None:
    """get ready for the rows"""
    if move.place(move.target) == "arriving" and not _arrival(move):
        # A move was abandoned, or has just begun. Without its subscription, a copy can't go on from these rows.
        with suppress(psycopg.Error):  # as soon as the source has handed the organization over
            move.source.call("admin.unfence", move.organization)
        _discard(move)
    move.target.call("admin.prepare_arrival", move.organization, move.source.name, move.years)


def make_login(move: Move) -> None:
    """make the replication login, and its password file in the other cell"""
    password = secrets.token_hex(32)
    name = f"leads_move_{move.organization.hex}"
    verifier = move.source.connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    move.source.call("cell.make_login", move.organization, verifier.decode())
    with _errors_of_file(move, "write"):
        move.target.call("cell.write_password", move.organization, move.source.name, password)
    move.renewed_at = time.monotonic()


@contextmanager
def _errors_of_file(move: Move, verb: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.ExternalRoutineException as error:
        raise Mistake(
            f"PostgreSQL of the cell {move.target.name} can't {verb} the file with the password in its data directory "
            f"({error.diag.message_detail}). Its log says why. Remove the cause, such as a full disk, and run the "
            "command again."
        ) from None


def make_slot(move: Move) -> None:
    """make the slot, after the transactions that run now"""
    if _arrival(move):
        # If the old slot is gone, for example after a failover of the source, a new one would begin too late.
        _position(move)  # raises Mistake
    move.source.call("cell.make_slot", move.organization)


def subscribe(move: Move) -> None:
    """subscribe"""
    try:
        move.target.call("cell.subscribe", move.organization, move.source.name)
    except psycopg.Error as error:
        if "could not connect to the publisher" not in str(error):
            raise
        reason = str(error.diag.message_primary).partition("could not connect to the publisher: ")[2].splitlines()[0]
        raise Mistake(
            f"PostgreSQL of the cell {move.target.name} can't connect to that of {move.source.name}: {reason}. Remove "
            f"the cause: pg_hba.conf of {move.source.name} must accept the group +leads_move; max_wal_senders of "
            f"{move.source.name}; or the address, which leads cells prepare {move.target.name} --peer "
            f"{move.source.name}=… changes, with sslrootcert of a file on the machine of that PostgreSQL. Then run: "
            f"{_command(move, 'resume')}. Or give up: {_command(move, 'abort')}"
        ) from None
    move.errors, move.connected_at = _errors(_arrival(move)), time.monotonic()


def copy(move: Move) -> None:
    """copy the rows"""
    said_at = time.monotonic()
    while True:
        tables = _check_replication(move)
        for table in tables:
            move.rows[table["relation"]] = max(move.rows.get(table["relation"], 0), table["rows"])
        ready = sum(table["state"] == "r" for table in tables)
        is_ready = ready == len(tables)
        if is_ready or time.monotonic() - said_at > REPORT:
            said_at = time.monotonic()
            rows = counted(sum(move.rows.values()), "row")
            move.say(f"{move.target.name}: {ready} of {counted(len(tables), 'table')}, some {rows}")
        if is_ready:
            return
        time.sleep(LOOK)


def catch_up(move: Move) -> None:
    """wait until the changes since then have arrived"""
    said_at = time.monotonic()
    while (behind := _position(move)["behind"]) > CLOSE:
        _check_replication(move)
        if time.monotonic() - said_at > REPORT:
            said_at = time.monotonic()
            move.say(f"{move.target.name}: {behind / 1e6:,.1f} MB of the write-ahead log are left")
        time.sleep(LOOK)
    move.target.call("cell.store_at_once", move.organization)


def drain(move: Move) -> None:
    """begin no push and no delivery, and wait for those that have begun and for the replicas"""
    # Again, because the copy can take hours.
    move.check_routers()
    _check_keys(move)
    _call_past_keys(move, "admin.drain")
    if move.place(move.source) != "draining":
        return
    drained_at, position = time.monotonic(), _position(move)["written"]
    move.source.call("cell.mark_position")  # a replica reports a position only when it has replayed more
    _wait_for_source(move, LEASE, LOOK, says=True)
    _wait_for_replicas(move, drained_at, position)


def fence(move: Move) -> None:
    """refuse requests, and wait for those that have begun"""
    is_first = move.place(move.source) != "moving"
    began = _call_past_keys(move, "admin.fence")
    if is_first:
        move.fenced_at = began
    _wait_for_source(move, move.give_up_after, LOOK_FENCED, says=False)


def receive(move: Move) -> None:
    """wait until the last change has arrived"""
    end = time.monotonic() + move.give_up_after
    move.source.call("cell.mark_position")
    position = _position(move)
    while _position(move)["confirmed"] < position["written"]:
        _check_replication(move)
        if time.monotonic() > end:
            raise _late(move, "the last changes haven't arrived")
        time.sleep(LOOK_FENCED)
    move.target.call("cell.disable", move.organization)
    while not move.target.call("cell.is_stopped", move.organization)[0]["is_stopped"]:
        if time.monotonic() > end:
            raise _late(move, "the subscription doesn't stop")
        time.sleep(LOOK_FENCED)


def take_over(move: Move) -> None:
    """take over: keys, connection, webhooks, forms, and the events without a seal"""
    rows = move.source.call("admin.owned_rows", move.organization)
    move.digests = _digests(rows)
    move.target.call("admin.take_over", move.organization, Jsonb(rows))


def publish(move: Move) -> None:
    """answer requests: the router gets the new place"""
    if move.place(move.source) == "moving":  # otherwise it was done
        # With many events without a seal, to read the rows again takes seconds.
        if move.digests is None:
            move.digests = _digests(move.source.call("admin.owned_rows", move.organization))
        move.publish(move.digests)
    move.answered_at = time.monotonic()


def _digests(rows: list[DictRow]) -> list[str]:
    """Those of the keys among the rows of admin.owned_rows."""
    digests = (str(row["row"]["digest"]) for row in rows if row["relation"] == "auth.api_key")
    return [checked_digest(digest.removeprefix("\\x")) for digest in digests]


def bind_analysts(move: Move) -> None:
    """bind the analysts that were named and whose logins exist"""
    move.analysts = _analysts(move)
    bound_before = {row["login"] for row in move.target.call("admin.analysts", move.organization)}
    for row in move.analysts:
        login, expires_at, outcome = row["login"], row["expires_at"], ""
        if login in move.logins:
            arguments = (login, move.organization, expires_at)
            outcome = move.target.call("admin.bind_moved_analyst", *arguments)[0]["bind_moved_analyst"]
        if outcome == "bound" or login in bound_before:
            move.bound.append(login)
            continue
        # Here, because the source forgets the analysts in the next step.
        other = ""
        if outcome == "already_bound":
            other = " There, the login reads another organization, so choose another name."
        expires = f" --expires {expires_at}" if expires_at else ""
        move.say(
            f"The analyst {login} can't read the organization in the cell {move.target.name}.{other} Make a login, "
            f"with LEADS_MIGRATE_URL of that cell: leads bi create {login} --organization {move.organization}{expires}"
        )


def _analysts(move: Move) -> list[DictRow]:
    return [row for row in move.source.call("admin.analysts", move.organization) if row["state"] == "good"]


def give_up(move: Move) -> None:
    """give the keys up for good"""
    if move.place(move.source) == "moving":  # otherwise it was done
        time.sleep(LATE_REQUESTS)
    move.source.call("admin.give_up", move.organization, move.target.name)


def unsubscribe(move: Move) -> None:
    """drop the subscription and the password file"""
    with _errors_of_file(move, "remove"):
        move.target.call("cell.unsubscribe", move.organization)


def drop_login(move: Move) -> None:
    """drop the slot and the login"""
    move.source.call("cell.drop_slot", move.organization)
    move.source.call("cell.drop_login", move.organization)


TAKING_OVER = (
    begin, prepare_target, make_login, make_slot, subscribe, copy, catch_up, drain, fence, receive, take_over,
)  # fmt: skip
"""The steps until the target owns the organization."""

FINISHING = (publish, bind_analysts, give_up, unsubscribe, drop_login)
"""The steps after that. From then on a move goes only forward."""

_FENCED = (drain, fence, receive, take_over)
"""The steps in which the source does less than before. If one of them fails, it does everything again."""

_AT_TARGET = (prepare_target, subscribe, copy, catch_up, receive, take_over, publish, bind_analysts, unsubscribe)


def abort(move: Move) -> None:
    """Ends a move before the target has taken over: the source answers as before, and the target has no row.
    Raises Mistake if the target has taken over.
    """
    if move.place(move.target) == "here":
        raise Mistake(
            f"The cell {move.target.name} has taken over already, so that the move can only be finished. Run: "
            f"{_command(move, 'resume')}"
        )
    # First the subscription: without it, no command takes the rows that have arrived for a copy to go on from.
    move.say(f"{move.target.name}: {unsubscribe.__doc__}")
    unsubscribe(move)
    is_handed_over = any(
        row["handed_over_at"] for row in move.source.call("admin.moves") if row["organization_id"] == move.organization
    )
    # A source that has handed the organization over must not answer while the target could still take over.
    if is_handed_over:
        _discard(move)
    move.say(f"{move.source.name}: answer requests as before")
    move.source.call("admin.abort_move", move.organization, is_handed_over)
    drop_login(move)
    _discard(move)


def _discard(move: Move) -> None:
    if move.place(move.target) != "arriving":
        return
    move.say(f"{move.target.name}: delete the rows that have arrived")
    while move.target.call("admin.discard_arrival", move.organization)[0]["discard_arrival"]:
        pass


def _arrival(move: Move) -> list[DictRow]:
    return move.target.call("cell.arrival", move.organization)


def _errors(tables: list[DictRow]) -> int:
    return max((table["errors"] or 0 for table in tables), default=0)


def _position(move: Move) -> DictRow:
    """How far the target has read the source's write-ahead log. Raises Mistake if the slot is gone."""
    rows = move.source.call("cell.position", move.organization)
    if not rows or rows[0]["wal_status"] == "lost":
        reason = (
            "is lost: it needed more of the write-ahead log than max_slot_wal_keep_size allows"
            if rows
            else "is missing: it was dropped, or a replica has become the primary"
        )
        raise Mistake(
            f"The replication slot of the move {reason} in the cell {move.source.name}. Without it the copy can't be "
            f"completed. Begin again: {_command(move, 'abort')}"
        )
    return rows[0]


def _check_replication(move: Move) -> list[DictRow]:
    """The tables of the subscription. Raises Mistake if it doesn't go on by itself."""
    tables, name = _arrival(move), f"leads_move_{move.organization.hex}"
    if not tables:
        raise Mistake(
            f"The cell {move.target.name} has no subscription {name}: somebody has dropped it. Copy the rows again: "
            f"{_command(move, 'resume')}. Or give up: {_command(move, 'abort')}"
        )
    is_active = _position(move)["is_active"]
    where = f"The reason is in the log of its PostgreSQL, below the lines with {name}."
    ways = f"run: {_command(move, 'resume')}. Or give up: {_command(move, 'abort')}"
    if not tables[0]["is_enabled"]:
        raise Mistake(f"The subscription {name} in the cell {move.target.name} is disabled. Enable it, and {ways}")
    if (errors := _errors(tables) - move.errors) >= ERRORS:
        raise Mistake(
            f"The subscription in the cell {move.target.name} has failed {counted(errors, 'time')}. {where} Remove the "
            f"cause, such as a row that exists already, a full disk or a line of pg_hba.conf, and {ways}"
        )
    now = time.monotonic()
    if is_active:
        move.connected_at = now
    elif now - move.connected_at > SILENCE:
        raise Mistake(
            f"The subscription in the cell {move.target.name} has not been connected to {move.source.name} for "
            f"{SILENCE:g} s. {where} The causes are: no free process (max_logical_replication_workers and "
            f"max_worker_processes of {move.target.name}, max_wal_senders of {move.source.name}), the network, "
            f"pg_hba.conf, or a wrong password, which --resume replaces. Remove the cause, and {ways}"
        )
    if now - move.renewed_at > RENEWAL:
        make_login(move)
    return tables


def _command(move: Move, option: str) -> str:
    return f"leads organizations move {move.organization} --{option}"


def _wait_for_source(move: Move, patience: float, pause: float, *, says: bool) -> None:
    """Waits for what admin.unfinished lists. says: whether each line of it is printed. Raises Mistake."""
    end, said = time.monotonic() + patience, ""
    while left := [next(iter(row.values())) for row in move.source.call("admin.unfinished", move.organization)]:
        if says and left[0] != said:
            said = left[0]
            move.say(f"{move.source.name}: {said}")
        if time.monotonic() > end:
            raise _late(move, str(left[0]))
        time.sleep(pause)


def _wait_for_replicas(move: Move, drained_at: float, position: str) -> None:
    """Waits until no replica of the source answers requests for the organization: each has replayed the
    position, or is so late that the servers avoid it.
    """
    said: set[str] = set()
    while late := move.source.call("cell.late_replicas", position):
        patience = (late[0]["most_lag"] or REPLICA_LAG) + NOTICE
        if time.monotonic() > drained_at + patience:
            return
        for name in {row["name"] for row in late} - said:
            move.say(f"{move.source.name}: {name}, for {patience:g} s at most")
            said.add(name)
        time.sleep(LOOK)


def _call_past_keys(move: Move, function: str) -> float:
    """Calls a function at the source that waits for the transactions that change keys. Returns when the last
    call began, by time.monotonic().
    """
    end = time.monotonic() + move.give_up_after
    while True:
        began = time.monotonic()
        try:
            move.source.call(function, move.organization)
            return began
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > end:
                raise _late(move, "a transaction that changes keys does not end") from None


def _late(move: Move, reason: str) -> Mistake:
    return Mistake(
        f"The move waited too long: {reason}. The cell {move.source.name} answers again, and the copy is kept. Try "
        f"again later: {_command(move, 'resume')}"
    )
