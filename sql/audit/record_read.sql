-- audit.record_read - writes the event that records that an operator's function reads values of leads.
set local role leads_audit;

create or replace function audit.record_read(organization_id uuid, function text, lead_ids uuid[])
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_lead_id uuid := case when cardinality(record_read.lead_ids) = 1 then record_read.lead_ids[1] end;
begin
  perform audit.write_event(
    record_read.organization_id,
    'lead.read',
    v_lead_id,
    concat(
      case when v_lead_id is not null then '"lead_id":"' || v_lead_id || '",' end,
      '"function":', to_json(record_read.function), ',"leads":', cardinality(record_read.lead_ids)
    )
  );
  -- The caller can roll the event back after reading. This line of the server's log stays.
  raise log 'lead.read: % calls % for organization %, % leads, lead %',
    session_user, record_read.function, record_read.organization_id, cardinality(record_read.lead_ids), v_lead_id;
end $$;

comment on function audit.record_read(uuid, text, uuid[]) is
$$Writes the event lead.read, and a line in the server's log. A function that reads leads for an operator calls it before it
computes anything from the leads' values, so that an error that depends on a value leaves the line, too.

function: the name of the function that reads. lead_ids: the leads that it reads; the event has the id if there is one lead,
and otherwise only the number. An empty array: the answer is that no lead has a value. The event contains no value of a lead
and no argument of the function.$$;

grant execute on function audit.record_read(uuid, text, uuid[]) to leads_jobs;
