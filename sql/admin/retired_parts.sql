-- admin.retired_parts - what the logs say about a retired year, to compare an archive with.
set local role leads_jobs;

create or replace function admin.retired_parts(year integer)
returns table (organization_id uuid, events bigint, ranges json) language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select o.organization_id, y.events, y.ranges
  from app.organization as o
  cross join lateral audit.newest_retirement(o.organization_id) as n
  cross join lateral json_to_recordset(n.payload -> 'retired') as y (year integer, events bigint, ranges json)
  where y.year = retired_parts.year
  order by o.organization_id;
end;

comment on function admin.retired_parts(integer) is
  'The organizations that have events in a retired year, as the newest event audit.retired of each names them. The columns are those '
  'of admin.archive_organizations.';

grant execute on function admin.retired_parts(integer) to leads_operator;
