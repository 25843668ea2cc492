begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name) values (acme(), 'Ada@example.com', 'Ada');
create view test.asked as
select r.*
from crm.request_push(acme(), lead('Ada@example.com'), true) as r;

create table test.first as select a.* from test.asked as a;
select results_eq(
  'select f.status, f.attempts, f.begun_after, f.vendor, f.account, f.email_key = ''ada@example.com'' from test.first as f',
  $$values ('pending', 0, 0, 'hubspot', 'an account', true)$$,
  'the first request creates the push'
);
select cmp_ok((select f.run_at from test.first as f), '<=', clock_timestamp(), 'due now');
select is(
  (select to_jsonb(a) from test.asked as a), (select to_jsonb(f) from test.first as f), 'the second request returns it unchanged'
);
select is(leased(), '{Ada}', 'a worker leases it');
create table test.taken as select (sync('Ada')).*;
select is(
  (select to_jsonb(a) from test.asked as a), (select to_jsonb(t) from test.taken as t), 'a request leaves a leased push unchanged'
);
select is(
  crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), 'ok', 'the push is ok'
);
select is((select a.status || a.external_id from test.asked as a), 'ok7', 'a request returns ok');
select is(
  (crm.request_push(acme(), lead('Ada@example.com'), false)).status, 'ok', 'so does a change of the stage'
);
select is((select count(*) from crm.sync), 1::bigint, 'there is only one push');

select * from finish();
rollback;
