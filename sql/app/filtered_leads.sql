-- app.filtered_leads - the rows of a page of the leads that match filters.
set local role leads_owner;

create or replace function app.filtered_leads(
  organization_id uuid,
  stages text[],
  sources text[],
  emails text[],
  phone text,
  reference text,
  before timestamptz,
  before_id uuid,
  start_at timestamptz,
  "limit" integer
)
returns setof app.lead_values language plpgsql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few leads with a value, and would sort them instead of reading them in order.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := filtered_leads.organization_id;
  v_emails text[] := array(
    select lower(app.read_email(e.value) collate "C") from unnest(filtered_leads.emails) as e (value)
  );
  v_phones text[];
begin
  -- One statement for each combination of filters, because each has its own index, as in api.list_leads.
  if filtered_leads.reference is not null or filtered_leads.phone is not null then
    v_phones := app.phone_keys(filtered_leads.phone, v_organization_id);
  end if;
  if filtered_leads.reference is not null then
    -- A reference has at most one lead.
    return query
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and l.reference = app.clean_text(filtered_leads.reference)
      and (filtered_leads.phone is null or l.phone_key = any (v_phones))
      and (filtered_leads.emails is null or l.email_key = any (v_emails))
      and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
      and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
      and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
      and l.created_at >= filtered_leads.start_at;
  elsif filtered_leads.phone is not null then
    return query
    select p.*
    from (select distinct k.value from unnest(v_phones) as k (value)) as k
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.phone_key = k.value
        and (filtered_leads.emails is null or l.email_key = any (v_emails))
        and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
        and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.emails is not null then
    return query
    select p.*
    from (select distinct e.value from unnest(v_emails) as e (value)) as e
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.email_key = e.value
        and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
        and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.stages is not null and filtered_leads.sources is not null then
    return query
    select p.*
    from (
      select distinct g.value || '/' || s.value as value
      from unnest(filtered_leads.stages) as g (value)
      cross join unnest(filtered_leads.sources) as s (value)
    ) as f
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.pipeline_stage_and_source = f.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.stages is not null then
    return query
    select p.*
    from (select distinct u.value from unnest(filtered_leads.stages) as u (value)) as g
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.pipeline_stage = g.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.sources is not null then
    return query
    select p.*
    from (select distinct u.value from unnest(filtered_leads.sources) as u (value)) as s
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.source = s.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  else
    return query
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
      and l.created_at >= filtered_leads.start_at
    order by l.created_at desc, l.id desc
    limit filtered_leads.limit;
  end if;
end $$;

comment on function app.filtered_leads(
  uuid, text[], text[], text[], text, text, timestamptz, uuid, timestamptz, integer
) is
$$The leads that match all filters, newest first.

stages, sources, emails, phone, reference: the values of the filters; null: no filter. before, before_id: the upper bound of
the page, exclusive. start_at: the lower bound, inclusive. "limit": the number of rows.$$;

grant execute on function app.filtered_leads(
  uuid, text[], text[], text[], text, text, timestamptz, uuid, timestamptz, integer
) to leads_exec, leads_jobs;
