-- admin.unbind_analyst - takes the organization from a login.
set local role leads_jobs;

create or replace function admin.unbind_analyst(login text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from auth.analyst as a where a.role_name = unbind_analyst.login;
end $$;

comment on function admin.unbind_analyst(text) is
  'Takes its organization from a login, which then sees no row. For admin.revoke_analyst alone: no login may execute it.';
