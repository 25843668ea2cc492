-- audit.event_export - a page of the export of an organization's audit log.
set local role leads_owner;

create or replace function audit.event_export(
  organization_id uuid,
  format text,
  cursor text,
  actions text[],
  sources text[],
  lead_id uuid,
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
  -- As in app.lead_export.
  v_most_rows integer := 500;
  v_most_bytes integer := 262144;
  v_bound record := app.page_bound(event_export.cursor, event_export.end_at);
  v_event record;
  v_last_at timestamptz;
  v_last_id uuid;
  v_line text;
  v_lines text[] := '{}';
  v_bytes integer := 0;
  v_has_more boolean := false;
  v_page record;
begin
  if event_export.cursor is null then
    perform app.raise_faults(
      422, 'validation_failed', audit.event_filter_faults(event_export.actions, event_export.sources)
    );
  end if;
  lead_ids := '{}';
  for v_event in
    select f.*
    from audit.filtered_events(
      event_export.organization_id, event_export.actions, event_export.sources, event_export.lead_id,
      v_bound.created_at, v_bound.id, coalesce(event_export.start_at, '-infinity'), v_most_rows + 1
    ) as f
  loop
    if cardinality(v_lines) = v_most_rows or v_bytes >= v_most_bytes then
      v_has_more := true;
      exit;
    end if;
    v_line := case event_export.format
      when 'csv' then concat(
        v_event.id, ',', event_export.organization_id, ',', app.csv_cell(v_event.action), ',',
        app.csv_cell(v_event.source), ',', app.csv_cell(v_event.correlation_id), ',',
        app.csv_cell(v_event.payload::text), ',', app.utc_text(v_event.created_at), E'\r\n'
      )
      else audit.event_text(
        v_event.id, event_export.organization_id, v_event.action, v_event.source, v_event.correlation_id, v_event.payload,
        v_event.created_at
      ) || E'\n'
    end;
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    v_last_at := v_event.created_at;
    v_last_id := v_event.id;
    if v_event.lead_id is not null then
      lead_ids := lead_ids || v_event.lead_id;
    end if;
  end loop;
  lead_ids := array(select distinct u.id from unnest(lead_ids) as u (id));
  v_page := app.export_page(
    v_lines, event_export.format, 'id,organization_id,action,source,correlation_id,payload,created_at',
    event_export.cursor, v_has_more, v_last_at, v_last_id
  );
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
end $$;

comment on function audit.event_export(uuid, text, text, text[], text[], uuid, timestamptz, timestamptz) is
$$Up to 500 events, newest first, as text. A page ends when it has 256 KiB.

format: ndjson or csv. cursor: the next_cursor of the previous page; null: the first page. actions, sources, lead_id, start_at, end_at:
the filters; null: none. row_count: the number of rows so far. lead_ids: the leads of the events in the page. Raises PT422 validation_failed.$$;

grant execute on function audit.event_export(uuid, text, text, text[], text[], uuid, timestamptz, timestamptz)
to leads_exec, leads_jobs;
