"""Two organizations with almost the same rows in one database,
and the effects of calls by one of them.

The attacker is a copy of the victim, row by row. The ids of leads, events and pushes are the same,
because every key begins with organization_id. The victim's rows come first in every table and
index, and contain the word ``canary``. So a query that doesn't pin its organization takes the
victim's row instead of the attacker's, or both.

A scene runs in a transaction that is rolled back,
with the policies and functions that were replaced for it.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from tests.isolation.scenes import ARRANGED, CANARY, EXTRA, OWN_ROWS, SEALS, STILL, Call
from tests.support.database import Database, Organization, make_organization

SCHEMAS = ["admin", "api", "app", "audit", "auth", "bi", "crm", "intake", "scoring", "webhook"]
VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"

_TABLES = """
select format('%%I.%%I', n.nspname, c.relname),
  (select array_agg(a.attname::text order by a.attnum) from pg_attribute as a
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any (%s) and c.relkind in ('r', 'p') and not c.relispartition
  and exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'organization_id')
order by 1
"""
_SORT = """
select distinct on (i.indrelid) format('cluster %%s using %%I', i.indrelid::regclass, c.relname)
from pg_index as i join pg_class as c on c.oid = i.indexrelid
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where c.relnamespace = any (%s::regnamespace[]) and not c.relispartition
  and a.attname = 'organization_id' and i.indpred is null
