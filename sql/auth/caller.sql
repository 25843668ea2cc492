-- auth.caller - the ids of the request's organization and key, for the server's log.
set local role leads_auth;

create or replace function auth.caller()
returns text language sql stable parallel safe security definer
begin atomic
  select json_build_object(
    'organization_id', k.organization_id, 'key_id', k.id, 'is_admin', 'admin' = any (k.scopes)
  )::text
  from auth.claimed_key as k;
end;

comment on function auth.caller() is
$$A JSON object with organization_id, key_id and is_admin (whether the key has the scope admin) of the key that this transaction has proven; null if there is none.

They never change for a key, so the server asks for them once for each key, and not in each request.$$;

grant execute on function auth.caller() to leads_api;
