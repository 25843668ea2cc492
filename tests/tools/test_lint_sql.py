"""The linter names file, line and rule; each rule has a repository that breaks it, and a near twin that doesn't."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.findings import ALLOW
from tools.lint_sql import lint, main

TABLES = """\
set local role leads_owner;
create table app.organization (organization_id uuid constraint organization_pkey primary key);
create table app.lead (
  organization_id uuid not null references app.organization,
  id uuid not null,
  stage text,
  constraint lead_pkey primary key (organization_id, id)
);
create table api.route (path text primary key);
"""

Lint = Callable[..., list[str]]


@pytest.fixture
def found(tmp_path: Path) -> Lint:
    """Writes files into a repository with two tenant tables; gives `file:line: code subject` of what is found."""

    def found(*, allow: str = "", **files: str) -> list[str]:
        contents = {"migrations/0001.tables.sql": TABLES, "sql/load.sql": "begin;\ncommit;\n", ALLOW: allow}
        for name, text in (contents | files).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return [f"{one.file}:{one.line} {one.code} {one.subject}" for one in lint(tmp_path)]

    return found


def file(name: str, body: str, purpose: str = "what it is for.") -> dict[str, str]:
    """A file of sql/ by its object's name, the statements from line 3 on."""
    schema, base = name.split(".", 1)
    header = f"-- {schema}.{base.split('.')[0]} - {purpose}\nset local role leads_owner;\n"
    return {f"sql/{schema}/{base}.sql": header + body}


def function(body: str, name: str = "app.f", language: str = "plpgsql") -> dict[str, str]:
    """A function's file, whose body begins on line 5."""
    return file(
        name, f"create or replace function {name}(v uuid) returns void\nlanguage {language} as $$\n{body}\n$$;\n"
    )


def migration(text: str) -> dict[str, str]:
    return {"migrations/0002.more.sql": text}


def test_passes_a_repository_without_a_fault(found: Lint) -> None:
    assert found(**function("begin\n  delete from app.lead where organization_id = v;\nend")) == []


# tenant-not-pinned: where the queries stand; what counts as pinned is in test_tools_tenancy


def test_reads_plpgsql(found: Lint) -> None:
    assert found(**function("begin\n  delete from app.lead\n  where id = v;\nend")) == [
        "sql/app/f.sql:6 tenant-not-pinned app.lead"
    ]


def test_reads_a_loop_within_a_loop(found: Lint) -> None:
    body = """\
declare
  r record;
  -- not a statement; select from app.lead;
  v_text text := 'select; from app.lead';
begin
  for r in
    select l.id
    from app.lead as l
    where l.organization_id = v
  loop
    if r.id is not null then
      perform (
        select count(*)
        from app.lead as m
      );
    end if;
  end loop;
end"""
    assert found(**function(body)) == ["sql/app/f.sql:18 tenant-not-pinned app.lead"]


def test_reads_a_body_in_dollar_quotes(found: Lint) -> None:
    body = "select ';';  -- ; '\nselect id from app.lead where organization_id = v;\nselect id from app.lead;"
    assert found(**function(body, language="sql")) == ["sql/app/f.sql:7 tenant-not-pinned app.lead"]


def test_reads_begin_atomic_statement_by_statement(found: Lint) -> None:
    body = """\
create or replace function app.f(v uuid) returns void
language sql
begin atomic
  select case when v is null then 1 else 2 end;
  select id from app.lead where organization_id = f.v;
  select ';' as a, id
  from app.lead;
end;

comment on function app.f(uuid) is 'begin atomic; it''s $$not$$ SQL';
"""
    assert found(**file("app.f", body)) == ["sql/app/f.sql:9 tenant-not-pinned app.lead"]


@pytest.mark.parametrize("body", ["v", "w", "f.v", "(select auth.organization_id('read'))"])
def test_knows_a_parameter_from_any_other_name(found: Lint, body: str) -> None:
    findings = found(**function(f"begin delete from app.lead where organization_id = {body}; end"))
    assert findings == (["sql/app/f.sql:5 tenant-not-pinned app.lead"] if body == "w" else [])


def test_reads_a_view_and_trusts_who_reads_it(found: Lint) -> None:
    head = "create or replace view app.mine with (security_invoker = true, security_barrier) as\n"
    reader = function(
        "begin delete from app.lead as l using app.mine as m where l.organization_id = m.organization_id; end"
    )
    assert found(**file("app.mine", head + "select * from app.lead;"), **reader) == [
        "sql/app/mine.sql:4 tenant-not-pinned app.lead"
    ]
    pinned = "select * from app.lead as l where l.organization_id = (select auth.organization_id('read'));"
    assert found(**file("app.mine", head + pinned), **reader) == []


