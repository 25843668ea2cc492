-- crm.wake_worker - notifies the workers that the lead's push is due.
set local role leads_jobs;

create or replace function crm.wake_worker(organization_id uuid, lead_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Only if a push waits: transactions that notify wait for each other at commit.
  if exists (
    select
    from crm.sync as s
    where s.organization_id = wake_worker.organization_id and s.lead_id = wake_worker.lead_id and s.status = 'pending'
  ) then
    call app.notify('leads_work');
  end if;
end $$;

comment on function crm.wake_worker(uuid, uuid) is
  'Sends NOTIFY leads_work, without data, if the lead has a pending push. Functions call it, not triggers. Workers find '
  'changes made in SQL by polling.';

grant execute on function crm.wake_worker(uuid, uuid) to leads_exec, leads_jobs, leads_intake;
