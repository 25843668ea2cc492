begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from unnest('{ok,failed,pending}'::text[]) as n;
select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('ok')).id, 1, 'created', '7'));
select crm.settle_attempt(acme(), (sync('failed')).id, 1, 'refused', message => 'No.');
select crm.settle_attempt(acme(), (sync('pending')).id, 1, 'not_made', message => 'Bad gateway.');
select act_as('operator');
select results_eq(
  $$
    select
      q.organization_id, q.lead_id, q.vendor, q.account, q.status, q.error_code, q.error, q.attempts, q.run_at is null
    from admin.crm_queue() as q
    order by q.status
  $$,
  $$
    values
      (acme(), lead('failed@example.com'), 'hubspot', 'an account', 'failed', 'rejected', 'No.', 1, true),
      (acme(), lead('pending@example.com'), 'hubspot', 'an account', 'pending', null, 'Bad gateway.', 1, false)
  $$,
  'the pushes with their errors'
);
select is((select count(*) from admin.crm_queue(null, 1)), 1::bigint, 'at most row_limit rows');
select is((select count(*) from admin.crm_queue(acme())), 2::bigint, 'the pushes of one organization');
select is_empty('select * from admin.crm_queue(organization(''bob''))', 'an organization without pushes');

select * from finish();
rollback;
