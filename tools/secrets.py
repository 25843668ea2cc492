"""The files of secrets that docker-compose.yml reads:
a random password a login, and the key of the CRM credentials.

`python -m tools.secrets` makes those that are missing in the folder `secrets/`. One in use stays:
the database keeps what it was set up with, and a new password alone would only lock its login out.
It needs nothing but Python.
"""

import argparse
import base64
import os
import secrets
import stat
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"
LOGINS = ("postgres", "leads_migrator", "leads_api", "leads_operator", "leads_worker")
"""The logins that have a file: of the superuser, of the migrations,
and of each address that a service has.
"""

CRM_KEY = "crm_key"
"""The file of what encrypts the CRM credentials, in the form that app/worker/vault.py reads."""

# Docker Compose mounts a secret's file as it is: owner and mode in the container are those of the
# host, and the users there (PostgreSQL's and ours) are neither the owner nor in the owner's group.
# So a file must be readable for all. What keeps the host's other users out is the folder: only its
# owner can enter it, and a mount doesn't enter it at all.
FILE_MODE = 0o644
FOLDER_MODE = 0o700

_AFTER_FORCE = """\
A database that is there already still has the old ones. Give it those of two logins, as it asks for them:
  docker compose exec postgres psql --username=postgres --command='\\password leads_migrator'
  docker compose exec postgres psql --username=postgres --command='\\password postgres'
and the other ones by the migrations, which come first at each start:
  docker compose up --detach --force-recreate
The new CRM key stands before the old one, which still decrypts: docs/crm.md tells when it can go."""


class SecretsError(Exception):
    """The files can't be made; the message is a sentence that says why and what to do."""


def file_name(login: str) -> str:
    """The name of a login's file."""
    return f"{login}_password"


def make(folder: Path, *, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Makes the files that are missing, or all of them;
    returns which were made and which were left as they are.

    Raises SecretsError.
    """
    made, kept = [], []
    try:
        _make_folder(folder)
        for name in (*map(file_name, LOGINS), CRM_KEY):
            path = folder / name
            _check_kind(path)
            if path.exists() and not force:
                _check_content(path)
                path.chmod(FILE_MODE)
                kept.append(path)
            else:
                _write(path, _new_keys(path) if name == CRM_KEY else secrets.token_hex(32))
                made.append(path)
    except OSError as error:
        raise SecretsError(
            f"{error.filename or folder}: {error.strerror}. Make {folder} yours, or remove it, and say it again."
        ) from None
    return made, kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.secrets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--force", action="store_true", help="make all of them again, also those in use")
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


def _new_keys(path: Path) -> str:
    """A new key of 32 bytes, which encrypts from now on,
    and behind it those that what is kept was encrypted with.
    """
    old = path.read_text(errors="replace").strip() if path.exists() else ""
    return ",".join(filter(None, (base64.b64encode(secrets.token_bytes(32)).decode(), old)))


def _write(path: Path, secret: str) -> None:
    """Writes beside the place and renames: a file is whole, or not there."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
    new.chmod(FILE_MODE)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
