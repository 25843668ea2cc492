"""What commands print: tables for people, JSON for programs, and one plain sentence for a mistake."""

import errno
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table

from app.embedded import EmbeddedError
from app.settings import SettingsError

json_option: Callable[..., Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Mistake(Exception):
    """Something that the user can mend. The message says how."""


def rows(found: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Prints rows: all of each as JSON, or the columns named as a table."""
    if as_json:
        click.echo(json.dumps(list(found), default=str, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in found:
        table.add_row(*(_text(row[column]) for column in columns))
    # Never folded or cut: an id is copied from here.
    Console(width=10_000).print(table)


def one(found: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    """Prints one result: as JSON, or the sentence."""
    click.echo(json.dumps(found, default=str, indent=2) if as_json else sentence)


def progress(*columns: ProgressColumn) -> Progress:
    """A bar for long work, on standard error, where that is a terminal."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the program: 0 where all went well, 2 with a sentence on standard error for a mistake, 130 on Ctrl-C."""
    try:
        yield
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _say(f"What was to be written could not be: {error.strerror}. Make room, and say it again.")
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        if said.endswith("does not exist"):
            _say(f"{said}. If it is a login or the database of ours, run: leads migrate")
        if "authentication failed" in said:
            _say(
                f"{said}. Mend the password in the address; leads migrate --set-passwords gives a login the one there."
            )
        _say(f"The database can't be reached: {said}. Check that it runs, and its address.")
    except psycopg.Error as error:
        if error.sqlstate and error.sqlstate.startswith("PT"):
            _say(error.diag.message_hint or error.diag.message_primary or str(error))
        elif error.sqlstate in ("3F000", "42883", "42P01"):
            _say("This database has no schema of ours, or an older one. Run: leads migrate")
        elif error.sqlstate == "42501":
            _say(f"The login may not do this: {error.diag.message_primary}. Check the address that the command uses.")
        else:
            _say(f"The database refused: {error.diag.message_primary or error}.")
    except UnicodeEncodeError:
        _say("What was typed isn't all text in UTF-8. Type it anew.")
    except (Mistake, SettingsError, EmbeddedError) as error:
        _say(str(error))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(2)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, list) else str(value)
