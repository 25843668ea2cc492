-- admin.crm_queue - lists the pushes that wait, failed or were skipped, for leads crm queue.
set local role leads_jobs;

create or replace function admin.crm_queue(organization_id uuid default null, row_limit integer default 1000)
returns table (
  organization_id uuid,
  lead_id uuid,
  vendor text,
  account text,
  status text,
  error_code text,
  error text,
  attempts integer,
  run_at text,
  created_at text
)
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  -- The vendor's message can contain a lead's values.
  select audit.record_read(q.organization_id, 'admin.crm_queue', array_agg(distinct q.lead_id))
  from (
    select s.organization_id, s.lead_id, s.error
    from crm.sync as s
    where
      s.status <> 'ok' and (crm_queue.organization_id is null or s.organization_id = crm_queue.organization_id)
    order by s.created_at, s.id
    limit crm_queue.row_limit
  ) as q
  where q.error is not null
  group by q.organization_id;

  select
    s.organization_id, s.lead_id, s.vendor, s.account, s.status, s.error_code, s.error, s.attempts, app.utc_text(s.run_at),
    app.utc_text(s.created_at)
  from crm.sync as s
  where
    s.status <> 'ok' and (crm_queue.organization_id is null or s.organization_id = crm_queue.organization_id)
  order by s.created_at, s.id
  limit crm_queue.row_limit;
end;

comment on function admin.crm_queue(uuid, integer) is
  'The pushes of an organization that wait, failed or were skipped, the oldest first. organization_id: null for all '
  'organizations. error: the vendor''s message at the last attempt. run_at: when the push is due, or when its lease ends. '
  'Writes the event lead.read for each organization with such messages.';

grant execute on function admin.crm_queue(uuid, integer) to leads_operator;
