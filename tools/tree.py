"""Names out of sqlglot's tree, as PostgreSQL folds them: lower case, unless quoted."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def identifier(node: object) -> str:
    """An identifier's name; empty for anything else."""
    node = node.this if isinstance(node, exp.ColumnDef) else node
    if not isinstance(node, exp.Identifier):
        return ""
    return node.name if node.args.get("quoted") else node.name.lower()


def table_name(table: exp.Expr) -> str:
    """A table's name, with its schema where that is written."""
    return ".".join(part for part in (identifier(table.args.get("db")), identifier(table.this)) if part)


def alias_name(node: exp.Expr) -> str:
    """The alias of a row source; empty without one."""
    alias = node.args.get("alias")
    return identifier(alias.this if isinstance(alias, exp.TableAlias) else alias)


def alias_columns(node: exp.Expr) -> list[str]:
    """The names that an alias gives to a row source's columns."""
    alias = node.args.get("alias")
    return [identifier(one) for one in alias.args.get("columns") or []] if isinstance(alias, exp.TableAlias) else []


def function_name(node: exp.Expr) -> str:
    """The name of a function that stands as a row source, without its schema."""
    node = node.expression if isinstance(node, exp.Dot) else node
    return node.this.name.lower() if isinstance(node.this, exp.Expr) else str(node.this or node.key).lower()


def function_schema(node: exp.Expr) -> str:
    """The schema of such a function; empty without one."""
    return identifier(node.this if isinstance(node, exp.Dot) else node.args.get("db"))


def nested_queries(node: exp.Expr) -> Iterator[exp.Expr]:
    """The queries that stand right within a node, at any place but its WITH; not the ones within those."""
    for key, value in node.args.items():
        for child in value if isinstance(value, list) else [value]:
            if key == "with_" or not isinstance(child, exp.Expr):
                continue
            if isinstance(child, exp.Select | exp.SetOperation | exp.DML | exp.Values):
                yield child
            else:
                yield from nested_queries(child)


def line_of(node: exp.Expr) -> int:
    """The line on which a node's first name stands, within the text that was parsed, from 1."""
    return next((one.meta["line"] for one in node.find_all(exp.Identifier) if "line" in one.meta), 1)
