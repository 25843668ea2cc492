-- admin.announce_keys - lets the responses with new keys go on, for leads cells sync.
set local role leads_jobs;

create or replace function admin.announce_keys(organization_ids uuid[], key_ids uuid[])
returns void language sql volatile security definer
begin atomic
  delete from auth.unannounced_key as u
  using unnest(announce_keys.organization_ids, announce_keys.key_ids) as k (organization_id, key_id)
  where u.organization_id = k.organization_id and u.key_id = k.key_id;
end;

comment on function admin.announce_keys(uuid[], uuid[]) is
  'Notes that the router knows these keys. organization_ids: the organization of each key.';

grant execute on function admin.announce_keys(uuid[], uuid[]) to leads_operator, leads_router;
