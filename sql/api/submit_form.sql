-- api.submit_form - POST /in/{token}.
set local role leads_intake;

create or replace function api.submit_form(
  payload text,
  media_type text,
  request_headers text,
  client_address text default null
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('form');
  v_headers jsonb := submit_form.request_headers::jsonb;
  v_origin text := submit_form.request_headers::jsonb ->> 'origin';
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_content jsonb := intake.content(submit_form.payload, submit_form.media_type);
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

  if submit_form.client_address is not null then
    v_pause := interval '1 minute' / v_form.requests_per_minute;
    insert into intake.client as c (organization_id, form_id, address, free_at)
    values (v_organization_id, v_form.id, intake.client_network(submit_form.client_address), v_now + v_pause)
    on conflict on constraint client_pkey do update
    set free_at = greatest(c.free_at, v_now) + v_pause
    where c.free_at <= v_now + interval '1 minute' - v_pause;
    if not found then
      raise sqlstate 'PT429' using
        message = 'rate_limited',
        hint = format(
          'This address may send %s requests per minute to the form. Try again in %s s.',
          v_form.requests_per_minute, ceil(extract(epoch from v_pause))
        );
    end if;
  end if;

  if v_form.signature is not null and v_form.credential is not null then
    v_fault := intake.signature_fault(
      v_form.signature,
      intake.encrypted(
        substr(v_form.credential, 17), decode(current_setting('leads.key_digest'), 'hex'), substr(v_form.credential, 1, 16)
      ),
      v_headers,
      submit_form.payload,
      v_content
    );
  end if;
  if v_form.signature = 'google_key' then
    v_content := v_content #- '{body,google_key}';
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
  v_draft := intake.draft(v_organization_id, v_form.id, v_content);
  if v_draft ->> 'event' is not null then
    v_event := sha256(convert_to(v_draft ->> 'event', 'UTF8'));
  end if;
  insert into intake.submission (organization_id, id, form_id, event_digest, outcome)
  values (v_organization_id, v_id, v_form.id, v_event, 'received')
  on conflict on constraint submission_arrives_once do nothing;
  if found then
    v_made := intake.make_lead(v_organization_id, v_form.id, v_draft);
    update intake.submission as s
    set
      outcome = v_made.outcome,
      lead_id = v_made.lead_id,
      content = case when v_made.faults <> '[]' then v_content end,
      faults = nullif(v_made.faults, '[]')
    where s.organization_id = v_organization_id and s.id = v_id;
  end if;
  return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
end $$;

comment on function api.submit_form(text, text, text, text) is
$$Send something to a form.

The token in the path is the key. The body is JSON, or a form. What the form can't make a lead of is kept for 30 days with its
faults. The response is the same for a new lead, a duplicate, spam and a submission that is kept. A sender that repeats an
event, with the id that its service gives, sends it once.$$;

grant execute on function api.submit_form(text, text, text, text) to leads_api;
