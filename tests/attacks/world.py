"""Two copies of one database: mallory attacks, and only the victim's rows differ."""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import psycopg

from app import embedded
from app.cli import migrate
from tests.attacks.harness import Copy, Session
from tests.support.database import Database, Organization, create_database, make_organization
from tests.support.figures import count_stages

ANALYST = "mallory"
VICTIM_ANALYST = "victoria"
SCHEMAS = ("admin", "api", "app", "audit", "auth", "bi", "crm", "intake", "scoring", "webhook")
PASSWORD = secrets.token_urlsafe(24)
OPTIONS = {
    "fsync": "off",
    "max_connections": "60",
    # No background process changes the copies: counters and sizes differ only because of the
    # victim's rows.
    "autovacuum": "off",
}


@dataclass
class World:
    """The two copies, and the sessions that the victim has open in each."""

    server: embedded.Server
    databases: tuple[Database, Database]
    copies: tuple[Copy, Copy]
    victims: tuple["Victim", "Victim"]

    def sessions(self, login: str, options: str = "") -> list[Session]:
        """A session of the login in each copy."""
        return [
            Session(lambda database=database: connect(database, login, options), victim.act)  # type: ignore[misc]
            for database, victim in zip(self.databases, self.victims, strict=True)
        ]

    def sql(self, statement: str) -> None:
        """Runs a superuser's statement in both."""
        for database in self.databases:
            database.sql(statement.replace("{database}", database.name))


def connect(database: Database, login: str, options: str = "") -> psycopg.Connection:
    """A session of a login. An analyst's login uses its password."""
    # An analyst can change the settings of its login.
    # JIT compilation takes longer than the attacks.
    settings = (
        f"-c jit=off -c default_transaction_read_only=off -c statement_timeout=5s -c lock_timeout=200ms {options}"
    )
    url = database.url(login) + f"&options={quote(settings)}"
    return psycopg.connect(url, autocommit=True, password=PASSWORD)


