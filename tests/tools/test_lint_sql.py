"""Each rule has a case that breaks it, and a near twin that doesn't."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import lint_sql
from tools.pins import Tables, read, unpinned
from tools.sqltext import Sql, statements

TABLES = """
create table app.lead (organization_id uuid, id uuid, stage text);
create table app.event (organization_id uuid, id uuid, lead_id uuid);
create table api.route (path text);
"""
KNOWN = Tables(frozenset({"app.lead", "app.event"}), frozenset({"api.route"}))

# A query that doesn't pin a table, and a twin that does. v is a parameter.
CASES = """
select from app.lead
select from app.lead where organization_id = v

select from app.lead as l where l.id = v
select from app.lead as l where v = l.organization_id

select from app.lead as l where l.organization_id = l.id
select from app.lead as l where l.organization_id = (select auth.organization_id('read'))

select from app.lead as l where l.organization_id = auth.organization_id('read')
select from app.lead as l where l.organization_id = $1::uuid

select from app.lead as l where l.organization_id <> v
select from app.lead as l where l.organization_id = any (v)

select from app.lead as l where l.organization_id = L.ID
SELECT FROM app.lead AS L WHERE l.ORGANIZATION_ID = v

select from app.lead as l where not l.organization_id = v
select from app.lead as l where l.organization_id in (v, w)

select from app.lead as l where l.organization_id = v or l.id = v
select from app.lead as l where l.organization_id = v or (l.organization_id = w and l.id = v)

select from app.lead as l where case when l.organization_id = v then true end
select from app.lead as l where l.id = v and (l.stage = 'new' and l.organization_id = v)

select from app.lead as l where (l.id, l.organization_id) = (v, l.stage)
select from app.lead as l where (l.id, l.organization_id) = (l.stage, v)

select from app.lead as l where row(l.id, l.organization_id) = row(v, l.stage)
select from app.lead as l where row(l.id, l.organization_id) = row(l.stage, v)

select from app.lead as l join app.event as e on e.lead_id = l.id where l.organization_id = v
select from app.lead as l join app.event as e on e.organization_id = l.organization_id where l.organization_id = v

select from app.lead as l join app.event as e on e.organization_id = l.organization_id
select from app.lead as l join app.event as e using (organization_id, id) where e.organization_id = v

select from app.lead as l join api.route as r on r.path = l.organization_id
select from app.lead as l join api.route as r on l.organization_id = v

select from app.lead as l left join app.event as e on e.organization_id = v and e.organization_id = l.organization_id
select from app.lead as l left join app.event as e on e.organization_id = l.organization_id where l.organization_id = v

select from app.event as e right join app.lead as l on l.organization_id = v and e.organization_id = v
select from app.event as e right join app.lead as l on e.organization_id = v where l.organization_id = v

select from app.lead as l full join app.event as e on l.organization_id = e.organization_id where e.organization_id = v
select from app.lead as l cross join app.event as e where (l.organization_id, e.organization_id) = (v, v)

select from app.lead as l, app.event as e join app.event as f using (organization_id) where f.organization_id = v
select from app.lead as l join app.event as e using (organization_id) join app.event as f using (organization_id) where f.organization_id = v

select from (app.lead as l join app.event as e on e.id = l.id) join api.route as r on true where e.organization_id = v
select from (app.lead as l join app.event as e on e.organization_id = l.organization_id) join api.route as r on true where e.organization_id = v

select from app.lead as l where l.organization_id in (v, l.id)
select from app.lead as l where l.organization_id in (select v)

with a as (select id from app.lead) select from a
with a as (select id from app.lead where organization_id = v) select from a

with a as (select v as o) select from a, app.lead as l
with a as (select v as o) select from a join app.lead as l on l.organization_id = a.o

select from api.route as r cross join lateral (select from app.lead as l where l.id = r.path) as x
select from api.route as r cross join lateral (select from app.lead as l where l.organization_id = v) as x

