"""The error of this package, and the messages that it is made of."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_REMEDIES = {
    r"No space left on device": "There is no room left on the disk.",
    r"could not .*shared memory": "There is too little shared memory: give the container a larger /dev/shm.",
    r"incompatible with server": "Set LEADS_PG_BIN to the programs of the version that made the data (its "
    "file PG_VERSION says which), or name another folder in LEADS_DATA_DIR.",
    r"Address already in use": "Another program uses the TCP port: choose another one.",
    r"(?<!could not write )lock file \"postmaster\.pid\"": "If no PostgreSQL uses the folder, delete "
    "postmaster.pid in it.",
}
"""What to do, by a pattern in a program's output."""

_FULL = 65536
"""Free bytes below which a disk is full."""


class EmbeddedError(Exception):
    """The embedded server can't be used. The message is a plain sentence that says what to do."""


@contextmanager
def plain_errors(data_dir: Path) -> Iterator[None]:
    """Turn errors of the operating system and of PostgreSQL into EmbeddedError."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        raise EmbeddedError(
            f"The database in {data_dir} can't be used: {reason}. LEADS_DATA_DIR may name another folder."
        ) from error
    except psycopg.Error as error:
        raise EmbeddedError(f"The database in {data_dir} runs, but refuses its set-up: {str(error).strip()}") from error


def explain(output: str, data_dir: Path) -> str:
    """Return the last error in a program's output as a sentence,
    followed by what to do about it if that is known.
    """
    # On a full disk the output may be missing.
    if shutil.disk_usage(data_dir).free < _FULL:
        output += "\nNo space left on device"
    # Clients that try to connect during the start aren't its error.
    errors = re.findall(r"(?:FATAL|PANIC|ERROR|error): +(?! |the database system is )(.+)", output)
    message = (errors or output.strip().splitlines() or ["it printed no message"])[-1].rstrip(".") + "."
    return " ".join([message, *(remedy for pattern, remedy in _REMEDIES.items() if re.search(pattern, output))])
