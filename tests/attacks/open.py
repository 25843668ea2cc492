"""Leaks that PostgreSQL does not prevent: the attacks whose results differ,
with what they reveal and what to do.

The suite asserts that these differ and no others,
so that neither a new leak nor a closed one goes by unseen.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Open:
    """A reviewed exception. pattern: the beginning of the attacks' names.
    tells: what it reveals. advice: what to do.
    """

    pattern: str
    tells: str
    advice: str


_SIZES = (
    "Where that matters, give an organization a database of its own: sizes are a database's, and no grant hides them."
)

OPEN = (
    Open(
        "select relname, reltuples, relpages",
        "pg_class tells every login how many rows and pages a table has, of all organizations together, as of the last ANALYZE.",
        _SIZES,
    ),
    Open(
        "select c.relname, pg_relation_size",
        "pg_relation_size tells how large a table or an index is, all organizations together; watched over time, when others write.",
        _SIZES,
    ),
    Open("select c.relname, pg_total_relation_size", "The same, with indexes and TOAST.", _SIZES),
    Open("select pg_table_size", "The same; for who may enter schema app.", _SIZES),
    Open("select pg_database_size", "The size of the whole database, for who may connect to it.", _SIZES),
    Open(
        "select relname, n_tup_ins",
        "pg_stat_all_tables counts rows inserted, updated, deleted and alive in each table, of all organizations together.",
        "The counters are a function's to read, and a superuser may revoke it: revoke execute on function "
        "pg_stat_get_tuples_inserted(oid), and its sisters, from public.",
    ),
    Open(
        "select indexrelname, idx_tup_read",
        "pg_stat_all_indexes counts what others' queries read from each index.",
        "The same.",
    ),
    Open("select pg_stat_get_tuples_inserted", "The same counters, asked for by oid.", "The same."),
    Open("select xact_commit > 0, tup_inserted", "pg_stat_database counts what the whole database does.", "The same."),
    Open(
        "explain analyze all of",
        "EXPLAIN's costs turn on a table's pages, and EXPLAIN ANALYZE's \"Rows Removed by Filter\" of a scan of the whole "
        "table is the number of others' rows: sizes again, no value.",
        _SIZES,
    ),
    Open("explain all of", "EXPLAIN's costs turn on a table's pages.", _SIZES),
)


def is_open(name: str) -> Open | None:
    """The exception that applies to an attack."""
    return next((finding for finding in OPEN if name.startswith(finding.pattern)), None)
