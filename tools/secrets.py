"""The password files that docker-compose.yml reads: random, one a login, and never made anew unasked.

`python -m tools.secrets` makes those that are missing in the folder `secrets/`. A password in use stays: the database
keeps what it was set up with, and a new file alone would only lock its login out. It needs nothing but Python.
"""

import argparse
import os
import secrets
import stat
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"
LOGINS = ("postgres", "leads_migrator", "leads_api", "leads_operator")
"""The logins that have a file: of the superuser, of the migrations, and of each address that a service has."""

# Docker Compose mounts a secret's file as it is: owner and mode in the container are those of the host, and the users
# there (PostgreSQL's and ours) are neither the owner nor in the owner's group. So a file must be readable for all. What
# keeps the host's other users out is the folder: nobody but its owner passes it, and a mount doesn't pass it at all.
FILE_MODE = 0o644
FOLDER_MODE = 0o700

_AFTER_FORCE = """\
A database that is there already still has the old ones. Give it those of two logins, as it asks for them:
  docker compose exec postgres psql --username=postgres --command='\\password leads_migrator'
  docker compose exec postgres psql --username=postgres --command='\\password postgres'
and the other ones by the migrations, which come first at each start:
  docker compose up --detach --force-recreate"""


class SecretsError(Exception):
    """The files can't be made; the message is a sentence that says why and what to do."""


def file_name(login: str) -> str:
    """The name of a login's file."""
    return f"{login}_password"


def make(folder: Path, *, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Makes the files that are missing, or all of them; returns which were made and which were left as they are.

    Raises SecretsError.
    """
    made, kept = [], []
    try:
        _make_folder(folder)
        for login in LOGINS:
            path = folder / file_name(login)
            _check_kind(path)
            if path.exists() and not force:
                _check_content(path)
                path.chmod(FILE_MODE)
                kept.append(path)
            else:
                _write(path, secrets.token_hex(32))
                made.append(path)
    except OSError as error:
        raise SecretsError(
            f"{error.filename or folder}: {error.strerror}. Make {folder} yours, or remove it, and say it again."
        ) from None
    return made, kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.secrets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--force", action="store_true", help="make all of them anew, those in use too")
    force = parser.parse_args().force
    try:
        made, kept = make(FOLDER, force=force)
    except SecretsError as problem:
        print(problem, file=sys.stderr)
        return 2
    for word, paths in (("made", made), ("kept", kept)):
        for path in paths:
            print(f"{word}  {path.relative_to(FOLDER.parent)}")
    if force:
        print(_AFTER_FORCE)
    return 0


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise SecretsError(
            f"{folder} belongs to somebody else (Docker makes folders as root, where files are missing): remove it, "
            "and say it again."
        )
    folder.chmod(FOLDER_MODE)


def _check_kind(path: Path) -> None:
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise SecretsError(
            f"{path} is no file (Docker makes a folder, where a file is missing): remove it, and say it again."
        )


def _check_content(path: Path) -> None:
    if not path.read_text(errors="replace").strip():
        raise SecretsError(f"{path} is empty: remove it, and say it again.")


def _write(path: Path, password: str) -> None:
    """Writes beside the place and renames: a file is whole, or not there."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(password + "\n")
    new.chmod(FILE_MODE)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
