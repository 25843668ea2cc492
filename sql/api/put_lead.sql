-- api.put_lead - PUT /leads/by-reference/{reference}.
set local role leads_exec;

create or replace function api.put_lead(
  reference text,
  body text,
  if_match api.entity_tags default null,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- The server keeps a slash in a segment encoded.
  v_reference text := regexp_replace(put_lead.reference, '%2[Ff]', '/', 'g');
  v_fields jsonb := app.read_object(put_lead.body);
  v_answer api.answer := case when put_lead.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, put_lead.idempotency_key, put_lead.idempotency_wait,
    concat_ws(chr(10), 'PUT /leads/by-reference/' || v_reference, put_lead.if_match, put_lead.body)
  ) end;
  v_row text := put_lead.body;
  v_sent app.sent_lead;
  v_result record;
  v_lead app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  -- Text is made from a string only: from a number, it can have 131,072 digits.
  if not v_fields ? 'reference' then
    v_row := concat(
      '{"reference":', to_json(v_reference), case when v_fields <> '{}' then ',' end,
      substr(put_lead.body, position('{' in put_lead.body) + 1)
    );
  elsif
    jsonb_typeof(v_fields -> 'reference') <> 'string'
    or app.clean_text(v_fields ->> 'reference') is distinct from app.clean_text(v_reference)
  then
    perform app.raise_faults(422, 'validation_failed', json_build_array(json_build_object(
      'field', 'reference', 'code', 'differs_from_path', 'detail', 'This must be the reference in the path, or be left out.'
    )));
  end if;
  v_sent := app.sent_lead(v_organization_id, 1, v_row, false, 'reference', false, false);
  perform app.raise_faults(422, 'validation_failed', v_sent.faults);

  if put_lead.if_match is not null then
    -- Locked before the tag is compared: of ten that race with one tag, one wins.
    select l.* into v_lead
    from app.lead as l
    where l.organization_id = v_organization_id and l.reference = v_sent.key
    for no key update;
    if not found or not app.is_etag_matched(put_lead.if_match, app.lead_etag(v_lead.revision)) then
      perform app.raise_precondition_failed(put_lead.if_match);
    end if;
  end if;

  for v_tries in 1..10 loop
    select r.* into v_result
    from app.store_sent_leads(v_organization_id, array[v_sent], 'reference', 'update') as r;
    exit when v_result.status is not null;
  end loop;
  if v_result.status is null then
    raise serialization_failure;
  end if;
  perform app.raise_faults(422, 'validation_failed', v_result.faults);
  perform crm.wake_worker(v_organization_id, v_result.lead_id);

  select l.* into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_result.lead_id;
  v_answer := row(
    case v_result.status when 'created' then 201 else 200 end,
    json_build_object(
      'Location', case v_result.status when 'created' then '/api/v1/leads/' || v_lead.id end,
      'ETag', app.lead_etag(v_lead.revision)
    ),
    coalesce(v_lead.item, app.computed_lead_item(v_lead))
  );
  if put_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, put_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.put_lead(text, text, api.entity_tags, api.idempotency_key, integer) is
$$Create or change the lead with a reference.

If no lead has the reference, a lead is created from the body, as POST /leads does (201). Otherwise the body changes the lead
as a JSON merge patch (200): a field that is left out keeps its value, and null clears it. So a repeat changes nothing, and
needs no Idempotency-Key. With If-Match, no lead is created, and the lead is changed only if it still has that tag. A reference in the body must be the one in the
path. Write a slash in the reference as %2F. The response has the 12 fields that a list shows.$$;

grant execute on function api.put_lead(text, text, api.entity_tags, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.put_lead',
  tag => 'Leads',
  request => 'api.new_lead_input',
  answer => 'api.lead_item',
  statuses => '{200,201}',
  headers => '{Location,ETag}',
  parameters => '{"reference": "Your own id of the lead."}'
);
