-- app.merge_leads - changes the leads that the rows of an upload have found.
set local role leads_owner;

create or replace function app.merge_leads(organization_id uuid, sent app.sent_lead[], ids uuid[])
returns table ("position" integer, lead_id uuid, faults json)
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := merge_leads.organization_id;
  v_positions integer[];
  v_leads app.lead_values[];
  v_faults json[];
begin
  with locked as materialized (
    select s.position, s.fields, s.is_plain, row(l.*)::app.lead_values as old
    from unnest(merge_leads.sent, merge_leads.ids)
      as s ("position", fields, lead, is_plain, key, created_at, faults, id)
    join app.lead as l on l.organization_id = v_organization_id and l.id = s.id
    -- In one order, so that two uploads do not wait for each other.
    order by l.id
    for no key update of l
  ),
  merged as materialized (
    select
      k.position,
      k.old,
      case when k.is_plain then jsonb_populate_record(k.old, k.fields) else app.lead_from(k.fields, k.old) end as new
    from locked as k
  ),
  checked as (
    select
      m.position,
      case when m.new is distinct from m.old then m.new end as new,
      app.joined_faults(
        app.joined_faults(
          case
            when (m.new).email is null and ((m.new).name is null or (m.new).company is null) then app.contact_fault(
              v_organization_id,
              (m.new).name is not null and (m.new).phone is not null,
              (m.old).email is null and (m.old).company is null
            )
          end,
          app.details_size_faults((m.new).details)
        ),
        case
          when (m.new).reference is distinct from (m.old).reference and exists (
            select from app.lead as l where l.organization_id = v_organization_id and l.reference = (m.new).reference
          )
          then app.reference_fault()
        end
      ) as faults,
      (m.old).id as id
    from merged as m
  )
  select
    array_agg(c.position),
    array_agg(case when c.faults is null then c.new end),
    array_agg(c.faults),
    array_agg(c.id)
  into v_positions, v_leads, v_faults, merge_leads.ids
  from checked as c;

  -- A row that changes nothing writes nothing.
  update app.lead as l
  set
    name = n.name,
    company = n.company,
    email = n.email,
    source = n.source,
    lead_score = n.lead_score,
    pipeline_stage = n.pipeline_stage,
    industry = n.industry,
    company_size = n.company_size,
    pain_points = n.pain_points,
    timeline = n.timeline,
    budget_range = n.budget_range,
    ai_reasoning = n.ai_reasoning,
    phone = n.phone,
    reference = n.reference,
    details = n.details
  from unnest(v_leads) as n
  where l.organization_id = v_organization_id and l.id = n.id;

  return query
  select r.position, r.id, r.faults
  from unnest(v_positions, merge_leads.ids, v_faults) as r ("position", id, faults);
end $$;

comment on function app.merge_leads(uuid, app.sent_lead[], uuid[]) is
$$Merges each row into a lead, as PATCH does, and returns for each row the lead and its faults.

sent: rows without faults. ids: the lead of each row; no lead twice. A field that is left out keeps its value. No row is returned
for a lead that was deleted in the meantime.$$;

grant execute on function app.merge_leads(uuid, app.sent_lead[], uuid[]) to leads_exec, leads_jobs;
