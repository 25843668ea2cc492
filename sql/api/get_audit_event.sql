-- api.get_audit_event - GET /audit-log/{id}.
set local role leads_exec;

create or replace function api.get_audit_event(id uuid)
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    json_build_object('ETag', audit.event_etag(e.payload_digest, e.salt)),
    row_to_json(audit.event_item(e))::text
  )::api.answer
  from audit.event as e
  where e.organization_id = (select auth.organization_id('read')) and e.id = get_audit_event.id;
end;

comment on function api.get_audit_event(uuid) is
$$Get a row of the audit log.

Another organization's row is answered like one that never was: 404.$$;

grant execute on function api.get_audit_event(uuid) to leads_api;
