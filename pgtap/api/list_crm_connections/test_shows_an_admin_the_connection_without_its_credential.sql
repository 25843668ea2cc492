begin;
select plan(6);

select act_as('alice', 'admin');
select is((api.list_crm_connections()).body, '{"data":[],"next_cursor":null}', 'without a connection');
select act_as('operator');
select admin.connect_crm(organization(a), 'hubspot', a, '{"region": "eu"}', settle_seconds => 9)
from unnest('{alice,bob}'::text[]) as a;
select act_as('dba');
update crm.connection set credential = '\xc0ffee', credential_key = 'k', state = 'paused', fault = 'Invalid token.';
create function test.connection()
returns jsonb
language sql
stable
security definer
begin atomic
  select jsonb_build_object('id', c.id, 'created_at', app.utc_text(c.created_at))
  from crm.connection as c
  where c.organization_id = organization('alice');
end;
select act_as('alice', 'admin');
select keep('list', api.list_crm_connections());
select is((kept('list')).status, 200, 'the status');
select is(
  (kept('list')).body::jsonb,
  jsonb_build_object(
    'data', jsonb_build_array(
      jsonb_build_object(
        'organization_id', organization('alice'), 'vendor', 'hubspot', 'account', 'alice', 'state', 'paused',
        'fault', 'Invalid token.', 'push_stage', 'qualified', 'settle_seconds', 9, 'settings', '{"region": "eu"}'::jsonb
      ) || connection()
    ),
    'next_cursor', null
  ),
  'all fields except the credential'
);
select unalike((kept('list')).body, '%c0ffee%', 'the credential isn''t in the response');
select act_as('alice', 'write');
select is((api.list_crm_connections()).body::jsonb -> 'data', '[]', 'a key with the scope write');
select act_as('stranger');
select is((api.list_crm_connections()).body::jsonb -> 'data', '[]', 'without a key');

select * from finish();
rollback;
