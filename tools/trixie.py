"""Debian trixie in a folder, for tests that need another system than this machine's.

`tree(NAME)` returns a root file system, which debootstrap makes once in `.cache/trixie/`.
`python -m tools.trixie COMMAND...` runs a command in such a tree, in a copy of the repository. Its
`python3` is Python 3.13. `make test-python` uses this.
`python -m tools.trixie --program TREE PATH` prints the path of a script that runs a program of a tree
outside of it, with the tree's libraries. `make test-pooler` uses this.

The commands run in mount and process namespaces of their own. When the first process of a
namespace ends, the kernel ends the others and removes the mounts. So a run that is interrupted or
killed leaves only files behind.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import pgtap

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
PYTHON = "3.13"

# The base is what `python:3.13-slim` offers to the Dockerfile, and what the Makefile needs.
_BASE = ("ca-certificates", "make", "python-is-python3", "python3", "python3-pip", "python3-venv")
_ADDED = {
    "python": ("curl", "git"),
    "engine": ("docker.io", "docker-cli", "docker-compose", "iptables", "iproute2"),
    "pooler": ("pgbouncer",),
}
_NEEDS = "This needs Linux, root, and debootstrap with a Debian mirror: run it as root on Debian"


class TrixieError(Exception):
    """The tree can't be made or entered; the message is a sentence that says why and what to do."""


