"""Two PostgreSQL hosts, a primary and a streaming standby, on this machine: made with initdb and
pg_basebackup, with an address each, as an operator would make them.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from app import embedded
from app.embedded import account, cluster, folders
from bench.figures import BenchmarkError
from tests.support.database import Database
from tests.support.process import free_port

_HBA = """\
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
host replication standby 127.0.0.1/32 scram-sha-256
"""
# In the file, because the recovery that pg_rewind runs must not recycle the WAL that it reads.
_SETTINGS = """\
max_connections = 60
wal_keep_size = 1GB
max_locks_per_transaction = 256
temp_file_limit = 4GB
log_error_verbosity = terse
log_parameter_max_length = 0
"""
_PATIENCE = 60.0


class Host:
    """A host: a data folder, and its PostgreSQL if it runs. Others can't enter the socket's folder."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        """settings: more lines of postgresql.conf."""
        folder.mkdir()
        folder.chmod(0o711)
        self._owner = account.server_account()
        self._folder, self.data = folder, folder / "postgres"
        self.programs = cluster.usable_programs(folder, self._owner)
        self.server = embedded.Server(folders.make_socket_dir(folder, self._owner), free_port(), True)
        self.database = Database(self.server, "leads")
        (folder / "hba").write_text(_HBA)
        (folder / "hba").chmod(0o644)
        self._settings = _SETTINGS + settings
        self._process: subprocess.Popen[bytes] | None = None
        self._hanging: list[int] = []

    @property
    def pid(self) -> int:
        """The postmaster's process. Raises BenchmarkError."""
        if self._process is None:
            raise BenchmarkError("PostgreSQL doesn't run.")
        return self._process.pid

    def create(self) -> None:
        """Creates an empty cluster."""
        cluster.create(self._folder, self.programs, self._owner, sync=True)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(self._settings)

    def copy(self, address: str) -> None:
        """Makes the host, which is empty, a standby of the server at the address. Raises BenchmarkError."""
        self.data.mkdir(mode=0o700)
        self.own(self.data)
        # Waits for no checkpoint, and writes standby.signal and primary_conninfo.
        options = ("--checkpoint=fast", "--write-recovery-conf")
        self.run("pg_basebackup", *options, f"--dbname={address}", f"--pgdata={self.data}")

    def own(self, path: Path) -> None:
        """Gives a file or a folder to the account of the server."""
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def run(self, program: str, *arguments: str, folder: Path = Path("/")) -> str:
        """Runs a program of PostgreSQL as the account of the server, in the folder.
        Raises BenchmarkError.
        """
        options = account.subprocess_options(self._owner) | {"cwd": folder}
        process: subprocess.CompletedProcess[str] = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, **options
        )
        if process.returncode:
            raise BenchmarkError(f"{program} failed: {(process.stdout + process.stderr).strip()[-1500:]}")
        return process.stdout + process.stderr

    def start(self) -> None:
        """Starts PostgreSQL, and waits until it accepts connections. Raises BenchmarkError."""
        own = {
            "hba_file": str(self._folder / "hba"),
            "port": str(self.server.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.server.socket_dir),
        }
        arguments = [part for name, value in own.items() for part in ("-c", f"{name}={value}")]
        end = time.monotonic() + _PATIENCE
        while True:
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [self.programs / "postgres", "-D", self.data, *arguments],
                    stdout=log,
                    stderr=log,
                    **account.subprocess_options(self._owner),
                )
            while self._process.poll() is None:
                with suppress(psycopg.OperationalError):
                    psycopg.connect(self.server.url("postgres", "postgres")).close()
                    return
                if time.monotonic() > end:
                    break
                time.sleep(0.05)
            # It doesn't start while processes of a killed postmaster are left.
            if time.monotonic() > end:
                raise BenchmarkError(f"PostgreSQL doesn't start: {(self._folder / 'log').read_text()[-1000:]}")
            time.sleep(0.2)

    def hang(self) -> None:
        """Stops all processes of PostgreSQL. Their connections stay open, and nothing answers."""
        rows = self.database.sql("select pid from pg_stat_activity where pid <> pg_backend_pid()")
        self._hanging = [self.pid, *(row["pid"] for row in rows)]
        for pid in self._hanging:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the processes that hang go on."""
        for pid in self._hanging:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._hanging = []

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ends PostgreSQL with the signal, and waits for the end of the postmaster. A host that hangs
        is killed.
        """
        if self._process is None:
            return
        for pid in self._hanging:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._hanging = []
        self._process.send_signal(number)
        self._process.wait(_PATIENCE)
        self._process = None

    def stop_sending(self) -> None:
        """Stops the processes that send the log to the standby."""
        self._hanging = [row["pid"] for row in self.database.sql("select pid from pg_stat_replication")]
        for pid in self._hanging:
            os.kill(pid, signal.SIGSTOP)


