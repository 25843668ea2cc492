-- api.key_item - an API key as the API shows it.
set local role leads_exec;

create or replace function api.key_item(organization_id uuid, id uuid, key text)
returns api.key language sql stable parallel safe security invoker
begin atomic
  select
    k.id,
    k.organization_id,
    k.name,
    k.scopes[cardinality(k.scopes)],
    o.environment,
    case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'active' end,
    key_item.key,
    app.utc_text(k.created_at),
    app.utc_text(k.expires_at),
    app.utc_text(k.revoked_at),
    k.rotated_from,
    app.utc_text(u.last_used_at)
  from auth.api_key as k
  join app.organization as o on o.organization_id = k.organization_id
  left join auth.key_use as u on u.organization_id = k.organization_id and u.key_id = k.id
  where k.organization_id = key_item.organization_id and k.id = key_item.id;
end;

comment on function api.key_item(uuid, uuid, text) is
  'The key, or null. key: of a key that was just created; null: the key itself is not shown, because it is not stored.';
