"""The archive of a year of the audit log: lines of JSON, compressed with gzip and encrypted with age.

https://age-encryption.org/v1 describes the encryption, so that the program age can read an archive,
too. docs/operations.md describes the lines. Nothing is ever held in memory as a whole.
"""

import gzip
import hashlib
import io
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyrage

# pyrage has no types.
Recipient = Any
Identity = Any

_PART = ".part"
_CHUNK = 1 << 16


class ArchiveError(Exception):
    """An archive that can't be read, or that isn't what it must be. The message says why."""


def recipients(values: Sequence[str]) -> list[Recipient]:
    """The public keys age1… among the values, and in the files that the others name.
    Raises ArchiveError.
    """
    return [
        _parsed(pyrage.x25519.Recipient, line, "a public key of age (age1…)")
        for value in values
        for line in ([value] if value.startswith("age1") else _lines_of(value))
    ]


def identities(file: Path) -> list[Identity]:
    """The private keys in a file of age-keygen. Raises ArchiveError."""
    return [
        _parsed(pyrage.x25519.Identity, line, "a private key of age (AGE-SECRET-KEY-1…)") for line in _lines_of(file)
    ]


def new_identity() -> Identity:
    """A key that exists only in this process, to read back what it has written."""
    return pyrage.x25519.Identity.generate()


def part(path: Path) -> Path:
    """Where an archive is written before it has its name."""
    return path.with_name(path.name + _PART)


def write(path: Path, lines: Iterable[bytes], keys: Sequence[Recipient]) -> str:
    """Writes a new file that only its owner can read, and flushes it to disk.
    Returns the SHA-256 of the file in hexadecimal digits. Raises OSError, and what the lines raise.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        source, output = _Compressed(lines), _Hashed(file)
        try:
            pyrage.encrypt_io(source, output, keys)
        except pyrage.EncryptError:
            # It has only the text of the error.
            raise source.error or output.error or ArchiveError(f"{path} can't be written.") from None
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path)
    return output.digest.hexdigest()


def give_name(path: Path) -> None:
    """Gives a finished archive its name. Raises FileExistsError if another file has it."""
    # A command that was killed may have left the file with both names.
    if not (path.exists() and path.samefile(part(path))):
        os.link(part(path), path)
    part(path).unlink()
    flush_folder(path)


def flush_folder(path: Path) -> None:
    """Flushes the folder of a file, so that its name survives a power failure."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path, keys: Sequence[Identity]) -> Iterator[bytes]:
    """The lines of an archive. Raises ArchiveError, also after the last line of a file that was cut off,
    and OSError if there is no such file.
    """
    errors: list[Exception] = []

    def decrypt() -> None:
        with suppress(BrokenPipeError), open(sink, "wb", _CHUNK) as output:
            try:
                pyrage.decrypt_io(file, output, keys)
            except Exception as error:  # pyrage raises several
                errors.append(error)

    # Not in the thread: if it could not open the file, nothing would close the pipe.
    with open(path, "rb") as file:
        source, sink = os.pipe()
        thread = threading.Thread(target=decrypt, daemon=True)
        thread.start()
        try:
            with open(source, "rb", _CHUNK) as pipe, gzip.open(pipe) as unpacked:
                yield from unpacked
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            errors.append(error)
        finally:
            thread.join()
    if errors:
        raise ArchiveError(f"{path} can't be read: {errors[0]}.")


class _Compressed(io.RawIOBase):
    """A file of the lines, compressed, which is read from its beginning to its end."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._gzip = zlib.compressobj(6, wbits=31)
        self._ready = b""
        self._is_done = False
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._is_done:
            try:
                line = next(self._lines, None)
            except BaseException as error:
                self.error = error
                raise
            self._is_done = line is None
            self._ready = self._gzip.flush() if line is None else self._gzip.compress(line)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


class _Hashed:
    """A file that computes the digest of what is written to it."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        try:
            return self._file.write(data)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _lines_of(file: str | Path) -> list[str]:
    if str(file).startswith("AGE-SECRET-KEY-"):
        raise ArchiveError(
            "This is a private key, which every user of this machine can see in a command line. Write it into a file, "
            "and give the file."
        )
    try:
        lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveError(f"The file {file} can't be read: {error}.") from None
    if keys := [line for line in lines if line and not line.startswith("#")]:
        return keys
    raise ArchiveError(f"The file {file} has no key.")


def _parsed(kind: Any, text: str, noun: str) -> Any:
    try:
        return kind.from_str(text)
    except (pyrage.RecipientError, pyrage.IdentityError, ValueError):
        # The text may be a private key.
        raise ArchiveError(f"This isn't {noun}. Create keys with: age-keygen -o FILE") from None