def test_reads_both_conditions_of_a_policy_and_names_it(found: Lint) -> None:
    policies = """\
create policy lead_select on app.lead for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));
create policy lead_insert on app.lead for insert to leads_exec
  with check (true);
create policy lead_update on app.lead for update to leads_exec
  using (true)
  with check (organization_id = (select auth.organization_id('write')));
"""
    assert found(**file("api.route.policies", "create policy route_all on api.route using (true);\n")) == []
    assert found(**file("app.lead.policies", policies)) == [
        "sql/app/lead.policies.sql:6 tenant-not-pinned lead_insert",
        "sql/app/lead.policies.sql:8 tenant-not-pinned lead_update",
    ]


def test_reads_a_subquery_in_a_policy(found: Lint) -> None:
    policy = "create policy p on api.route using (exists (select from app.lead as l where l.stage = route.path{}));\n"
    assert found(**file("api.route.policies", policy.format(""))) == [
        "sql/api/route.policies.sql:3 tenant-not-pinned app.lead"
    ]
    pinned = policy.format(" and l.organization_id = (select auth.organization_id('read'))")
    assert found(**file("api.route.policies", pinned)) == []


def test_takes_no_using_within_a_policy_for_its_own(found: Lint) -> None:
    condition = "exists (select from app.organization as o join app.lead as l using (organization_id) where {})"
    policy = "create policy p on app.lead using (organization_id = (select auth.organization_id('read')) and {});\n"
    pinned = condition.format("o.organization_id = lead.organization_id")
    assert found(**file("app.lead.policies", policy.format(pinned))) == []
    assert found(**file("app.lead.policies", policy.format(condition.format("true")))) == [
        "sql/app/lead.policies.sql:3 tenant-not-pinned app.organization"
    ]


def test_reads_a_backfill(found: Lint) -> None:
    assert found(**migration("set local role a;\nupdate app.lead set stage = 'x' where stage is null;\n")) == [
        "migrations/0002.more.sql:2 tenant-not-pinned app.lead"
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "with a as (select 1) delete from app.lead;",
        "(select id from app.lead);",
        "table app.lead;",
        "values ((select id from app.lead));",
        "create table app.b as select id from app.lead;",
        "delete from app.lead;\ndrop table app.lead;",
        "delete from app.lead;\nalter table app.lead rename to led;",
        "create table app.lead_2 (like app.lead);\ndelete from app.lead_2;",
    ],
)
def test_reads_whatever_holds_a_query(found: Lint, statement: str) -> None:
    assert [one.split()[1] for one in found(**migration(statement))] == ["tenant-not-pinned"]


def test_reads_a_do_block(found: Lint) -> None:
    assert found(**migration("do $$\nbegin\n  update app.lead set stage = 'x';\nend\n$$;")) == [
        "migrations/0002.more.sql:3 tenant-not-pinned app.lead"
    ]


def test_finds_truncate(found: Lint) -> None:
    assert found(**migration("truncate table api.route;")) == []
    assert found(**migration("truncate table api.route, only app.lead;")) == [
        "migrations/0002.more.sql:1 tenant-not-pinned app.lead"
    ]
    assert found(**migration(""), **function("begin\ntruncate app.lead;\nend")) == [
        "sql/app/f.sql:6 tenant-not-pinned app.lead"
    ]


def test_leaves_frozen_copies_out(found: Lint) -> None:
    text = "-- begin frozen sql/app/f.sql\ncreate function app.f() returns int language sql as $$ table app.lead $$;\n"
    assert found(**migration(text + "-- end frozen sql/app/f.sql\n")) == []
    assert "migrations/0002.more.sql:2 tenant-not-pinned app.lead" in found(
        **migration(text.replace("begin frozen", "frozen"))
    )


@pytest.mark.parametrize(
    ("change", "is_tenant"),
    [
        ("alter table api.route add column if not exists organization_id uuid;", True),
        ("alter table api.route add organization_id uuid, add other text;", True),
        ("alter table only api.route rename column path to organization_id;", True),
        (
            "alter table api.route add column organization_id uuid;\nalter table api.route drop organization_id;",
            False,
        ),
        (
            "create table api.other (like app.lead);\ndrop table api.route;\nalter table api.other rename to route;",
            True,
        ),
        (
            "drop table api.route;\ncreate table a.route (organization_id uuid);\nalter table a.route set schema api;",
            True,
        ),
        ("create table api.other (id uuid);", False),
    ],
)
def test_follows_a_table_through_the_migrations(found: Lint, change: str, is_tenant: bool) -> None:
    findings = [
        one for one in found(**migration(change), **function("begin delete from api.route; end")) if "pinned" in one
    ]
    assert findings == (["sql/app/f.sql:5 tenant-not-pinned api.route"] if is_tenant else [])


