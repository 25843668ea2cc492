-- admin.keys - lists API keys, for leads keys list.
set local role leads_jobs;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.keys(uuid);

create function admin.keys(organization_id uuid default null)
returns table (
  id uuid,
  organization_id uuid,
  name text,
  scopes text[],
  state text,
  created_at text,
  expires_at text,
  revoked_at text,
  rotated_from uuid,
  last_used_at text
)
language sql stable security definer
begin atomic
  select
    k.id,
    k.organization_id,
    k.name,
    k.scopes,
    case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'active' end,
    app.utc_text(k.created_at),
    app.utc_text(k.expires_at),
    app.utc_text(k.revoked_at),
    k.rotated_from,
    app.utc_text(u.last_used_at)
  from auth.api_key as k
  left join auth.key_use as u on u.organization_id = k.organization_id and u.key_id = k.id
  where k.organization_id = keys.organization_id or keys.organization_id is null
  order by k.created_at, k.id;
end;

comment on function admin.keys(uuid) is
  'The keys of an organization, the oldest first. organization_id: null for all organizations.';

grant execute on function admin.keys(uuid) to leads_operator;
