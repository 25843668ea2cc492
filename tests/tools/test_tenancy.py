"""A tenant table whose organization isn't pinned is found, at any depth; its twin, where it is pinned, passes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tools.pinning import World
from tools.sqltext import Sql, Unreadable, read_query
from tools.tenancy import unpinned

WORLD = World(
    tables={
        "app.lead": ("organization_id", "id", "stage"),
        "app.event": ("organization_id", "id", "lead_id"),
        "api.route": ("method", "path"),
    },
    views=frozenset({"auth.claimed_key"}),
    values=frozenset({"f", "v", "v_list", "v_row", "new"}),
)


def found(query: str) -> list[str]:
    return [one.table for one in unpinned(read_query(Sql(query)), WORLD)]


# What a case is about; with a minus the query that is found, with a plus its twin.
CASES = r"""
# nothing is said
- select * from app.lead
+ select * from api.route

# a variable
- select * from app.lead as l where l.id = v
+ select * from app.lead as l where l.organization_id = v

# a parameter, qualified by the function's name
- select * from app.lead as l where l.organization_id = g.organization_id
+ select * from app.lead as l where l.organization_id = f.organization_id

# a parameter of the same name is hidden by the column
- select * from app.lead as l where l.organization_id = organization_id
+ select * from app.lead as l where organization_id = $1

# a literal with a cast
- select * from app.lead as l where l.organization_id = l.id
+ select * from app.lead as l where l.organization_id = '018f0000-0000-7000-8000-000000000000'::uuid

# what was proved, as a scalar subselect
- select * from app.lead as l where l.organization_id = auth.organization_id('read')
+ select * from app.lead as l where l.organization_id = (select auth.organization_id('read'))

# what the login is bound to, likewise
- select * from app.lead as l where l.organization_id = auth.analyst_organization_id()
+ select * from app.lead as l where l.organization_id = (select auth.analyst_organization_id())

# a setting is no proof
- select * from app.lead as l where l.organization_id = current_setting('x')::uuid
+ select * from app.lead as l where l.organization_id = v::uuid

# a function that says no more than its schema
- select * from app.lead as l where l.organization_id = (select app.first_organization())
+ select * from app.lead as l where l.organization_id = ((select auth.organization_id('read'))::uuid)

# a cast of the column has no index
- select * from app.lead as l where l.organization_id::text = v
+ select * from app.lead as l where l.organization_id = v_list[1]

# a table without its schema
- select * from lead as l where l.id = v
+ select * from route

# a function of the column
- select * from app.lead as l where app.g(l.organization_id) = app.g(v) and h(l.organization_id) = h(v)
+ select * from app.lead as l where app.g(l.id) = app.g(v) and v = l.organization_id

# any of a list
- select * from app.lead as l where l.organization_id <> all (v_list)
+ select * from app.lead as l where l.organization_id = any (v_list)

# any of an array
- select * from app.lead as l where l.organization_id = any (array[v, l.id])
+ select * from app.lead as l where l.organization_id = any (array[v, 'x'])

# in a list
- select * from app.lead as l where l.organization_id in (v, l.id)
+ select * from app.lead as l where l.organization_id in (v, 'x')

# not equal
- select * from app.lead as l where not l.organization_id = v
+ select * from app.lead as l where (l.organization_id = v)

# one arm of an OR
- select * from app.lead as l where l.organization_id = v or v is null
+ select * from app.lead as l where (l.organization_id = v and l.id = v) or (l.organization_id = v_row.id)

# the other arm of an OR
- select * from app.lead as l where v is null or l.organization_id = v
+ select * from app.lead as l where l.organization_id = v and (l.id = v or v is null)

# a filter of groups comes too late
- select organization_id from app.lead group by organization_id having organization_id = v
+ select organization_id from app.lead where organization_id = v group by organization_id

# JOIN ON
- select from app.lead as l join app.event as e on e.lead_id = l.id where l.organization_id = v
+ select from app.lead as l join app.event as e on e.organization_id = l.organization_id and e.lead_id = l.id
  where l.organization_id = v

# JOIN USING
- select from app.lead as l join app.event as e using (id) where l.organization_id = v
+ select from app.lead as l join app.event as e using (organization_id, id) where l.organization_id = v

# USING, and the merged column is pinned
- select from app.lead as l join app.event as e using (organization_id) where id = v
+ select from app.lead as l join app.event as e using (organization_id) where organization_id = v

