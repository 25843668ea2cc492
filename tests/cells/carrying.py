"""The move of an organization between two databases, without the mover: the same functions, and COPY in
place of a subscription.
"""

import json
import time
from typing import Any

from tests.support.database import Database


def call(database: Database, function: str, *arguments: Any, login: str = "leads_operator") -> list[dict[str, Any]]:
    """The rows of a function's result."""
    return database.sql(f"select * from {function}({', '.join(['%s'] * len(arguments))})", *arguments, login=login)


def carry(source: Database, target: Database, organization_id: str) -> None:
    """Copies the rows of the class data, as they are, and without triggers."""
    with source.connect() as reader, target.connect() as writer:
        writer.execute("set session_replication_role = replica")
        for row in reader.execute("select relation from admin.table_class() where class = 'data' order by position"):
            relation = row["relation"]
            columns = ", ".join(
                column["attname"]
                for column in reader.execute(
                    "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
                    " and attgenerated = ''",
                    [relation],
                )
            )
            with (
                reader.cursor().copy(
                    f"copy (select {columns} from {relation} where organization_id = '{organization_id}') to stdout"
                    " (format binary)"
                ) as rows,
                writer.cursor().copy(f"copy {relation} ({columns}) from stdin (format binary)") as copied,
            ):
                for piece in rows:
                    copied.write(piece)


def finish(source: Database, organization_id: str, seconds: float = 30) -> None:
    """Waits until nothing can write to the organization any more."""
    end = time.monotonic() + seconds
    while waits := call(source, "admin.unfinished", organization_id):
        assert time.monotonic() < end, waits
        time.sleep(0.02)


def begin(source: Database, target: Database, organization_id: str, name: str = "second") -> dict[str, Any]:
    """The first steps: after them the source still serves the organization. name: of the target."""
    begun: dict[str, Any] = call(source, "admin.begin_move", organization_id, name)[0]["begin_move"]
    call(target, "admin.prepare_arrival", organization_id, "first", begun["years"])
    return begun


def owned(source: Database, organization_id: str) -> str:
    """The rows that the source hands over, for admin.take_over."""
    return json.dumps(call(source, "admin.owned_rows", organization_id))


def move(source: Database, target: Database, organization_id: str, name: str = "second") -> None:
    """A whole move. name: of the target."""
    begin(source, target, organization_id, name)
    call(source, "admin.fence", organization_id)
    finish(source, organization_id)
    carry(source, target, organization_id)
    call(target, "admin.take_over", organization_id, owned(source, organization_id))
    call(source, "admin.give_up", organization_id, name)
