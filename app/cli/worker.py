"""``leads worker``: pushes to CRMs what is due; and the same in a thread beside the embedded server."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from app import log, settings
from app.background import Background, GivenUp
from app.cli import secret_file
from app.cli.addresses import Addresses, addresses, connect
from app.cli.output import Mistake
from app.settings import Settings, SettingsError
from app.worker.loop import work
from app.worker.outbox import session_of
from app.worker.vault import Vault, new_key, read


@click.command()
def worker() -> None:
    """Push leads to CRMs, and seal the audit log, until Ctrl-C or SIGTERM: then what is under way is finished first.

    Any number of workers may run at once. Without the four addresses it works on the embedded server's database; with
    them it needs LEADS_WORKER_URL and LEADS_CRM_KEY.
    """
    given = settings.read()
    with addresses() as found:
        url = found.of_worker()
        opened = vault(found, given)
        _check(url)
        click.echo(f"Pushing to CRMs, with the key {', '.join(opened.ids)}. Ctrl-C stops it. Pushes are logged below.")
        try:
            asyncio.run(_until_a_signal(url, opened, given))
        except GivenUp as error:
            # The exit code tells a supervisor to start the worker again.
            log.write("error", message=f"The worker ends. {error}")
            sys.exit(1)


@contextmanager
def beside(found: Addresses, given: Settings) -> Iterator[None]:
    """Runs a worker in a thread for the block, and has it finish what is under way at its end."""
    url, opened = found.of_worker(), vault(found, given)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        # The server goes on without a worker, so a worker that fails is started again until the end of the block.
        worker = Background().run(
            "worker", lambda: work(url, opened, allow_loopback=given.allow_loopback_vendors, stop=stop)
        )
        try:
            loop.run_until_complete(worker)
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="crm-worker")
    thread.start()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it has ended already
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def vault(found: Addresses, given: Settings, *, makes: bool = True) -> Vault:
    """What LEADS_CRM_KEY says, or the embedded case's own key, made on first use, unless told not to.

    Raises SettingsError, Mistake.
    """
    if given.crm_key is not None:
        name, text = "LEADS_CRM_KEY", given.crm_key
    elif found.is_embedded:
        path = given.data_dir / "crm-key"
        if not makes and not path.exists():
            return Vault(())
        name, text = str(path), _kept(path)
    else:
        raise Mistake(
            "LEADS_CRM_KEY is not set: give it the key that encrypts the CRM credentials, the same for the worker and "
            "the operator. To make one: openssl rand -base64 32"
        )
    try:
        return read(text)
    except ValueError as error:
        # Never the value: it may be half a key.
        raise SettingsError(f"{name} can't be used: {error}.") from None


def _kept(path: Path) -> str:
    if not path.exists():
        # Whole or not at all, and the first one's where two begin at once.
        made = path.with_name(f"crm-key.{os.getpid()}")
        secret_file.write(made, new_key())
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_text().strip()


def _check(url: str) -> None:
    """Raises psycopg.Error, which says what to do, where the schema is behind."""
    with connect(session_of(url)) as connection:
        connection.execute("select crm.seconds_until_due('{}')")


async def _until_a_signal(url: str, opened: Vault, given: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(url, opened, allow_loopback=given.allow_loopback_vendors, stop=stop)