# a comma, and WHERE joins
- select from app.lead as l, app.event as e where e.organization_id = v
+ select from app.lead as l, app.event as e where e.organization_id = v and l.organization_id =
  e.organization_id

# transitively, and against the order of FROM
- select from app.lead as a, app.lead as b, app.event as c where a.organization_id = b.organization_id and b.id
  = c.id and c.organization_id = v
+ select from app.lead as a, app.lead as b, app.event as c where a.organization_id = b.organization_id and
  b.organization_id = c.organization_id and c.organization_id = v

# a row of columns
- select from app.lead as l, app.event as e where e.organization_id = v and (l.id, l.stage) =
  (e.organization_id, e.id)
+ select from app.lead as l, app.event as e where e.organization_id = v and (l.organization_id, l.id) =
  (e.organization_id, e.id)

# a row compared by its order
- select from app.lead as l where (l.organization_id, l.id) > (v, v)
+ select from app.lead as l where row(l.organization_id, l.id) = row(v, v)

# the ON of a LEFT JOIN doesn't pin its left
- select from app.lead as l left join app.event as e on e.organization_id = v and l.organization_id = v
+ select from app.lead as l left join app.event as e on e.organization_id = l.organization_id where
  l.organization_id = v

# the ON of a RIGHT JOIN doesn't pin its right
- select from app.lead as l right join app.event as e on e.organization_id = v and l.organization_id = v
+ select from app.lead as l right join app.event as e on l.organization_id = e.organization_id where
  e.organization_id = v

# the ON of a FULL JOIN pins nothing
- select from app.lead as l full join app.event as e on l.organization_id = e.organization_id where
  l.organization_id = v
+ select from app.lead as l join app.event as e on l.organization_id = e.organization_id where l.organization_id
  = v

# NATURAL JOIN says nothing
- select from app.lead as l natural join app.event as e where l.organization_id = v
+ select from app.lead as l natural join app.event as e where l.organization_id = v and e.organization_id = v

# a join in parentheses
- select from api.route as r join (app.lead as l join app.event as e on e.id = l.id) on true where
  l.organization_id = v
+ select from api.route as r join (app.lead as l join app.event as e using (organization_id)) on
  l.organization_id = v

# a join in parentheses that begins with a derived table
- select from ((select * from app.lead) as l join app.event as e using (organization_id)) where l.organization_id = v
+ select from ((select * from app.lead where organization_id = v) as l join app.event as e using (organization_id))

# a derived table
- select from (select * from app.lead) as l where l.organization_id = v
+ select from (select * from app.lead where organization_id = v) as l

# a star of one source
- select from (select r.* from app.lead as l, api.route as r where l.organization_id = v) as x, app.event as e
  where e.organization_id = x.organization_id
+ select from (select l.* from app.lead as l, api.route as r where l.organization_id = v) as x, app.event as e
  where e.organization_id = x.organization_id

# a derived table hands on what it pins
- select from (select id from app.lead where organization_id = v) as l join app.event as e on e.organization_id
  = l.id
+ select from (select organization_id as o from app.lead where organization_id = v) as l join app.event as e on
  e.organization_id = l.o

# a lateral subquery
- select from app.lead as l cross join lateral (select from app.event as e where e.lead_id = l.id limit 1) as z
  where l.organization_id = v
+ select from app.lead as l cross join lateral (select from app.event as e where e.organization_id =
  l.organization_id) as z where l.organization_id = v

# what a lateral subquery hands on
- select from app.lead as l cross join lateral (select l.id as o) as z, app.event as e where l.organization_id =
  v and e.organization_id = z.o
+ select from app.lead as l cross join lateral (select l.organization_id as o) as z, app.event as e where
  l.organization_id = v and e.organization_id = z.o

# a CTE
- with mine as (select * from app.lead) select from mine where organization_id = v
+ with mine as (select * from app.lead where organization_id = v) select from mine

# a join on a CTE
- with mine as (select l.id from app.lead as l where l.organization_id = v) select from mine join app.event as e
  on e.lead_id = mine.id
+ with mine as (select l.* from app.lead as l where l.organization_id = v) select from mine join app.event as e
  on (e.organization_id, e.lead_id) = (mine.organization_id, mine.id)

# a CTE that holds a value
- with me as (select v as other) select from app.lead as l, me where l.organization_id = me.organization_id
+ with me (o) as materialized (select auth.organization_id('read')) select from app.lead as l, me where
  l.organization_id = me.o

