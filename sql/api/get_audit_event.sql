-- api.get_audit_event - GET /audit-log/{id}.
set local role leads_exec;

create or replace function api.get_audit_event(id uuid)
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    json_build_object('ETag', audit.event_etag(e.payload_digest, e.salt)),
    row_to_json(audit.event_item(
      e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
    ))::text
  )::api.answer
  from audit.event as e
  where
    e.organization_id = (select auth.entered_organization_id())
    and e.id = get_audit_event.id
    -- The id tells the partition.
    and e.created_at = app.id_time(get_audit_event.id);
end;

comment on function api.get_audit_event(uuid) is
$$Get an event of the audit log.

An event of another organization returns 404, as if it did not exist.$$;

grant execute on function api.get_audit_event(uuid) to leads_api;

set local role leads_owner;
call api.document(
  'api.get_audit_event', tag => 'Audit log', answer => 'api.audit_event', headers => '{ETag}'
);
