"""The settings of our own database sessions, as a part of the connection string.

A login's password also allows its holder to change what new sessions start with (``alter role ...
set``). Each setting that we rely on is therefore sent with the connection itself.
"""

from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo

ALL = {
    "default_transaction_isolation": "read\\ committed",
    "default_transaction_read_only": "off",
    "idle_session_timeout": "0",
    # The functions that turn enable_sort off have costs above every threshold of JIT, which would
    # compile each of their calls.
    "jit": "off",
    "row_security": "on",
    # How values are written and read:
    "bytea_output": "hex",
    "datestyle": "ISO,\\ MDY",
    "extra_float_digits": "1",
    "intervalstyle": "postgres",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "timezone": "UTC",
}
"""Settings of all sessions of ours."""

COMMAND = ALL | {
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "0",
    "search_path": "pg_catalog",
    "statement_timeout": "0",
}
"""Settings of the sessions of commands and migrations."""

IMPORT = COMMAND | {
    # As the server's: a plan for the values of one batch would contain the batch.
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
}
"""Settings of the session of leads import."""

SERVER = ALL | {
    "idle_in_transaction_session_timeout": "10000",
    "local_preload_libraries": "",
    # A request that waits longer for a lock waits without a connection (server/locks.py).
    "lock_timeout": "50",
    # One plan is good for every value, because the tables have no statistics on purpose.
    "plan_cache_mode": "force_generic_plan",
    # Otherwise the planner prefers a scan of the whole table of keys to its index while it is small.
    "random_page_cost": "1.1",
    "statement_timeout": "10000",
}
"""Settings of the HTTP server's sessions."""


API = "leads-api"
"""The application_name of the HTTP server's sessions."""


def with_replicas(number: int, most_lag: float) -> str:
    """The application_name of a session of a server that has so many replicas, which may be so many seconds
    late. A move to another cell reads it (cell.late_replicas).
    """
    return f"{API}, {number} replicas up to {most_lag:g} s"


def long(seconds: int) -> dict[str, str]:
    """Settings of the HTTP server's sessions for statements that may take so many seconds."""
    # They wait longer for locks: to run such a statement again costs more.
    return SERVER | {"lock_timeout": "2000", "statement_timeout": f"{seconds * 1000}"}


def address(url: str, settings: Mapping[str, str] = SERVER, application_name: str = API) -> str:
    """The connection string of a session with these settings.
    Options that the URL already has are kept.
    """
    options = [
        str(conninfo_to_dict(url).get("options", "")),
        *(f"-c {name}={value}" for name, value in settings.items()),
    ]
    return make_conninfo(
        url, options=" ".join(options), application_name=application_name, connect_timeout=5, client_encoding="utf8"
    )