def test_a_partition_is_a_tenant_table_too(found: Lint) -> None:
    change = "create table app.lead_1 partition of app.lead for values with (modulus 2, remainder 0);"
    assert found(**migration(change), **function("begin delete from app.lead_1; end")) == [
        "sql/app/f.sql:5 tenant-not-pinned app.lead_1"
    ]


# index-not-led


# The name of the key; with a minus the change that is found, with a plus its twin.
KEYS = """
# a
- create index a on app.lead (id);
+ create index a on app.lead (organization_id, id desc);

# lead__idx
- create index on app.lead (lower(stage));
+ create index on app.lead (organization_id, lower(stage));

# lead_id_stage_idx
- create index on app.lead (id, stage);
+ create index on api.route (path);

# a
- create unique index concurrently if not exists a on app.lead using btree (id) include (organization_id) nulls
    not distinct;
+ create unique index concurrently if not exists a on app.lead using btree (organization_id, id) where stage =
    'x';

# b_pkey
- create table app.b (id uuid primary key, organization_id uuid);
+ create table app.b (organization_id uuid primary key);

# b_x_key
- create table app.b (organization_id uuid, x text unique);
+ create table app.b (y uuid, x text unique);

# c
- create table app.b (organization_id uuid, x text constraint c unique);
+ create table app.b (organization_id uuid, x text check (x in ('unique')));

# b_x_fkey
- create table app.b (organization_id uuid, x uuid references app.organization (organization_id));
+ create table app.b (organization_id uuid references app.organization (organization_id), x uuid);

# c
- create table app.b (organization_id uuid, x int, constraint c unique nulls not distinct (x, organization_id));
+ create table app.b (organization_id uuid, x int, constraint c unique nulls not distinct (organization_id, x));

# b_x_key
- create table app.b (organization_id uuid, x int, unique (x));
+ create table app.b (organization_id uuid, x int, unique (organization_id, x));

# c
- create table app.b (organization_id uuid, x int, constraint c exclude using gist (x with =));
+ create table app.b (organization_id uuid, x int, constraint c exclude using gist (organization_id with =, x with
    =));

# c
- alter table app.lead add constraint c foreign key (id, organization_id) references app.lead (id,
    organization_id);
+ alter table app.lead add constraint c foreign key (organization_id, id) references app.lead (organization_id,
    id) not valid;

# c
- alter table app.lead add constraint c foreign key (organization_id, id) references app.lead (id,
    organization_id);
+ alter table app.lead add constraint c foreign key (organization_id, id) references app.lead;

# lead_x_key
- alter table app.lead add column x uuid, add unique (x);
+ alter table app.lead add column x uuid, alter column x set statistics 0;

# route_pkey
- alter table api.route add column organization_id uuid;
+ alter table api.route add column organisation_id uuid;

# b
- create index a on app.lead (id);
  alter index app.a rename to b;
+ create index a on app.lead (id);
  drop index concurrently if exists app.a;

# c
- alter table app.lead add constraint c unique (id);
+ alter table app.lead add constraint c unique (id);
  alter table app.lead drop constraint if exists c;

# c
- alter table app.lead rename to led;
  alter table app.led add constraint c unique (id);
+ alter table app.lead add constraint c unique (id);
  drop table if exists app.lead cascade;

# a
- create index a on app.lead (stage);
  alter table api.route drop column stage;
+ create index a on app.lead (organization_id, stage);
  alter table app.lead drop column stage;

# c
- alter table app.lead add constraint c foreign key (stage) references api.route (path);
+ alter table app.lead add constraint c foreign key (organization_id) references api.route (path);

# b_pkey
- create table if not exists app.b (id uuid primary key);
  alter table if exists app.b rename to c;
  alter table app.c add organization_id uuid;
+ create table if not exists app.b (organization_id uuid primary key);
  alter table if exists app.b rename to c;

# a
- create index a on app.lead (stage);
+ create index a on app.lead (stage);
  alter table app.lead drop column if exists stage cascade;

# d
- alter table app.lead add constraint c unique (id);
  alter table app.lead rename constraint c to d;
+ create unique index a on app.lead (organization_id, stage);
  alter table app.lead add constraint c unique using index a;
"""


