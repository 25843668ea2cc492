"""The tests that are not run behind an entrance to cells, each with the reason. A name is the beginning of the id of
tests. docs/cells.md describes what clients notice.
"""

_ONE_CELL = "It changes one of the cells, and a request without a key goes to any cell."
_PROCESSES = (
    "It counts what the server processes have in a folder, and those of the other cell have something there too."
)

_READ = (
    "It is about what the API server reads of a connection, and when it ends one. HAProxy does that for its clients."
)

BOTH = {
    "tests/api/test_crash.py": "It copies the database, so nothing else may be connected to it.",
    "tests/api/test_export.py::test_kill_9_of_postgresql": "It kills PostgreSQL, and has a server of its own for that.",
    "tests/api/test_kills.py": "It kills PostgreSQL, and has a server of its own for that. tests/cells stops cells.",
    "tests/attacks/test_shared_session.py": "It is about an API server behind PgBouncer.",
    "tests/attacks/test_shim_login.py": "It changes the settings of the login of the API server in its database.",
    "tests/cells/": "It starts entrances of its own.",
    "tests/cli/test_cli.py::test_the_server_works_with_any_settings": "It sets a statement_timeout that sync exceeds.",
    "tests/database/": "It is about a change of the schema, or a database of another release.",
    "tests/replicas/": "It is about an API server and its databases.",
    "tests/setup/test_extending.py": _ONE_CELL,
    "tests/tools/": "It is about a benchmark of the API server.",
}

HAPROXY = {
    "tests/api/test_added_route.py": _ONE_CELL,
    "tests/api/test_deprecation.py": _ONE_CELL,
    "tests/api/test_disconnects.py::test_a_client_that_disconnects": "HAProxy does not tell the server of it.",
    "tests/api/test_disconnects.py::test_a_read_whose_client_disconnects": "HAProxy does not tell the server of it.",
    "tests/api/test_disconnects.py::test_a_client_that_has_stopped_sending": "HAProxy removes Connection: close.",
    "tests/api/test_disconnects.py::test_all_requests_of_a_client_that_has_stopped": "HAProxy answers the first.",
    "tests/api/test_disconnects.py::test_a_client_that_stops_in_the_middle": "HAProxy sends a page with 400.",
    "tests/api/test_export.py::test_before_http_1_1": "HAProxy ends the connection without a reset.",
    "tests/api/test_export.py::test_kill_9_of_the_server": "HAProxy answers in place of a server that is down.",
    "tests/api/test_limits.py::test_workers_share_the_limit_also_after_a_kill": _PROCESSES,
    "tests/api/test_metrics.py::test_requests_are_counted_by_the_path_of_their_route": _ONE_CELL,
    "tests/api/test_metrics.py::test_the_folder_is_removed_when_the_server_stops": _PROCESSES,
    "tests/api/test_outage.py::test_requests_are_503_while_the_database_is_down": _ONE_CELL,
    "tests/api/test_outage.py::test_the_last_message_of_an_ended_session": "HAProxy waits for /readyz.",
    "tests/api/test_traces.py::test_a_line_tells_the_route": _ONE_CELL,
    "tests/api/test_traces.py::test_a_key_is_known_after_its_first_accepted_request": _ONE_CELL,
    "tests/api/test_traces.py::test_server_timing_is_on_every_response": _ONE_CELL,
    "tests/reference/test_openapi.py::test_the_document_follows_the_route_table": _ONE_CELL,
    "tests/reference/test_openapi.py::test_if_the_document_cannot_be_made_the_old_one_stays": _ONE_CELL,
    "tests/server/test_protocol.py": _READ,
}

_NO_NAME = (
    "The message of the error has no name of a constraint. PostgreSQL's has it, and PL/Proxy keeps only the message."
)
_LOGGED = "The log of the API server has PT503. What has happened is in the log of the router's PostgreSQL."
_FAULT = "test_a_fault_of_the_database_or_its_session_is_503_and_the_log_has_its_sqlstate"

_SESSIONS = "It watches or ends the sessions of the API server, which are those of the router's database."
_NOT_NOTIFIED = (
    "It changes a cell, which notifies the API servers of its own database. The one of the router reads it 5 min later."
)

PLPROXY = {
    "tests/api/test_added_route.py": "It adds a route to a cell alone. The router needs its script again.",
    "tests/api/test_deprecation.py": _NOT_NOTIFIED,
    "tests/api/test_errors.py::test_each_row_of_the_problem_table": _NO_NAME,
    f"tests/api/test_errors.py::{_FAULT}[57P0": _LOGGED,
    "tests/api/test_locks.py::test_twelve_clients_on_one_locked_lead": _SESSIONS,
    "tests/api/test_outage.py": _SESSIONS,
    "tests/reference/test_openapi.py::test_the_document_follows_the_route_table": _NOT_NOTIFIED,
    "tests/reference/test_openapi.py::test_if_the_document_cannot_be_made_the_old_one_stays": _NOT_NOTIFIED,
    "tests/webhooks/test_end_to_end.py::test_webhooks_can_be_created_as_soon_as_a_worker": _NOT_NOTIFIED,
}


def reason(entrance: str, test: str) -> str | None:
    """Why the test with this id is not run behind the entrance; None: it is run."""
    own = HAPROXY if entrance == "haproxy" else PLPROXY
    return next((reason for name, reason in {**BOTH, **own}.items() if test.startswith(name)), None)