class Pair:
    """A primary and its standby. secret: the password of all logins that connect by TCP."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        """settings: more lines of postgresql.conf."""
        self.primary, self.standby = Host(folder / "a", settings), Host(folder / "b")
        self.hosts = (self.primary, self.standby)
        self.secret = secrets.token_hex(16)

    def create(self, migrate: Callable[[str], None]) -> None:
        """Creates the primary, migrates its database, and makes the standby from it."""
        self.primary.create()
        self.primary.start()
        cluster.create_database(self.primary.server)
        migrate(self.primary.server.url("leads_migrator"))
        self.primary.database.sql("create role standby login replication")
        for role in ("standby", "leads_api", "leads_operator", "leads_worker"):
            self.primary.database.sql(f"alter role {role} password '{self.secret}'")
        self.make_standby(self.standby, self.primary)
        self.standby.start()
        self.wait_for_stream()

    def make_standby(self, host: Host, source: Host) -> None:
        """Makes the host, which is empty, a standby that follows the source."""
        host.copy(self._source(source))

    def follow(self, host: Host, source: Host) -> None:
        """Makes the standby, which runs, follow the source."""
        host.database.sql(f"alter system set primary_conninfo = '{self._source(source)}'")
        host.database.sql("select pg_reload_conf()")

    def url(self, login: str) -> str:
        """The address of both hosts, of which the client takes the primary."""
        hosts = ",".join("127.0.0.1" for _ in self.hosts)
        ports = ",".join(str(host.server.port) for host in self.hosts)
        return f"postgresql://{login}:{self.secret}@/leads?host={hosts}&port={ports}&target_session_attrs=read-write"

    def set_synchronous(self, names: str) -> None:
        """Sets synchronous_standby_names of the primary alone."""
        self.primary.database.sql("alter system set synchronous_standby_names = ''")
        self.primary.database.sql(f"alter system set synchronous_standby_names = '{names}'")
        self.primary.database.sql("select pg_reload_conf()")

    def promote(self) -> None:
        """Makes the standby the primary. The other host must have ended."""
        self.standby.database.sql("select pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> str:
        """Makes the old primary, which has ended, a standby of the new one. Returns what pg_rewind
        prints.
        """
        self.primary.database.sql("checkpoint")
        (self.standby.data / "standby.signal").unlink(missing_ok=True)
        said = self.standby.run(
            "pg_rewind",
            f"--target-pgdata={self.standby.data}",
            f"--source-server={self.primary.server.url('postgres', 'postgres')}",
            "--write-recovery-conf",
        )
        with (self.standby.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{self._source(self.primary)}'\nsynchronous_standby_names = ''\n")
        self.standby.start()
        self.wait_for_stream()
        return said

    def wait_for_stream(self) -> None:
        """Waits until the standby has all that the primary has written. Raises BenchmarkError."""
        end = time.monotonic() + _PATIENCE
        query = "select 1 from pg_stat_replication where state = 'streaming' and replay_lsn >= pg_current_wal_lsn()"
        while not self.primary.database.sql(query):
            if time.monotonic() > end:
                raise BenchmarkError("The standby doesn't follow the primary.")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stops both."""
        for host in (self.standby, self.primary):
            host.end()

    def _source(self, host: Host) -> str:
        return f"host=127.0.0.1 port={host.server.port} user=standby password={self.secret}"


@contextmanager
def running(folder: Path, migrate: Callable[[str], None], settings: str = "") -> Iterator[Pair]:
    """Runs a pair during the block. Raises BenchmarkError."""
    pair = Pair(folder, settings)
    try:
        pair.create(migrate)
        yield pair
    finally:
        pair.stop()
