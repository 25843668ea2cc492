"""SQL is cut into tokens and statements that keep their lines, and what sqlglot stumbles over is eased."""

import pytest

from tools.sqltext import Sql, Unreadable, items, name_at, names_in, read_query, statements


def cut(text: str) -> list[tuple[int, str]]:
    return [(one.line, one.text.strip()) for one in statements(Sql(text))]


def test_statements_are_cut_at_semicolons_and_know_their_lines() -> None:
    text = "-- a; comment\nset a;;\n\nselect 1 /* ; /* ; */ ; */;\nselect ';',\n  \"b;\", $x$ ; $$ ; $x$, E'\\';'\n"
    assert cut(text) == [
        (2, "set a"),
        (4, "select 1 /* ; /* ; */ ; */"),
        (5, "select ';',\n  \"b;\", $x$ ; $$ ; $x$, E'\\';'"),
    ]


def test_a_body_of_begin_atomic_is_within_its_statement() -> None:
    function = "create function f() begin atomic select case when a then 1 end; select atomic from t; end"
    assert cut(f"{function};\nbegin;\nselect atomic;\ncommit") == [
        (1, function),
        (2, "begin"),
        (3, "select atomic"),
        (4, "commit"),
    ]


def test_a_statement_that_begins_like_a_command_is_cut_too() -> None:
    assert cut("call f(';');\nfetch next from c; do $$ ; $$") == [
        (1, "call f(';')"),
        (2, "fetch next from c"),
        (2, "do $$ ; $$"),
    ]


def test_tokens_compare_as_keywords_do() -> None:
    assert Sql("Order  BY \"Quoted\" 'It''s' x").words == ["order by", '"Quoted"', "'It''s'", "x"]


def test_tokens_know_their_lines_behind_what_spans_several() -> None:
    assert [token.line for token in Sql("a '\n\n' $$\n$$ b /*\n*/ c", 5).tokens] == [5, 5, 7, 8, 9]


@pytest.mark.parametrize("text", ["select 'x", 'select "x', "select $$ x", "select /* x"])
def test_refuses_a_quote_that_nobody_closes(text: str) -> None:
    with pytest.raises(Unreadable):
        list(statements(Sql(text)))


def test_a_body_is_what_stands_between_the_dollar_quotes() -> None:
    sql = Sql("do\n$fn$begin\nend$fn$")
    body = sql.body(sql.tokens[1])
    assert (body.text, body.line) == ("begin\nend", 2)


def test_a_digest_changes_with_a_token_and_with_nothing_else() -> None:
    digest = Sql("select 'a' from t").digest
    assert len(digest) == 12
    assert Sql("SELECT  'a' -- why\nfrom t").digest == digest
    assert Sql("select 'A' from t").digest != digest
    assert Sql("select 'a'from u").digest != digest


def test_a_list_is_cut_at_its_own_commas() -> None:
    assert [len(part) for part in items(Sql("a, f(b, c), d[1, 2]").tokens)] == [1, 6, 6]


@pytest.mark.parametrize(
    ("text", "name", "end"), [("a.b (", "a.b", 3), ('"A"."b""c" d', 'A.b"c', 3), ("a b", "a", 1), ("1", "", 0)]
)
def test_a_name_is_read_with_its_schema(text: str, name: str, end: int) -> None:
    assert name_at(Sql(text).tokens, 0) == (name, end)


def test_names_are_found_in_bodies_too_and_not_in_other_strings() -> None:
    sql = Sql(
        "create function a.f() as $$ select a.g(b.t.c) from a.v $$; comment on x is $$ a.h() $$; select 'a.i()', a.j"
    )
    mentioned, called = names_in(sql)
    assert mentioned == {"a.f", "a.g", "b.t", "t.c", "a.v", "a.j"}
    assert called == {"a.f", "a.g"}


@pytest.mark.parametrize(
    "text",
    [
        "insert into t (a) overriding system value select 1",
        "insert into t (a) overriding user value values (1)",
        "select f.a[:f.b], f.a[f.b:], f.a[1:2][:f.b]",
        "select a::oid[], array[]::regtype[], cast(a as oid[])",
    ],
)
def test_reads_what_sqlglot_stumbles_over(text: str) -> None:
    read_query(Sql(text))


@pytest.mark.parametrize("text", ["select 1; select 2", "vacuum t", "select (", "create table t (a int)"])
def test_refuses_what_is_no_query(text: str) -> None:
    with pytest.raises(Unreadable):
        read_query(Sql(text))


def test_says_on_which_line_of_the_file_it_stops() -> None:
    with pytest.raises(Unreadable, match="line 12"):
        read_query(Sql("select a\nfrom t\nwhere (", 10))
