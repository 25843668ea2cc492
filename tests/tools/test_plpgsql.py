"""A body is cut into the queries that it holds, each on its line, whatever stands around them."""

import pytest

from tools.plpgsql import Kind, cut
from tools.routines import read_routine
from tools.sqltext import Sql, Unreadable, read_query


def pieces(body: str) -> list[tuple[Kind, int, str]]:
    found = cut(Sql(body))[1]
    for piece in found:
        if piece.kind == "query":
            read_query(piece.sql)
    return [(piece.kind, piece.sql.line, " ".join(piece.sql.text.split())) for piece in found]


def one(body: str) -> str:
    [(kind, _, text)] = pieces(f"begin {body} end")
    assert kind == "query"
    return text


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("select a, b into v_a, v_b from t;", "select a, b from t"),
        ("select into strict v_a, v_row.b[1] a, b from t;", "select a, b from t"),
        ("select a from t into v_a;", "select a from t"),
        ("insert into t (a) values (1) returning a, b into v_a, v_b;", "insert into t (a) values (1) returning a, b"),
        ("with d as (insert into t values (1) returning a) select a into v_a from d;",
         "with d as (insert into t values (1) returning a) select a from d"),
        ("perform f(a) from t;", "select f(a) from t"),
        ("return query select a from t;", "select a from t"),
        ("return query update t set a = 1 returning a;", "update t set a = 1 returning a"),
        ("return (select a from t);", "select (select a from t)"),
        ("return next (select a from t);", "select (select a from t)"),
        ("v_a := (select a from t);", "select (select a from t)"),
        ("v_row.b[1] = (select a from t where a = 1);", "select (select a from t where a = 1)"),
        ("update t set a = 1 where b;", "update t set a = 1 where b"),
        ("for r in (select a from t) loop null; end loop;", "(select a from t)"),
        ("for r in table t loop null; end loop;", "table t"),
        ("for r in values (1) loop null; end loop;", "values (1)"),
        ("for r in update t set a = 1 returning a loop null; end loop;", "update t set a = 1 returning a"),
        ("for i in (v_a) .. (select count(*) from t) loop null; end loop;", "select count(*) from t"),
        ("declare v_a integer := (select a from t); begin end;", "select (select a from t)"),
        ("declare v_a constant integer not null default (select a from t); begin end;", "select (select a from t)"),
        ("v_a := exists (table t);", "select exists (table t)"),
        ("v_a := count(*) from t;", "select count(*) from t"),
        ("if exists (select from t) then null; end if;", "select exists (select from t)"),
        ("if a then null; elsif (select b from t) = 1 then null; end if;", "select (select b from t) = 1"),
        ("if a then null; elseif (select b from t) = 1 then null; end if;", "select (select b from t) = 1"),
        ("if case when a then b else c end and exists (select from t) then null; end if;",
         "select case when a then b else c end and exists (select from t)"),
        ("while exists (select from t) loop null; end loop;", "select exists (select from t)"),
        ("loop exit when exists (select from t); end loop;", "select exists (select from t)"),
        ("loop continue outer_loop when exists (select from t); end loop;", "select exists (select from t)"),
        ("case (select a from t) when 1 then null; else null; end case;", "select (select a from t)"),
        ("case when exists (select from t) then null; end case;", "select exists (select from t)"),
        ("for r in select a from t for update skip locked loop null; end loop;",
         "select a from t for update skip locked"),
        ("for i in 1 .. (select count(*) from t) loop null; end loop;", "select count(*) from t"),
        ("for i in reverse (select 9 from t) .. 1 by 2 loop null; end loop;", "select 9 from t"),
        ("foreach v_a in array (select a from t) loop null; end loop;", "select a from t"),
        ("open v_c for select a from t;", "select a from t"),
        ("raise sqlstate 'PT422' using message = 'm', detail = (select a from t)::text;", "select a from t"),
        ("assert (select a from t), 'm';", "select a from t"),
        ("call p((select a from t));", "select a from t"),
        ("<<here>> begin delete from t; end here;", "delete from t"),
        ("begin delete from t; exception when others then null; end;", "delete from t"),
    ],
)  # fmt: skip
def test_cuts_the_query_out(statement: str, query: str) -> None:
    assert one(statement) == query


