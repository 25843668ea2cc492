-- api.create_lead - POST /leads.
set local role leads_exec;

create or replace function api.create_lead(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := case when create_lead.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  ) end;
  v_faults json;
  v_lead app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_lead := app.plain_lead(v_organization_id, v_fields, true);
  if v_lead is null then
    v_faults := app.lead_faults(v_organization_id, v_fields);
  end if;
  if
    coalesce(v_fields -> 'email', 'null') = 'null'
    and (coalesce(v_fields -> 'name', 'null') = 'null' or coalesce(v_fields -> 'company', 'null') = 'null')
  then
    v_faults := (
      select json_agg(f.fault)
      from (
        select json_array_elements(v_faults) as fault
        union all
        select json_array_elements(app.contact_fault(
          v_organization_id,
          coalesce(v_fields -> 'name', 'null') <> 'null' and coalesce(v_fields -> 'phone', 'null') <> 'null',
          false
        ))
      ) as f
    );
  end if;
  if v_faults is not null then
    perform app.raise_faults(422, 'validation_failed', v_faults);
  end if;

  if v_lead is null then
    v_lead := app.lead_from(v_fields, null);
    perform app.raise_faults(422, 'validation_failed', app.details_size_faults(v_lead.details));
  end if;
  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, phone, reference, details
  )
  values (
    v_organization_id, v_lead.name, v_lead.company, v_lead.email, v_lead.source, coalesce(v_lead.lead_score, 0),
    coalesce(v_lead.pipeline_stage, 'new'), v_lead.industry, v_lead.company_size, v_lead.pain_points, v_lead.timeline,
    v_lead.budget_range, v_lead.ai_reasoning, v_lead.phone, v_lead.reference, v_lead.details
  )
  returning * into v_lead;
  perform crm.wake_worker(v_lead.organization_id, v_lead.id);

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    coalesce(v_lead.item, app.computed_lead_item(v_lead))
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.create_lead(text, api.idempotency_key, integer) is
$$Create a lead.

A lead needs an email, or a name and a company. The default of lead_score is 0, that of pipeline_stage is "new". White
space and invisible characters at the ends of a text are removed. Two leads can have the same address: the API does not
merge them. If the organization accepts it, a name and a phone also suffice. reference is your own id of the lead: a second
lead with it is an error (409). The response has the 12 fields that a list shows; GET /leads/{id}/details shows phone,
reference and details.$$;

grant execute on function api.create_lead(text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_lead',
  tag => 'Leads',
  request => 'api.new_lead_input',
  rule => '{
    "description": "A new lead, with an email, or a name and a company; in some organizations, a name and a phone suffice.",
    "allOf": [
      "$body",
      {
        "anyOf": [
          {"required": ["email"], "properties": {"email": {"type": "string"}}},
          {
            "required": ["name", "company"],
            "properties": {"name": {"type": "string"}, "company": {"type": "string"}}
          },
          {
            "required": ["name", "phone"],
            "properties": {"name": {"type": "string"}, "phone": {"type": "string"}}
          }
        ]
      }
    ]
  }',
  answer => 'api.lead_item',
  statuses => '{201}',
  headers => '{Location,ETag}',
  problems => '{reference_in_use}',
  examples => '{"201": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 0, "pipeline_stage": "new", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:05.114Z"}}'
);
