begin;
select plan(13);

create view test.misnomer as
with relation as (
  select c.oid, c.relname as name
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook') and c.relkind in ('r', 'p', 'v')
)
-- <table>_<who>_<command>
select 'policy ' || p.polname as finding
from pg_policy as p
join relation as r on r.oid = p.polrelid
where p.polname <> concat_ws(
  '_',
  r.name,
  (select string_agg(replace(g.id::regrole::text, 'leads_', ''), '_') from unnest(p.polroles) as g (id)),
  case p.polcmd
    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
  end
)
union all
-- The number shows the order in which triggers fire.
select 'trigger ' || t.tgname
from pg_trigger as t
join relation as r on r.oid = t.tgrelid
where not t.tgisinternal and t.tgname !~ '^_\d{3}_[a-z_]+$'
union all
select 'function ' || p.proname
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and (
    (p.prorettype = 'trigger'::regtype) <> (p.proname ~ '^tg_')
    or (p.prorettype = 'boolean'::regtype) <> (p.proname ~ '^(is|has|can)_')
    or p.proname !~ '^[a-z][a-z0-9_]*$'
  )
union all
-- A constraint's name is a true sentence and not a name that PostgreSQL has chosen.
select 'constraint ' || c.conname
from pg_constraint as c
join pg_namespace as n on n.oid = c.connamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and case c.contype
    when 'p' then c.conname <> (select r.name || '_pkey' from relation as r where r.oid = c.conrelid)
    when 'c' then c.conname ~ '_check\d*$'
    when 'f' then c.conname ~ '_fkey\d*$'
    when 'u' then c.conname ~ '_key\d*$'
    when 'x' then c.conname ~ '_excl\d*$'
  end
union all
-- An index is named after its columns.
select 'index ' || i.indexrelid::regclass
from pg_index as i
join relation as r on r.oid = i.indrelid
where
  not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
  -- A partition's index is a copy of its parent's, and PostgreSQL chooses its name.
  and not exists (select from pg_inherits as h where h.inhrelid = i.indexrelid)
  and (select x.relname from pg_class as x where x.oid = i.indexrelid) !~ ('^' || r.name || '_by_[a-z_]+$');

select is_kept('test.misnomer');
select is_reported('test.misnomer', c.fault, c.finding)
from (values
  ('create policy x on app.lead for select to leads_exec using (true)', 'policy x'),
  ('create policy lead_exec_delete on app.lead for select to leads_exec using (true)', 'policy lead_exec_delete'),
  (
    'create trigger stamp before insert on app.lead for each row execute function app.tg_lead__stamp()',
    'trigger stamp'
  ),
  ('create function app.stamp() returns trigger language plpgsql as $x$begin return new; end$x$', 'function stamp'),
  ('create function app.tg_one() returns integer language sql begin atomic select 1; end', 'function tg_one'),
  ('create function app.good() returns boolean language sql begin atomic select true; end', 'function good'),
  ('create function app."Camel"() returns integer language sql begin atomic select 1; end', 'function Camel'),
  ('alter table app.lead add check (lead_score <> 13)', 'constraint lead_lead_score_check'),
  ('alter table app.lead add unique (organization_id, id, name)', 'constraint lead_organization_id_id_name_key'),
  (
    'alter table app.lead add foreign key (organization_id) references app.organization',
    'constraint lead_organization_id_fkey'
  ),
  ('create index on app.lead (organization_id, name)', 'index app.lead_organization_id_name_idx'),
  ('create domain api.short as text check (length(value) < 5)', 'constraint short_check')
) as c (fault, finding);

select * from finish();
rollback;