def claim(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Victim:
    """The other organization in one copy."""

    def __init__(self, database: Database, tag: str, leads: int) -> None:
        self.database, self.canary = database, f"canary{tag}"
        organization = make_organization(database, f"{self.canary} roofing", "live")
        self.id, self.keys = organization.id, organization.keys
        with database.connect() as connection:
            for statement in _VICTIM:
                connection.execute(
                    statement.replace("{organization}", self.id)
                    .replace("{canary}", self.canary)
                    .replace("{leads}", str(leads))
                    .replace("{year}", "2020" if tag == "a" else "2021")
                    .encode()
                )
            count_stages(database)
            connection.execute(
                "insert into auth.analyst (organization_id, role_oid, role_name) "
                "select %s, oid, rolname from pg_roles where rolname = %s",
                [self.id, VICTIM_ANALYST],
            )
            connection.execute("analyze")
        self.open = self._open_sessions()

    def _open_sessions(self) -> list[psycopg.Connection]:
        self.shim = connect(self.database, "leads_api")
        self.act()
        analyst = connect(self.database, VICTIM_ANALYST)
        analyst.execute(f"select '{self.canary}', count(*) from bi.leads".encode())
        analyst.execute(f"declare c cursor with hold for select '{self.canary}' from bi.leads".encode())
        analyst.execute(f"prepare p as select '{self.canary}'".encode())
        return [self.shim, analyst]

    def act(self) -> None:
        """Runs a request of the victim, and begins a push."""
        lead = {"email": f"{self.canary}{secrets.token_hex(4)}@acts.example", "pipeline_stage": "qualified"}
        # As the server does: the values are parameters.
        self.shim.execute(
            "select (api.create_lead(%s)).status from auth.enter(%s, %s, 'write', false)",
            [json.dumps(lead), claim(self.keys["write"]), self.canary],
        )

    def close(self) -> None:
        for connection in self.open:
            connection.close()

    def secrets(self) -> frozenset[str]:
        """The values that no attack may return: canaries, also in hexadecimal and base64; ids;
        digests.
        """
        texts = {self.canary, self.canary.encode().hex()}
        with self.database.connect() as connection:
            tables = connection.execute(
                "select c.oid::regclass::text as name from pg_class as c join pg_attribute as a on a.attrelid = c.oid "
                "where c.relkind = 'r' and a.attname = 'organization_id' and c.relnamespace::regnamespace::text = any (%s)",
                [list(SCHEMAS)],
            ).fetchall()
            for table in tables:
                rows = connection.execute(
                    f"select to_jsonb(t)::text as row from {table['name']} as t where organization_id = %s".encode(),
                    [self.id],
                )
                for row in rows:
                    for value in json.loads(row["row"]).values():
                        if isinstance(value, str) and len(value) == 36 and value.count("-") == 4:
                            texts.add(value)
                        elif isinstance(value, str) and value.startswith("\\x"):
                            texts.add(value[2:])
        return frozenset(texts)


_VICTIM = (
    "insert into app.pipeline_stage (organization_id, name, position) values ('{organization}', '{canary}_stage', 7)",
    # With all 17 fields, and long enough to fill some pages.
    "insert into app.lead (organization_id, name, company, email, source, lead_score, pipeline_stage, industry, "
    "company_size, pain_points, timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at) "
    "select '{organization}', '{canary} name ' || n, '{canary} company', format('{canary}%s@victim.example', n), "
    "'{canary}_source', 97, '{canary}_stage', '{canary} industry', '{canary} size', "
    "'{canary} ' || repeat('pain ', 299) || n, '{canary} timeline', '{canary} budget', '{canary} reasoning', "
    "'{year}-02-01', '{year}-01-01', '{year}-01-02' from generate_series(1, {leads}) as n",
    "insert into app.idempotency_key (organization_id, key_digest, request_digest, status, headers, body) "
    "select '{organization}', sha256(('{canary}' || n)::bytea), sha256('{canary}'), 201, '{}', '{\"x\": \"{canary}\"}' "
    "from generate_series(1, {leads}) as n",
    "update app.lead set reference = '{canary}_reference', phone = '+15550100199' "
    "where organization_id = '{organization}' and name = '{canary} name 1'",
    "update auth.api_key set name = '{canary} key' where organization_id = '{organization}'",
    "insert into crm.connection (organization_id, vendor, account, settle_seconds, settings, credential, credential_key) "
    "values ('{organization}', 'jobnimbus', '{canary}', 0, '{\"x\": \"{canary}\"}', '{canary} credential', '{canary}')",
    "insert into crm.sync (organization_id, lead_id, vendor, account, status, error_code, error, email_key) "
    "select organization_id, id, 'jobnimbus', '{canary}', 'failed', 'rejected', '{canary} error', email "
    "from app.lead where organization_id = '{organization}'",
    "insert into crm.attempt (organization_id, sync_id, number, connection_revision, email, display_name, message) "
    "select organization_id, id, 1, 1, '{canary}', '{canary}', '{canary}' from crm.sync "
    "where organization_id = '{organization}'",
    "insert into scoring.signal (organization_id, lead_id, type, value, dedupe_key) "
    "select organization_id, id, '{canary}', '\"{canary}\"', '{canary}' from app.lead "
    "where organization_id = '{organization}'",
    "insert into scoring.model (organization_id, version, document) "
    "select '{organization}', 1, document from scoring.default_model order by version limit 1",
    "insert into webhook.endpoint (organization_id, name, url, include, position, secret, secret_key, previous_secret, "
    "previous_secret_key, previous_expires_at) values ('{organization}', '{canary} webhook', "
    "'https://{canary}.example/hook?token={canary}', 'values', 0, '{canary} sealed', 'k', '{canary} sealed before', 'k', "
    "'2100-01-01')",
    "insert into webhook.delivery (organization_id, endpoint_id, event_id, event_created_at, position, lead_id, action, "
    "message, attempts, begun_at, next_attempt_at) "
    "select p.organization_id, p.id, e.id, e.created_at, row_number() over (), e.lead_id, e.action, '{canary} message', 1, "
    "now(), now() from webhook.endpoint as p join audit.event as e on e.organization_id = p.organization_id "
    "where p.organization_id = '{organization}' and e.lead_id is not null",
    "insert into webhook.recipient (organization_id, lead_id, endpoint_id, host, first_at, last_at) "
    "select p.organization_id, l.id, p.id, '{canary}.example', now(), now() "
    "from webhook.endpoint as p join app.lead as l on l.organization_id = p.organization_id "
    "where p.organization_id = '{organization}'",
    # The secret of a webhook was shown under this key, and its answer is not kept.
    "insert into app.idempotency_key (organization_id, key_digest, request_digest, status, object_id) "
    "select organization_id, sha256(convert_to(organization_id || '{canary}_shown', 'UTF8')), sha256('{canary}'), 201, id "
    "from webhook.endpoint where organization_id = '{organization}'",
    "insert into auth.unannounced_key (organization_id, key_id) select organization_id, id from auth.api_key "
    "where organization_id = '{organization}'",
    "insert into auth.key_use (organization_id, key_id, last_used_at) "
    "select organization_id, id, '{year}-03-04' from auth.api_key where organization_id = '{organization}'",
)


def make(server: embedded.Server) -> World:
    """Creates the two copies on a separate server, because roles and sessions belong to a whole
    server.
    """
    base = create_database(server, "attack_base")
    migrate.apply(base.url("leads_migrator"))
    mallory = make_organization(base, "Mallory Roofing", "live")
    own = _own(base, mallory)
    count_stages(base)
    _make_analyst(base, ANALYST, mallory.id)
    databases = (create_database(server, "attack_one", base.name), create_database(server, "attack_two", base.name))
    with base.connect("leads_migrator") as connection:
        connection.execute(b"create role victoria login")
        connection.execute(f"alter role victoria password '{PASSWORD}'".encode())
        connection.execute("grant leads_bi to victoria")
    victims = (Victim(databases[0], "a", 40), Victim(databases[1], "b", 150))
    time.sleep(1)
    since = datetime.now(UTC)
    own_a, own_b = ({**own, "secret": claim(victim.keys["admin"])} for victim in victims)
    copies = (_copy(databases[0], victims[0], own_a, since), _copy(databases[1], victims[1], own_b, since))
    return World(server, databases, copies, victims)


def _make_analyst(database: Database, login: str, organization: str) -> None:
    with database.connect("leads_migrator") as connection:
        verifier = connection.pgconn.encrypt_password(PASSWORD.encode(), login.encode(), b"scram-sha-256").decode()
        connection.execute("select admin.create_analyst(%s, %s, %s)", [login, organization, verifier])


def _own(database: Database, mallory: Organization) -> dict[str, str]:
    """Mallory's rows, and the values of them that mallory knows."""
    with database.connect() as connection:
        for statement in _MALLORY:
            connection.execute(statement.replace("{organization}", mallory.id).encode())
    lead = database.sql("select id from app.lead where organization_id = %s order by id limit 1", mallory.id)
    webhook = database.sql("select id from webhook.endpoint where organization_id = %s", mallory.id)
    key = database.sql("select id from auth.api_key where organization_id = %s order by id limit 1", mallory.id)
    return {
        "own": mallory.id,
        "own_webhook": str(webhook[0]["id"]),
        "own_key": str(key[0]["id"]),
        "own_lead": str(lead[0]["id"]),
        "own_read": claim(mallory.keys["read"]),
        "own_write": claim(mallory.keys["write"]),
        "own_admin": claim(mallory.keys["admin"]),
    }


def _copy(database: Database, victim: Victim, own: dict[str, str], since: datetime) -> Copy:
    def first(statement: str) -> str:
        return str(database.sql(f"select ({statement})::text as v", victim.id)[0]["v"])

    known = {
        "victim": victim.id,
        "victim_lead": first("select id from app.lead where organization_id = %s order by id limit 1"),
        "victim_event": first("select id from audit.event where organization_id = %s order by id limit 1"),
        "victim_key": first("select id from auth.api_key where organization_id = %s order by id limit 1"),
        "victim_email": f"{victim.canary}1@victim.example",
        "victim_name": f"{victim.canary} name 1",
        "victim_company": f"{victim.canary} company",
        "victim_source": f"{victim.canary}_source",
        "victim_stage": f"{victim.canary}_stage",
        "victim_reference": f"{victim.canary}_reference",
        "victim_webhook": first("select id from webhook.endpoint where organization_id = %s"),
        "victim_delivery": first("select id from webhook.delivery where organization_id = %s order by id limit 1"),
        "victim_shown": f"{victim.canary}_shown",
        "victim_digest": first("select encode(digest, 'hex') from auth.api_key where organization_id = %s limit 1"),
    }
    return Copy(
        database.name, _oid(database), victim.secrets(), known, {n: _like(v) for n, v in known.items()}, own, since
    )


def _oid(database: Database) -> int:
    return int(database.sql("select oid from pg_database where datname = current_database()")[0]["oid"])


def _like(value: str) -> str:
    """A value of the same length and kind that exists nowhere, and is next to it in every order."""
    if "canary" in value:
        return value.replace("canary", "canarx")
    # An id or a digest, with other last digits.
    return value[:-8] + "".join("0123456789abcdef"[15 - int(digit, 16)] for digit in value[-8:])


_MALLORY = (
    "insert into app.lead (organization_id, name, company, email, source, lead_score, pipeline_stage, pain_points, "
    "created_at, updated_at) "
    "select '{organization}', 'Own ' || n, 'Own company', format('own%s@mallory.example', n), 'website', n, 'new', "
    "'own ' || repeat('pain ', 20) || n, '2019-01-01', '2019-01-02' from generate_series(1, 20) as n",
    "insert into crm.connection (organization_id, vendor, account, settle_seconds) "
    "values ('{organization}', 'webhook', 'own', 0)",
    "insert into webhook.endpoint (organization_id, url, position, secret, secret_key) "
    "values ('{organization}', 'https://mallory.example/', 0, 'own sealed', 'k')",
    # No request of an attack may have to wait for a worker.
    "insert into webhook.sealing_key (key_id, public_key, is_current) values ('k', decode(repeat('09', 32), 'hex'), true)",
)