# a CTE in a CTE
- with a as (with b as (select * from app.lead) select * from b where organization_id = v) select from a
+ with a as (with b as (select * from app.lead where organization_id = v) select * from b) select from a

# a CTE that has a table's name
- with event as (select 1) select from app.event
+ with lead as (select 1) select from lead

# a recursive CTE, its second part
- with recursive t as (select id from app.lead where organization_id = v union all select e.id from t join
  app.event as e on e.lead_id = t.id) select from t
+ with recursive t as (select organization_id, id from app.lead where organization_id = v union all select
  e.organization_id, e.id from t join app.event as e using (organization_id)) select from t

# a recursive CTE that loses the organization on its way
- with recursive t (o) as (select organization_id from app.lead where organization_id = v union all select
  r.path from t, api.route as r) select from t join app.event as e on e.organization_id = t.o
+ with recursive t (o) as (select organization_id from app.lead where organization_id = v union all select t.o
  from t, api.route as r) select from t join app.event as e on e.organization_id = t.o

# one branch of a UNION
- select id from app.event where organization_id = v union all select id from app.lead
+ select id from app.event where organization_id = v union all (select id from app.lead where organization_id =
  v limit 1)

# a UNION hands on what all branches pin
- select from (select organization_id as o from app.event where organization_id = v union select path from
  api.route) as u join app.lead as l on l.organization_id = u.o
+ select from (select organization_id as o from app.event where organization_id = v union select v) as u join
  app.lead as l on l.organization_id = u.o

# a UNION hands on what all branches pin, in whatever order
- select from (select path as o from api.route union select organization_id from app.event where organization_id = v)
  as u join app.lead as l on l.organization_id = u.o
+ select from (select $1 as o union select organization_id from app.event where organization_id = v)
  as u join app.lead as l on l.organization_id = u.o

# a plain CTE under RECURSIVE
- with recursive a as (select id from app.lead) select from a
+ with recursive a as (select id from app.lead where organization_id = v) select from a

# EXISTS
- select from api.route where exists (select from app.lead as l where l.id = v)
+ select from api.route where not exists (select from app.lead as l where l.organization_id = v)

# EXISTS, correlated
- select from app.lead as l where l.organization_id = v and exists (select from app.event as e where e.lead_id =
  l.id)
+ select from app.lead as l where l.organization_id = v and exists (select from app.event as e where
  e.organization_id = l.organization_id)

# two scopes down
- select from app.lead as l where l.organization_id = v and exists (select from api.route as r where exists
  (select from app.event as e where e.organization_id = r.path))
+ select from app.lead as l where l.organization_id = v and exists (select from api.route as r where exists
  (select from app.event as e where e.organization_id = l.organization_id))

# a subquery in the SELECT list
- select (select count(*) from app.event as e) from app.lead as l where l.organization_id = v
+ select (select count(*) from app.event as e where e.organization_id = l.organization_id) from app.lead as l
  where l.organization_id = v

# an array in the SELECT list
- select array(select e.id from app.event as e order by 1)
+ select array(select e.id from app.event as e where e.organization_id = v order by 1)

# a subquery in ORDER BY
- select from api.route order by (select count(*) from app.lead)
+ select from api.route order by (select count(*) from app.lead where organization_id = v)

# a subquery in ON
- select from api.route as r join api.route as s on exists (select from app.lead)
+ select from api.route as r join api.route as s on exists (select from app.lead where organization_id = v)

# a subquery in a function's argument in FROM
- select from unnest((select array_agg(id) from app.lead)) as u (id)
+ select from unnest((select array_agg(id) from app.lead where organization_id = v)) as u (id)

# IN a subquery
- select from app.lead as l where l.organization_id in (select r.path from api.route as r)
+ select from app.lead as l where l.organization_id in (select e.organization_id from app.event as e where
  e.organization_id = v)

# a row IN a subquery
- select from app.lead as l where (l.id, l.organization_id) in (select organization_id, id from app.event where
  organization_id = v)
+ select from app.lead as l where (l.organization_id, l.id) in (select organization_id, id from app.event where
  organization_id = v)

# any of an array of a subquery
- select from app.lead as l where l.organization_id = any (array(select r.path from api.route as r))
+ select from app.lead as l where l.organization_id = any (array(select k.organization_id from auth.claimed_key
  as k))

