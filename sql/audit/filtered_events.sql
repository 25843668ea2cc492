-- audit.filtered_events - the rows of a page of the events that match filters.
set local role leads_owner;

create or replace function audit.filtered_events(
  organization_id uuid,
  actions text[],
  sources text[],
  event_lead_id uuid,
  before timestamptz,
  before_id uuid,
  start_at timestamptz,
  "limit" integer
)
returns table (
  id uuid,
  action text,
  source text,
  correlation_id text,
  lead_id uuid,
  payload json,
  created_at timestamptz
)
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few rows, and would sort all partitions.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := filtered_events.organization_id;
begin
  -- One statement for each combination of filters, because each has its own index, as in api.list_audit_events.
  if filtered_events.event_lead_id is not null then
    return query
    select e.id, e.action, e.source, e.correlation_id, e.lead_id, e.payload, e.created_at::timestamptz
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and e.lead_id = filtered_events.event_lead_id
      and (filtered_events.actions is null or e.action = any (filtered_events.actions))
      and (filtered_events.sources is null or e.source = any (filtered_events.sources))
      and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
      and e.created_at >= filtered_events.start_at
    order by e.created_at desc, e.id desc
    limit filtered_events.limit;
  elsif filtered_events.actions is not null then
    return query
    select p.id, p.action, p.source, p.correlation_id, p.lead_id, p.payload, p.created_at::timestamptz
    from (
      select distinct a.value || '/' || s.value as value
      from unnest(filtered_events.actions) as a (value)
      cross join unnest(coalesce(filtered_events.sources, array['api', 'sql', 'worker', 'system'])) as s (value)
    ) as f
    cross join lateral (
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.action_and_source = f.value
        and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
        and e.created_at >= filtered_events.start_at
      order by e.created_at desc, e.id desc
      limit filtered_events.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_events.limit;
  elsif filtered_events.sources is not null then
    return query
    select p.id, p.action, p.source, p.correlation_id, p.lead_id, p.payload, p.created_at::timestamptz
    from (select distinct u.value from unnest(filtered_events.sources) as u (value)) as s
    cross join lateral (
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.source = s.value
        and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
        and e.created_at >= filtered_events.start_at
      order by e.created_at desc, e.id desc
      limit filtered_events.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_events.limit;
  else
    return query
    select e.id, e.action, e.source, e.correlation_id, e.lead_id, e.payload, e.created_at::timestamptz
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
      and e.created_at >= filtered_events.start_at
    order by e.created_at desc, e.id desc
    limit filtered_events.limit;
  end if;
end $$;

comment on function audit.filtered_events(uuid, text[], text[], uuid, timestamptz, uuid, timestamptz, integer) is
$$The events that match all filters, newest first.

actions, sources, event_lead_id: the values of the filters; null: no filter. before, before_id: the upper bound of the page,
exclusive. start_at: the lower bound, inclusive. "limit": the number of rows.$$;

grant execute on function audit.filtered_events(uuid, text[], text[], uuid, timestamptz, uuid, timestamptz, integer)
to leads_exec, leads_jobs;
