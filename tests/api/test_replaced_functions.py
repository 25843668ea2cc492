"""Requests while the functions that answer them are dropped and created again."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from app import unreleased
from app.cli import migrate
from tests.support.database import Database, make_organization
from tests.support.process import Server

CLIENTS = 4
LOADS = 2
MOST_LOADS = 12
DROP = """
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select distinct p.oid from api.route as r join pg_catalog.pg_proc as p on p.oid = to_regproc(r.function)
  loop
    execute format('drop function if exists %s cascade', v_function);
  end loop;
end $$;
"""
WAITING = """
select l.pid
from pg_catalog.pg_locks as l
join pg_catalog.pg_stat_activity as a on a.pid = l.pid
where not l.granted and a.datname = current_database() and a.usename = 'leads_api'
"""


def send(client: httpx.Client, form: str, name: str, stop: threading.Event) -> list[tuple[str, int]]:
    """Creates, reads, changes and erases leads until the event. Returns what was sent, and the statuses."""
    sent: list[tuple[str, int]] = []
    for number in itertools.count():
        if stop.is_set():
            return sent
        created = client.post("/leads", json={"name": name, "email": f"{name}{number}@example.com"})
        answers = {
            "create": created,
            "form": client.post(form, json={"name": name, "email": f"form{name}{number}@example.com"}),
            "list": client.get("/leads?limit=5"),
            "log": client.get("/audit-log?limit=5"),
        }
        if created.status_code == 201:
            path = f"/leads/{created.json()['id']}"
            answers["change"] = client.patch(path, json={"company": "Whitfield"})
            answers["read"] = client.get(path)
            if number % 2:
                answers["erase"] = client.delete(path)
        sent += [(f"{what} {name}{number}@example.com", answer.status_code) for what, answer in answers.items()]
    raise AssertionError


def test_no_request_fails_while_functions_are_replaced(
    new_database: Callable[..., Database], new_server: Callable[..., Server]
) -> None:
    database = new_database()
    organization = make_organization(database)
    server, stop = new_server(database), threading.Event()
    state = unreleased.current()
    script = unreleased.load_script().replace("begin;\n", f"begin;\n{DROP}", 1).removesuffix("commit;\n")
    with (
        server.client(organization.keys["admin"]) as client,
        psycopg.connect(database.url("leads_migrator"), autocommit=True) as migrator,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        form = client.post("/forms", json={"requests_per_minute": 6000}).json()["address"]
        address = str(client.base_url.copy_with(path=form))
        clients = [pool.submit(send, client, address, f"c{number}", stop) for number in range(CLIENTS)]
        try:
            for number in range(MOST_LOADS):
                migrator.execute(script.encode())
                # A statement that waits for a lock has planned with the old functions.
                while not migrator.execute(WAITING).fetchall():
                    pass
                migrator.execute("commit")
                ran_again = [line for line in server.lines() if "ran again" in line.get("message", "")]
                if number + 1 >= LOADS and ran_again:
                    break
            if state is not None:  # what leads migrate does after a change in sql/
                unreleased._keep(migrator, unreleased.State(state.next, ""))
                migrate.apply(database.url("leads_migrator"))
        finally:
            stop.set()
        sent = dict(pair for each in clients for pair in each.result())
    assert set(sent.values()) <= {200, 201, 503}, sent
    assert ran_again
    stored = database.sql(
        "select e.lead_id, count(*) as n from audit.event as e where e.action = 'lead.created' group by e.lead_id"
    )
    assert {row["n"] for row in stored} == {1}
    created = [status for what, status in sent.items() if what.startswith(("create", "form"))]
    assert len(stored) == sum(status in (200, 201) for status in created)
