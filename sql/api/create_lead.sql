-- api.create_lead - POST /leads.
set local role leads_exec;

create or replace function api.create_lead(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  );
  v_lead app.lead;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', (
    with fault as (
      select json_array_elements(app.lead_faults(v_organization_id, v_fields)) as fault
      union all
      select json_array_elements(app.contact_fault())
      where v_fields ->> 'email' is null and (v_fields ->> 'name' is null or v_fields ->> 'company' is null)
    )
    select json_agg(f.fault) from fault as f
  ));

  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  )
  values (
    v_organization_id,
    app.trim_text(v_fields ->> 'name'),
    app.trim_text(v_fields ->> 'company'),
    app.trim_text(v_fields ->> 'email'),
    app.trim_text(v_fields ->> 'source'),
    coalesce((v_fields ->> 'lead_score')::numeric::integer, 0),
    coalesce(app.trim_text(v_fields ->> 'pipeline_stage'), 'new'),
    app.trim_text(v_fields ->> 'industry'),
    app.trim_text(v_fields ->> 'company_size'),
    app.trim_text(v_fields ->> 'pain_points'),
    app.trim_text(v_fields ->> 'timeline'),
    app.trim_text(v_fields ->> 'budget_range'),
    app.trim_text(v_fields ->> 'ai_reasoning')
  )
  returning * into v_lead;
  perform crm.wake_worker(v_organization_id, v_lead.id);

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    row_to_json(app.lead_item(v_lead))::text
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.create_lead(text, api.idempotency_key, integer) is
$$Create a lead.

At least one of email, or name and company together, is required. lead_score begins at 0 and pipeline_stage at "new",
unless given. Text is kept as sent, without the white space at its ends. Two leads may share an address: nothing is
merged. The answer has the 12 fields that a list shows.$$;

grant execute on function api.create_lead(text, api.idempotency_key, integer) to leads_api;
