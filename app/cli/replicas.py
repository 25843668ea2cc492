"""What ``leads serve`` checks about the replicas before it starts, and what ``leads doctor`` reports about them."""

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from app import session
from app.cli.addresses import call, connect
from app.cli.output import Mistake
from app.server.replicas import name_of

PATIENCE = 2
"""Seconds that a connection to a replica may take. The server starts without a replica that is silent."""

OF_DROPPED_LOGINS = "usesysid is not null and usename is null"
"""The condition on pg_stat_activity for the sessions of logins that were dropped."""


def check(url: str, replica_urls: Sequence[str]) -> None:
    """Raises Mistake if the database can't say which changes a replica must have, or if an address is that
    of a server that can never be used. A replica that can't be reached is no mistake, and neither is one
    that was promoted: the server avoids them.
    """
    with connect(url, session.SERVER) as connection:
        try:
            call(connection, "auth.current_position")
        except psycopg.errors.InsufficientPrivilege as error:
            raise Mistake(
                f"DATABASE_REPLICA_URL is set, and the database refuses positions: {error}. As a superuser, run in "
                "this database: psql -f app/superuser.sql"
            ) from None
        place = _place(connection)
    with ThreadPoolExecutor(len(replica_urls)) as threads:
        faults = threads.map(lambda replica: _fault(replica, place), replica_urls)
        for replica_url, fault in zip(replica_urls, faults, strict=True):
            if fault is not None:
                raise Mistake(f"DATABASE_REPLICA_URL has the address {name_of(replica_url)}. {fault}")


def findings(url: str, replica_urls: Sequence[str], most_lag: int) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the replicas: the name, the fault and the remedy. most_lag: seconds.
    Raises psycopg.Error if the primary can't be asked.
    """
    try:
        with connect(url, session.SERVER) as connection:
            place = _place(connection)
            position = call(connection, "auth.current_position")[0]["current_position"]
    except psycopg.errors.InsufficientPrivilege:
        yield "replicas", "The database refuses positions.", "As a superuser, run: psql -f app/superuser.sql"
        return
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
        return  # The schema is too old.
    for replica_url in replica_urls:
        name = f"replica {name_of(replica_url)}"
        try:
            with connect(replica_url, session.SERVER, connect_timeout=PATIENCE, autocommit=True) as connection:
                fault = _fault_of(connection, place)
                if fault is not None:
                    yield name, fault, "Correct DATABASE_REPLICA_URL, and restart leads serve."
                    continue
                for rest in _state(connection, position, most_lag):
                    yield (name, *rest)
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            yield name, f"It does not answer correctly: {reason}", "The primary answers its reads. Repair it."


def _state(connection: psycopg.Connection[DictRow], position: str, most_lag: int) -> Iterator[tuple[str, str]]:
    """Why the server is avoided, or could be, and the remedy."""
    end = time.monotonic() + min(most_lag, 10)
    while (state := call(connection, "auth.position_states", [position])[0]["position_states"][0]) in (
        "behind",
        "unknown",
    ):
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    if state == "primary":
        yield "It is a primary.", "Make it a standby, or remove it from DATABASE_REPLICA_URL."
        return
    if state != "replayed":
        fault = "It has not replayed the changes that the primary wrote some seconds ago."
        yield fault, "Look at pg_stat_replication on the primary, and at the log of the replica."
    settings = {row["name"]: row["setting"] for row in call(connection, "pg_show_all_settings")}
    if settings["hot_standby_feedback"] == "off":
        fault = "VACUUM on the primary cancels reads of the replica, which the primary then answers."
        yield fault, _set("hot_standby_feedback = on")
    delay = int(settings["max_standby_streaming_delay"])
    if not 0 <= delay <= most_lag * 1000:
        fault = "A long read can delay the replay by more than LEADS_REPLICA_LAG."
        yield fault, _set("max_standby_streaming_delay = '2s'")
    if int(settings["recovery_min_apply_delay"]) > most_lag * 1000:
        fault = "It replays each change later than LEADS_REPLICA_LAG."
        yield fault, _set("recovery_min_apply_delay = 0")
    logins = {row["usesysid"] for row in call(connection, "pg_stat_get_activity", None)} - {None}
    names = [str(call(connection, "pg_get_userbyid", login)[0]["pg_get_userbyid"]) for login in logins]
    if any(name.startswith("unknown (OID=") for name in names):
        fault = "It has sessions of a login that was dropped, such as a revoked analyst's."
        yield fault, f"/* on the replica, as a superuser */ {end_sessions(OF_DROPPED_LOGINS)}"


def end_sessions(condition: str) -> str:
    """What a superuser runs on a replica to end sessions. condition: on pg_stat_activity."""
    return f"select pg_terminate_backend(pid) from pg_stat_activity where {condition};"


def _set(setting: str) -> str:
    return f"/* on the replica, as a superuser */ alter system set {setting}; select pg_reload_conf();"


def _fault(replica_url: str, primary: dict[str, object]) -> str | None:
    """Why the server can never be used as a replica. None: it can, or it can't be reached now."""
    if len(names := _addresses(replica_url)) > 1:
        # The connections would be to different servers, of which the server process watches one.
        return f"This name has several addresses: {', '.join(names)}. Write an address for each replica."
    with (
        suppress(psycopg.OperationalError),
        connect(replica_url, session.SERVER, connect_timeout=PATIENCE) as connection,
    ):
        return _fault_of(connection, primary)
    return None


def _fault_of(connection: psycopg.Connection[DictRow], primary: dict[str, object]) -> str | None:
    for name, value in _place(connection).items():
        if value != primary.get(name, value):
            return f"Its {name} is {value}, and that of DATABASE_URL is {primary[name]}. Correct the address."
    # A replica that is late may lack the functions.
    with suppress(psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
        try:
            faults = [str(row["session_faults"]) for row in call(connection, "api.session_faults")]
        except psycopg.errors.InsufficientPrivilege:
            faults = [f'The login "{connection.info.user}" may not execute the API\'s functions.']
        if faults:
            return " ".join(faults) + " Use the login leads_api."
    return None


def _addresses(url: str) -> list[str]:
    """The addresses of the host's name: those of one family, because one server can have an address of each."""
    parts = conninfo_to_dict(url)
    host = str(parts.get("host") or "")
    if not host or host.startswith(("/", "@")) or parts.get("hostaddr"):
        return []
    families: dict[int, set[str]] = {}
    with suppress(socket.gaierror):
        for family, *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            families.setdefault(family, set()).add(str(address[0]))
    return max((sorted(names) for names in families.values()), key=len, default=[])


def _place(connection: psycopg.Connection[DictRow]) -> dict[str, object]:
    """What a primary and its replicas have in common, as far as the login may read it."""
    place = {"database": call(connection, "current_database")[0]["current_database"]}
    connection.commit()
    with suppress(psycopg.errors.InsufficientPrivilege):
        place = {"system identifier": call(connection, "pg_control_system")[0]["system_identifier"]} | place
    connection.rollback()
    return place
