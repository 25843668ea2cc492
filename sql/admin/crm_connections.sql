-- admin.crm_connections - lists the connections to CRMs, for leads crm list.
set local role leads_jobs;

create or replace function admin.crm_connections(organization_id uuid default null)
returns table (
  organization_id uuid,
  organization text,
  environment text,
  vendor text,
  account text,
  state text,
  fault text,
  push_stage text,
  settle_seconds integer,
  settings json,
  credential bytea,
  credential_key text,
  waiting integer,
  failed integer
)
language sql stable security definer
begin atomic
  select
    c.organization_id, o.name, o.environment, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds,
    c.settings::json, c.credential, c.credential_key,
    count(*) filter (where s.status in ('pending', 'in_progress'))::integer,
    count(*) filter (where s.status = 'failed')::integer
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  left join crm.sync as s
    on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    and s.status in ('pending', 'in_progress', 'failed')
  where crm_connections.organization_id is null or c.organization_id = crm_connections.organization_id
  group by o.organization_id, c.organization_id
  order by o.created_at, c.organization_id;
end;

comment on function admin.crm_connections(uuid) is
  'The connection of an organization, or of every organization if organization_id is null. credential: encrypted. waiting, '
  'failed: the number of pushes that wait or have failed.';

grant execute on function admin.crm_connections(uuid) to leads_operator;
