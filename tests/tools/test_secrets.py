import base64
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from app import settings
from app.worker import vault
from tools import secrets

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user of the system")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_each_login_gets_a_random_password_of_its_own(folder: Path) -> None:
    made, kept = secrets.make(folder)
    assert kept == []
    assert sorted(made) == sorted(folder.iterdir())
    passwords = texts(folder)
    del passwords["crm_key"]
    assert sorted(passwords) == [
        "leads_api_password",
        "leads_migrator_password",
        "leads_operator_password",
        "leads_worker_password",
        "postgres_password",
    ]
    assert len(set(passwords.values())) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", text) for text in passwords.values())


def test_the_vault_can_read_the_crm_key(folder: Path, tmp_path: Path) -> None:
    secrets.make(folder)
    secrets.make(tmp_path / "other")
    text, other_text = texts(folder)["crm_key"], texts(tmp_path / "other")["crm_key"]
    assert text != other_text
    assert len(base64.b64decode(text.strip(), validate=True)) == 32
    configuration = settings.read({"LEADS_CRM_KEY_FILE": str(folder / "crm_key")})
    assert configuration.crm_key is not None
    assert len(vault.read(configuration.crm_key).ids) == 1


def test_a_new_crm_key_precedes_the_old_one_which_still_decrypts(folder: Path) -> None:
    secrets.make(folder)
    old = vault.read(texts(folder)["crm_key"])
    organization = UUID(int=1)
    sealed, id = old.encrypt("key-of-the-vendor", organization_id=organization, vendor="hubspot")
    secrets.make(folder, force=True)
    both = vault.read(texts(folder)["crm_key"].strip())
    assert both.ids[1:] == old.ids
    assert both.ids[0] != id
    assert both.decrypt(sealed, key_id=id, organization_id=organization, vendor="hubspot") == "key-of-the-vendor"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_enter_the_folder_and_everyone_can_read_a_mounted_file(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        secrets.make(folder)
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o644}


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user of the system can enter, unlike pytest's own folders."""
    path = Path(tempfile.mkdtemp(prefix="leads-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@as_root
def test_another_user_reads_a_file_where_it_is_mounted_and_not_in_its_folder(passable: Path) -> None:
    secrets.make(passable / "secrets")
    file = passable / "secrets" / "leads_api_password"
    # a bind mount shows the very file at another place, with its owner and mode:
    # so does a hard link
    mounted = passable / "mounted"
    os.link(file, mounted)
    nobody = pwd.getpwnam("nobody")

    def read(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["cat", path], capture_output=True, text=True, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]
        )

    assert read(mounted).stdout == file.read_text()
    assert "Permission denied" in read(file).stderr


def test_existing_files_are_kept_and_missing_ones_created(folder: Path) -> None:
    secrets.make(folder)
    before = texts(folder)
    (folder / "leads_api_password").unlink()
    (folder / "postgres_password").chmod(0o600)
    made, kept = secrets.make(folder)
    assert [path.name for path in made] == ["leads_api_password"]
    assert len(kept) == 5
    assert {name for name, text in texts(folder).items() if text != before[name]} == {"leads_api_password"}
    assert mode(folder / "postgres_password") == 0o644


def test_force_creates_all_of_them_again(folder: Path) -> None:
    secrets.make(folder)
    before = texts(folder)
    made, kept = secrets.make(folder, force=True)
    assert len(made) == 6
    assert kept == []
    assert set(texts(folder).values()).isdisjoint(before.values())


def test_a_folder_that_docker_made_in_a_files_place_is_named(folder: Path) -> None:
    (folder / "leads_api_password").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(secrets.SecretsError, match=r"leads_api_password is no file .*remove it"):
            secrets.make(folder, force=force)


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "leads_api_password").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(secrets.SecretsError, match="leads_api_password is no file"):
        secrets.make(folder)
    assert not (tmp_path / "elsewhere").exists()


def test_an_empty_file_is_no_password(folder: Path) -> None:
    folder.mkdir()
    (folder / "leads_api_password").write_text("\n")
    with pytest.raises(secrets.SecretsError, match="leads_api_password is empty: remove it"):
        secrets.make(folder)
    secrets.make(folder, force=True)
    assert (folder / "leads_api_password").read_text().strip()


@as_root
def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(secrets.SecretsError, match="belongs to somebody else"):
        secrets.make(folder)


def test_errors_of_the_system_are_reported_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(secrets.SecretsError, match=r"secrets: Not a directory\. Make .* yours"):
        secrets.make(tmp_path / "file" / "secrets")


def test_the_command_says_what_it_did_and_shows_no_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(secrets, "FOLDER", folder)
    outputs = {}
    for arguments in ((), ("--force",)):
        monkeypatch.setattr("sys.argv", ["secrets", *arguments])
        assert secrets.main() == 0
        outputs[arguments] = capsys.readouterr().out
        assert not any(text.strip() in outputs[arguments] for text in texts(folder).values())
    names = [*map(secrets.file_name, secrets.LOGINS), "crm_key"]
    assert outputs[()].splitlines() == [f"made  secrets/{name}" for name in names]
    assert outputs["--force",].count("made  ") == 6
    assert r"--command='\password leads_migrator'" in outputs["--force",]
    monkeypatch.setattr("sys.argv", ["secrets"])
    assert secrets.main() == 0
    assert capsys.readouterr().out.count("kept  ") == 6
    (folder / "leads_api_password").write_text("")
    assert secrets.main() == 2
    assert "leads_api_password is empty" in capsys.readouterr().err
