begin;
select plan(11);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

create view test.connected as select c.state, c.fault, c.blocked_until from crm.connection as c;
select act_as('operator');
select throws_ok($$select admin.change_crm_connection(acme(), 'stop')$$, 'PT422', 'unknown_change', 'an unknown change');
select throws_ok($$select admin.change_crm_connection(acme(), null)$$, 'PT422', 'unknown_change', 'no change');
select throws_ok(
  format('select admin.change_crm_connection(organization(''bob''), %L)', c), 'PT404', 'connection_not_found', c || ': bob has none'
)
from unnest('{pause,resume,disconnect}'::text[]) as c;
select throws_ok(
  $$select admin.change_crm_connection('00000000-0000-7000-8000-000000000000', 'pause')$$, 'PT404', 'organization_not_found',
  'an unknown organization'
);
select admin.change_crm_connection(acme(), 'pause');
select act_as('dba');
select results_eq('select * from test.connected', $$values ('paused', null::text, null::timestamptz)$$, 'paused without a fault');
update crm.connection set fault = 'Invalid token.', blocked_until = now() + interval '1 hour';
select act_as('operator');
select admin.change_crm_connection(acme(), 'resume');
select act_as('dba');
select results_eq('select * from test.connected', $$values ('active', null::text, null::timestamptz)$$, 'active without a delay');
select is(leased(), '{Ada}', 'its pushes continue');
select act_as('operator');
select admin.change_crm_connection(acme(), 'disconnect');
select act_as('dba');
select is_empty('select * from crm.connection', 'the connection is deleted');
select is((sync('Ada')).status, 'in_progress', 'the push is kept');

select * from finish();
rollback;
