"""``leads worker``: pushes leads to CRMs, sends events to webhooks and seals the audit log;
also in a thread beside the embedded server.
"""

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
from app.cli import metrics, secret_file
from app.cli.addresses import Addresses, addresses, connect
from app.cli.metrics import Metrics
from app.cli.output import Mistake
from app.settings import Settings, SettingsError
from app.worker.connection import SESSION
from app.worker.loop import work
from app.worker.totals import Totals
from app.worker.vault import Vault, new_key, read


@click.command()
def worker() -> None:
    """Push leads to CRMs, send events to webhooks and seal the audit log, until Ctrl-C or SIGTERM.
    Pushes and deliveries that have begun are finished first.

    Several workers may run at the same time. Without an address of a database, the worker uses the
    embedded server. Otherwise it needs LEADS_WORKER_URL and LEADS_CRM_KEY, the key that encrypts
    the CRM credentials and opens the secrets of webhooks (32 bytes in base64). LEADS_CRM_KEY_FILE
    names a file with the key.
    """
    env = settings.read()
    with metrics.serving(env) as shown, addresses(is_supervised=True) as urls:
        url = urls.of_worker()
        opened = vault(urls, env)
        _check(url)
        totals = _totals(shown)
        click.echo(
            f"The worker is running, with the CRM key {', '.join(opened.ids)}. "
            "Press Ctrl-C to stop it. Pushes and deliveries are logged below."
        )
        if shown is not None:
            click.echo(f"Metrics, without a password: {shown.url}")
        try:
            asyncio.run(_until_a_signal(url, opened, env, totals))
        except GivenUp as error:
            # The exit code tells a supervisor to start the worker again.
            log.write("error", message=f"The worker ends. {error}")
            sys.exit(1)


@contextmanager
def beside(urls: Addresses, env: Settings, shown: Metrics | None = None) -> Iterator[None]:
    """Runs a worker in a thread. At the end of the block the worker finishes what it has
    begun. shown: the metrics of this process.
    """
    url, opened, totals = urls.of_worker(), vault(urls, env), _totals(shown)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        # The server goes on without a worker, so a worker that fails is started again until the end
        # of the block.
        worker = Background().run(
            "worker", lambda: work(url, opened, allow_loopback=env.allow_loopback_vendors, stop=stop, totals=totals)
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
        with suppress(RuntimeError):  # the worker has ended already
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def vault(urls: Addresses, env: Settings, *, makes: bool = True) -> Vault:
    """The key in LEADS_CRM_KEY, or the embedded server's own key,
    which is created on first use if ``makes`` is true.

    Raises SettingsError and Mistake.
    """
    if env.crm_key is not None:
        name, text = "LEADS_CRM_KEY", env.crm_key
    elif urls.is_embedded:
        path = env.data_dir / "crm-key"
        if not makes and not path.exists():
            return Vault(())
        name, text = str(path), _kept(path)
    else:
        raise Mistake(
            "LEADS_CRM_KEY is not set. Set it to the key that encrypts the CRM credentials, the same key for the "
            "worker and the operator. To create one: openssl rand -base64 32"
        )
    try:
        return read(text)
    except ValueError as error:
        # The message never has the value, which may be a part of a key.
        raise SettingsError(f"{name} can't be used: {error}.") from None


def _kept(path: Path) -> str:
    if not path.exists():
        # The link is atomic: of two processes that start at the same time,
        # both use the first one's key.
        temporary = path.with_name(f"crm-key.{os.getpid()}")
        secret_file.write(temporary, new_key())
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return path.read_text(encoding="utf-8").strip()


def _check(url: str) -> None:
    """Raises psycopg.Error if the schema is too old."""
    with connect(url, SESSION) as connection:
        connection.execute("select crm.seconds_until_due('{}'), webhook.seconds_until_due('{}')")


def _totals(shown: Metrics | None) -> Totals | None:
    if shown is None:
        return None
    totals = Totals()
    shown.add_worker(totals)
    return totals


async def _until_a_signal(url: str, opened: Vault, env: Settings, totals: Totals | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(url, opened, allow_loopback=env.allow_loopback_vendors, stop=stop, totals=totals)
