begin;
select plan(10);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
select leased()::text;
select (crm.begin_call(acme(), s.id, 1, 'A name')).verdict from crm.sync as s;
select crm.settle_attempt(acme(), s.id, 1, 'undecided') from crm.sync as s;

select act_as('operator');
select throws_ok(
  format('select admin.retry_crm(acme(), lead(''ada@example.com''), %L)', i), 'PT422', 'invalid_external_id', format('no id: "%s"', left(i, 5))
)
from unnest(array['', ' ', repeat('x', 256)]) as i;
select throws_ok(
  $$select admin.retry_crm(organization('bob'), lead('ada@example.com'), '7')$$, 'PT404', 'push_not_found', 'the lead of another organization'
);
select is(admin.retry_crm(acme(), lead('ada@example.com'), '7'), 1, 'one lead is linked');
select act_as('dba');
select is((sync('Ada')).status || (sync('Ada')).external_id, 'ok7', 'the push is ok');
select ok((sync('Ada')).last_synced_at > now() - interval '1 minute', 'synced at the present time');
select is(leased(), '{}', 'nothing is sent');
select is((sync('Eve')).error_code, 'outcome_unknown', 'another push is unchanged');
select act_as('operator');
select throws_ok(
  $$select admin.retry_crm(acme(), lead('ada@example.com'), '8')$$, 'PT404', 'push_not_found', 'a push that is ok keeps its record'
);

select * from finish();
rollback;
