-- api.list_audit_events - GET /audit-log.
set local role leads_exec;

create or replace function api.list_audit_events(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few rows, and would sort all partitions.
set enable_sort = off
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_bound record;
  -- Above every row.
  v_at timestamptz := 'infinity';
  v_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
  v_cursor text;
begin
  if not list_audit_events.action <@ audit.actions() or not list_audit_events.source <@ v_sources then
    perform app.raise_faults(
      422, 'validation_failed', audit.event_filter_faults(list_audit_events.action, list_audit_events.source)
    );
  end if;

  if list_audit_events.cursor is not null or list_audit_events.end_at is not null then
    v_bound := app.page_bound(list_audit_events.cursor, list_audit_events.end_at);
    v_at := v_bound.created_at;
    v_id := v_bound.id;
  end if;

  -- One statement for each combination of filters, because each has its own index.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select audit.event_text(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      )
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id = list_audit_events.lead_id
        and (list_audit_events.action is null or e.action = any (list_audit_events.action))
        and (list_audit_events.source is null or e.source = any (list_audit_events.source))
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  elsif list_audit_events.action is not null then
    v_items := array(
      select audit.event_text(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      )
      from (
        select distinct a.value || '/' || s.value as value
        from unnest(list_audit_events.action) as a (value)
        cross join unnest(coalesce(list_audit_events.source, v_sources)) as s (value)
      ) as f
      cross join lateral (
        select e.*
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.action_and_source = f.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_audit_events.source is not null then
    v_items := array(
      select audit.event_text(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      )
      from (select distinct u.value from unnest(list_audit_events.source) as u (value)) as s
      cross join lateral (
        select e.*
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.source = s.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select audit.event_text(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      )
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  v_cursor := app.next_cursor(v_items, list_audit_events.limit);
  return app.page(v_items, list_audit_events.limit, v_cursor);
end $$;

comment on function api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz) is
$$List the audit log, newest first.

The log has every change of the organization's records: over the API, in SQL, by a worker or by the system. Filters
match exact values. Several values, separated by commas, match any of them; the parameter can also be repeated. start_at
is inclusive, end_at exclusive. Another action or source is an error (422).$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;

set local role leads_owner;
call api.document(
  'api.list_audit_events', tag => 'Audit log', answer => 'api.audit_event', problems => '{validation_failed}'
);