order by i.indrelid, i.indisprimary desc
"""


@dataclass(frozen=True)
class Outcome:
    """The result of a scene: the result of each call,
    and the rows of each organization afterwards, as one text each.
    """

    answers: tuple[str, ...]
    own: tuple[str, ...]
    victims: tuple[str, ...]


class World:
    """The database with the two organizations. ``connection`` is a superuser's."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.connection = psycopg.connect(database.url(), autocommit=True, row_factory=tuple_row)
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        database = self.database
        self.victim = make_organization(database, "Canary Roofing", "live")
        self.tables: dict[str, list[str]] = dict(self.rows(_TABLES, SCHEMAS))
        self.names = {"victim": self.victim.id, "verifier": VERIFIER}
        self.names["own_form"] = str(uuid.uuid4())
        self.names["own_webhook"] = str(uuid.uuid4())
        self.names["shared_key"] = str(uuid.uuid4())
        self.names |= {f"{letter}_form": hashlib.sha256(letter.encode()).hexdigest() for letter in "vo"}
        self._name_claims("v", self.victim)
        for call in ARRANGED:
            answer = self.call(call)
            assert not re.match(r"[0-9A-Z]{5} ", answer), (call, answer)
        self.names |= self._ids()
        self.attacker = make_organization(database, "Mallory Roofing", "live")
        self.names["own"] = self.attacker.id
        self.names["analyst"] = f"isolation_{os.getpid()}_{database.name}"
        self._name_claims("o", self.attacker)
        self.names["own_key"] = str(
            self.rows("select id from auth.api_key where organization_id = %s", self.attacker.id)[0][0]
        )
        self.names["own_admin_key"] = str(
            self.rows(
                "select id from auth.api_key where organization_id = %s and 'admin' = any (scopes)", self.attacker.id
            )[0][0]
        )
        self.names["version"] = str(self.rows("select api.schema_version()")[0][0])
        self._copy()
        for statement in OWN_ROWS:
            self.connection.execute(self.filled(statement).encode())
        [(self.names["lead_theirs"],)] = self.rows(
            "select id::text from app.lead where email = 'one@canary.example' and pipeline_stage = 'won'"
        )
        [(self.names["their_head"],)] = self.rows("select head from admin.chain_heads(%s)", self.victim.id)
        self._known = set(re.findall(_UUID, "\n".join([*self._state(self.attacker), *self._state(self.victim)])))

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, *values: Any) -> list[Any]:
        return self.connection.execute(statement.encode(), values or None).fetchall()

    def _name_claims(self, letter: str, organization: Organization) -> None:
        for scope, key in organization.keys.items():
            self.names[f"{letter}_{scope}"] = hashlib.sha256(key.encode()).hexdigest()

    def _ids(self) -> dict[str, str]:
        """The ids of the victim's rows, by the names in the scenes."""
        ids = {f"lead_{name}": str(id) for name, id in self.rows("select split_part(email, '@', 1), id from app.lead")}
        ids |= {
            f"sync_{name}": str(id)
            for name, id in self.rows(
                "select split_part(l.email, '@', 1), s.id from crm.sync as s join app.lead as l on l.id = s.lead_id"
            )
        }
        events = self.rows("select id from audit.event where lead_id = %s order by id", ids["lead_three"])
        [(form,)] = self.rows("select id from intake.form")
        [(webhook,)] = self.rows("select id from webhook.endpoint")
        ids |= {
            f"delivery_{name}": str(id)
            for name, id in self.rows(
                "select case when leased_until is not null then 'leased' when event_id is null then 'test' else state end, id "
                "from webhook.delivery where leased_until is not null or event_id is null or state <> 'pending'"
            )
        }
        return ids | {"event": str(events[0][0]), "form": str(form), "webhook": str(webhook)}

    def _copy(self) -> None:
        """Copies the victim's rows to the attacker, then changes the victim's so that they can
        be distinguished.
        """
        with self.connection.transaction(), self._unguarded():
            for table, columns in self.tables.items():
                if table in ("app.organization", "auth.api_key", "auth.analyst"):
                    continue  # made already; or found before the organization is known
                own, victims = (sql.Literal(id) for id in (self.attacker.id, self.victim.id))
                others = [name for name in columns if name != "organization_id"]
                self.connection.execute(
                    sql.SQL(
                        "delete from {t} where organization_id = {own}; insert into {t} (organization_id, {c}) "
                        "select {own}, {c} from {t} where organization_id = {victims}"
                    ).format(
                        t=sql.SQL(table),
                        c=sql.SQL(", ").join(map(sql.Identifier, others)),
                        own=own,
                        victims=victims,
                    )
                )
            for statement in (*STILL, *SEALS, *EXTRA, *CANARY):
                self.connection.execute(self.filled(statement).encode())
        # A list shows the stored text, which must have the canaries too.
        stale = "l.item is distinct from row_to_json(app.lead_item(row(l.*)::app.lead_values))::text"
        assert self.rows(f"select l.id from app.lead as l where {stale}") == []
        # An UPDATE can put a row version into a gap, before older rows.
        for (statement,) in self.rows(_SORT, SCHEMAS):
            self.connection.execute(statement.encode())

    def filled(self, statement: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.names.get(match[1], match[0]), statement)

    def call(self, call: Call) -> str:
        """One call by its login, in a subtransaction; the rows, or the error, as a text."""
        try:
            with self.connection.transaction():
                cursor = self.connection.cursor()
                cursor.execute(
                    "select set_config('leads.key_digest', '', true), set_config('leads.organization_id', '', true)"
                )
                cursor.execute(f"set local session authorization {self.filled(call.login)}".encode())
                cursor.execute(self.filled(call.statement).encode())
                # Without ORDER BY the order of rows depends on the plan.
                answer = "\n".join(sorted(map(repr, cursor.fetchall()))) if cursor.description else ""
        except psycopg.Error as error:
            detail = error.diag.message_detail
            answer = f"{error.sqlstate} {error.diag.message_primary} {detail or ''}"
        finally:
            self.connection.execute("reset session authorization")
        return answer

    @contextmanager
    def scene(self, *changes: str, with_victim: bool = True) -> Iterator[None]:
        """A transaction with these changes made, which is rolled back.
        Without the victim: its rows are gone.
        """
        with self.connection.transaction(force_rollback=True):
            for change in changes:
                self.connection.execute(change.encode())
            if not with_victim:
                with self._unguarded():
                    for table in self.tables:
                        self.connection.execute(
                            f"delete from {table} where organization_id = %s".encode(), [self.victim.id]
                        )
            yield

    @contextmanager
    def _unguarded(self) -> Iterator[None]:
        """Without triggers and foreign keys, and without the guards of the audit log,
        which fire always.
        """
        guards = self.rows(
            "select format('alter table %s %%s trigger %I', tgrelid::regclass, tgname) from pg_trigger "
            "where tgenabled = 'A' and tgparentid = 0"
        )
        self.connection.execute("set local session_replication_role = replica")
        for (guard,) in guards:
            self.connection.execute(guard % "disable")
        yield
        for (guard,) in guards:
            self.connection.execute(guard % "enable always")
        self.connection.execute("set local session_replication_role = origin")

    def run(self, calls: Sequence[Call], *changes: str, with_victim: bool = True) -> Outcome:
        """The result of the calls after these changes."""
        with self.scene(*changes, with_victim=with_victim):
            answers = tuple(f"{call.name}: {self.normalised(self.call(call))}" for call in calls)
            return Outcome(answers, *(tuple(self._normal(of)) for of in (self.attacker, self.victim)))

    def callers(self, scenes: Mapping[str, Sequence[Call]]) -> dict[str, list[str]]:
        """The scenes in which each function runs, by its name;
        one that is inlined into a query isn't seen.
        """
        callers: dict[str, list[str]] = {}
        for name, calls in scenes.items():
            with self.scene("set local track_functions = 'all'"):
                for call in calls:
                    self.call(call)
                for (function,) in self.rows("select schemaname || '.' || funcname from pg_stat_xact_user_functions"):
                    callers.setdefault(function, []).append(name)
        return callers

    def _state(self, organization: Organization) -> list[str]:
        return [
            f"{table} {row}"
            for table in self.tables
            for (row,) in self.rows(
                f"select to_jsonb(t)::text from {table} as t where organization_id = %s", organization.id
            )
        ]

    def _normal(self, organization: Organization) -> list[str]:
        return sorted(map(self.normalised, self._state(organization)))

    def normalised(self, text: str) -> str:
        """The text without what differs between two runs:
        new ids, instants, digests and what is left to chance.
        """
        text = re.sub(_UUID, lambda match: match[0] if match[0] in self._known else "<id>", text)
        for pattern, name in _CHANCE:
            text = re.sub(pattern, name, text)
        return text


# A line of an export begins with an id, behind \n.
_UUID = r"(?:\b|(?<=\\n))[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
_CHANCE = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:\d\d)?)?", "<instant>"),
    (r"datetime\.datetime\([^)]*\)\)?", "<instant>"),
    (r"Decimal\('-?\d+\.\d+'\)", "<number>"),
    (r"(\b|\\x)[0-9a-f]{64}\b", "<digest>"),
    (r'"next_cursor":"[^"]+"', '"next_cursor":"<cursor>"'),
    (r'"role_oid": (\{[^}]*\}|\d+)', '"role_oid": <oid>'),
    (r"lf_(live|test)_[A-Za-z0-9_-]{43}", "<token>"),
    (r"lk_(live|test)_[A-Za-z0-9]{36}", "<key>"),
    (r'"credential": "[^"]*"', '"credential": "<credential>"'),
    (r'"salt": "[^"]*"', '"salt": "<salt>"'),
    (r'"[0-9a-f]{16}(e?)\.\d+"', r'"<tag>\1"'),
)