select from app.lead as l where l.organization_id = v and exists (select from app.event as e where e.id = l.id)
select from app.lead as l where l.organization_id = v and exists (select from app.event as e where e.organization_id = l.organization_id)

select (select count(*) from app.lead) from api.route
select (select count(*) from app.lead where organization_id = v) from api.route

select from app.event where organization_id = v union all select from app.lead
select from app.event where organization_id = v union all select from app.lead where organization_id = v

table app.lead
table api.route

insert into app.lead (id) values (v)
insert into app.lead (organization_id, id) values (v, v)

insert into app.event (organization_id, id) select organization_id, id from app.lead
insert into app.event (organization_id, id) select organization_id, id from app.lead where organization_id = v

insert into app.lead (organization_id) values (v) on conflict (id) do nothing
insert into app.lead (organization_id) values (v) on conflict (organization_id, id) do update set stage = 'x'

update app.lead as l set stage = 'x' where l.id = v
update app.lead as l set stage = 'x' where l.organization_id = v

update app.lead as l set stage = 'x' from app.event as e where e.organization_id = v and e.lead_id = l.id
update app.lead as l set stage = 'x' from app.event as e where e.organization_id = v and l.organization_id = e.organization_id

update app.lead set stage = (select max(id) from app.event) where organization_id = v
update app.lead set stage = (select max(id) from app.event where organization_id = v) where organization_id = v

delete from app.lead where id = v
delete from app.lead where organization_id = v

delete from app.lead as l using app.event as e where l.organization_id = v and e.lead_id = l.id
delete from app.lead as l using app.event as e where l.organization_id = v and e.organization_id = l.organization_id

with gone as (delete from app.lead returning *) select from gone
with gone as (delete from app.lead where organization_id = v returning *) select from gone

truncate api.route, app.lead
truncate api.route

merge into app.lead as l using api.route as r on l.organization_id = v when matched then delete
merge into api.route as r using api.route as s on true when matched then delete
"""


@pytest.mark.parametrize("case", CASES.strip().split("\n\n"))
def test_finds_the_table_that_is_not_pinned_and_passes_the_twin(case: str) -> None:
    bad, good = case.splitlines()
    assert len(list(unpinned(read(bad), KNOWN))) == 1
    assert list(unpinned(read(good), KNOWN)) == []


def test_two_tables_are_two_findings_and_what_is_joined_to_one_is_none() -> None:
    assert len(list(unpinned(read("select from app.lead as l, app.event as e"), KNOWN))) == 2
    assert len(list(unpinned(read("select from app.lead join app.event using (organization_id)"), KNOWN))) == 1


Lint = Callable[..., list[str]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """Lints a file of sql/ in a repository of its own: the findings' codes and subjects."""

    def lint(
        text: str, name: str = "app/f.sql", allow: str = "", header: str = "-- app.f - a file.\nset local role a;\n"
    ) -> list[str]:
        for path, content in (("migrations/1.sql", TABLES), (f"sql/{name}", header + text), (lint_sql.ALLOW, allow)):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content)
        return [f"{finding.code} {finding.subject}" for finding in lint_sql.lint(tmp_path)]

    return lint