# any of a subquery
- select from app.lead as l where l.organization_id = any (select r.path from api.route as r)
+ select from app.lead as l where l.organization_id = any (select k.organization_id from auth.claimed_key as k)

# a list's elements
- select from unnest(array(select path from api.route)) as o, app.lead as l where l.organization_id = o
+ select from unnest(v_list) as o (id), app.lead as l where l.organization_id = o.id

# rows that a client sent
- select from json_to_recordset(v) as r (organization_id uuid) join app.lead as l on l.organization_id =
  r.organization_id
+ select from app.f(v) as r join app.lead as l on l.organization_id = r.organization_id

# rows that a client sent, with the function's schema
- select from pg_catalog.json_to_recordset(v) as r (organization_id uuid) join app.lead as l on l.organization_id =
  r.organization_id
+ select from app.f(v) as r (organization_id uuid) join app.lead as l on l.organization_id = r.organization_id

# a function's rows, by its name
- select from app.f(v) join app.lead as l on l.organization_id = g.organization_id
+ select from app.g(v) join app.lead as l on l.organization_id = g.organization_id

# a function's rows, by its name, lateral
- select from api.route as r cross join lateral app.g(r.path) join app.lead as l
  on l.organization_id = h.organization_id
+ select from api.route as r cross join lateral app.g(r.path) join app.lead as l
  on l.organization_id = g.organization_id

# another column of a function's rows
- select from app.f(v) as r (o, organization_id) join app.lead as l on l.organization_id = r.o
+ select from app.f(v) as r (o, organization_id) join app.lead as l on l.organization_id = r.organization_id

# VALUES
- select from (values ((select id from app.lead))) as w (id)
+ select from (values (v, 1)) as w (o, n) join app.lead as l on l.organization_id = w.o

# a locked read
- select from app.lead as lead where lead.id = v for update of lead skip locked
+ select from app.lead as lead where lead.organization_id = v for update of lead skip locked

# TABLE
- table app.lead
+ table api.route

# INSERT without the column
- insert into app.lead (id) values (v)
+ insert into app.lead (organization_id, id) values (v, v)

# INSERT without a list
- insert into app.lead values (v, v, v)
+ insert into api.route values (v, v)

# INSERT of nothing but defaults
- insert into app.lead default values
+ insert into api.route default values

# INSERT … SELECT
- insert into app.event (organization_id, id) select organization_id, id from app.lead
+ insert into app.event (organization_id, id) select organization_id, id from app.lead where organization_id = v

# a subquery in VALUES
- insert into app.event (organization_id, id) values (v, (select max(id) from app.lead))
+ insert into app.event (organization_id, id) values (v, (select max(id) from app.lead where organization_id =
  v))

# ON CONFLICT
- insert into app.lead as l (organization_id, id) values (v, v) on conflict (id) do update set stage = 'x'
+ insert into app.lead as l (organization_id, id) values (v, v) on conflict (organization_id, id) do update set
  stage = excluded.stage where l.stage <> 'x'

# a subquery in ON CONFLICT
- insert into app.lead as l (organization_id, id) values (v, v) on conflict (organization_id, id) do update set
  stage = (select max(e.id) from app.event as e)
+ insert into app.lead as l (organization_id, id) values (v, v) on conflict (organization_id, id) do update set
  stage = (select max(e.id) from app.event as e where e.organization_id = excluded.organization_id)

# ON CONFLICT of a table that is no tenant's
- insert into app.lead (organization_id) values (v) on conflict (lower(stage)) do nothing
+ insert into api.route (path) values (v) on conflict (path) do nothing

# a subquery in RETURNING
- insert into app.lead (organization_id) values (v) returning (select count(*) from app.event)
+ insert into app.lead (organization_id) values (v) returning (select count(*) from app.event as e where
  e.organization_id = lead.organization_id)

# a subquery in RETURNING, by the alias
- insert into app.lead as l (organization_id) values (v) returning (select max(e.id) from app.event as e
  where e.id = l.id)
+ insert into app.lead as l (organization_id) values (v) returning (select max(e.id) from app.event as e
  where e.organization_id = l.organization_id)

# UPDATE
- update app.lead as l set stage = 'x' where l.id = v
+ update app.lead as l set stage = 'x' where l.organization_id = v and l.id = v

