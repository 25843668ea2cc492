"""The output of commands: tables for people, JSON for programs, and one sentence for a mistake."""

import errno
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table

from app import schema_change
from app.embedded import EmbeddedError
from app.settings import SettingsError

json_option: Callable[..., Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Group(click.Group):
    """A group whose help shows the whole summary of each command. click cuts them to one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes each command with its summary, which continues on the next line if it is long."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(1000)) for name, each in commands if each is not None])


class Mistake(Exception):
    """A mistake that the user can correct. The message says how."""


def rows(records: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Prints records: as JSON with all fields, or as a table with these columns."""
    if as_json:
        click.echo(json.dumps(list(records), default=str, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in records:
        table.add_row(*(_text(row[column]) for column in columns))
    # A wide console, so that an id is never wrapped and can be copied.
    Console(width=10_000).print(table)


def one(result: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    """Prints a result as JSON, or the sentence."""
    click.echo(json.dumps(result, default=str, indent=2) if as_json else sentence)


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns exceptions into exit codes: 2 with a sentence on standard error for a mistake,
    130 for Ctrl-C.
    """
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
        _say(f"The output can't be written: {error.strerror}. Free some space, and run the command again.")
    except psycopg.OperationalError as error:
        message = str(error).strip().splitlines()[0]
        if re.search(r'role "[^"]*" does not exist$', message):
            _say(f"{message}. Check the address. If it is right, run leads migrate, which creates the logins.")
        if message.endswith("does not exist"):
            _say(f"{message}. Check the address. If it is right, create the database, and run leads migrate.")
        if re.search(r'authentication failed for user "(?!leads_(api|operator|router|worker)")', message):
            _say(
                f"{message}. Correct the login or the password in the address. If there is no such login, create it "
                "(docs/deployment.md)."
            )
        if "authentication failed" in message:
            _say(
                f"{message}. Correct the password in the address, or run leads migrate --set-passwords, which sets the "
                "logins' passwords to those in the addresses."
            )
        _say(f"The database can't be reached: {message}. Check that it is running and that the address is right.")
    except psycopg.Error as error:
        if error.sqlstate and error.sqlstate.startswith("PT"):
            _say(error.diag.message_hint or error.diag.message_primary or str(error))
        elif error.sqlstate in ("3F000", "42883", "42P01"):
            _say("The schema of this database is missing or older than this release. Run: leads migrate")
        elif error.sqlstate == "42501":
            _say(f"The login lacks a privilege: {error.diag.message_primary}. Check the address that the command uses.")
        elif schema_change.is_of_schema(error.sqlstate or "", error.diag.source_function or ""):
            _say(
                f"The database reported an error: {error.diag.message_primary}. If leads migrate ran meanwhile, run "
                "the command again."
            )
        else:
            _say(f"The database reported an error: {error.diag.message_primary or error}.")
    except UnicodeEncodeError:
        _say("An argument isn't valid UTF-8. Type it again.")
    except (Mistake, SettingsError, EmbeddedError) as error:
        _say(str(error))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(2)


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = ",".join(value) if isinstance(value, list) else str(value)
    # A sender of a form must not control the terminal.
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)
