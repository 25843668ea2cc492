"""The log: one line of JSON on standard error for each request,
and for each event that an operator should see.

No line contains an API key, a query or a body.
"""

import asyncio
import functools
import json
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from pathlib import Path
from types import TracebackType

_HELD = 0.05
"""Seconds that a request's line may wait for others, to be written together with them."""

_ROOT = str(Path(__file__).parent.parent) + "/"

NOBODY = '"organization_id":null,"key_id":null'
"""The caller of a request whose key is not known, or not valid."""

_lines: list[str] = []


def write(level: str, **members: object) -> None:
    """Writes a line with the time, the level (info, warning, error) and the members, at once."""
    _put(json.dumps({"time": _now(), "level": level} | members, separators=(",", ":"), default=str) + "\n")


def failure(message: str, error: BaseException, **members: object) -> None:
    """Writes an unexpected error: its type and its traceback, the innermost frame last.

    A frame is a place in the source and the source line. The values of variables are left out, and
    so is the error's own message, because it may quote one: a field of a lead, or a header with a
    credential.
    """
    write("error", **members, message=message, error=type(error).__qualname__, traceback=_frames(error))


def request(
    id: bytes,
    method: str,
    path: str,
    status: int,
    seconds: float,
    *,
    route: str | None = None,
    caller: str = NOBODY,
    database: float = 0.0,
    wait: float = 0.0,
    trace_id: bytes | None = None,
    cause: Mapping[str, str] | None = None,
    replica: str | None = None,
) -> None:
    """Writes a request's line, a moment later. To be called in the event loop.
    caller: from ``caller``; database, wait: seconds; cause: further members of the line; replica: the
    one that has answered.

    The JSON is put together by hand, because json.dumps would be a tenth of the server's work on a
    read. Only a path can contain what JSON must escape: an id and a method are tokens (RFC 9110,
    section 5.6.2).
    """
    if not _lines:
        asyncio.get_running_loop().call_later(_HELD, flush)
    db_ms = f"{database * 1000:.2f}" if database else "null"
    line = (
        f'{{"time":"{_now()}","level":"info","request_id":"{id.decode()}","method":"{method}",'
        f'"path":{encode_basestring_ascii(path)},"route":{encode_basestring_ascii(route) if route else "null"},'
        f'"status":{status},"ms":{seconds * 1000:.2f},"db_ms":{db_ms},{caller}'
    )
    if wait:
        line += f',"wait_ms":{wait * 1000:.2f}'
    if replica:
        line += f',"replica":{encode_basestring_ascii(replica)}'
    if trace_id:
        line += f',"trace_id":"{trace_id.decode()}"'
    if cause:
        line += f",{json.dumps(cause, separators=(',', ':'))[1:-1]}"
    _lines.append(line + "}\n")


def caller(organization_id: str, key_id: str) -> str:
    """The members of a request's line that tell who has sent it."""
    return f'"organization_id":{encode_basestring_ascii(organization_id)},"key_id":{encode_basestring_ascii(key_id)}'


def flush() -> None:
    """Writes the lines that wait."""
    text = "".join(_lines)
    _lines.clear()
    _put(text)


def _put(text: str) -> None:
    # Standard error may be a file on a full disk, or a pipe that nobody reads any more.
    # What logs, such as the supervisor of PostgreSQL, must continue.
    with suppress(OSError):
        sys.stderr.write(text)


def _frames(error: BaseException) -> list[str]:
    """The frames of an error, after those of its cause,
    and followed by those of the errors that it groups.
    """
    frames: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        frames += [*_frames(cause), f"{type(cause).__qualname__} led to {type(error).__qualname__}"]
    frames += _places(error.__traceback__)
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            frames += [*_frames(part), type(part).__qualname__]
    return frames


def _places(trace: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename.removeprefix(_ROOT)}:{frame.lineno} in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(trace)
    ]


def _now() -> str:
    seconds, fraction = divmod(time.time(), 1)
    return f"{_to_seconds(int(seconds))}.{int(fraction * 1000):03}Z"


@functools.lru_cache(1)
def _to_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
