-- crm.request_push - adds a lead's push to the outbox, or returns its state.
set local role leads_jobs;

create or replace function crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean)
returns crm.sync_values language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := request_push.organization_id;
  v_lead_id uuid := request_push.lead_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_connection record;
  v_lead record;
  v_skipped text;
  v_fault text;
  v_sync crm.sync_values;
begin
  select c.vendor, c.account, c.state, v.title, v.needs_name into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id;
  if not found then
    return null;
  end if;
  select l.name, l.company, l.email_key into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id;

  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.vendor = v_connection.vendor
    and s.account = v_connection.account;
  -- There is nothing to do. The row isn't locked: a worker would wait for this transaction.
  if
    v_sync.status in ('ok', 'in_progress')
    or v_sync.error_code = 'outcome_unknown'
    or (v_sync.status = 'pending' and not (request_push.is_asked and v_sync.run_at > v_now))
  then
    return v_sync;
  end if;

  if v_connection.needs_name and v_lead.name is null and v_lead.company is null then
    if request_push.is_asked then
      raise sqlstate 'PT422' using message = 'validation_failed', detail = json_build_array(json_build_object(
        'field', 'name', 'code', 'required_by_crm',
        'detail', format('%s needs a name or a company. Give the lead one, and push it again.', v_connection.title)
      ))::text;
    end if;
    v_skipped := 'incomplete';
  elsif v_connection.state = 'paused' and not request_push.is_asked then
    -- If the connection is being resumed, the push isn't skipped. If it is resumed next,
    -- crm.push_skipped waits for this transaction and sees the push.
    select 'paused', c.fault into v_skipped, v_fault
    from crm.connection as c
    where c.organization_id = v_organization_id and c.state = 'paused'
    for share;
  end if;

  -- Of 50 simultaneous requests, one inserts the row and the others find it.
  insert into crm.sync as s (organization_id, lead_id, vendor, account, status, error_code, error, run_at, email_key)
  values (
    v_organization_id,
    v_lead_id,
    v_connection.vendor,
    v_connection.account,
    case when v_skipped is null then 'pending' else 'skipped' end,
    v_skipped,
    v_fault,
    case when v_skipped is null then v_now end,
    v_lead.email_key
  )
  on conflict (organization_id, lead_id, vendor, account) do update
  set
    status = excluded.status,
    error_code = excluded.error_code,
    error = null,
    run_at = excluded.run_at,
    begun_at = case when s.status = 'pending' then s.begun_at else v_now end,
    begun_after = case when s.status = 'pending' then s.begun_after else s.attempts end
  where
    case s.status
      -- A request ends the backoff. crm.lease_syncs still waits for calls that may create a record.
      when 'pending' then request_push.is_asked and s.run_at > v_now
      when 'failed' then s.error_code <> 'outcome_unknown' and v_skipped is null
      when 'skipped' then v_skipped is null
      else false
    end
  returning s.* into v_sync;
  if not found then
    select s.* into v_sync
    from crm.sync as s
    where
      s.organization_id = v_organization_id
      and s.lead_id = v_lead_id
      and s.vendor = v_connection.vendor
      and s.account = v_connection.account;
  end if;
  return v_sync;
end $$;

comment on function crm.request_push(uuid, uuid, boolean) is
$$Adds the lead's push to the outbox of the organization's connection, or returns its state. The caller notifies the workers.

is_asked: whether a client requested the push, and not a change of the stage. If so: the push waits while the connection
is paused, instead of being skipped; a push in its backoff becomes due now; a lead without the fields that the vendor needs
raises PT422 validation_failed, instead of being skipped. A failed or skipped push starts again. A push that is ok, or whose
outcome is unknown, stays unchanged. A push that is skipped because the worker has paused the connection gets the fault of the
connection as its error; crm.push_skipped starts it. Null: the organization has no connection.$$;

grant execute on function crm.request_push(uuid, uuid, boolean) to leads_exec;
