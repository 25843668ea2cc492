-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer language sql immutable parallel safe
begin atomic
  select 1;
end;

comment on function api.schema_version() is 'The number of the newest migration of this schema. api.release_version is the version of the release.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
