"""Errors of a statement beneath which another session has replaced functions, types or tables.

``leads migrate`` and a DBA replace them while the server and the worker run statements. Such a
statement fails, its transaction is rolled back, and nothing was done. So it is repeated at once, on
a new plan, and once more after a pause, for a DBA who drops and creates in two transactions. An
error that stays is a bug of ours.
"""

from app import log

PAUSES = (0.0, 0.25)
"""Seconds before each repetition."""


def is_of_schema(sqlstate: str, routine: str) -> bool:
    """Whether a change of the schema may have caused the error, so that a repetition may succeed.

    routine: the function in PostgreSQL's source that reports the error. Messages can be translated.

    Class 42 is a statement that does not fit the schema: 42883 is an undefined function, 42P01 an
    undefined table, 42704 an undefined type, 42804 a type that has changed. 42P05 is left out: behind
    a pooler, another client has prepared the statement. XX000 is an internal error, such as "cache
    lookup failed for function" and "could not open relation with OID". Many routines report it. 0A000
    from the plan cache is "cached plan must not change result type".
    """
    return (
        sqlstate == "XX000"
        or (sqlstate.startswith("42") and sqlstate != "42P05")
        or (sqlstate == "0A000" and routine == "RevalidateCachedQuery")
    )


def report(sqlstate: str, function: str) -> None:
    """Writes a line about a statement that failed, ran again, and succeeded."""
    message = "A statement ran again, because the schema changed beneath it."
    log.write("warning", message=message, sqlstate=sqlstate, function=function)
