-- app.create_leads - inserts the new leads of an upload.
set local role leads_owner;

create or replace function app.create_leads(organization_id uuid, sent app.sent_lead[])
returns table ("position" integer, lead_id uuid, faults json)
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := create_leads.organization_id;
  v_faults json[];
  -- In the order of the rows, which is that of a page.
  v_ids uuid[] := array(select app.new_id() from generate_series(1, cardinality(create_leads.sent)));
  v_created uuid[];
begin
  v_faults := array(
    select app.joined_faults(
      app.joined_faults(
        case
          when (s.lead).email is null and ((s.lead).name is null or (s.lead).company is null) then
            app.contact_fault(v_organization_id, (s.lead).name is not null and (s.lead).phone is not null, false)
        end,
        app.details_size_faults((s.lead).details)
      ),
      case
        when exists (
          select from app.lead as l where l.organization_id = v_organization_id and l.reference = (s.lead).reference
        )
        then app.reference_fault()
      end
    )
    from unnest(create_leads.sent) with ordinality as s
    order by s.ordinality
  );

  -- A concurrent request can have inserted the reference since. Such a row is not returned.
  if exists (select from unnest(create_leads.sent) as s where s.created_at is not null) then
    with new as (
      insert into app.lead (
        id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size,
        pain_points, timeline, budget_range, ai_reasoning, phone, reference, details, created_at
      )
      select
        v_ids[s.ordinality], v_organization_id, (s.lead).name, (s.lead).company, (s.lead).email, (s.lead).source,
        coalesce((s.lead).lead_score, 0), coalesce((s.lead).pipeline_stage, 'new'), (s.lead).industry,
        (s.lead).company_size, (s.lead).pain_points, (s.lead).timeline, (s.lead).budget_range, (s.lead).ai_reasoning,
        (s.lead).phone, (s.lead).reference, (s.lead).details,
        coalesce(s.created_at, date_trunc('milliseconds', now()))
      from unnest(create_leads.sent) with ordinality as s
      where v_faults[s.ordinality] is null
      on conflict (organization_id, reference) where reference is not null do nothing
      returning id
    )
    select array_agg(n.id) into v_created from new as n;
  else
    with new as (
      insert into app.lead (
        id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size,
        pain_points, timeline, budget_range, ai_reasoning, phone, reference, details
      )
      select
        v_ids[s.ordinality], v_organization_id, (s.lead).name, (s.lead).company, (s.lead).email, (s.lead).source,
        coalesce((s.lead).lead_score, 0), coalesce((s.lead).pipeline_stage, 'new'), (s.lead).industry,
        (s.lead).company_size, (s.lead).pain_points, (s.lead).timeline, (s.lead).budget_range, (s.lead).ai_reasoning,
        (s.lead).phone, (s.lead).reference, (s.lead).details
      from unnest(create_leads.sent) with ordinality as s
      where v_faults[s.ordinality] is null
      on conflict (organization_id, reference) where reference is not null do nothing
      returning id
    )
    select array_agg(n.id) into v_created from new as n;
  end if;

  return query
  select s.position, c.id, v_faults[s.ordinality]
  from unnest(create_leads.sent) with ordinality as s
  left join unnest(v_created) as c (id) on c.id = v_ids[s.ordinality];
end $$;

comment on function app.create_leads(uuid, app.sent_lead[]) is
$$Inserts the leads, and returns for each row the lead or its faults.

sent: rows without faults that find no lead, no two of which have the same reference. lead_id and faults are both null if a
concurrent request has just created a lead with the reference. The columns id and created_at are set here only.$$;

grant execute on function app.create_leads(uuid, app.sent_lead[]) to leads_exec, leads_jobs;
