-- api.create_signals - POST /leads/{id}/signals.
set local role leads_exec;

create or replace function api.create_signals(
  id uuid,
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_signals.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_signals.idempotency_key, create_signals.idempotency_wait,
    concat('POST /leads/', create_signals.id, '/signals', chr(10), create_signals.body)
  );
  v_is_batch boolean := v_fields ? 'signals';
  v_ids uuid[];
  v_items text[];
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', scoring.signal_faults(v_fields));

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = create_signals.id for key share;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_fields := case when v_is_batch then v_fields -> 'signals' else jsonb_build_array(v_fields) end;
  -- Ids in the order that they were sent in, which is that of a page.
  v_ids := array(select app.new_id() from generate_series(1, jsonb_array_length(v_fields)));

  with sent as (
    select
      v_ids[s.ordinality] as id,
      s.signal ->> 'type' as type,
      scoring.clean_value(coalesce(s.signal -> 'value', 'true')) as value,
      date_trunc('milliseconds', coalesce(app.read_instant(s.signal ->> 'observed_at'), now())) as observed_at,
      app.clean_text(s.signal ->> 'dedupe_key') as dedupe_key
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
  )
  insert into scoring.signal (id, organization_id, lead_id, type, value, observed_at, dedupe_key)
  select s.id, v_organization_id, create_signals.id, s.type, s.value, s.observed_at, s.dedupe_key
  from sent as s
  -- Two batches with the same keys wait for each other in one order, and so for no deadlock.
  order by s.dedupe_key, s.id
  on conflict (organization_id, lead_id, dedupe_key) do nothing;

  -- Where a key was there already, the first signal under it.
  v_items := array(
    select row_to_json(scoring.signal_item(
      i.id, i.organization_id, i.lead_id, i.type, i.value, i.observed_at, i.dedupe_key, i.created_at
    ))::text
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
    cross join lateral (
      select i.*
      from scoring.signal as i
      where i.organization_id = v_organization_id and i.id = v_ids[s.ordinality]
      union all
      select i.*
      from scoring.signal as i
      where
        i.organization_id = v_organization_id
        and i.lead_id = create_signals.id
        and i.dedupe_key = app.clean_text(s.signal ->> 'dedupe_key')
        and i.id <> v_ids[s.ordinality]
    ) as i
    order by s.ordinality
  );

  if (
    select m.document -> 'rescore_on_signal' = 'true' and exists (
      select
      from scoring.signal as i
      join jsonb_array_elements(m.document -> 'rules') as r (rule) on r.rule ->> 'signal' = i.type
      where i.organization_id = v_organization_id and i.id = any (v_ids)
    )
    from scoring.model_in_force(v_organization_id) as m
  ) then
    perform scoring.score_lead(v_organization_id, create_signals.id);
  end if;

  v_answer := row(
    201,
    null,
    case when v_is_batch then '{"data":[' || array_to_string(v_items, ',') || ']}' else v_items[1] end
  );
  if create_signals.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_signals.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.create_signals(uuid, text, api.idempotency_key, integer) is
$$Add signals to a lead.

The body is a signal, or {"signals": […]} with up to 200 signals. Either all are added, or none. type is a machine name.
value is true, false, null, a number, a text, or a flat object of these; the default is true. A blank text is refused,
and the text "false" counts like any other text: send false without quotation marks. White space and invisible
characters at the ends of a text are removed. The default of observed_at is now, and it can be in the past. If the lead already has a signal with the same dedupe_key, nothing is added, and the
response has that first signal. Only the latest signal of each type counts for the score (by observed_at, then id);
false and null do not count. If the organization's scoring model says so and uses such a signal, the lead is scored
again at once.$$;

grant execute on function api.create_signals(uuid, text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_signals',
  tag => 'Scoring',
  request => 'api.signal_input',
  rule => '{
    "description": "One signal, or several.",
    "oneOf": ["$body", {"$ref": "#/components/schemas/SignalBatch"}]
  }',
  answer => 'api.signal',
  form => 'one_or_list',
  statuses => '{201}'
);
