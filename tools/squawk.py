"""``python -m tools.squawk`` checks the migrations with squawk.

next.sql is checked as the files that a release makes of it, because each is a transaction of its
own, or has no transaction.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from app import unreleased
from app.settings import ROOT


def main() -> int:
    """Returns squawk's exit code."""
    files = sorted((ROOT / "migrations").glob("[0-9]*.sql"))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in unreleased.parts(unreleased.next_text()):
            files.append(Path(folder, f"next.{name}.sql"))
            files[-1].write_text(text, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "squawk"), "--config", str(ROOT / ".squawk.toml")]
        return subprocess.run([*command, *map(str, files)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
