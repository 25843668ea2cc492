begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
select admin.change_crm_connection(acme(), 'disconnect');
select is((crm.request_push(acme(), lead('ada@example.com'), true)).id, null, 'not for a request');
select is((crm.request_push(acme(), lead('ada@example.com'), false)).id, null, 'nor for a change of the stage');
select is_empty('select s.id from crm.sync as s', 'nothing is stored');

select * from finish();
rollback;
