begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'jobnimbus', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
select is(
  faults($$select crm.request_push(acme(), lead('ada@example.com'), true)$$), '{name required_by_crm}', 'a request'
);
select throws_ok(
  $$select crm.request_push(acme(), lead('ada@example.com'), true)$$, 'PT422', 'validation_failed', 'the error is about the lead'
);
select is(
  (select r.status || ' ' || r.error_code from crm.request_push(acme(), lead('ada@example.com'), false) as r),
  'skipped incomplete', 'a change of the stage'
);
select is(
  (select r.status || ' ' || r.error_code from crm.request_push(acme(), lead('ada@example.com'), false) as r),
  'skipped incomplete', 'again'
);
update app.lead set company = 'Analytical Engines';
select is((crm.request_push(acme(), lead('ada@example.com'), false)).status, 'pending', 'a company is enough');

insert into app.lead (organization_id, email, name) values (acme(), 'eve@example.com', 'Eve');
select is((crm.request_push(acme(), lead('eve@example.com'), true)).status, 'pending', 'a name is enough');

select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
insert into app.lead (organization_id, email) values (acme(), 'bob@example.com');
select is((crm.request_push(acme(), lead('bob@example.com'), true)).status, 'pending', 'HubSpot accepts only an e-mail address');

select * from finish();
rollback;
