-- auth.organization_id - the organization of the claimed key, if the key holds the scope: what every policy asks.
set local role leads_auth;

create or replace function auth.organization_id(scope text)
returns uuid
language sql
stable
parallel safe
security definer
begin atomic
  select k.organization_id from auth.claimed_key as k where organization_id.scope = any (k.scopes);
end;

comment on function auth.organization_id(text) is
  'The organization whose key this transaction''s claim proves, if that key holds the scope; else null, which no row has.';

grant execute on function auth.organization_id(text) to leads_exec;
