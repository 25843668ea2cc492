-- api.submit_form - POST /in/{token}.
set local role leads_intake;

create or replace function api.submit_form(
  payload text,
  media_type text,
  request_headers text,
  client_address text default null,
  query_fields text default null
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('form');
  v_headers jsonb := submit_form.request_headers::jsonb;
  v_origin text := submit_form.request_headers::jsonb ->> 'origin';
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_content jsonb;
  v_digest bytea;
  v_earlier record;
  v_secret bytea;
  v_form record;
  v_pause interval;
  v_draft jsonb;
  v_fault jsonb;
  v_event bytea;
  v_id uuid := app.new_id();
  v_made record;
begin
  select
    f.id, f.origins, f.redirect_url, f.requests_per_minute, f.credential, p.signature
  into v_form
  from intake.form as f
  left join intake.preset as p on p.name = f.preset
  where f.organization_id = v_organization_id and f.key_id = auth.key_id();
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;

  v_pause := interval '1 minute' / v_form.requests_per_minute;
  insert into intake.client as c (organization_id, form_id, address, free_at)
  -- Clients without an address, behind a proxy's socket file, have one limit together.
  values (
    v_organization_id, v_form.id, intake.client_network(coalesce(submit_form.client_address, '0.0.0.0')), v_now + v_pause
  )
  on conflict on constraint client_pkey do update
  set free_at = greatest(c.free_at, v_now) + v_pause
  where c.free_at <= v_now + interval '1 minute' - v_pause;
  if not found then
    raise sqlstate 'PT429' using
      message = 'rate_limited',
      hint = format(
        'This address may send %s requests per minute to the form. Try again in %s s.',
        v_form.requests_per_minute, ceil(extract(epoch from v_pause))
      ),
      -- The seconds for Retry-After.
      constraint = ceil(extract(epoch from v_pause))::text;
  end if;

  v_content := intake.content(submit_form.payload, submit_form.media_type, submit_form.query_fields);
  if v_form.signature is not null and v_form.credential is not null then
    v_secret := intake.encrypted(
      substr(v_form.credential, 17), decode(current_setting('leads.key_digest'), 'hex'), substr(v_form.credential, 1, 16)
    );
    v_fault := intake.signature_fault(v_form.signature, v_secret, v_headers, submit_form.payload, v_content);
  end if;
  if v_form.signature = 'google_key' then
    -- The sender's key, wherever it stands.
    v_content := coalesce(replace(
      (v_content #- '{body,google_key}')::text,
      btrim(to_jsonb(convert_from(v_secret, 'UTF8'))::text, '"'),
      '***'
    )::jsonb, v_content #- '{body,google_key}');
  end if;
  if v_fault is null and cardinality(v_form.origins) > 0 and v_origin <> all (v_form.origins) then
    v_fault := jsonb_build_object(
      'field', 'origin', 'code', 'wrong_origin', 'detail', format('The form does not accept the origin %s.', left(v_origin, 100))
    );
  end if;

  if v_fault is not null then
    -- What the sender says of itself, such as the id of the event, is not believed.
    insert into intake.submission (organization_id, id, form_id, outcome, content, faults)
    values (v_organization_id, v_id, v_form.id, 'kept', v_content, jsonb_build_array(v_fault));
    return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
  end if;
  begin
    v_draft := intake.draft(v_organization_id, v_form.id, v_content);
    v_event := sha256(convert_to(v_draft ->> 'event', 'UTF8'));
    v_digest := sha256(convert_to(v_content::text, 'UTF8'));
    insert into intake.submission (organization_id, id, form_id, event_digest, content_digest, outcome)
    values (v_organization_id, v_id, v_form.id, v_event, v_digest, 'received')
    on conflict on constraint submission_arrives_once do nothing;
    if not found then
      select s.id, s.outcome, s.content_digest = v_digest as is_same into v_earlier
      from intake.submission as s
      where s.organization_id = v_organization_id and s.form_id = v_form.id and s.event_digest = v_event
      for update;
      if v_earlier.is_same then
        return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
      end if;
      if v_earlier.outcome in ('kept', 'ignored') then
        -- The sender corrects what could not become a lead.
        update intake.submission as s
        set event_digest = null
        where s.organization_id = v_organization_id and s.id = v_earlier.id;
      else
        v_event := null;
        v_draft := v_draft || jsonb_build_object('is_lead', true, 'is_repeat', true);
      end if;
      insert into intake.submission (organization_id, id, form_id, event_digest, content_digest, outcome)
      values (v_organization_id, v_id, v_form.id, v_event, v_digest, 'received');
    end if;
    v_made := intake.make_lead(v_organization_id, v_form.id, v_draft);
    update intake.submission as s
    set
      outcome = v_made.outcome,
      lead_id = v_made.lead_id,
      content = case when v_made.faults <> '[]' then v_content end,
      faults = nullif(v_made.faults, '[]')
    where s.organization_id = v_organization_id and s.id = v_id;
  exception
    -- What nobody has foreseen is kept.
    when data_exception or integrity_constraint_violation or program_limit_exceeded then
      insert into intake.submission (organization_id, id, form_id, outcome, content, faults)
      values (v_organization_id, v_id, v_form.id, 'kept', v_content, jsonb_build_array(jsonb_build_object(
        'field', 'body', 'code', 'refused', 'detail', format('The form can''t read this (%s).', sqlstate)
      )));
  end;
  return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
end $$;

comment on function api.submit_form(text, text, text, text, text) is
$$Send data to a form.

The token in the path is the key. The body is JSON, or a form. A submission that can't become a lead is kept for 30 days,
with its faults. The response is the same for a new lead, a duplicate, spam and a submission that is kept. If a service
sends an event again with the same id, it is processed once.$$;

grant execute on function api.submit_form(text, text, text, text, text) to leads_api;
