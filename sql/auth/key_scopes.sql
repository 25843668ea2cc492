-- auth.key_scopes - the scopes of the key that the request proved.
set local role leads_auth;

create or replace function auth.key_scopes()
returns text[] language sql stable parallel safe security definer
begin atomic
  select k.scopes from auth.claimed_key as k;
end;

comment on function auth.key_scopes() is 'The scopes of the key that this transaction has proven; null if there is none.';

grant execute on function auth.key_scopes() to leads_exec;
