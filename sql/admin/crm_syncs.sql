-- admin.crm_syncs - lists the pushes that leads crm reconcile compares with the CRM's records.
set local role leads_jobs;

create or replace function admin.crm_syncs(organization_id uuid)
returns table (lead_id uuid, status text, external_id text, error_code text, email text, last_synced_at timestamptz)
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  select audit.record_read(
    o.organization_id,
    'admin.crm_syncs',
    array(
      select s.lead_id
      from crm.connection as c
      join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
      where c.organization_id = crm_syncs.organization_id
    )
  )
  from app.organization as o
  where o.organization_id = crm_syncs.organization_id;

  select s.lead_id, s.status, s.external_id, s.error_code, l.email, s.last_synced_at
  from crm.connection as c
  join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where c.organization_id = crm_syncs.organization_id
  order by s.id;
end;

comment on function admin.crm_syncs(uuid) is
  'All pushes of the organization''s connection, with the leads'' e-mail addresses. Writes the event lead.read.';

grant execute on function admin.crm_syncs(uuid) to leads_operator;
