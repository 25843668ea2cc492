-- app.plain_lead - the lead of a body that certainly has no fault, which most bodies are.
set local role leads_owner;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists app.plain_lead(uuid, jsonb);

create or replace function app.plain_lead(organization_id uuid, fields jsonb, is_new boolean default true)
returns app.lead_values language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_lead app.lead_values;
begin
  -- The fields and their limits are written out, because a query of app.lead_field costs more than
  -- twice as much (93 instead of 40 µs). Each transaction prepares each operator again, so there are
  -- few of them. A null has no fault, except in two fields. The paths are strict, because otherwise
  -- an array counts as its elements.
  if plain_lead.fields - (case
      when plain_lead.is_new then array[
        'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry', 'company_size', 'pain_points',
        'timeline', 'budget_range', 'ai_reasoning', 'phone', 'reference'
      ]
      else array[
        'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry', 'company_size', 'pain_points',
        'timeline', 'budget_range', 'ai_reasoning'
      ]
    end) <> '{}'
    or (plain_lead.fields - 'lead_score') @? 'strict $.* ? (@.type() != "string" && @ != null)'
    or plain_lead.fields @? 'strict $.lead_score ? (@.type() != "number" || @ < 0 || @ > 100)'
    -- 87.0 is valid, but its text is no integer.
    or scale((plain_lead.fields -> 'lead_score')::numeric) > 0
    or plain_lead.fields @? 'strict $.pipeline_stage ? (@ == null)'
  then
    return null;
  end if;
  v_lead := jsonb_populate_record(null::app.lead_values, plain_lead.fields);
  if (
    app.is_plain_text(v_lead.name, 255)
    and app.is_plain_text(v_lead.company, 255)
    and app.is_email(v_lead.email)
    and app.is_name(v_lead.source)
    and app.is_plain_text(v_lead.industry, 128)
    and app.is_plain_text(v_lead.company_size, 128)
    and app.is_plain_text(v_lead.pain_points, 10000)
    and app.is_plain_text(v_lead.timeline, 128)
    and app.is_plain_text(v_lead.budget_range, 128)
    and app.is_plain_text(v_lead.ai_reasoning, 10000)
    and app.is_plain_text(v_lead.phone, 64)
    and app.is_phone(v_lead.phone)
    and app.is_plain_text(v_lead.reference, 255)
  ) is false then
    return null;
  end if;
  -- Each organization has the stage "new".
  if plain_lead.fields ->> 'pipeline_stage' <> 'new' and not exists (
    select from app.pipeline_stage as p
    where p.organization_id = plain_lead.organization_id and p.name = plain_lead.fields ->> 'pipeline_stage'
  ) then
    return null;
  end if;
  return v_lead;
end $$;

comment on function app.plain_lead(uuid, jsonb, boolean) is
$$A lead with the fields that a client sends, if these have no fault and are stored as they are.

fields: a JSON object. is_new: whether phone and reference are allowed; a body with details is never plain. Returns null, or a
lead of nulls, if there may be a fault: then app.lead_faults finds it, and app.lead_from reads the fields. Most leads need
neither function. They cost 226 µs, and this one 40 µs.$$;

grant execute on function app.plain_lead(uuid, jsonb, boolean) to leads_exec, leads_jobs;
