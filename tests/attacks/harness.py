"""Non-interference: an attack runs in two copies of one database that differ only in the victim's
rows.

An attack leaks if it returns a value of the victim, or if the results in the two copies differ. If
the attacker already knows a value (a ``Twin``), the same statements run in one copy with a value
that the victim has and with a value that exists nowhere. The results must be the same, because a
difference would show which value exists.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import pq

NO_ROW = "no row"
SAME = "same"
ERROR = "error"

VICTIM_ACTS = "-- the victim acts"
"""In place of a statement: the victim's request runs now, on another session."""

VICTIMS = "/* the victim's */ "
"""The beginning of a statement that isn't the attacker's:
the victim's request, on the same session of a pool.
"""


@dataclass(frozen=True)
class Attack:
    """Statements that one session sends, one after another, even if earlier ones fail."""

    name: str
    statements: tuple[str, ...]
    verdict: str = SAME
    """The required result of the last statement:
    NO_ROW (or an error), ERROR, SAME, or an SQLSTATE.
    """
    is_twin: bool = False
    """Whether the statements contain values of the victim, in braces,
    that the attacker is assumed to know.
    """
    variants: frozenset[str] = field(default_factory=frozenset)
    """The variants that it applies to; empty: all."""


@dataclass(frozen=True)
class Answer:
    """The result of one statement."""

    sqlstate: str | None
    rows: int
    text: str


@dataclass(frozen=True)
class Copy:
    """One of the two copies: its name, its secrets, and the values for a twin's braces."""

    name: str
    oid: int
    secrets: frozenset[str]
    known: Mapping[str, str]
    """Values that the victim has here."""
    unknown: Mapping[str, str]
    """Values of the same length that exist nowhere."""
    own: Mapping[str, str]
    """The attacker's own: the same in both copies."""
    since: datetime
    """The time when the copies were ready and the attacks began."""


@dataclass(frozen=True)
class Outcome:
    """The result of an attack. leak: a description of the leak; empty: no leak."""

    attack: Attack
    statements: int
    leak: str
    answers: tuple[Answer, ...]

    def is_as_expected(self) -> bool:
        """Whether the last statement had the required result."""
        last, verdict = self.answers[-1], self.attack.verdict
        if verdict == SAME:
            return True
        if verdict == NO_ROW:
            return last.rows == 0
        return last.sqlstate is not None and verdict in (ERROR, last.sqlstate)


