begin;
select plan(15);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create function test.connected(arguments text)
returns text
language plpgsql
volatile
as $$
begin
  execute format('select admin.connect_crm(acme(), %s)', connected.arguments);
  return 'connected';
exception
  when others then
    return sqlstate || ' ' || case when sqlstate like 'PT%' then sqlerrm else '' end;
end
$$;
select admin.change_crm_connection(acme(), 'disconnect');
select is(connected(c.arguments), c.answer, c.arguments)
from (values
  ($$'salesforce', 'a', '{}', '\x00', 'k'$$, 'PT404 vendor_not_found'),
  ($$null, 'a', '{}', '\x00', 'k'$$, 'PT404 vendor_not_found'),
  ($$'hubspot', 'a', '{}', '\x00', 'k', 'nowhere'$$, 'PT404 stage_not_found'),
  ($$'hubspot', 'a', '{}', '\x00', 'k', null, -1$$, 'PT422 out_of_range'),
  ($$'hubspot', 'a', '{}', '\x00', 'k', null, 3601$$, 'PT422 out_of_range'),
  ($$'hubspot', 'a', '{}'$$, 'PT422 invalid_credential'),
  ($$'hubspot', 'a', '{}', '\x00'$$, '23514 '),
  ($$'hubspot', '', '{}', '\x00', 'k'$$, '23514 '),
  ($$'hubspot', 'a', '[]', '\x00', 'k'$$, '23514 ')
) as c (arguments, answer);
select throws_ok(
  $$select admin.connect_crm(organization('alice'), 'hubspot', 'a', '{}', '\x00', 'k')$$, 'PT422', 'invalid_credential',
  'a test organization can''t have a credential'
);
select throws_ok(
  $$select admin.connect_crm(app.new_id(), 'hubspot', 'a', '{}', '\x00', 'k')$$, 'PT404', 'organization_not_found',
  'an unknown organization'
);
select is_empty('select * from crm.connection', 'none of these calls created a connection');
select act_as('operator');
select is(connected($$'jobnimbus', 'a', '{}', '\x00', 'k', 'won', 0$$), 'connected', 'an operator can create a connection');
select act_as('dba');
select results_eq(
  'select c.vendor, c.account, c.state, c.push_stage, c.settle_seconds, c.credential, c.credential_key from crm.connection as c',
  $$values ('jobnimbus', 'a', 'active', 'won', 0, '\x00'::bytea, 'k')$$,
  'the connection has the values of the arguments'
);
select is(
  (select c.settle_seconds from crm.vendor as v, lateral (select v.settle_seconds) as c where v.name = 'jobnimbus'), 10,
  'the vendor''s default is different'
);

select * from finish();
rollback;
