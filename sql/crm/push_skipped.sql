-- crm.push_skipped - starts the pushes that an automatic pause has skipped.
set local role leads_jobs;

create or replace function crm.push_skipped(organization_id uuid)
returns void language sql volatile security invoker
begin atomic
  with skipped as (
    select s.id
    from crm.connection as c
    join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    where
      c.organization_id = push_skipped.organization_id
      and s.status = 'skipped'
      and s.error_code = 'paused'
      and s.error is not null
    -- A locked push is being started by another transaction.
    for no key update of s skip locked
  )
  update crm.sync as s
  set
    status = 'pending',
    run_at = date_trunc('milliseconds', clock_timestamp()),
    error_code = null,
    error = null,
    begun_at = date_trunc('milliseconds', clock_timestamp()),
    begun_after = s.attempts
  from skipped as k
  where s.organization_id = push_skipped.organization_id and s.id = k.id;
end;

comment on function crm.push_skipped(uuid) is
  'Starts the pushes of the organization''s connection that have the error_code paused and an error: the fault of the '
  'connection at that time. Pushes that were skipped because an operator had paused it have no error, and stay skipped.';
