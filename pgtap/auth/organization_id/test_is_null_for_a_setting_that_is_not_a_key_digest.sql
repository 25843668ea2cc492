begin;
select plan(8);

create table test.forgery as
select f.setting, f.value, f.name
from (values
  (
    'leads.key_digest', (select encode(k.digest, 'hex') from auth.api_key as k where k.id = key_id('bob')),
    'the stored digest'
  ),
  ('leads.key_digest', encode(sha256(decode(claim('bob'), 'hex')), 'hex'), 'the claim''s digest'),
  ('leads.key_digest', encode(convert_to(key_id('bob')::text, 'UTF8'), 'hex'), 'the key''s id'),
  ('leads.key_digest', left(claim('bob'), 62), 'a truncated claim'),
  ('leads.key_digest', claim('bob') || '00', 'a claim with more bytes'),
  ('leads.organization_id', organization('bob')::text, 'the setting leads.organization_id'),
  ('leads.key_id', key_id('bob')::text, 'the setting leads.key_id')
) as f (setting, value, name);
grant select on test.forgery to public;

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');
select act_as('stranger');
select is(
  (api.list_leads(200, email => array['bob@example.com' || left(set_config(f.setting, f.value, true), 0)])).body,
  '{"data":[],"next_cursor":null}',
  f.name
)
from test.forgery as f;
select is(
  json_array_length(
    (
      api.list_leads(
        200, email => array['bob@example.com' || left(set_config('leads.key_digest', claim('bob'), true), 0)]
      )
    ).body::json -> 'data'
  ),
  1,
  'only the claim itself gives access'
);

select * from finish();
rollback;
