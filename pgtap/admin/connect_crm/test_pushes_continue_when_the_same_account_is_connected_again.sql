begin;
select plan(12);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

create view test.connected as
select c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds, c.credential_key, c.blocked_until, c.paced_until
from crm.connection as c;
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is(leased(), '{}', 'a worker doesn''t lease pushes of the previous account');
select is((sync('Ada')).account || (sync('Ada')).status, 'an accountpending', 'the push still waits for its own account');
select is(
  (select w.waiting from admin.crm_connections(acme()) as w), 0, 'the other account''s pushes aren''t counted'
);

update crm.connection
set state = 'paused', fault = 'Invalid token.', push_stage = 'won', settle_seconds = 77, blocked_until = now(), paced_until = now();
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x01', 'l');
select results_eq(
  'select * from test.connected',
  $$values ('hubspot', 'an account', 'active', null::text, 'won', 77, 'l', null::timestamptz, null::timestamptz)$$,
  'a replaced connection is active and keeps the values of omitted arguments'
);
select is((select w.waiting from admin.crm_connections(acme()) as w), 1, 'the push of the account is counted again');
select is(array(select j.credential from crm.lease_syncs('{l}', 64) as j), '{"\\x01"}'::bytea[], 'the push continues with the new credential');
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));

select admin.connect_crm(acme(), 'webhook', 'an account', '{}', '\x01', 'l');
select is((select c.settle_seconds from test.connected as c), 0, 'another vendor has its own default of settle_seconds');
select is((select c.push_stage from test.connected as c), 'won', 'the stage is kept');
select admin.change_crm_connection(acme(), 'disconnect');
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x01', 'l');
select is((select c.push_stage || c.settle_seconds from test.connected as c), 'qualified5', 'a new connection has the defaults');
select is((crm.request_push(acme(), lead('ada@example.com'), true)).external_id, '7', 'a push that is ok stays ok');
select is(
  (select count(*) from crm.connection as c where c.organization_id = acme()), 1::bigint, 'an organization has one connection'
);
select throws_ok(
  format($$insert into crm.connection (organization_id, vendor, account, settle_seconds) values (%L, 'webhook', 'b', 0)$$, acme()),
  '23505', null, 'a second connection is refused'
);

select * from finish();
rollback;
