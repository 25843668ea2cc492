"""In a checkout, unreleased changes are applied after the migrations.
A changed next.sql requires a reset.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app import unreleased
from app.cli import migrate, serve
from app.cli.output import Mistake
from app.migrations import MigrationError
from tests.support.database import Database

NEXT = "-- migration: note\nset local role leads_owner;\ncreate table app.note (body text);\nreset role;\n"
STEPS = """\
-- migration: steps
-- transactional: false

-- step
create index concurrently if not exists note_by_body on app.note (body);
-- step
begin;
set local role leads_owner;
comment on table app.note is 'A note.';
commit;
"""
FUNCTION = """\
set role leads_owner;
create function admin.fill_note(batch integer) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into app.note select 'a note' where (select count(*) from app.note) < 3;
  select 3 - count(*) from app.note;
end;
reset role;
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A next.sql and a load.sql for the test."""
    (tmp_path / "next.sql").write_text(NEXT)
    (tmp_path / "load.sql").write_text("select 1;\n")
    monkeypatch.setattr(unreleased, "_NEXT", tmp_path / "next.sql")
    monkeypatch.setattr(unreleased, "_LOAD", tmp_path / "load.sql")
    return tmp_path


@pytest.fixture
def connection(new_database: Callable[..., Database]) -> Iterator[psycopg.Connection]:
    database = new_database()
    database.sql("comment on schema yoyo is null")
    with psycopg.connect(database.url("leads_migrator"), autocommit=True) as connection:
        yield connection


def has(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [name]).fetchone()
    return bool(row and row[0])


def test_next_sql_is_applied_once(checkout: Path, connection: psycopg.Connection) -> None:
    assert unreleased.is_pending(connection)
    unreleased.apply(connection)
    assert has(connection, "app.note")
    assert not unreleased.is_pending(connection)
    unreleased.apply(connection)


def test_a_part_may_be_a_list_of_steps(checkout: Path, connection: psycopg.Connection) -> None:
    (checkout / "next.sql").write_text(NEXT + STEPS)
    unreleased.apply(connection)
    assert has(connection, "app.note_by_body")


def test_a_backfill_runs_after_sql_has_its_function(checkout: Path, connection: psycopg.Connection) -> None:
    (checkout / "next.sql").write_text("-- migration: fill\n-- backfill: admin.fill_note (app.note)\n" + NEXT)
    (checkout / "load.sql").write_text(FUNCTION)
    unreleased.apply(connection)
    assert connection.execute("select count(*) from app.note").fetchone() == (3,)
    unreleased.apply(connection)


def test_a_change_in_sql_is_loaded_again(checkout: Path, connection: psycopg.Connection) -> None:
    unreleased.apply(connection)
    (checkout / "load.sql").write_text("select 2;\n")
    assert unreleased.is_pending(connection)
    unreleased.apply(connection)
    assert not unreleased.is_pending(connection)


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("select 1;\ncreate function app.broken() returns int begin atomic select é; end;\n", "sql/a/b.sql, line 2,"),
        ("select 'é';\nselect 1\nfrom app.missing;\n", "sql/a/b.sql, line 3,"),
        ("do $$ begin raise 'without a position'; end $$;\n", "A file in sql/"),
    ],
)
def test_an_error_names_its_file(
    checkout: Path, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, fault: str, place: str
) -> None:
    (checkout / "sql" / "a").mkdir(parents=True)
    (checkout / "sql" / "a" / "b.sql").write_text(fault)
    (checkout / "load.sql").write_text("begin;\nselect 'é';\n\\ir a/b.sql\ncommit;\n")
    monkeypatch.setattr(unreleased, "ROOT", checkout)
    with pytest.raises(psycopg.Error) as caught:
        unreleased.apply(connection)
    assert caught.value.__notes__ == [place]
    connection.rollback()


def test_an_error_names_its_migration(checkout: Path, connection: psycopg.Connection) -> None:
    (checkout / "next.sql").write_text(NEXT + "-- migration: other\nselect 1 from app.missing;\n")
    with pytest.raises(psycopg.Error) as caught:
        unreleased.apply(connection)
    assert caught.value.__notes__ == ["migrations/next.sql, migration other,"]


@pytest.mark.parametrize("text", [NEXT + "-- changed\nselect 1;\n", "-- nothing\n"])
def test_a_changed_next_sql_is_refused(checkout: Path, connection: psycopg.Connection, text: str) -> None:
    unreleased.apply(connection)
    (checkout / "next.sql").write_text(text)
    with pytest.raises(MigrationError, match="make reset"):
        unreleased.is_pending(connection)
    with pytest.raises(MigrationError, match="make reset"):
        unreleased.apply(connection)


def test_statements_outside_a_part_are_refused(checkout: Path, connection: psycopg.Connection) -> None:
    (checkout / "next.sql").write_text("select 1;\n" + NEXT)
    with pytest.raises(MigrationError, match="-- migration: NAME"):
        unreleased.apply(connection)
    assert not has(connection, "app.note")


@pytest.mark.parametrize("show", [migrate.print_plan, migrate.print_diff])
def test_a_plan_says_that_the_changes_are_left_out(
    checkout: Path, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str], show: Callable[[str], None]
) -> None:
    show(connection.info.dsn)
    message = capsys.readouterr().err
    assert "unreleased changes of this checkout" in message
    assert "up to date" not in message
    unreleased.apply(connection)
    show(connection.info.dsn)
    assert "unreleased" not in capsys.readouterr().err


def test_serve_refuses_a_database_that_lacks_the_changes(checkout: Path, connection: psycopg.Connection) -> None:
    address = connection.info.dsn.replace("user=leads_migrator", "user=leads_api")
    with pytest.raises(Mistake, match="run: leads migrate"):
        serve._check(address)
    unreleased.apply(connection)
    serve._check(address)
    (checkout / "next.sql").write_text(NEXT + "select 1;\n")
    with pytest.raises(Mistake, match="make reset"):
        serve._check(address)


def test_a_release_has_no_unreleased_part(checkout: Path) -> None:
    (checkout / "load.sql").unlink()
    assert unreleased.current() is None
