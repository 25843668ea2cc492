begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select act_as('operator');
select results_eq(
  $$
    select s.lead_id, s.status, s.external_id, s.error_code, s.email, s.last_synced_at is null
    from admin.crm_syncs(acme()) as s
    order by s.email
  $$,
  $$
    values
      (lead('ada@example.com'), 'ok', '7', null, 'ada@example.com', false),
      (lead('eve@example.com'), 'in_progress', null, null, 'eve@example.com', true)
  $$,
  'the pushes of its connection'
);
select is_empty('select * from admin.crm_syncs(organization(''bob''))', 'an organization without pushes');
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is_empty('select * from admin.crm_syncs(acme())', 'another account has no pushes');

select * from finish();
rollback;