def keys() -> Iterator[tuple[str, str, str]]:
    for case in KEYS.strip().split("\n\n"):
        name, change = case.removeprefix("# ").split("\n- ")
        bad, good = change.split("\n+ ")
        yield bad, good, name


@pytest.mark.parametrize(("bad", "good", "name"), list(keys()))
def test_finds_a_key_that_does_not_begin_with_the_organization(found: Lint, bad: str, good: str, name: str) -> None:
    assert [one.partition(" ")[2] for one in found(**migration(bad))] == [f"index-not-led {name}"]
    assert found(**migration(good)) == []


def test_names_the_line_of_a_key(found: Lint) -> None:
    change = "create table app.b (\n  organization_id uuid,\n  id uuid,\n  constraint c primary key (\n    id\n  )\n);"
    assert found(**migration(change)) == ["migrations/0002.more.sql:5 index-not-led c"]


# where a statement stands


@pytest.mark.parametrize(
    "statement",
    [
        "create table app.f (id uuid);",
        "create table if not exists app.f (id uuid);",
        "alter table app.lead add column x text;",
        "alter table app.lead enable row level security, add column x text;",
        "create domain app.f as text check (value <> '');",
        "create type app.f as (a text);",
        "create unique index f on app.lead (organization_id);",
        "create sequence app.f;",
    ],
)
def test_finds_a_table_in_sql(found: Lint, statement: str) -> None:
    [finding] = found(**file("app.f", statement))
    assert finding.split()[1:] in (["table-in-sql", "app.f"], ["table-in-sql", "app.lead"], ["table-in-sql", "f"])


def test_passes_switches_of_a_table_in_sql(found: Lint) -> None:
    assert found(**file("app.lead.triggers", "alter table app.lead enable always trigger _100_guard;\n")) == []
    assert (
        found(**file("app.lead.triggers", "alter table app.lead disable trigger a, no force row level security;")) == []
    )


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace function app.f() returns integer language sql as $$ select 1 $$;",
        "create procedure app.f() language sql as $$ $$;",
        "create view app.f as select 1;",
        "create materialized view app.f as select 1;",
        "create constraint trigger f after insert on app.lead for each row execute function app.tg();",
        "create trigger f after insert on app.lead for each row execute function app.tg();",
        "create policy f on app.lead using (organization_id = (select auth.organization_id('read')));",
        "grant select on app.lead to leads_exec;",
        "revoke all on table app.lead from public;",
        "grant execute on function app.f(uuid, app.lead) to leads_exec;",
        "grant select on all tables in schema app to leads_exec;",
    ],
)
def test_finds_a_function_in_a_migration(found: Lint, statement: str) -> None:
    [finding] = found(**migration(statement))
    assert finding.split()[1] == "function-in-migration"
    assert finding.split()[2] in ("app.f", "app.lead", "all")


@pytest.mark.parametrize(
    "statement",
    [
        "comment on table app.lead is 'x';\nlock table app.lead;\nnotify leads_routes;",
        "drop function if exists app.f(uuid);\ndrop policy if exists f on app.lead;\ndrop view if exists app.g;",
        "grant leads_owner to leads_exec;\nrevoke leads_owner from leads_exec;",
        "grant usage on schema app to leads_exec;",
        "alter default privileges for role a revoke execute on functions from public;",
        "grant create on database a to b;\nrevoke usage on type app.a from b;\ngrant usage on domain app.d to b;",
        "grant references on app.organization to leads_auth;",
        "alter table app.lead enable row level security, force row level security;",
        "create extension e;\ncreate sequence app.s;\ncreate type app.t as (a text);\nalter type app.t owner to a;",
        "create role a nologin;\ncreate schema b authorization a;\nreset role;\nset local lock_timeout = '5s';",
    ],
)
def test_passes_what_belongs_into_a_migration(found: Lint, statement: str) -> None:
    assert found(**migration(statement)) == []


