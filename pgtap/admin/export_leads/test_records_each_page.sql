begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'eve@example.com');

select act_as('operator');
select is((select e.row_count from admin.export_leads(acme()) as e), 2::bigint, 'the leads of the organization');
select is((select e.row_count from admin.export_audit_events(acme(), action => '{lead.created}') as e), 2::bigint, 'its events');
select throws_ok(
  'select * from admin.export_leads(gen_random_uuid())', 'PT404', 'organization_not_found', 'an unknown organization'
);
select matches(
  (select e.body from admin.export_audit_events(acme(), action => '{lead.read}') as e),
  '"function":"admin.export_audit_events","leads":2[^\n]*\n[^\n]*"function":"admin.export_leads","leads":2[^\n]*\n\{"complete":true,"rows":2\}\n$',
  'the events of the reads'
);

select * from finish();
rollback;
