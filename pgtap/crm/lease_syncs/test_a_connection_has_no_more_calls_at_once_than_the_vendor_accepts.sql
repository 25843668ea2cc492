begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', 'Nr. ' || n, 'qualified'
from generate_series(1, 30) as n;
create function test.taken(batch integer, running integer)
returns bigint
language sql
volatile
begin atomic
  select count(*)
  from crm.lease_syncs('{k}', taken.batch, jsonb_build_object(acme(), taken.running, organization('bob'), 64));
end;
select is(taken(3, 0), 3::bigint, 'at most the batch');
select is(taken(64, 6), 2::bigint, 'at most the remainder of 8');
select is(taken(64, 8), 0::bigint, 'the remainder can be 0');
select is(taken(64, 9), 0::bigint, 'or negative');
select is(taken(64, 0), 8::bigint, 'the whole limit of 8');
select is((select count(*) from crm.sync as s where s.status = 'in_progress'), 13::bigint, 'the number of leases');

select admin.create_organization('Beta', 'live')::text;
select admin.connect_crm(
  (select o.organization_id from app.organization as o where o.name = 'Beta'), 'webhook', 'b', '{}', '\x00', 'k'
);
insert into app.lead (organization_id, email, name, pipeline_stage)
select o.organization_id, 'b' || n || '@example.com', 'Nr. ' || n, 'qualified'
from app.organization as o cross join generate_series(1, 10) as n
where o.name = 'Beta';
select is(taken(64, 7), 9::bigint, 'each connection has its own 8');

select * from finish();
rollback;
