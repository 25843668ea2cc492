-- api.release_version - the version of the release, as in pyproject.toml.
set local role leads_exec;

create or replace function api.release_version()
returns text language sql immutable parallel safe
begin atomic
  select '0.9.0';
end;

comment on function api.release_version() is 'The version of the release that made this schema. The reference shows it.';

-- admin.service_figures
grant execute on function api.release_version() to leads_jobs;
