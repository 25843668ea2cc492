begin;
select plan(16);

-- PostgreSQL 15.20, a security release, refuses to add a column with a default (constant, now(), volatile or generated) to
-- a table while a stored expression contains a value of the table's row type: "cannot alter table … because function …
-- uses its row type". Tried on 15.20:
--   refused: a begin atomic function that reads a parameter of the type or of its array, or writes null::app.lead or
--     row(…)::app.lead; the same in a view, a rule, a CHECK, a DEFAULT (of a column or a parameter), a policy or the WHEN of
--     a trigger; a column of the type, also within a composite type or an array.
--   not refused: a result of the type; a whole row of the table itself, such as row_to_json(l), count(l), l is not null or
--     l.*; a parameter that the body doesn't read; a body in quotes, in SQL or plpgsql; a domain or a composite type that no
--     table and no stored expression uses. A column without a default is never refused.
-- This rule is simpler and stricter: nothing depends on the type. A function takes and returns other composite types,
-- such as app.lead_values. A variable in plpgsql may have the row type, because it creates no dependency.
create view test.row_type as
select t.oid, t.typarray, c.oid::regclass as table_name
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_type as t on t.oid = c.reltype
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook') and c.relkind in ('r', 'p');

create view test.use_of_a_row_type as
select distinct
  case
    when d.classid = 'pg_class'::regclass then (
      select format('%s %s', case c.relkind when 'v' then 'view' when 'c' then 'type' else 'table' end, c.oid::regclass)
      from pg_class as c where c.oid = d.objid
    )
    when d.classid = 'pg_proc'::regclass then format('function %s', d.objid::regproc)
    when d.classid = 'pg_type'::regclass then format('type %s', d.objid::regtype)
    when d.classid = 'pg_rewrite'::regclass then (
      select format('view %s', w.ev_class::regclass) from pg_rewrite as w where w.oid = d.objid
    )
    else (pg_identify_object(d.classid, d.objid, d.objsubid)).type
  end as finding
from test.row_type as r
join pg_depend as d on d.refclassid = 'pg_type'::regclass and d.refobjid in (r.oid, r.typarray)
where d.deptype <> 'i';

select cmp_ok((select count(*) from test.row_type), '>', 10::bigint, 'the tables are found');
select is_kept('test.use_of_a_row_type');
select is_reported('test.use_of_a_row_type', c.fault, c.finding)
from (values
  (
    'create function app.score_of(lead app.lead) returns integer language sql begin atomic select (lead).lead_score; end',
    'function app.score_of'
  ),
  (
    'create function app.score_of(leads app.lead[]) returns integer language plpgsql as $x$begin return 1; end$x$',
    'function app.score_of'
  ),
  (
    'create function app.first_lead() returns app.lead language sql begin atomic select l.* from app.lead as l limit 1; end',
    'function app.first_lead'
  ),
  (
    'create function app.all_leads() returns setof app.lead language plpgsql as $x$begin return; end$x$',
    'function app.all_leads'
  ),
  (
    'create function app.some_lead(out lead app.lead) language plpgsql as $x$begin return; end$x$', 'function app.some_lead'
  ),
  (
    'create function app.no_score() returns integer language sql begin atomic select (null::app.lead).lead_score; end',
    'function app.no_score'
  ),
  ('create domain app.any_lead as app.lead', 'type app.any_lead'),
  ('create type app.two_leads as (a app.lead, b app.lead)', 'type app.two_leads'),
  ('create type app.some_leads as (leads app.lead[])', 'type app.some_leads'),
  ('create view app.no_lead as select null::app.lead as lead', 'view app.no_lead'),
  ('create table app.note (lead app.lead)', 'table app.note'),
  ('alter table app.lead add constraint lead_is_null check ((null::app.lead).id is null)', 'table constraint'),
  ('create policy x on app.lead using ((null::app.lead).id is null)', 'policy'),
  (
    'create function audit.actions(e audit.event) returns text language sql begin atomic select (e).action; end',
    'function audit.actions'
  )
) as c (fault, finding);

select * from finish();
rollback;