@pytest.mark.parametrize(
    "use",
    [
        "create domain app.d as text check (app.is_f(value));",
        "create table app.b (id uuid default app.is_f());",
        "alter table api.route add constraint c check (app.is_f(path));",
        "create index on api.route (app.is_f(path));",
        "create table app.b (a text, b text generated always as (app.is_f(a)) stored);",
    ],
)
def test_passes_a_function_that_a_table_uses_and_those_that_it_uses(found: Lint, use: str) -> None:
    functions = (
        "create function app.trim() returns text language sql as $$ select '' $$;\n"
        "create function app.is_f() returns text language sql begin atomic select app.trim(); end;\n"
        "grant execute on function app.is_f(), app.trim() to leads_exec;\n"
    )
    assert found(**migration(functions + use)) == []
    assert {one.split()[1] for one in found(**migration(functions))} == {"function-in-migration"}


def test_a_function_that_a_table_uses_is_no_file_in_sql(found: Lint) -> None:
    text = "create function app.f() returns int language sql as $$ $$;\ncreate table app.b (id int default app.f());"
    assert found(**migration(text), **function("begin end")) == [
        "migrations/0002.more.sql:1 function-in-migration app.f",
        "migrations/0002.more.sql:2 block-object-used-outside app.f",
    ]


def test_finds_a_use_of_what_a_frozen_copy_makes(found: Lint) -> None:
    block = "-- begin frozen sql/app/g.sql\n-- end frozen sql/app/g.sql\n"
    for use in ("select app.g();", "do $$ begin\n perform app.g(); end $$;", "comment on function app.g() is 'x';"):
        assert found(**migration(block + use)) == ["migrations/0002.more.sql:3 block-object-used-outside app.g"]
    passed = "select app.other(); select 'app.g()';\ncomment on table api.route is $$ See app.g(). $$;\n"
    assert found(**migration(block + passed + "drop function if exists app.g();")) == []


def test_finds_a_use_of_a_view(found: Lint) -> None:
    view = file("app.paths", "create view app.paths as select path from api.route;")
    assert found(**view, **migration("insert into api.route select 'x' from app.paths;")) == [
        "migrations/0002.more.sql:1 block-object-used-outside app.paths"
    ]


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("-- app.f - it does.\nset local role a;\n", 0),
        ("-- app.g - it does.\nset local role a;\n", 1),
        ("-- app.f - it does\nset local role a;\n", 1),
        ("-- app.f\nset local role a;\n", 1),
        ("\n-- app.f - it does.\nset local role a;\n", 1),
        ("-- app.f - it does.\nset role a;\n", 1),
        ("-- app.f - it does.\ncomment on function app.f() is 'x';\nset local role a;\n", 1),
    ],
)
def test_finds_a_header_that_does_not_fit(found: Lint, text: str, findings: int) -> None:
    assert [one.split()[1] for one in found(**{"sql/app/f.sql": text})] == ["header"] * findings


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("app.f", "create procedure app.f() language sql as $$ $$;\ndelete from api.route;",
         "create procedure app.f() language sql as $$ $$;\ngrant execute on procedure app.f() to a;\n"
         "revoke execute on procedure app.f() from b;\ncomment on procedure app.f() is 'x';"),
        ("app.f", "create view app.g as select 1;", "create view app.f as select 1;"),
        ("app.lead.policies", "grant select on app.lead to a;", "drop policy if exists p on app.lead;"),
        ("app.lead.policies", "create policy p on api.route using (true);", "comment on policy p on app.lead is 'x';"),
        ("app.lead.grants", "create view app.lead as select 1;",
         "revoke all on app.lead from a;\ngrant insert on app.lead to a;"),
        ("app.lead.triggers", "grant trigger on app.lead to a;", "comment on trigger t on app.lead is 'x';"),
        ("app.lead.triggers", "create trigger t after insert on api.route execute function app.tg();",
         "create trigger t before insert or update on app.lead execute function app.tg();"),
        ("api.route.rows", "grant select on api.route to a;",
         "delete from api.route;\ninsert into api.route values (1);"),
        ("api.route.more", "delete from api.route;", "set local lock_timeout = '1s';"),
    ],
)  # fmt: skip
def test_finds_a_statement_in_a_file_of_another_name(found: Lint, name: str, bad: str, good: str) -> None:
    assert [one.split()[1] for one in found(**file(name, bad))] == ["misplaced"]
    assert found(**file(name, good)) == []


# what can't be read


@pytest.mark.parametrize(
    "statement",
    [
        "select from where;",
        "vacuum app.lead;",
        "copy app.lead from stdin;",
        "alter policy p on app.lead using (true);",
        "create statistics s on a, b from app.lead;",
        "merge into app.lead as l using api.route as r on true when matched then delete;",
        "do language plpython3u $$ pass $$;",
    ],
)
def test_names_what_it_can_not_read(found: Lint, statement: str) -> None:
    findings = found(**migration(f"set local role a;\n\n{statement}"))
    assert findings[0].startswith("migrations/0002.more.sql:3 unreadable ")


