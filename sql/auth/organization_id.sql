-- auth.organization_id - the organization of the request's key, for the functions that call those of other roles.
set local role leads_auth;

create or replace function auth.organization_id(scope text)
returns uuid language sql stable parallel safe security definer
begin atomic
  select k.organization_id from auth.claimed_key as k where organization_id.scope = any (k.scopes);
end;

comment on function auth.organization_id(text) is
$$The organization of the key that this transaction has proven; null if there is none or the key lacks the scope.

No row has the organization null.$$;

grant execute on function auth.organization_id(text) to leads_exec, leads_eraser, leads_intake;
