-- admin.export_leads - a page of the export of an organization's leads, for leads export.
set local role leads_jobs;

create or replace function admin.export_leads(
  organization_id uuid,
  format api.export_format default 'ndjson',
  cursor api.export_cursor default null,
  pipeline_stage api.any_of default null,
  source api.any_of default null,
  email api.any_of default null,
  phone text default null,
  reference text default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns table (body text, next_cursor text, row_count bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_page record;
begin
  perform admin.organization(export_leads.organization_id);
  v_page := app.lead_export(
    export_leads.organization_id, export_leads.format, export_leads.cursor, export_leads.pipeline_stage, export_leads.source,
    export_leads.email, export_leads.phone, export_leads.reference, export_leads.start_at, export_leads.end_at
  );
  perform audit.record_read(export_leads.organization_id, 'admin.export_leads', v_page.lead_ids);
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
  return next;
end $$;

comment on function admin.export_leads(
  uuid, api.export_format, api.export_cursor, api.any_of, api.any_of, api.any_of, text, text, timestamptz, timestamptz
) is
$$A page as app.lead_export returns it. Writes the event lead.read for the leads of the page.

Raises PT404 organization_not_found and PT422 validation_failed.$$;

grant execute on function admin.export_leads(
  uuid, api.export_format, api.export_cursor, api.any_of, api.any_of, api.any_of, text, text, timestamptz, timestamptz
) to leads_operator;