def test_names_a_statement_of_plpgsql_that_it_does_not_know(found: Lint) -> None:
    findings = found(**function("begin\n  vacuum app.lead;\nend"))
    assert [one.rpartition(" ")[0] for one in findings] == ["sql/app/f.sql:6 unreadable"]


def test_names_a_query_of_a_body_that_it_can_not_read(found: Lint) -> None:
    findings = found(**function("begin\n  delete from app.lead where organization_id = v;\n  select select;\nend"))
    assert [one.rpartition(" ")[0] for one in findings] == ["sql/app/f.sql:7 unreadable"]


def test_names_a_file_whose_quotes_do_not_close(found: Lint) -> None:
    assert found(**migration("select 'x;\n")) == ["migrations/0002.more.sql:1 unreadable migrations/0002.more.sql"]


@pytest.mark.parametrize(
    "statement",
    ["create index", "alter table app.lead add", "alter table app.lead add constraint", "grant a on", "drop", "create"],
)
def test_names_a_file_with_a_statement_that_breaks_off(found: Lint, statement: str) -> None:
    assert "migrations/0002.more.sql:1 unreadable" in [one.rpartition(" ")[0] for one in found(**migration(statement))]


def test_names_a_migration_whose_markers_do_not_pair(found: Lint) -> None:
    assert found(**migration("-- begin frozen sql/app/f.sql\n")) == [
        "migrations/0002.more.sql:1 unreadable migrations/0002.more.sql"
    ]


def test_names_dynamic_sql_and_lets_it_pass_by_its_digest(found: Lint) -> None:
    files = function("begin\n  execute 'delete from app.lead';\nend")
    [finding] = found(**files)
    assert finding.startswith("sql/app/f.sql:6 dynamic-sql ")
    allow = f"dynamic-sql sql/app/f.sql {finding.split()[2]} This is only a test.\n"
    assert found(**files, allow=allow) == []
    assert found(**function("begin\n\n  EXECUTE 'delete from app.lead' ;  -- the same\nend"), allow=allow) == []
    changed = found(**function("begin\n  execute 'delete from app.other';\nend"), allow=allow)
    assert [one.split()[1] for one in changed] == ["dynamic-sql", "stale-allow"]


def test_reads_load_sql(found: Lint) -> None:
    load = "begin;\n\\ir app/f.sql\ndo $$ begin execute 'x'; end $$;\ncommit;\n"
    assert [one.rpartition(" ")[0] for one in found(**{"sql/load.sql": load})] == ["sql/load.sql:3 dynamic-sql"]


# the allow list


def test_a_line_lets_one_finding_pass(found: Lint) -> None:
    files = function("begin delete from app.lead; delete from app.organization; end")
    allow = "# reviewed\n\ntenant-not-pinned sql/app/f.sql app.lead The worker works across organizations.\n"
    assert found(**files, allow=allow) == ["sql/app/f.sql:5 tenant-not-pinned app.organization"]


def test_a_line_that_nothing_needs_is_a_finding(found: Lint) -> None:
    allow = "tenant-not-pinned sql/app/f.sql app.lead The worker works across organizations.\n"
    assert found(**function("begin end"), allow=allow) == [
        f"{ALLOW}:1 stale-allow tenant-not-pinned sql/app/f.sql app.lead"
    ]


def test_a_line_without_a_reason_is_a_finding(found: Lint) -> None:
    allow = "\ntenant-not-pinned sql/app/f.sql app.lead\n"
    files = function("begin delete from app.lead; end")
    assert found(**files, allow=allow) == [f"{ALLOW}:2 bare-allow tenant-not-pinned sql/app/f.sql app.lead"]


def test_passes_this_repository() -> None:
    assert lint(Path(__file__).parent.parent) == []


# the command


def test_the_command_prints_each_finding_with_what_to_do(
    found: Lint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found(**function("begin\n  delete from app.lead;\nend"))
    assert main(["--repo", str(tmp_path)]) == 1
    assert capsys.readouterr().out == (
        "sql/app/f.sql:6: tenant-not-pinned app.lead: is read or written without organization_id pinned "
        "(say organization_id = a value or = (select auth.organization_id(…)), or join it to a source where that is "
        "said)\n"
    )
    found(**function("begin end"))
    assert main(["--repo", str(tmp_path)]) == 0
