-- auth.entered_organization_id - the organization that auth.enter has set, for queries under leads_exec's policies.
set local role leads_auth;

create or replace function auth.entered_organization_id()
returns uuid language sql stable parallel safe
begin atomic
  select nullif(current_setting('leads.organization_id', true), '')::uuid;
end;

comment on function auth.entered_organization_id() is
$$The organization of the key that auth.enter has checked in this transaction; null if there is none.

Anyone with SQL can change this setting, so it proves nothing. It is for queries whose tables have policies for leads_exec,
which look up the key. It reads no table.$$;

grant execute on function auth.entered_organization_id() to leads_exec;
