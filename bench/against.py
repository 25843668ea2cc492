"""Another commit of the product, in a folder of its own: its files, its packages, its migrations."""

import os
import subprocess
from pathlib import Path

from app.cli.output import Mistake
from app.settings import ROOT
from bench.figures import BenchmarkError
from bench.server import ADDRESSES

FOLDER = ROOT / ".cache" / "against"


def checkout(commit: str) -> Path:
    """Returns the folder with the commit's files, whose packages are installed in its .venv.
    A later call with the same commit reuses it.

    commit: any name that git knows. Raises Mistake, BenchmarkError.
    """
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, text=True
    )
    if found.returncode != 0:
        raise Mistake(f"There is no commit {commit} in this repository.")
    folder = FOLDER / found.stdout.strip()[:12]
    if not folder.exists():
        new = folder.with_name(folder.name + ".new")
        new.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(["git", "archive", found.stdout.strip()], cwd=ROOT, stdout=subprocess.PIPE) as archive:
            subprocess.run(["tar", "--extract", f"--directory={new}"], stdin=archive.stdout, check=True)
        new.rename(folder)
    _run(folder, ["make", "--silent", ".venv/.serve"])
    return folder


def python(folder: Path) -> str:
    """Returns the Python of the checkout."""
    return str(folder / ".venv" / "bin" / "python")


def migrate(folder: Path, url: str) -> None:
    """Applies the migrations of the checkout to a database. Raises BenchmarkError."""
    _run(folder, [python(folder), "-m", "app", "migrate"], LEADS_MIGRATE_URL=url)


def _run(folder: Path, command: list[str], **environment: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ADDRESSES} | environment
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    if ran.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} failed in {folder}: {ran.stderr.strip()[-1000:]}")