class Session:
    """A login's session in one copy. It uses the simple protocol, which returns COPY data,
    errors and notices completely.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection], acts: Callable[[], None] = lambda: None) -> None:
        self._connect = connect
        self._acts = acts
        self._connection = connect()
        self._notices: list[str] = []
        self._listen()

    def _listen(self) -> None:
        self._connection.pgconn.notice_handler = lambda result: self._notices.append(_fields(result))

    def run(self, statements: Sequence[str]) -> Iterator[Answer]:
        """Sends the statements, and leaves the session as new."""
        for statement in statements:
            yield self._send(statement)
        self._clean()

    def pid(self) -> int:
        return self._connection.pgconn.backend_pid

    def close(self) -> None:
        self._connection.close()

    def _clean(self) -> None:
        connection = self._connection.pgconn
        if connection.transaction_status != pq.TransactionStatus.IDLE:
            connection.exec_(b"rollback")
        if connection.exec_(b"discard all").status != pq.ExecStatus.COMMAND_OK:
            self._connection.close()
            self._connection = self._connect()
            self._listen()

    def _send(self, statement: str) -> Answer:
        if statement == VICTIM_ACTS:
            self._acts()
            return Answer(None, 0, "")
        connection = self._connection.pgconn
        self._notices.clear()
        lines: list[str] = []
        sqlstate, rows = None, 0
        try:
            connection.send_query(statement.encode())
            while (result := connection.get_result()) is not None:
                if result.status == pq.ExecStatus.COPY_OUT:
                    while (data := connection.get_copy_data(0))[0] > 0:
                        lines.append(bytes(data[1]).decode(errors="replace").rstrip("\n"))
                        rows += 1
                elif result.status == pq.ExecStatus.COPY_IN:
                    connection.put_copy_end(b"nothing to copy")
                elif result.status == pq.ExecStatus.COPY_BOTH:
                    raise psycopg.OperationalError("a replication stream began")
                elif result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
                    state = result.error_field(pq.DiagnosticField.SQLSTATE)
                    sqlstate = (state or b"").decode()
                    lines.append(_fields(result))
                else:
                    lines.append((result.command_status or b"").decode())
                    rows += result.ntuples
                    lines += (
                        "|".join(
                            (result.get_value(row, column) or b"\\N").decode(errors="replace")
                            for column in range(result.nfields)
                        )
                        for row in range(result.ntuples)
                    )
                if result.status == pq.ExecStatus.FATAL_ERROR and connection.status == pq.ConnStatus.BAD:
                    break
            connection.consume_input()
            while (notification := connection.notifies()) is not None:
                lines.append(f"notification {notification.relname!r} {notification.extra!r}")
        except psycopg.Error as error:
            sqlstate = sqlstate or "08000"
            lines.append(str(error))
        return Answer(sqlstate, rows, "\n".join([*lines, *self._notices]))


def _fields(result: pq.abc.PGresult) -> str:
    """All fields of an error or a notice."""
    fields = (
        (name, result.error_field(name))
        for name in pq.DiagnosticField
        # Not the position in the server's source, nor the severity in the session's language.
        if name.name not in ("SOURCE_FILE", "SOURCE_LINE", "SOURCE_FUNCTION", "SEVERITY")
    )
    return "; ".join(f"{name.name.lower()} {value.decode(errors='replace')}" for name, value in fields if value)


_LATE = ("57014", "55P03")
"""What ends a statement after statement_timeout and lock_timeout. A busy machine can hold up one session."""


def attempt(
    attack: Attack, sessions: Sequence[Session], copies: Sequence[Copy], *, is_repeated: bool = False
) -> Outcome:
    """Runs the attack: a twin in the first copy with both sets of values,
    any other in both copies. If a limit of time has ended a statement in one run only, it runs once more.
    """
    if attack.is_twin:
        runs = [(sessions[0], copies[0], copies[0].known), (sessions[0], copies[0], copies[0].unknown)]
    else:
        runs = [(session, copy, {}) for session, copy in zip(sessions, copies, strict=True)]
    answers: list[tuple[Answer, ...]] = []
    descriptions: list[list[str]] = []
    leak = ""
    pids = {session.pid() for session, _, _ in runs}
    for session, copy, values in runs:
        received = tuple(session.run([_filled(statement, {**copy.own, **values}) for statement in attack.statements]))
        texts = [_without(values, answer.text) for answer in received]
        for statement, text in zip(attack.statements, texts, strict=True):
            if statement.startswith(VICTIMS):
                continue
            if leaked := next((secret for secret in copy.secrets if secret in text.lower()), None):
                leak = leak or f"{statement!r} brought back {leaked!r}: {text[:300]}"
        answers.append(received)
        descriptions.append(
            [
                normalised(text, copy, copies, pids, is_ordered=statement.startswith("explain"))
                for statement, text in zip(attack.statements, texts, strict=True)
            ]
        )
    for statement, first, second in zip(attack.statements, *descriptions, strict=True):
        if statement.startswith(VICTIMS):
            continue
        if first != second and not leak:
            if not is_repeated and any(
                (a.sqlstate in _LATE) != (b.sqlstate in _LATE) for a, b in zip(*answers, strict=True)
            ):
                return attempt(attack, sessions, copies, is_repeated=True)
            leak = f"{statement!r} tells one from the other:\n{_difference(first, second)}"
    return Outcome(attack, len(runs) * len(attack.statements), leak, answers[0])


def _filled(statement: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), statement)


def _without(values: Mapping[str, str], text: str) -> str:
    """The text without the attacker's own statement,
    because an error that repeats it reveals nothing.
    """
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"{{{name}}}")
    return text


def _difference(text: str, other_text: str) -> str:
    lines, other_lines = text.splitlines(), other_text.splitlines()
    for first, second in zip(lines, other_lines, strict=False):
        if first != second:
            return f"  {first[:300]}\n  {second[:300]}"
    return f"  {len(lines)} and {len(other_lines)} lines"


_UUID_7 = re.compile(r"\b([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(\+00|Z)?")


def normalised(text: str, copy: Copy, copies: Sequence[Copy], pids: Collection[int], *, is_ordered: bool) -> str:
    """The text without the parts that differ between any two databases or any two times."""
    # The copies have different names and oids: the attacker knows where it is connected.
    text = text.replace(copy.name, "<database>")
    # Those of both runs in both texts: another number, such as the oid of a table, can be equal to one of them.
    text = re.sub(_any_of(each.oid for each in copies), "<database's oid>", text)
    # The process of a session.
    text = re.sub(_any_of(pids), "<own pid>", text)
    # The number of a session's schema for temporary objects, which is the first free one.
    text = re.sub(r"\bpg_(toast_)?temp_\d+\b", "<own temp schema>", text)
    # An id that was created after the attacks began belongs to the attacker's own new row.
    # The victim's ids are secrets.
    text = _UUID_7.sub(lambda match: "<new id>" if _made_at(match) >= copy.since else match[0], text)
    # The present time: the victim's rows are older.
    text = _TIME.sub(lambda match: "<now>" if f"{match[1]} {match[2]}" >= f"{copy.since:%F %T}" else match[0], text)
    # The durations of a JIT compilation, in a debug message.
    text = re.sub(r"\b(inline|opt|emit): \d+\.\d+s", r"\1: <duration>", text)
    # The order of rows without ORDER BY depends on the plan, and the plan on the size of the table:
    # see open.py.
    return text if is_ordered else "\n".join(sorted(text.splitlines()))


def _any_of(numbers: Iterable[int]) -> str:
    """A pattern of any of the numbers."""
    return rf"\b(?:{'|'.join(map(str, numbers))})\b"


def _made_at(uuid: re.Match[str]) -> datetime:
    return datetime.fromtimestamp(int(uuid[1] + uuid[2], 16) / 1000, UTC)