@pytest.mark.parametrize(
    "statement",
    [
        "null;",
        "v_a := v_b + 1;",
        "v_a := case when v_b then 1 else 2 end;",
        "if found then return; end if;",
        "for i in 1..10 loop null; end loop;",
        "for r in v_cursor loop null; end loop;",
        "get diagnostics v_a = row_count;",
        "raise exception 'no % here', v_a using errcode = 'P0001';",
        "open v_c (1); fetch next from v_c into v_a; move next from v_c; close v_c;",
        "commit; rollback;",
        "return next v_a;",
        "return;",
    ],
)
def test_passes_over_what_reads_no_table(statement: str) -> None:
    body = f"begin {statement} end"
    assert [text for _, _, text in pieces(body) if " from t" in text or not text.startswith("select")] == []


@pytest.mark.parametrize(
    "statement",
    [
        "execute 'delete from t';",
        "execute format('delete from %I', v_a) into v_b using v_c;",
        "return query execute v_a;",
        "for r in execute v_a loop null; end loop;",
        "open v_c for execute v_a;",
    ],
)
def test_marks_a_statement_that_is_made_from_a_string(statement: str) -> None:
    assert [kind for kind, _, _ in pieces(f"begin {statement} end")] == ["dynamic"]


def test_marks_what_it_does_not_know() -> None:
    assert pieces("begin vacuum t; end") == [("unknown", 1, "vacuum t")]


def test_is_not_led_astray_by_quotes_and_comments() -> None:
    body = """
#variable_conflict use_column
declare
  v_a text := 'begin; select 1 from t;';  -- declare; end;
  v_b text = $x$ ; end; $x$;
  /* a comment; /* nested; */ begin */
  v_c cursor (n integer) for select a from t;
begin
  -- it's not a quote; delete from t;
  v_a := 'it''s; ' || E'\\'; ' || "select;from";
  select a into v_a from t
  where b = ';'  -- no; end
    and c = 'then';
end
"""
    assert pieces(body) == [
        ("query", 7, "select a from t"),
        ("query", 11, "select a from t where b = ';' -- no; end and c = 'then'"),
    ]


def test_knows_what_is_declared() -> None:
    block = "for i in 1..2 loop declare d date; begin end; end loop;"
    body = f"declare a integer; b constant text := 'x'; c alias for $1; begin {block} end"
    assert cut(Sql(body))[0] == {"a", "b", "c", "d", "i"}


def test_keeps_the_lines_of_a_query_whose_targets_go() -> None:
    [piece] = cut(Sql("begin\n  select\n    a\n  into\n    v_a,\n    v_b\n  from t;\nend", 10))[1]
    assert piece.sql.line == 11
    assert piece.sql.text.count("\n") == 5


# functions as a whole


def test_a_function_knows_its_values() -> None:
    routine = read_routine(
        Sql(
            "create or replace function app.f("
            'in a integer default 1, out b text, inout e text, variadic "limit" text[], uuid, app.lead) '
            "returns table (c integer) language plpgsql as $f$ declare d date; begin end $f$"
        )
    )
    assert routine.name == "app.f"
    assert routine.values == {"a", "b", "e", "limit", "c", "d", "f", "new", "old"}


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (
            "begin atomic select case when a then 1 end from t; delete from t; end",
            ["select case when a then 1 end from t", "delete from t"],
        ),
        ("as $$ select 1; select ';' from t $$", ["select 1", "select ';' from t"]),
        ("return (select a from t)", ["select (select a from t)"]),
    ],
)
def test_a_function_in_sql_is_cut_at_its_semicolons(body: str, texts: list[str]) -> None:
    routine = read_routine(Sql(f"create function app.f() returns integer language sql {body}"))
    assert [piece.sql.text.strip() for piece in routine.pieces] == texts


@pytest.mark.parametrize(
    "statement",
    [
        "create function app.f() returns integer language sql as 'select 1'",
        "create function app.f() returns integer language plpython3u as $$ return 1 $$",
    ],
)
def test_refuses_a_body_that_it_can_not_read(statement: str) -> None:
    with pytest.raises(Unreadable):
        read_routine(Sql(statement))
