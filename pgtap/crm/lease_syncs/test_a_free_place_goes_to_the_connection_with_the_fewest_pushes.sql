begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'webhook', 'a', '{}', '\x00', 'k');
select admin.create_organization('Beta', 'live')::text;
create function test.beta()
returns uuid
language sql
stable
begin atomic
  select o.organization_id from app.organization as o where o.name = 'Beta';
end;
select admin.connect_crm(beta(), 'webhook', 'b', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', 'Nr. ' || n, 'qualified' from generate_series(1, 3) as n;
insert into app.lead (organization_id, email, name, pipeline_stage) values (beta(), 'b@example.com', 'B', 'qualified');
-- Acme's vendor doesn't answer, and its pushes have waited for longer.
update crm.sync set run_at = now() - interval '1 hour' where organization_id = acme();
create function test.next(acmes integer, betas integer)
returns text
language sql
volatile
begin atomic
  select o.name
  from crm.lease_syncs('{k}', 1, jsonb_strip_nulls(jsonb_build_object(acme(), next.acmes, beta(), next.betas))) as j
  join app.organization as o using (organization_id);
end;

select is(next(null, null), 'Acme', 'among equals, the push that has waited for longer');
select is(next(2, 1), 'Beta', 'the connection with fewer pushes');
select is(next(3, null), 'Acme', 'the others get what is left');

select * from finish();
rollback;
