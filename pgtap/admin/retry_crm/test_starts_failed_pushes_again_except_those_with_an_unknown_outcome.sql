begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified'
from unnest('{rejected,gave_up,outcome_unknown,paused,incomplete,ok,pending}'::text[]) as n;
select leased()::text;
select (crm.begin_call(acme(), s.id, 1, 'A name')).verdict from crm.sync as s;
select format('It is %s.', crm.settle_attempt(acme(), (sync('ok')).id, 1, 'created', '7'));
update crm.sync as s
set status = 'failed', error_code = l.name, error = 'No.', run_at = null, begun_at = now() - interval '3 days'
from app.lead as l
where l.id = s.lead_id and l.name in ('rejected', 'gave_up', 'outcome_unknown');
update crm.sync as s
set status = 'skipped', error_code = l.name, run_at = null
from app.lead as l
where l.id = s.lead_id and l.name in ('paused', 'incomplete');
update crm.sync set status = 'pending', run_at = now() + interval '1 hour' where id = (sync('pending')).id;

select act_as('operator');
select is(admin.retry_crm(acme()), 4, 'all except the push with an unknown outcome');
select act_as('dba');
select is((sync(n)).status || (sync(n)).attempts || (sync(n)).begun_after || coalesce((sync(n)).error_code, '-'), 'pending11-', n)
from unnest('{rejected,gave_up,paused,incomplete}'::text[]) as n;
select is(
  (select min(s.begun_at) > now() - interval '1 minute' from crm.sync as s where s.begun_after = 1), true,
  'they have another 24 hours'
);
select is((sync('outcome_unknown')).error_code, 'outcome_unknown', 'the unknown outcome is unchanged');
select cmp_ok((sync('pending')).run_at, '>', now(), 'a waiting push is unchanged');
select is((sync('ok')).external_id, '7', 'a push that is ok is unchanged');
select results_eq(
  $$select l.name from crm.attempt as a join crm.sync as s on s.id = a.sync_id join app.lead as l on l.id = s.lead_id where a.outcome is null order by 1$$,
  array['outcome_unknown', 'pending'], 'the open attempts of the restarted pushes are dismissed'
);
select act_as('operator');
select throws_ok('select admin.retry_crm(acme())', 'PT404', 'push_not_found', 'no other push can be retried');
select is(admin.retry_crm(acme(), lead('outcome_unknown@example.com')), 1, 'a single lead with an unknown outcome, after a person has checked');
select act_as('dba');
select is(
  (select (sync('outcome_unknown')).status || a.outcome from crm.attempt as a where a.sync_id = (sync('outcome_unknown')).id),
  'pendingdismissed', 'its attempt is dismissed, because the vendor has no record'
);

select * from finish();
rollback;
