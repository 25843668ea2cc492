-- admin.organizations - lists the organizations, for leads organizations list.
set local role leads_jobs;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.organizations();

create or replace function admin.organizations()
returns table (
  id uuid,
  name text,
  environment text,
  created_at text,
  erased_at text,
  country_code text,
  accepts_name_and_phone boolean,
  keep_audit_years integer,
  time_zone text
)
language sql stable security definer
begin atomic
  select o.organization_id, o.name, o.environment, app.utc_text(o.created_at), app.utc_text(o.erased_at), o.country_code,
    o.accepts_name_and_phone, o.keep_audit_years, o.time_zone
  from app.organization as o
  order by o.created_at, o.organization_id;
end;

comment on function admin.organizations() is 'All organizations, the oldest first.';

grant execute on function admin.organizations() to leads_operator;
