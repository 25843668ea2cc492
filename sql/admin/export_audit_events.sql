-- admin.export_audit_events - a page of the export of an organization's audit log, for leads export.
set local role leads_jobs;

create or replace function admin.export_audit_events(
  organization_id uuid,
  format api.export_format default 'ndjson',
  cursor api.export_cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns table (body text, next_cursor text, row_count bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_page record;
begin
  -- This accepts an erased organization: its log is kept.
  perform admin.known_organization(export_audit_events.organization_id);
  v_page := audit.event_export(
    export_audit_events.organization_id, export_audit_events.format, export_audit_events.cursor,
    export_audit_events.action, export_audit_events.source, export_audit_events.lead_id, export_audit_events.start_at,
    export_audit_events.end_at
  );
  -- The events have values of the leads.
  perform audit.record_read(export_audit_events.organization_id, 'admin.export_audit_events', v_page.lead_ids);
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
  return next;
end $$;

comment on function admin.export_audit_events(
  uuid, api.export_format, api.export_cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz
) is
$$A page as audit.event_export returns it. Writes the event lead.read for the leads of the page's events.

Raises PT404 organization_not_found and PT422 validation_failed.$$;

grant execute on function admin.export_audit_events(
  uuid, api.export_format, api.export_cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz
) to leads_operator;
