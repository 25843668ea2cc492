"""The messages of test-docker and test-python on a machine that can't run them."""

import os
import shutil
import subprocess

import pytest

from tools import docker_engine, trixie


@pytest.mark.parametrize("main", [trixie.main, docker_engine.main])
def test_the_error_without_root_names_what_is_needed(
    main: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert callable(main)
    assert main(["true"]) == 2
    assert "needs Linux, root, and debootstrap with a Debian mirror" in capsys.readouterr().err


def test_the_mirror_is_that_of_apt_or_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def sites(output: str) -> None:
        result = subprocess.CompletedProcess([], 0, stdout=output, stderr="")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: result)

    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    sites("http://mirror.example/debian\nhttp://mirror.example/debian-security\n")
    assert trixie._mirror() == "http://mirror.example/debian"
    monkeypatch.setenv("DEBIAN_MIRROR", "http://other.example/debian")
    assert trixie._mirror() == "http://other.example/debian"
    monkeypatch.delenv("DEBIAN_MIRROR")
    sites("")
    with pytest.raises(trixie.TrixieError, match="set DEBIAN_MIRROR"):
        trixie._mirror()
