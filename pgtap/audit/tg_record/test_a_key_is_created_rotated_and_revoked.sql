begin;
select plan(2);

create table test.former as select e.id from audit.event as e;
select act_as('operator');
select admin.create_key(
  organization('alice'), 'write', sha256(sha256('one')), 'the site', '2099-01-01 00:00:00Z'
)::text;
select act_as('dba');
create function test.key(name_of text)
returns uuid
language sql
security definer
as $$
  select k.id from auth.api_key as k where k.digest = sha256(sha256(convert_to(name_of, 'UTF8')))
$$;
select act_as('operator');
select admin.rotate_key(key('one'), sha256(sha256('two')), '1 hour')::text;
select admin.revoke_key(key('two'));

select act_as('dba');
select results_eq(
  $$
    select e.action, e.payload ->> 'api_key_id', e.payload::jsonb -> 'diff'
    from audit.event as e
    where e.id not in (select f.id from test.former as f)
    order by e.id
  $$,
  $$
    values
      (
        'api_key.created', key('one')::text,
        jsonb '{
          "name": {"from": null, "to": "the site"}, "scopes": {"from": null, "to": ["read", "write"]},
          "expires_at": {"from": null, "to": "2099-01-01T00:00:00.000Z"}
        }'
      ),
      (
        'api_key.rotated', key('two')::text,
        jsonb '{
          "name": {"from": null, "to": "the site"}, "scopes": {"from": null, "to": ["read", "write"]},
          "expires_at": {"from": null, "to": "2099-01-01T00:00:00.000Z"}
        }' || jsonb_build_object('rotated_from', jsonb_build_object('from', null, 'to', key('one')))
      ),
      (
        'api_key.updated', key('one')::text,
        jsonb_build_object('expires_at', jsonb_build_object(
          'from', '2099-01-01T00:00:00.000Z',
          'to', (select app.utc_text(k.expires_at) from auth.api_key as k where k.id = key('one'))
        ))
      ),
      (
        'api_key.revoked', key('two')::text,
        jsonb_build_object('revoked_at', jsonb_build_object(
          'from', null, 'to', (select app.utc_text(k.revoked_at) from auth.api_key as k where k.id = key('two'))
        ))
      )
  $$,
  'each event with its diff'
);
select is_empty(
  $$
    select e.id
    from audit.event as e
    where e.payload::text ~ 'digest'
      or exists (select from auth.api_key as k where strpos(e.payload::text, encode(k.digest, 'hex')) > 0)
  $$,
  'no event has a digest'
);

select * from finish();
rollback;