# UPDATE … FROM
- update app.lead as l set stage = 'x' from app.event as e where e.organization_id = v and e.lead_id = l.id
+ update app.lead as l set stage = 'x' from app.event as e where e.organization_id = v and (e.organization_id,
  e.lead_id) = (l.organization_id, l.id)

# a subquery in SET
- update app.lead as l set (id, stage) = (select e.id, 'x' from app.event as e) where l.organization_id = v
+ update app.lead as l set (id, stage) = (select e.id, 'x' from app.event as e where e.organization_id =
  l.organization_id) where l.organization_id = v

# UPDATE from a CTE that locks
- with next as (select j.id from app.event as j where j.organization_id = v for update skip locked) update
  app.event as j set lead_id = v from next where j.id = next.id returning j.*
+ with next as (select j.organization_id, j.id from app.event as j where j.organization_id = v for update skip
  locked) update app.event as j set lead_id = v from next where (j.organization_id, j.id) =
  (next.organization_id, next.id) returning j.*

# DELETE
- delete from app.lead where id = v
+ delete from app.lead where organization_id = v

# DELETE … USING
- delete from app.lead as l using app.event as e where e.organization_id = v and l.id = e.lead_id
+ delete from app.lead as l using app.event as e where e.organization_id = v and l.organization_id =
  e.organization_id

# a CTE that writes
- with gone as (delete from app.lead returning *) insert into app.event (organization_id) select organization_id
  from gone
+ with gone as (delete from app.lead where organization_id = v returning *) insert into app.event
  (organization_id) select organization_id from gone

# what a CTE's RETURNING hands on
- with made as (insert into app.lead (organization_id) values (v) returning id) select from made, app.event as e
  where e.organization_id = made.id
+ with made as (insert into app.lead (organization_id) values (v) returning *) select from made, app.event as e
  where e.organization_id = made.organization_id

# what the RETURNING of an UPDATE hands on
- with done as (update app.lead set stage = v where organization_id = v returning id) select from done, app.event as e
  where e.organization_id = done.id
+ with done as (update app.lead set stage = v where organization_id = v returning organization_id) select from done,
  app.event as e where e.organization_id = done.organization_id

# a row variable
- select from app.lead as l where l.organization_id = w_row.organization_id
+ select from app.lead as l where l.organization_id = v_row.organization_id

# a row variable in parentheses
- select from app.lead as l where l.organization_id = (w_row).organization_id
+ select from app.lead as l where l.organization_id = (v_row).organization_id

# a parameter that is a row
- select from app.lead as l where l.organization_id = g.p.organization_id
+ select from app.lead as l where l.organization_id = f.p.organization_id

# quotes and upper case
- select from APP."lead" as "L" where "L".id = v
+ select from APP."lead" as "L" where "L".organization_id = v
"""


def pairs() -> Iterator[Any]:
    for case in CASES.strip().split("\n\n"):
        name, queries = case.removeprefix("# ").split("\n- ")
        yield pytest.param(*queries.split("\n+ "), id=name)


@pytest.mark.parametrize(("bad", "good"), list(pairs()))
def test_finds_the_table_that_is_not_pinned_and_passes_its_twin(bad: str, good: str) -> None:
    assert len(found(bad)) == 1
    assert found(good) == []


def test_names_the_table_and_its_line() -> None:
    query = "select\n  1\nfrom app.lead as l\njoin app.event as e\n  on e.lead_id = l.id\nwhere l.organization_id = v"
    [one] = unpinned(read_query(Sql(query)), WORLD)
    assert (one.table, one.line) == ("app.event", 4)


def test_what_is_joined_to_an_unpinned_source_is_no_second_finding() -> None:
    assert found("select from app.lead as l join app.event as e using (organization_id)") == ["app.lead"]


def test_two_holes_are_two_findings() -> None:
    assert found("select from app.lead as l, app.event as e") == ["app.event", "app.lead"]


def test_refuses_to_read_merge() -> None:
    query = "merge into app.lead as l using app.event as e on l.id = e.id when matched then update set stage = 'x'"
    with pytest.raises(Unreadable, match="merge"):
        found(query)


def test_a_table_where_nobody_looks_does_not_pass() -> None:
    tree = read_query(Sql("select 1"))
    tree.set("hint", read_query(Sql("select from app.lead")).args["from_"].this)
    assert [one.why for one in unpinned(tree, WORLD)] == ["stands where this linter doesn't look"]