def function(statement: str, declare: str = "") -> str:
    return (
        "create function app.f(v uuid, w api.word) returns setof app.lead language plpgsql\nas $$\n"
        f"declare\n  v_lead app.lead;\n  v_n integer{declare};\nbegin\n  {statement}\nend\n$$;"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "select l.* into strict v_lead from app.lead as l{};",
        "insert into api.route (path) select l.id from app.lead as l{} returning path into strict v_lead.id;",
        "perform from app.lead as l{};",
        "v_n := count(*) from app.lead as l{};",
        "v_lead.stage = max(l.stage) from app.lead as l{};",
        "return max(l.id) from app.lead as l{};",
        "loop exit when v is distinct from w; perform from app.lead as l{}; end loop;",
        "v_n := case when v = w then 1 else (select count(*) from app.lead as l{}) end;",
        "case v_n when 1 then null; else null; end case; perform from app.lead as l{};",
        "v_n := (select count(*) from app.lead as l{});",
        "v_lead.stage = (select max(l.stage) from app.lead as l{});",
        "return query select l.* from app.lead as l{};",
        "delete from app.lead as l{};",
        "for v_lead in select * from app.lead as l{} loop null; end loop;",
        "if exists (select from app.lead as l{}) then null; end if;",
        "while exists (select from app.lead as l{}) loop null; end loop;",
        "case when exists (select from app.lead as l{}) then null; end case;",
        "raise '%', (select count(*) from app.lead as l{});",
        "begin null; exception when others then perform from app.lead as l{}; end;",
    ],
)
def test_reads_every_statement_of_plpgsql(lint: Lint, statement: str) -> None:
    assert lint(function(statement.format(""))) == ["tenant-not-pinned app.lead"]
    assert lint(function(statement.format(" where l.organization_id = f.v"))) == []


def test_reads_declarations_begin_atomic_strings_and_views(lint: Lint) -> None:
    query = "select count(*) from app.lead"
    for text in (
        function("null;", f" := ({query})"),
        f"create function app.f() returns bigint language sql begin atomic select 1; {query}; end;",
        f"create function app.f() returns bigint language sql as '{query}';",
        f"create view app.f as {query};",
    ):
        assert lint(text) == ["tenant-not-pinned app.lead"]
        assert (
            lint(
                text.replace("lead", "lead where organization_id = $1", 1)
                if "v_lead" not in text
                else function("null;")
            )
            == []
        )


# A file of sql/, a condition in it, and the table that is not pinned without the condition.
PREDICATES = [
    ("audit/erase_events", "e.organization_id = erase_events.organization_id", "audit.event"),  # for … in select
    ("admin/seal_events", "e.organization_id = v_organization_id", "audit.event"),  # a join in for … in select
    ("api/update_lead", "l.organization_id = v_organization_id", "app.lead"),  # select … into
    ("api/create_signals", "l.organization_id = v_organization_id", "app.lead"),  # perform
    ("api/list_leads", "l.organization_id = v_organization_id", "app.lead"),  # an assignment
    (
        "api/get_audit_event",
        "e.organization_id = (select auth.entered_organization_id())",
        "audit.event",
    ),  # begin atomic
    ("bi/stage_history", "s.organization_id = (select auth.analyst_organization_id())", "app.stage_stay"),
    ("admin/add_stage", "s.organization_id = v_organization_id", "app.pipeline_stage"),  # insert … select
    ("crm/lease_syncs", "s.organization_id = g.organization_id", "crm.sync"),  # update … from
    ("admin/delete_expired_answers", "k.organization_id = e.organization_id", "app.idempotency_key"),  # delete … using
    ("audit/erase_lead", "a.organization_id = s.organization_id", "crm.attempt"),  # delete … using, two tenant tables
]


@pytest.mark.parametrize(("file", "predicate", "table"), PREDICATES)
def test_finds_each_missing_predicate_in_our_functions_and_views(file: str, predicate: str, table: str) -> None:
    text = (lint_sql.ROOT / f"sql/{file}.sql").read_text()
    assert predicate in text
    new = Counter(findings(text.replace(predicate, "true", 1))) - Counter(findings(text))
    assert [(code, subject) for code, subject, _ in new.elements()] == [("tenant-not-pinned", table)]


