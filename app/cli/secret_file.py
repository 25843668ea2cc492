"""A file that only its owner reads: a key that a command makes and keeps."""

import os
from pathlib import Path


def write(path: Path, secret: str) -> None:
    """Writes a new file with the secret in a line. Raises FileExistsError."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
