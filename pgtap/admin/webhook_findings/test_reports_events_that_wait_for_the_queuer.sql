begin;
select plan(2);

select admin.create_organization('Acme', 'live')::text;
delete from webhook.unqueued_batch;
insert into webhook.unqueued_batch (organization_id) values (acme());
select is_empty('select * from admin.webhook_findings()', 'a worker needs a moment');
update webhook.unqueued_batch
set id = (lpad(to_hex((extract(epoch from now() - interval '6 minutes') * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;
select results_eq(
  'select f.subject, f.finding ~ ''^Events have waited since'', f.remedy ~ ''leads worker'' from admin.webhook_findings() as f',
  $$values ('organization ' || acme(), true, true)$$,
  'after five minutes something is wrong'
);

select * from finish();
rollback;
