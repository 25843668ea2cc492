begin;
select plan(5);

-- Acme is live, and has a connection; the dba does what a worker does.
create function test.acme()
returns uuid
language sql
stable
security definer
begin atomic
  select o.organization_id from app.organization as o where o.name = 'Acme';
end;
create function test.sync(name text)
returns crm.sync
language sql
stable
security definer
begin atomic
  select s
  from crm.sync as s
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where l.name = sync.name;
end;
create function test.leased(batch integer default 64)
returns text[]
language sql
volatile
begin atomic
  select array(
    select j.contact ->> 'name'
    from crm.lease_syncs('{k}', leased.batch) as j
    order by j.contact ->> 'name' collate "C"
  );
end;
select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create table test.message (name text, message text, kept integer, what text);
insert into test.message
values
  ('1', null, null, 'none'),
  ('2', E' \n ', null, 'nothing but space'),
  ('3', repeat('x', 999) || '  y' || repeat('x', 1000), 999, 'more than there is room for'),
  ('4', repeat('é', 5000), 1000, 'no letter is cut in two'),
  ('5', E'a\tb\nc\u0001', 6, 'odd characters');
insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), m.name || '@example.com', m.name, 'qualified' from test.message as m;
select leased()::text;
select crm.settle_attempt(acme(), (sync(m.name)).id, 1, 'refused', message => m.message) from test.message as m;
select is(length((sync(m.name)).error), m.kept, m.what) from test.message as m order by m.name;

select * from finish();
rollback;
