-- app.exported_lead - a lead as a line of an export.
set local role leads_owner;

create or replace function app.exported_lead(lead app.lead_values, format text)
returns text language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  if exported_lead.format = 'csv' then
    -- An id, a number, a time and an object can't be read as a formula.
    return concat(
      lead.id, ',', lead.organization_id, ',', app.csv_cell(lead.name), ',', app.csv_cell(lead.company), ',',
      app.csv_cell(lead.email), ',', app.csv_cell(lead.source), ',', lead.lead_score, ',',
      app.csv_cell(lead.pipeline_stage), ',', app.csv_cell(lead.industry), ',', app.csv_cell(lead.company_size), ',',
      app.utc_text(lead.created_at), ',', app.utc_text(lead.updated_at), ',', app.csv_cell(lead.pain_points), ',',
      app.csv_cell(lead.timeline), ',', app.csv_cell(lead.budget_range), ',', app.csv_cell(lead.ai_reasoning), ',',
      app.utc_text(lead.qualification_completed_at), ',', app.csv_cell(lead.phone), ',',
      app.csv_cell(lead.reference), ',', app.csv_cell(coalesce(lead.details::text, '{}')), E'\r\n'
    );
  end if;
  return row_to_json(
    row(
      lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
      lead.pipeline_stage, lead.industry, lead.company_size, app.utc_text(lead.created_at),
      app.utc_text(lead.updated_at), lead.pain_points, lead.timeline, lead.budget_range, lead.ai_reasoning,
      app.utc_text(lead.qualification_completed_at), lead.phone, lead.reference, coalesce(lead.details::json, '{}')
    )::api.exported_lead
  )::text || E'\n';
end $$;

comment on function app.exported_lead(app.lead_values, text) is
  'The 20 fields of api.exported_lead as a line with its end. format: ndjson or csv.';

grant execute on function app.exported_lead(app.lead_values, text) to leads_exec, leads_jobs;
