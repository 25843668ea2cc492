-- audit.newest_retirement - the newest event audit.retired of an organization.
set local role leads_owner;

create or replace function audit.newest_retirement(organization_id uuid)
returns table (
  id uuid,
  action text,
  source text,
  correlation_id text,
  lead_id uuid,
  payload json,
  salt bytea,
  payload_digest bytea,
  created_at timestamptz(3)
)
language sql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few rows, and would sort all partitions.
set enable_sort = off
begin atomic
  select e.id, e.action, e.source, e.correlation_id, e.lead_id, e.payload, e.salt, e.payload_digest, e.created_at
  from audit.event as e
  where e.organization_id = newest_retirement.organization_id and e.action_and_source = 'audit.retired/system'
  order by e.created_at desc, e.id desc
  limit 1;
end;

comment on function audit.newest_retirement(uuid) is
  'The event that names all retired years of an organization; no row: none is retired. Runs with the caller''s rights.';

grant execute on function audit.newest_retirement(uuid) to leads_exec, leads_jobs;
