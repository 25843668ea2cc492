-- crm.trace_id - the trace of the request that has asked for a push, for the worker's log.
set local role leads_jobs;

create or replace function crm.trace_id(organization_id uuid, sync_id uuid)
returns text language sql stable security definer
begin atomic
  select e.payload ->> 'trace_id'
  from crm.sync as s
  join audit.event as e on e.organization_id = s.organization_id and e.lead_id = s.lead_id
  where
    s.organization_id = trace_id.organization_id
    and s.id = trace_id.sync_id
    and e.action = 'lead.crm_push_requested'
    and e.payload ->> 'sync_id' = s.id::text
  order by e.created_at desc, e.id desc
  limit 1;
end;

comment on function crm.trace_id(uuid, uuid) is
$$The trace id of the last request that has asked for the push, 32 hexadecimal digits.

Null: the request had none, or the push was not asked for by a request. It comes from the audit log, so it is gone when the
log's partition is.$$;

grant execute on function crm.trace_id(uuid, uuid) to leads_worker;
