-- api.update_lead - PATCH /leads/{id}.
set local role leads_exec;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists api.update_lead(uuid, text, api.entity_tags);

create or replace function api.update_lead(
  id uuid,
  body text,
  if_match api.entity_tags default null,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_fields jsonb := app.read_object(update_lead.body);
  v_answer api.answer := case when update_lead.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, update_lead.idempotency_key, update_lead.idempotency_wait,
    concat_ws(chr(10), 'PATCH /leads/' || update_lead.id, update_lead.if_match, update_lead.body)
  ) end;
  v_is_plain boolean;
  v_faults json;
  v_old app.lead_values;
  v_new app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  -- IS NOT NULL would be false of a row in which any field is null.
  v_is_plain := not (app.plain_lead(v_organization_id, v_fields, false) is null);
  if not v_is_plain then
    v_faults := app.lead_faults(v_organization_id, v_fields, false);
    if v_faults is not null then
      perform app.raise_faults(422, 'validation_failed', v_faults);
    end if;
  end if;

  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead.id
  for no key update;
  if not found then
    if update_lead.idempotency_key is null then
      return null;
    end if;
    -- Raised, so that the claim is rolled back.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  if not app.is_etag_matched(update_lead.if_match, app.lead_etag(v_old.revision)) then
    perform app.raise_precondition_failed(update_lead.if_match);
  end if;

  v_new := case when v_is_plain then jsonb_populate_record(v_old, v_fields) else app.lead_from(v_fields, v_old) end;
  if v_new.email is null and (v_new.name is null or v_new.company is null) then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault(
      v_organization_id,
      v_new.name is not null and v_new.phone is not null,
      v_old.email is null and v_old.company is null
    ));
  end if;

  -- A patch that changes nothing writes nothing.
  if v_new is distinct from v_old then
    update app.lead as l
    set
      name = v_new.name,
      company = v_new.company,
      email = v_new.email,
      source = v_new.source,
      lead_score = v_new.lead_score,
      pipeline_stage = v_new.pipeline_stage,
      industry = v_new.industry,
      company_size = v_new.company_size,
      pain_points = v_new.pain_points,
      timeline = v_new.timeline,
      budget_range = v_new.budget_range,
      ai_reasoning = v_new.ai_reasoning
    where l.organization_id = v_organization_id and l.id = update_lead.id
    returning l.* into v_new;
  end if;
  if v_new.pipeline_stage <> v_old.pipeline_stage then
    perform crm.wake_worker(v_new.organization_id, v_new.id);
  end if;

  v_answer := row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_change(v_new))::text
  );
  if update_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, update_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.update_lead(uuid, text, api.entity_tags, api.idempotency_key, integer) is
$$Change a lead.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value, and null clears it. pipeline_stage
and lead_score cannot be null. After the change the lead must still have the contact data that a new lead needs. A patch that
changes nothing writes nothing. With If-Match, the change is made only if the lead still has that tag; otherwise the
response is 412. A weak tag (W/) never matches. A repeat with the same Idempotency-Key and the same If-Match returns the
first response, although the tag has changed. The audit log records each change as lead.updated. PATCH /leads/{id}/details
changes phone, reference and details. The response has nine of the lead's fields.$$;

grant execute on function api.update_lead(uuid, text, api.entity_tags, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.update_lead',
  tag => 'Leads',
  request => 'api.lead_input',
  answer => 'api.lead_change',
  headers => '{ETag}',
  examples => '{"request": {"pipeline_stage": "won", "lead_score": 92}}'
);
