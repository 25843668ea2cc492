begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create view test.recorded as
select e.action, e.payload::jsonb - '{key_id,role,sync_id,lead_id,vendor}'::text[] as payload
from audit.event as e
where e.lead_id is not null and e.action not like 'lead.created'
order by e.id;
create function test.actions()
returns text[]
language sql
stable
begin atomic
  select array(select r.action from test.recorded as r);
end;
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select is(actions(), '{lead.crm_push_requested}', 'a requested push');
select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict;
select crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'not_made', message => 'Bad gateway.');
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select is(actions(), '{lead.crm_push_requested}', 'leases, calls and attempts are not recorded');
select crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'refused', message => 'No.');
select is(actions(), '{lead.crm_push_requested,lead.crm_push_failed}', 'one event for the failure');
select admin.retry_crm(acme())::text;
select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 3, 'created', '7'));
select (crm.request_push(acme(), lead('ada@example.com'), true)).external_id;
select results_eq(
  'select * from test.recorded',
  $$
    values
      ('lead.crm_push_requested', '{"external_id": null, "attempts": 0}'::jsonb),
      ('lead.crm_push_failed', '{"external_id": null, "attempts": 2, "error_code": "rejected", "error": "No."}'),
      ('lead.crm_push_requested', '{"external_id": null, "attempts": 2}'),
      ('lead.crm_pushed', '{"external_id": "7", "attempts": 3}')
  $$,
  'started again, and ok'
);
select is(
  (
    select distinct e.payload::jsonb - '{key_id,role,external_id,attempts,error_code,error}'::text[]
    from audit.event as e
    where e.action like 'lead.crm%'
  ),
  jsonb_build_object('lead_id', lead('ada@example.com'), 'sync_id', (sync('Ada')).id, 'vendor', 'hubspot'),
  'each event has the lead, the push and the vendor'
);
update crm.sync set last_synced_at = '2020-01-01';
select is((actions())[5], 'crm_sync.updated', 'a change in SQL is recorded');

select admin.change_crm_connection(acme(), 'pause');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'eve@example.com', 'Eve', 'qualified');
select results_eq(
  'select * from test.recorded offset 5',
  $$values ('lead.crm_push_skipped', '{"external_id": null, "attempts": 0, "error_code": "paused", "error": null}'::jsonb)$$,
  'skipped'
);
delete from app.lead where email = 'eve@example.com';
select is((actions())[7:], '{lead.deleted,crm_sync.deleted}', 'deleted with its lead');

select * from finish();
rollback;
