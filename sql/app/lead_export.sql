-- app.lead_export - a page of the export of an organization's leads.
set local role leads_owner;

create or replace function app.lead_export(
  organization_id uuid,
  format text,
  cursor text,
  stages text[],
  sources text[],
  emails text[],
  phone text,
  reference text,
  start_at timestamptz,
  end_at timestamptz,
  out body text,
  out next_cursor text,
  out row_count bigint,
  out lead_ids uuid[]
)
returns record language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- A page is short, so that other requests don't wait for it, and of a limited size, so that a slow client holds little.
  v_most_rows integer := 500;
  v_most_bytes integer := 262144;
  v_bound record := app.page_bound(lead_export.cursor, lead_export.end_at);
  v_lead app.lead_values;
  v_last_at timestamptz;
  v_line text;
  v_lines text[] := '{}';
  v_bytes integer := 0;
  v_has_more boolean := false;
  v_page record;
begin
  if lead_export.cursor is null then
    -- Later pages have the same filters. A stage that is removed meanwhile doesn't end the export.
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.lead_filter_faults(
          lead_export.organization_id, lead_export.stages, lead_export.sources, lead_export.emails
        )) as fault
        union all
        select json_array_elements(app.phone_filter_faults(lead_export.phone, lead_export.reference))
      ) as f
    ));
  end if;
  lead_ids := '{}';
  for v_lead in
    select f.*
    from app.filtered_leads(
      lead_export.organization_id, lead_export.stages, lead_export.sources, lead_export.emails, lead_export.phone,
      lead_export.reference, v_bound.created_at, v_bound.id, coalesce(lead_export.start_at, '-infinity'), v_most_rows + 1
    ) as f
  loop
    if cardinality(lead_ids) = v_most_rows or v_bytes >= v_most_bytes then
      v_has_more := true;
      exit;
    end if;
    v_line := app.exported_lead(v_lead, lead_export.format);
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    v_last_at := v_lead.created_at;
    lead_ids := lead_ids || v_lead.id;
  end loop;
  v_page := app.export_page(
    v_lines,
    lead_export.format,
    'id,organization_id,name,company,email,source,lead_score,pipeline_stage,industry,company_size,created_at,updated_at,'
    'pain_points,timeline,budget_range,ai_reasoning,qualification_completed_at,phone,reference,details',
    lead_export.cursor, v_has_more, v_last_at, lead_ids[cardinality(lead_ids)]
  );
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
end $$;

comment on function app.lead_export(
  uuid, text, text, text[], text[], text[], text, text, timestamptz, timestamptz
) is
$$Up to 500 leads, newest first, as text. A page ends when it has 256 KiB.

format: ndjson or csv. cursor: the next_cursor of the previous page; null: the first page. stages, sources, emails, phone, reference,
start_at, end_at: the filters; null: none. row_count: the number of rows so far. lead_ids: the leads of the page. Raises PT422 validation_failed.$$;

grant execute on function app.lead_export(
  uuid, text, text, text[], text[], text[], text, text, timestamptz, timestamptz
) to leads_exec, leads_jobs;
