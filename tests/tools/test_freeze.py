"""The last copy of each file in the migrations is the file: what isn't is named, and freeze makes it so."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tools.freeze import (
    Refused,
    check,
    check_checksums,
    freeze,
    frozen_blocks,
    load_order,
    main,
    without_frozen_blocks,
    write_checksums,
)

F = "-- app.f - a function.\nset local role a;\n\ncreate function app.f() returns int language sql as $$ select 1 $$;\n"


def block(path: str, text: str) -> str:
    return f"-- begin frozen {path}\n{text}-- end frozen {path}\n"


class Repo:
    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("sql/app", "migrations"):
            (path / folder).mkdir(parents=True)

    def sql(self, **files: str) -> None:
        """Files of sql/app by name (a__b is a.b.sql), listed in this order."""
        for name, text in files.items():
            (self.path / f"sql/app/{name.replace('__', '.')}.sql").write_text(text)
        lines = [f"\\ir app/{name.replace('__', '.')}.sql\n" for name in files]
        (self.path / "sql/load.sql").write_text("begin;\n-- \\ir app/no.sql\n" + "".join(lines) + "commit;\n")

    def migration(self, name: str, text: str) -> Path:
        path = self.path / "migrations" / name
        path.write_text(text)
        return path

    def wrong(self) -> list[str]:
        """What check says of which file."""
        return [sentence.partition(":")[0].removeprefix("sql/app/") for sentence in check(self.path)]

    def commit(self) -> None:
        git = ["git", "-C", str(self.path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
            subprocess.run([*git, *command], check=True)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


# what a migration holds


def test_blocks_are_read_byte_for_byte() -> None:
    text = f"set a;\n{block('sql/app/f.sql', F)}\n{block('sql/app/g.sql', '')}reset a;\n"
    assert [(one.path, one.text) for one in frozen_blocks(text)] == [("sql/app/f.sql", F), ("sql/app/g.sql", "")]


def test_without_blocks_a_migration_keeps_its_lines() -> None:
    text = f"set a;\n{block('sql/app/f.sql', F)}reset a;\n"
    assert without_frozen_blocks(text) == "set a;\n" + "\n" * 6 + "reset a;\n"


@pytest.mark.parametrize(
    "text",
    [
        "-- begin frozen sql/app/f.sql\nselect 1;\n",
        "-- begin frozen sql/app/f.sql\n-- end frozen sql/app/g.sql\n",
        block("sql/app/f.sql", block("sql/app/g.sql", "")),
        "-- end frozen sql/app/f.sql\n",
    ],
)
def test_refuses_marker_lines_that_do_not_pair(text: str) -> None:
    with pytest.raises(Refused):
        frozen_blocks(text)


def test_the_order_is_that_of_load_sql(repo: Repo) -> None:
    repo.sql(g="", f="", lead__policies="")
    assert load_order(repo.path) == [Path("sql/app/g.sql"), Path("sql/app/f.sql"), Path("sql/app/lead.policies.sql")]


# check


def test_nothing_differs_where_the_last_copy_is_the_file(repo: Repo) -> None:
    repo.sql(f=F)
    repo.migration("0001.a.sql", block("sql/app/f.sql", "-- older\n"))
    repo.migration("0002.b.sql", block("sql/app/f.sql", F))
    assert repo.wrong() == []


def test_names_a_file_that_differs_from_its_last_copy(repo: Repo) -> None:
    repo.sql(f=F)
    repo.migration("0001.a.sql", block("sql/app/f.sql", F))
    repo.migration("0002.b.sql", block("sql/app/f.sql", F.replace("1", "2")))
    assert repo.wrong() == ["f.sql"]


def test_names_a_file_without_a_copy_one_not_listed_and_one_not_there(repo: Repo) -> None:
    repo.sql(g="", h="", f=F)
    repo.sql(f=F, g="")
    (repo.path / "sql/app/g.sql").unlink()
    assert repo.wrong() == ["f.sql", "g.sql", "h.sql"]


@pytest.mark.parametrize(
    ("name", "drop"),
    [
        ("f", "drop function if exists app.f(uuid, app.other);"),
        ("f", "drop\n  view app.f;"),
        ("f", "drop function app.e(), app.f();"),
        ("lead.policies", "drop policy if exists p on app.lead;"),
        ("lead.policies", "drop table app.lead;"),
        ("lead.triggers", "drop trigger t on app.lead;"),
        ("lead.grants", "revoke all on app.lead from a;"),
        ("lead.rows", "delete from app.lead;"),
    ],
)
def test_a_copy_whose_file_is_gone_needs_a_drop_behind_it(repo: Repo, name: str, drop: str) -> None:
    repo.sql()
    path = f"sql/app/{name}.sql"
    repo.migration("0001.a.sql", block(path, "x\n"))
    assert repo.wrong() == [f"{name}.sql"]
    for text in (
        f"-- {drop}\n".replace("\n  ", " "),
        "drop function app.g(app.f);",
        block("sql/app/g.sql", f"{drop}\n"),
    ):
        repo.migration("0002.b.sql", text + "drop function app.g();")
        assert f"{name}.sql" in repo.wrong()
    repo.migration("0002.b.sql", drop)
    assert repo.wrong() == []


def test_an_object_that_is_dropped_behind_its_copy_has_none(repo: Repo) -> None:
    repo.sql(f=F)
    repo.migration("0001.a.sql", block("sql/app/f.sql", F))
    last = repo.migration("0002.b.sql", "drop function app.f();\nalter table app.a drop column b;\n")
    assert repo.wrong() == ["f.sql"]
    assert freeze(repo.path, last) == ["sql/app/f.sql"]
    assert repo.wrong() == []


def test_a_drop_counts_before_the_copies_of_its_own_migration(repo: Repo) -> None:
    repo.sql(f=F, g="-- g\n")
    repo.migration("0001.a.sql", block("sql/app/f.sql", F) + block("sql/app/g.sql", "-- older\n"))
    repo.migration("0002.b.sql", "drop function app.f();\ndrop function app.g();\n" + block("sql/app/g.sql", "-- g\n"))
    assert repo.wrong() == ["f.sql"]


def test_a_policy_that_is_dropped_behind_its_copy_is_frozen_again(repo: Repo) -> None:
    repo.sql(lead__policies="-- x\n")
    repo.migration("0001.a.sql", block("sql/app/lead.policies.sql", "-- x\n"))
    last = repo.migration("0002.b.sql", "drop policy p on app.lead;\n")
    assert repo.wrong() == ["lead.policies.sql"]
    freeze(repo.path, last)
    assert repo.wrong() == []


def test_each_file_here_is_its_last_copy() -> None:
    root = Path(__file__).parent.parent
    assert list(check(root)) == []
    assert list(check_checksums(root)) == []


# freeze


def test_freezes_what_differs_in_the_order_of_load_sql(repo: Repo) -> None:
    repo.sql(h="-- h\n", g="-- g\n", f=F)
    repo.migration("0001.a.sql", block("sql/app/g.sql", "-- g\n") + block("sql/app/f.sql", "-- older\n"))
    last = repo.migration("0002.b.sql", "set a;\n")
    assert freeze(repo.path, last) == ["sql/app/h.sql", "sql/app/f.sql"]
    assert last.read_text() == "\n".join(["set a;\n", block("sql/app/h.sql", "-- h\n"), block("sql/app/f.sql", F)])
    assert freeze(repo.path, last) == []


def test_a_copy_that_is_there_is_replaced_in_its_place(repo: Repo) -> None:
    repo.sql(f=F, g="-- g\n")
    old = ["set a;\n", block("sql/app/g.sql", ""), block("sql/app/f.sql", ""), "reset a;\n"]
    last = repo.migration("0001.a.sql", "\n".join(old))
    freeze(repo.path, last)
    new = ["set a;\n", block("sql/app/g.sql", "-- g\n"), block("sql/app/f.sql", F), "reset a;\n"]
    assert last.read_text() == "\n".join(new)


def test_a_copy_is_replaced_where_its_file_is_again_what_it_was(repo: Repo) -> None:
    repo.sql(f=F)
    repo.migration("0001.a.sql", block("sql/app/f.sql", F))
    last = repo.migration("0002.b.sql", block("sql/app/f.sql", "-- a try\n"))
    assert freeze(repo.path, last) == ["sql/app/f.sql"]
    assert repo.wrong() == []


def test_a_new_copy_stands_between_its_neighbours_and_before_what_ends_the_migration(repo: Repo) -> None:
    f, g, h = (block(f"sql/app/{name}.sql", f"-- {name}\n") for name in "fgh")
    repo.sql(f="-- f\n", g="-- g\n", h="-- h\n")
    last = repo.migration("0001.a.sql", f"set a;\n\n{f}\nreset a;\n")
    freeze(repo.path, last, ["sql/app/h.sql"])
    assert last.read_text() == f"set a;\n\n{f}\n{h}\nreset a;\n"
    freeze(repo.path, last)
    assert last.read_text() == f"set a;\n\n{f}\n{g}\n{h}\nreset a;\n"


def test_freezes_the_files_that_are_named_and_no_other(repo: Repo) -> None:
    repo.sql(f=F, g="-- g\n")
    last = repo.migration("0001.a.sql", "")
    assert freeze(repo.path, last, ["sql/app/g.sql"]) == ["sql/app/g.sql"]
    assert [one.path for one in frozen_blocks(last.read_text())] == ["sql/app/g.sql"]


def test_takes_out_a_copy_whose_file_is_gone(repo: Repo) -> None:
    repo.sql(g="-- g\n")
    g = block("sql/app/g.sql", "-- g\n")
    last = repo.migration("0001.a.sql", f"set a;\n\n{block('sql/app/f.sql', F)}\n{g}")
    assert freeze(repo.path, last) == ["sql/app/f.sql"]
    assert last.read_text() == f"set a;\n\n{g}"


@pytest.mark.parametrize("text", ["-- no end", "-- begin frozen sql/app/f.sql\n", "-- end frozen\n"])
def test_refuses_a_file_that_can_not_stand_between_markers(repo: Repo, text: str) -> None:
    repo.sql(f=text)
    with pytest.raises(Refused, match=r"sql/app/f\.sql"):
        freeze(repo.path, repo.migration("0001.a.sql", ""))


def test_refuses_a_migration_that_is_not_the_last_or_not_there(repo: Repo) -> None:
    repo.sql(f=F)
    first = repo.migration("0001.a.sql", "")
    repo.migration("0002.b.sql", "")
    with pytest.raises(Refused, match=r"isn't the last"):
        freeze(repo.path, first)
    assert freeze(repo.path, first, unreleased=True) == ["sql/app/f.sql"]
    with pytest.raises(Refused, match="no migration"):
        freeze(repo.path, repo.path / "migrations/0003.c.sql")
    with pytest.raises(Refused, match=r"isn't in sql/load\.sql"):
        freeze(repo.path, repo.path / "migrations/0002.b.sql", ["sql/app/g.sql"])


def test_refuses_a_file_that_load_sql_lists_and_that_is_not_there(repo: Repo) -> None:
    repo.sql(f=F)
    (repo.path / "sql/app/f.sql").unlink()
    with pytest.raises(Refused, match=r"f\.sql, and it isn't there"):
        freeze(repo.path, repo.migration("0001.a.sql", ""))


def test_refuses_a_migration_that_has_landed(repo: Repo) -> None:
    repo.sql(f=F)
    last = repo.migration("0001.a.sql", "set a;\n")
    repo.commit()
    with pytest.raises(Refused, match="has landed"):
        freeze(repo.path, last)
    assert last.read_text() == "set a;\n"
    assert freeze(repo.path, last, unreleased=True) == ["sql/app/f.sql"]


# checksums


def test_checksums_are_those_of_sha256sum(repo: Repo) -> None:
    repo.migration("0002.b.sql", "b\n")
    repo.migration("0001.a.sql", "a\n")
    write_checksums(repo.path)
    digests = [hashlib.sha256(text).hexdigest() for text in (b"a\n", b"b\n")]
    sums = (repo.path / "migrations/SHA256SUMS").read_text()
    assert sums == f"{digests[0]}  0001.a.sql\n{digests[1]}  0002.b.sql\n"
    assert list(check_checksums(repo.path)) == []


def test_names_a_migration_that_was_edited_added_or_taken_away(repo: Repo) -> None:
    for name in ("0001.a.sql", "0002.b.sql", "0003.c.sql"):
        repo.migration(name, "a\n")
    write_checksums(repo.path)
    repo.migration("0001.a.sql", "a \n")
    (repo.path / "migrations/0002.b.sql").unlink()
    repo.migration("0004.d.sql", "d\n")
    assert [one.partition(":")[0] for one in check_checksums(repo.path)] == ["0001.a.sql", "0002.b.sql", "0004.d.sql"]


def test_refuses_the_checksum_of_a_landed_migration_that_was_edited(repo: Repo) -> None:
    repo.migration("0001.a.sql", "a\n")
    repo.commit()
    write_checksums(repo.path)
    repo.migration("0001.a.sql", "b\n")
    with pytest.raises(Refused, match="not what landed"):
        write_checksums(repo.path)
    assert list(check_checksums(repo.path))
    write_checksums(repo.path, unreleased=True)
    assert list(check_checksums(repo.path)) == []


# the command


def test_the_command_freezes_into_the_last_migration_and_sums(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.sql(f=F)
    repo.migration("0001.a.sql", "")
    repo.migration("0002.b.sql", "")
    at = ["--repo", str(repo.path)]
    assert main(["--check", *at]) == 1
    assert main([*at]) == 0
    assert main(["--check", *at]) == 0
    assert main(["checksums", "--check", *at]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["sql/app/f.sql", "Nothing differs.", "Nothing differs."]
    assert main(["migrations/0001.a.sql", "sql/app/f.sql", *at]) == 2
    assert capsys.readouterr().err == (
        "0001.a.sql isn't the last migration: freeze into 0002.b.sql, or say --unreleased.\n"
    )


def test_the_command_writes_checksums(repo: Repo) -> None:
    repo.migration("0001.a.sql", "a\n")
    at = ["--repo", str(repo.path)]
    assert main(["checksums", "--check", *at]) == 1
    assert main(["checksums", *at]) == 0
    assert main(["checksums", "--check", *at]) == 0
