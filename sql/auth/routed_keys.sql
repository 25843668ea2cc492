-- auth.routed_keys - the digests by which the router finds the cell of a request.
set local role leads_auth;

create or replace function auth.routed_keys(organization_id uuid)
returns table (key_id uuid, digest bytea)
language sql stable security definer
begin atomic
  select k.id, k.digest
  from auth.api_key as k
  where
    k.organization_id = routed_keys.organization_id
    and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now());
end;

comment on function auth.routed_keys(uuid) is
  'The valid keys of an organization, tokens of forms among them, with the digest of the digest of each, which is no claim.';

grant execute on function auth.routed_keys(uuid) to leads_jobs;
