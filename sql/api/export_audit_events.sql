-- api.export_audit_events - GET /audit-log/export.
set local role leads_exec;

create or replace function api.export_audit_events(
  format api.export_format default 'ndjson',
  cursor api.export_cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_page record := audit.event_export(
    auth.entered_organization_id(), export_audit_events.format, export_audit_events.cursor, export_audit_events.action,
    export_audit_events.source, export_audit_events.lead_id, export_audit_events.start_at, export_audit_events.end_at
  );
begin
  return row(
    200, app.export_headers('audit-log', export_audit_events.format, v_page.next_cursor), v_page.body
  )::api.answer;
end $$;

comment on function api.export_audit_events(
  api.export_format, api.export_cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz
) is
$$Export the audit log, newest first.

All events that match the filters, as NDJSON or CSV. The filters, and the fields of each line, are those of the list. payload is a JSON
object. The last line says that the export is complete, and the rules of the export of leads apply.$$;

grant execute on function
  api.export_audit_events(
    api.export_format, api.export_cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz
  )
to leads_api;

set local role leads_owner;
call api.document(
  'api.export_audit_events', tag => 'Audit log', answer => 'api.audit_event', form => 'export',
  headers => '{Content-Disposition}', problems => '{validation_failed}'
);
