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
language sql stable security definer
begin atomic
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
  'organizations. error: the vendor''s message at the last attempt. run_at: when the push is due, or when its lease ends.';

grant execute on function admin.crm_queue(uuid, integer) to leads_operator;
