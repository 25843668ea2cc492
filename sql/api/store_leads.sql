-- api.store_leads - POST /leads/bulk.
set local role leads_exec;

create or replace function api.store_leads(
  body text,
  media_type text,
  on_duplicate api.duplicate_rule default 'error',
  match api.duplicate_key default 'reference',
  atomic boolean default false,
  dry_run boolean default false,
  push boolean default false,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_answer api.answer := case when store_leads.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, store_leads.idempotency_key, store_leads.idempotency_wait,
    concat_ws(
      chr(10), 'POST /leads/bulk', store_leads.media_type, store_leads.on_duplicate, store_leads.match, store_leads.atomic,
      store_leads.dry_run, store_leads.push, store_leads.body
    )
  ) end;
  v_results api.bulk_result[];
  v_is_stored boolean := false;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  begin
    select array_agg(row(r.position, r.status, r.lead_id, r.faults)::api.bulk_result order by r.position) into v_results
    from app.store_leads(
      v_organization_id,
      app.upload_rows(store_leads.body, store_leads.media_type),
      store_leads.media_type = 'text/csv',
      store_leads.match,
      store_leads.on_duplicate,
      store_leads.push
    ) as r;
    if
      store_leads.dry_run
      or (store_leads.atomic and exists (select from unnest(v_results) as r where r.status = 'failed'))
    then
      -- Ends the block, which takes back its changes. The results stay.
      raise sqlstate 'PT001';
    end if;
    v_is_stored := true;
    if store_leads.push then
      perform crm.wake_worker(v_organization_id, s.lead_id)
      from crm.sync as s
      join unnest(v_results) as r on r.id = s.lead_id
      where s.organization_id = v_organization_id and s.status = 'pending'
      limit 1;
    end if;
  exception
    when sqlstate 'PT001' then
      null;
  end;

  v_answer := (
    with result as (
      select
        r."row",
        case
          when
            store_leads.atomic and not v_is_stored and r.status <> 'failed'
            and bool_or(r.status = 'failed') over ()
            then 'not_stored'
          else r.status
        end as status,
        -- A lead that was not stored has no id.
        case when v_is_stored or not bool_or(r.status = 'created') over (partition by r.id) then r.id end as id,
        case
          when r.errors is null then '[]'
          -- The response is kept, and one must be able to read it.
          when sum(octet_length(r.errors::text)) over (order by r."row") <= 4194304 then r.errors
          else json_build_array(json_build_object(
            'field', 'row', 'code', 'too_many_errors',
            'detail', 'The response has 4 MiB of errors of earlier rows. Correct these, and send the row again.'
          ))
        end as errors
      from unnest(v_results) as r
    )
    select row(
      200,
      '{}',
      concat(
        '{"is_stored":', v_is_stored::text,
        ',"created":', count(*) filter (where r.status = 'created'),
        ',"updated":', count(*) filter (where r.status = 'updated'),
        ',"skipped":', count(*) filter (where r.status = 'skipped'),
        ',"failed":', count(*) filter (where r.status = 'failed'),
        ',"not_stored":', count(*) filter (where r.status = 'not_stored'),
        ',"results":[', string_agg(
          row_to_json(row(r."row", r.status, r.id, r.errors)::api.bulk_result)::text, ',' order by r."row"
        ),
        ']}'
      )
    )::api.answer
    from result as r
  );
  if store_leads.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, store_leads.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.store_leads(
  text, text, api.duplicate_rule, api.duplicate_key, boolean, boolean, boolean, api.idempotency_key, integer
) is
$$Store many leads.

Up to 10,000 leads, as a JSON array, as NDJSON (application/x-ndjson: a JSON object in each line) or as CSV with a header. A
row has the fields of POST /leads, and the same rules. The response has a result for each row, in their order, with all its
errors; the other rows are stored nevertheless. With atomic, all rows are stored or none. With dry_run, nothing is stored,
and the response has the results that the rows would have. A row that has the reference of a lead that exists fails
(on_duplicate=error), is left out (skip), or changes the lead like a PATCH: fields that are left out keep their value
(update). match=email or match=phone finds the lead by another field; a row without this field is a new lead. An earlier row
of the upload counts as a lead that exists. Leads in the push_stage of the CRM connection are not pushed, unless push is
true: their crm-sync is skipped, and a later change of the stage pushes them. In CSV, the columns are the fields, and
details.NAME for each detail; an empty cell is left out.$$;

grant execute on function api.store_leads(
  text, text, api.duplicate_rule, api.duplicate_key, boolean, boolean, boolean, api.idempotency_key, integer
) to leads_api;

set local role leads_owner;
call api.document(
  'api.store_leads',
  tag => 'Leads',
  request => 'api.new_lead_input',
  rule => '{
    "description": "The leads. Another media type has the same rows.",
    "type": "array",
    "maxItems": 10000,
    "items": {"anyOf": ["$body", {"description": "Another value is a row that fails."}]}
  }',
  answer => 'api.bulk_answer',
  parameters => '{
    "on_duplicate": "What happens to a row whose lead exists: it fails (`error`), is left out (`skip`), or changes the lead (`update`).",
    "match": "The field by which a row finds the lead that exists.",
    "atomic": "Store all rows, or none if one fails.",
    "dry_run": "Store nothing, and return what would happen.",
    "push": "Push the leads that are in the push_stage of the CRM connection."
  }',
  examples => '{"request": [{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "reference": "form-7731"}, {"email": "ada.abbott@example.com", "lead_score": 87}], "200": {"is_stored": true, "created": 1, "updated": 0, "skipped": 0, "failed": 1, "not_stored": 0, "results": [{"row": 1, "status": "created", "id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "errors": []}, {"row": 2, "status": "failed", "id": null, "errors": [{"field": "lead_score", "code": "out_of_range", "detail": "This must be a whole number from 0 to 100."}]}]}}'
);
