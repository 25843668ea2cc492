-- admin.unbind_analyst - unbinds a login from its organization.
set local role leads_jobs;

create or replace function admin.unbind_analyst(login text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from auth.analyst as a where a.role_name = unbind_analyst.login;
end $$;

comment on function admin.unbind_analyst(text) is
  'Unbinds a login from its organization. It then sees no row. Only admin.revoke_analyst calls it: no login may execute it.';