def check() -> None:
    """Raise TrixieError unless this process may make trees and enter them."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise TrixieError(f"{_NEEDS}.")
    for program in ("chroot", "unshare", "mount"):
        if shutil.which(program) is None:
            raise TrixieError(f"There is no program {program} on this machine. {_NEEDS}.")


def tree(name: str) -> Path:
    """Return the root file system `name` (base, or a key of _ADDED), and make it if it is missing.

    Raises TrixieError.
    """
    path = CACHE / "trixie" / name
    if path.is_dir():
        return path
    new = path.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == "base":
        print("Making a Debian trixie with debootstrap (only once, some 2 minutes) ...", file=sys.stderr)
        _debootstrap(new)
    else:
        _run("cp", "--archive", str(tree("base")), str(new))
        print(f"Installing {', '.join(_ADDED[name])} in it ...", file=sys.stderr)
        # a package's service must not start in a chroot
        policy = new / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf")
        install = "apt-get update -qq && apt-get install -qq --yes --no-install-recommends"
        _run(*namespaces(), "chroot", str(new), "sh", "-c", f"{install} {' '.join(_ADDED[name])} && apt-get clean")
    new.rename(path)
    return path


def program(name: str, path: str) -> Path:
    """Return a script that runs the program `path` of the tree `name` outside of it.

    The script becomes the program, so a signal to its process reaches the program.
    Raises TrixieError.
    """
    root = tree(name)
    (loader,) = root.glob("usr/lib*/ld-linux-*.so.*")
    (libraries,) = root.glob("usr/lib/*-linux-gnu*")
    script = root.with_name(f"{name}-{Path(path).name}")
    words = [str(loader), "--library-path", str(libraries), str(root / path)]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return script


def wheels(lock: Path) -> Path:
    """Return a folder with the wheels for Python 3.13 of all packages in `lock` and in
    tools/*.lock.

    This machine's pip downloads them with its own configuration, so programs in a tree need no
    package index, certificate or proxy. The folder is kept until a lock file changes.

    Raises TrixieError.
    """
    locks = [lock, *(ROOT / "tools" / f"{name}.lock" for name in ("build", "page", "axe"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in locks)).hexdigest()
    folder = CACHE / "trixie" / "wheels" / lock.stem / digest[:16]
    if folder.is_dir():
        return folder
    print(f"Downloading the packages of {lock.name} for Python {PYTHON} ...", file=sys.stderr)
    shutil.rmtree(folder.parent, ignore_errors=True)
    new = folder.with_name("new")
    for path in locks:
        _run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={new}"),
            *("--require-hashes", "--requirement", str(path)),
        )
    new.rename(folder)
    return folder


def namespaces(*more: str) -> list[str]:
    """Return the start of a command line that runs a command in mount and process namespaces of
    its own.
    """
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *more, "--"]


def mount(root: Path, folders: Sequence[Path] = ()) -> None:
    """Mount what programs in the tree `root` need, and each of `folders` at the path that it has
    here.

    For a process in a mount namespace of its own.
    `root` becomes a mount itself: runc's pivot_root needs that.
    """
    _run("mount", "--bind", str(root), str(root))
    _run("mount", "-t", "proc", "proc", f"{root}/proc")
    for name in ("dev", "sys"):
        _run("mount", "--rbind", f"/{name}", f"{root}/{name}")
    for name in ("run", "tmp"):
        _run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}/{name}")
    for folder in folders:
        target = Path(f"{root}{folder}")
        target.mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", str(folder), str(target))


def main(arguments: list[str]) -> int:
    """Run a command in a copy of the repository, with Python 3.13, or print a program's script."""
    try:
        check()
        if arguments[:1] == ["--program"]:
            print(program(*arguments[1:]))
            return 0
        if arguments[:1] == ["--inside"]:
            return _inside(Path(arguments[1]), arguments[2:])
        tree("python")
        wheels(ROOT / "requirements-dev.lock")
        pgtap.fetch()
        with _copy_of_repository() as copy:
            command = [*namespaces(), sys.executable, "-m", "tools.trixie", "--inside", str(copy), *arguments]
            return subprocess.run(command, cwd=ROOT).returncode
    except (TrixieError, pgtap.PgtapUnavailable) as error:
        print(error, file=sys.stderr)
        return 2


def _inside(copy: Path, command: list[str]) -> int:
    root, packages = tree("python"), wheels(ROOT / "requirements-dev.lock")
    mount(root, [packages])
    target = root / "srv/leads"
    target.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", str(copy), str(target))
    environment = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_FIND_LINKS": str(packages),
        "PIP_NO_INDEX": "1",
    }
    inside = ["chroot", str(root), "env", "--chdir=/srv/leads", *command]
    started = os.posix_spawnp("chroot", inside, environment)
    # The first process of a process namespace is the parent of all orphans. PostgreSQL doesn't start
    # while a killed one is a zombie.
    while True:
        pid, status = os.wait()
        if pid == started:
            return os.waitstatus_to_exitcode(status)


@contextmanager
def _copy_of_repository() -> Iterator[Path]:
    """Yield a folder with the files that git has or would add, and pgTAP, because programs in a tree
    need no registry.
    """
    (CACHE / "trixie").mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    with tempfile.TemporaryDirectory(prefix="repository-", dir=CACHE / "trixie") as name:
        copy = Path(name)
        copy.chmod(0o755)
        for path in filter(None, listed.decode().split("\0")):
            if (ROOT / path).is_file():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, copy / path)
        shutil.copytree(CACHE / "pgtap", copy / ".cache" / "pgtap")
        yield copy


def _debootstrap(target: Path) -> None:
    """Make the base with the machine's debootstrap, or with Debian's package of it, unpacked."""
    command = ["--variant=minbase", f"--include={','.join(_BASE)}", "trixie", str(target), _mirror()]
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        if (program := shutil.which("debootstrap")) is None:
            if shutil.which("apt-get") is None:
                raise TrixieError(f"There is no debootstrap on this machine. {_NEEDS}.")
            folder.chmod(0o777)  # apt downloads as a user of its own
            _run("apt-get", "download", "-qq", "debootstrap", folder=folder)
            _run("dpkg-deb", "--extract", *(str(package) for package in folder.glob("*.deb")), str(folder))
            program = str(folder / "usr/sbin/debootstrap")
        scripts = folder / "usr/share/debootstrap"
        environment = {"DEBOOTSTRAP_DIR": str(scripts)} if scripts.is_dir() else {}
        _run(*namespaces(), "sh", program, *command, environment=environment)


def _mirror() -> str:
    """Return the address of the Debian mirror that apt uses here, or of DEBIAN_MIRROR."""
    if mirror := os.environ.get("DEBIAN_MIRROR"):
        return mirror
    if shutil.which("apt-get") is not None:
        only = ("Created-By: Packages", "Component: main", "Origin: Debian")
        sites = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)", *only], capture_output=True, text=True
        ).stdout.split()
        if sites:
            return sites[0]
    raise TrixieError("apt on this machine knows no Debian mirror: set DEBIAN_MIRROR to the address of one.")


def _run(*command: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> None:
    """Run a command quietly; raise TrixieError with what it printed if it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"} | (environment or {})
    result = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode != 0:
        last = "\n".join(result.stdout.splitlines()[-15:])
        raise TrixieError(f"{last}\nThis command failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