def findings(text: str) -> list[tuple[str, str, str]]:
    tables = lint_sql.known_tables(lint_sql.ROOT)
    return [finding for statement in statements(Sql(text)) for finding in lint_sql.findings(statement, tables)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into app.lead (organization_id) overriding system value values (v);",
        "update app.lead set stage = 'x' where organization_id = v and current of v_cursor;",
        "alter table app.lead disable trigger all;",
    ],
)
def test_finds_a_query_that_the_parser_cannot_read(lint: Lint, statement: str) -> None:
    assert lint(function(statement)) == ["unreadable app.f", "unreadable app.lead"]
    allow = "unreadable sql/app/f.sql app.f The table is a finding of its own."
    assert lint(function(statement), allow=allow) == ["unreadable app.lead"]


def test_finds_a_table_in_a_query_that_was_not_found(lint: Lint) -> None:
    statement = "execute 'x' using (select count(*) from app.lead where organization_id = v);"
    assert lint(function(statement)) == ["dynamic-sql app.f", "unreadable app.lead"]


@pytest.mark.parametrize(
    "statement",
    ["execute 'x';", "return query execute 'x';", "for v_lead in execute 'x' loop null; end loop;"],
)
def test_finds_sql_that_is_put_together(lint: Lint, statement: str) -> None:
    assert lint(function(statement)) == ["dynamic-sql app.f"]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("app/f.sql", "create table app.f (id uuid);", "misplaced"),
        ("app/f.sql", "create view app.g as select 1;", "misplaced"),
        ("app/f.sql", "create function app.g() returns integer language sql return 1;", "misplaced"),
        ("app/f.sql", "create policy p on app.f using (true);", "misplaced"),
        ("app/f.policies.sql", "create policy p on app.g using (true);", "misplaced"),
        ("app/f.triggers.sql", "create trigger t after insert on app.g execute function app.f();", "misplaced"),
        ("app/f.grants.sql", "alter table app.f owner to a;", "misplaced"),
        ("app/f.grants.sql", "grant a to b;", "misplaced"),
        ("app/f.rows.sql", "select 1;", "misplaced"),
        ("app/f.sql", "drop table app.f;", "misplaced"),
        ("app/f.grants.sql", "grant select (a, b) on app.f to a;", ""),
        ("app/f.triggers.sql", "create trigger t after update of a, b on app.f execute function app.g();", ""),
        ("app/f.sql", "create or replace procedure app.f() language sql as 'select 1';", ""),
        ("app/f.policies.sql", "create policy p on app.f using (true);", ""),
        ("app/f.rows.sql", "delete from app.f;", ""),
        ("app/f.rows.sql", "delete from app.lead;", "tenant-not-pinned"),
    ],
)
def test_a_statement_belongs_in_the_file_of_its_object(lint: Lint, name: str, text: str, code: str) -> None:
    assert [finding.split()[0] for finding in lint(text, name)] == ([code] if code else [])


@pytest.mark.parametrize(
    "header", ["set local role a;\n", "-- app.g - a file.\nset local role a;\n", "-- app.f - a file.\n"]
)
def test_a_file_begins_with_its_name_and_its_owner(lint: Lint, header: str) -> None:
    assert lint("create view app.f as select 1;", header=header) == ["header app.f"]


def test_a_line_of_the_allow_list_lets_a_finding_pass_and_needs_a_reason(lint: Lint) -> None:
    text, line = "create view app.f as select from app.lead;", "tenant-not-pinned sql/app/f.sql app.lead"
    assert lint(text, allow=f"# A comment.\n\n{line} It is right.\n") == []
    assert lint(text, allow=line) == ["stale-allow line 1"]
    assert lint("create view app.f as select 1;", allow=f"{line} It is right.") == ["stale-allow line 1"]


def test_a_finding_names_file_rule_table_and_function() -> None:
    finding = lint_sql.Finding("sql/app/f.sql", "tenant-not-pinned", "app.lead", "is read in app.f")
    assert str(finding) == "sql/app/f.sql: tenant-not-pinned app.lead: is read in app.f"


def test_the_repository_has_no_finding() -> None:
    assert lint_sql.lint(lint_sql.ROOT) == []
