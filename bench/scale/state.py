"""What PostgreSQL says about the database: sizes, dead rows, transaction ids, checkpoints."""

import time
from typing import Any

from bench.scale.site import Site

# A partition counts as its table or index. TOAST counts as the table.
_SIZES = """
select
  coalesce(p.inhparent, c.oid)::regclass::text as name,
  case when c.relkind = 'i' then 'index' else 'table' end as kind,
  coalesce(tp.inhparent, i.indrelid, p.inhparent, c.oid)::regclass::text as table,
  sum(case when c.relkind = 'i' then pg_relation_size(c.oid) else pg_table_size(c.oid) end)::bigint as bytes
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits as p on p.inhrelid = c.oid
left join pg_catalog.pg_index as i on i.indexrelid = c.oid
left join pg_catalog.pg_inherits as tp on tp.inhrelid = i.indrelid
where
  c.relkind in ('r', 'i')
  and n.nspname in ('app', 'audit', 'auth', 'admin', 'crm', 'intake', 'scoring', 'webhook')
group by 1, 2, 3
having sum(pg_relation_size(c.oid)) > 0
order by 4 desc
"""
_VACUUM = """
select
  s.schemaname || '.' || s.relname, s.n_live_tup, s.n_dead_tup, s.autovacuum_count, s.autoanalyze_count,
  s.n_tup_ins, s.n_tup_upd, s.n_tup_del, age(c.relfrozenxid)
from pg_catalog.pg_stat_user_tables as s
join pg_catalog.pg_class as c on c.oid = s.relid
where s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 1000
order by s.n_tup_ins + s.n_tup_del desc
limit 15
"""
_SETTINGS = """
select name, current_setting(name) from pg_catalog.pg_settings
where
  name like 'autovacuum%%'
  or name in (
    'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'fsync', 'full_page_writes', 'wal_compression',
    'vacuum_cost_limit', 'maintenance_work_mem', 'wal_level'
  )
order by 1
"""
_COLUMNS = ("table", "live", "dead", "autovacuums", "autoanalyzes", "inserted", "updated", "deleted", "age")


def sizes(site: Site) -> list[dict[str, Any]]:
    """The bytes of each table and index, and for each lead."""
    rows = site.sql(_SIZES)
    return [
        {"name": name, "kind": kind, "table": table, "bytes": size, "per_lead": size / site.leads}
        for name, kind, table, size in rows
    ]


def health(site: Site) -> dict[str, Any]:
    """What autovacuum and the checkpointer have done."""
    checkpoints = site.sql("select to_json(c) from pg_catalog.pg_stat_checkpointer as c")
    return {
        "tables": [dict(zip(_COLUMNS, row, strict=True)) for row in site.sql(_VACUUM)],
        "database_age": site.one("select age(datfrozenxid) from pg_catalog.pg_database where datname = 'leads'"),
        "checkpoints": checkpoints[0][0],
        "settings": dict(site.sql(_SETTINGS.replace("%%", "%"))),
    }


def vacuum(site: Site) -> float:
    """Vacuums and analyzes all tables. Returns the seconds."""
    start = time.monotonic()
    site.sql("vacuum (analyze)")
    return time.monotonic() - start
