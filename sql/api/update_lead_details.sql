-- api.update_lead_details - PATCH /leads/{id}/details.
set local role leads_exec;

create or replace function api.update_lead_details(
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
  v_fields jsonb := app.read_object(update_lead_details.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, update_lead_details.idempotency_key, update_lead_details.idempotency_wait,
    concat_ws(
      chr(10), 'PATCH /leads/' || update_lead_details.id || '/details', update_lead_details.if_match,
      update_lead_details.body
    )
  );
  v_old app.lead_values;
  v_new app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;
  perform app.raise_faults(422, 'validation_failed', app.lead_faults(v_organization_id, v_fields, true));

  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead_details.id
  for no key update;
  if not found then
    if update_lead_details.idempotency_key is null then
      return null;
    end if;
    -- Raised, so that the claim is rolled back.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  if not app.is_etag_matched(update_lead_details.if_match, app.lead_etag(v_old.revision)) then
    perform app.raise_precondition_failed(update_lead_details.if_match);
  end if;

  v_new := app.lead_from(v_fields, v_old);
  perform app.raise_faults(422, 'validation_failed', app.details_size_faults(v_new.details));
  if v_new.phone is null and v_new.email is null and v_new.company is null then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault(v_organization_id, false, false));
  end if;

  if v_new is distinct from v_old then
    update app.lead as l
    set phone = v_new.phone, reference = v_new.reference, details = v_new.details
    where l.organization_id = v_organization_id and l.id = update_lead_details.id
    returning l.* into v_new;
  end if;

  v_answer := row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_details(v_new))::text
  );
  perform app.keep_answer(v_organization_id, update_lead_details.idempotency_key, v_answer);
  return v_answer;
end $$;

comment on function api.update_lead_details(uuid, text, api.entity_tags, api.idempotency_key, integer) is
$$Change the details of a lead.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value, and null clears it. The same applies
to each member of details. A lead can have at most 50 details, and 16 KiB of them. The ETag is that of the lead. The audit
log records the change as lead.updated.$$;

grant execute on function api.update_lead_details(uuid, text, api.entity_tags, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.update_lead_details',
  tag => 'Leads',
  request => 'api.lead_details_input',
  answer => 'api.lead_details',
  headers => '{ETag}',
  problems => '{reference_in_use}',
  examples => '{"request": {"phone": "(555) 010-0199", "details": {"roof_age": 12, "insured": true, "color": null}}}'
);
