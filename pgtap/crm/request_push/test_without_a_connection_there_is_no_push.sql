begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
select admin.change_crm_connection(acme(), 'disconnect');
select is((crm.request_push(acme(), lead('ada@example.com'), true)).id, null, 'not when it is asked for');
select is((crm.request_push(acme(), lead('ada@example.com'), false)).id, null, 'nor by the stage''s change');
select is_empty('select s.id from crm.sync as s', 'and nothing is kept');

select * from finish();
rollback;
