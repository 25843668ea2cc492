"""Files that only their owner can read, for keys that a command creates."""

import os
from pathlib import Path


def write(path: Path, secret: str) -> None:
    """Writes the secret to a new file, as one line. Raises FileExistsError."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(secret + "\n")
