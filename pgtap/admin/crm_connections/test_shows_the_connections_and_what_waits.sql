begin;
select plan(4);

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

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from generate_series(1, 4) as n;
select leased(2)::text;
update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null where id = (sync('4')).id;
select admin.connect_crm(organization('alice'), 'jobnimbus', 'hers', '{}');
select act_as('operator');
select results_eq(
  'select c.organization, c.environment, c.vendor, c.credential, c.waiting, c.failed from admin.crm_connections() as c order by 1',
  $$values ('Acme', 'live', 'hubspot', '\x00'::bytea, 3, 1), ('The organization of alice', 'test', 'jobnimbus', null, 0, 0)$$,
  'of all organizations'
);
select results_eq(
  'select c.account from admin.crm_connections(acme()) as c', array['an account'], 'or of one'
);
select is_empty('select * from admin.crm_connections(organization(''bob''))', 'who may have none');
select results_eq(
  'select q.status, q.error_code from admin.crm_queue(acme()) as q order by q.status',
  $$values ('failed', 'gave_up'), ('in_progress', null), ('in_progress', null), ('pending', null)$$, 'and the queue'
);

select * from finish();
rollback;
