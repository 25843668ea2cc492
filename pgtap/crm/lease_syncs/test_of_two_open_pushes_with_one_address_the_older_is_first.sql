begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
select leased()::text;
select (crm.begin_call(acme(), s.id, 1, 'A name')).verdict from crm.sync as s;
select crm.settle_attempt(acme(), s.id, 1, 'unknown') from crm.sync as s;
update crm.attempt set sent_at = now() - interval '1 minute';
update app.lead set email = 'ada@example.com';
update crm.sync set email_key = 'ada@example.com', run_at = now() - interval '1 second';

create table test.pair as
select s.id, row_number() over (order by s.id) as age, l.name
from crm.sync as s
join app.lead as l on l.id = s.lead_id;
update crm.sync set run_at = now() - interval '9 seconds' where id = (select p.id from test.pair as p where p.age = 2);
select is(leased(), (select array[p.name] from test.pair as p where p.age = 1), 'the older push, although it is due later');
select is(
  (select s.status from crm.sync as s join test.pair as p on p.id = s.id where p.age = 2), 'pending', 'the newer push waits'
);
select is(
  crm.settle_attempt(acme(), (select p.id from test.pair as p where p.age = 1), 2, 'linked', '7'), 'ok', 'the older push is ok'
);
update crm.sync set run_at = now() - interval '1 second' where status = 'pending';
select is(leased(), '{}', 'the new record must appear in the search first');
update crm.sync
set
  run_at = case when status = 'pending' then now() - interval '1 second' end,
  last_synced_at = last_synced_at - interval '1 minute';
select is(
  leased(), (select array[p.name] from test.pair as p where p.age = 2),
  'the newer push searches for its own record, and is not linked to the other one'
);

select * from finish();
rollback;
