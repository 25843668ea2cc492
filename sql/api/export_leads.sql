-- api.export_leads - GET /leads/export.
set local role leads_exec;

create or replace function api.export_leads(
  format api.export_format default 'ndjson',
  cursor api.export_cursor default null,
  pipeline_stage api.any_of default null,
  source api.any_of default null,
  email api.any_of default null,
  start_at timestamptz default null,
  end_at timestamptz default null,
  phone text default null,
  reference text default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_page record := app.lead_export(
    auth.entered_organization_id(), export_leads.format, export_leads.cursor, export_leads.pipeline_stage,
    export_leads.source, export_leads.email, export_leads.phone, export_leads.reference, export_leads.start_at,
    export_leads.end_at
  );
begin
  return row(200, app.export_headers('leads', export_leads.format, v_page.next_cursor), v_page.body)::api.answer;
end $$;

comment on function api.export_leads(
  api.export_format, api.export_cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz, text, text
) is
$$Export leads, newest first.

All leads that match the filters, as NDJSON or CSV. The filters are those of the list. Each line has all fields of the lead,
and its phone, reference and details.

The last line says that the export is complete: {"complete":true,"rows":2} in NDJSON, and a record that begins with
"# complete,2" in CSV. If that line is missing, the export was cut off: repeat it.

The export is read page by page, and is not a snapshot. It has every lead that existed when it began exactly once, each as
it is when its page is read. A lead that is erased meanwhile can be missing, and a lead that is created meanwhile can be in
it.

CSV is as in RFC 4180: UTF-8, CRLF, a header line. details is a JSON object. A text that begins with = + - @, a tab or a line
break gets an apostrophe before it, because a spreadsheet would run it as a formula. That includes a phone such as
+15550100. NDJSON has the texts unchanged.$$;

grant execute on function
  api.export_leads(
    api.export_format, api.export_cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz, text, text
  )
to leads_api;

set local role leads_owner;
call api.document(
  'api.export_leads', tag => 'Leads', answer => 'api.exported_lead', form => 'export', headers => '{Content-Disposition}',
  problems => '{validation_failed}'
);
