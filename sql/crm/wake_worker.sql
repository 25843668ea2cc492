-- crm.wake_worker - tells the workers that the lead's push is due.
set local role leads_jobs;

create or replace function crm.wake_worker(organization_id uuid, lead_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Only where there is something to do: at its commit who notifies waits for all others that do.
  if exists (
    select
    from crm.sync as s
    where s.organization_id = wake_worker.organization_id and s.lead_id = wake_worker.lead_id and s.status = 'pending'
  ) then
    perform pg_notify('leads_crm', '');
  end if;
end
$$;

comment on function crm.wake_worker(uuid, uuid) is
  'NOTIFY leads_crm, without data, where the lead has a push that waits. From functions, not triggers; whoever changes '
  'leads in SQL is found by the workers'' polling.';

grant execute on function crm.wake_worker(uuid, uuid) to leads_exec, leads_jobs;
