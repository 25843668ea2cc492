-- api.get_lead_everything - GET /leads/{id}/everything.
set local role leads_exec;

create or replace function api.get_lead_everything(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_most integer := 1000;
  v_lead app.lead_values;
  v_has_values boolean;
  v_everything api.lead_everything;
begin
  select l.* into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = get_lead_everything.id;
  -- A lead that was deleted in SQL still has values in the audit log.
  select exists (
    select
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and e.lead_id = get_lead_everything.id
      and e.action not in ('lead.erased', 'lead.read')
      and audit.erased_payload(e.payload)::text <> e.payload::text
  )
  into v_has_values;
  if v_lead.id is null and not v_has_values then
    return null;
  end if;

  if v_lead.id is not null then
    v_everything.lead := app.lead_whole(v_lead);
    v_everything.details := app.lead_details(v_lead);
  end if;
  v_everything.signals := array(
    select scoring.signal_item(
      s.id, s.organization_id, s.lead_id, s.type, s.value, s.observed_at, s.dedupe_key, s.created_at
    )
    from scoring.signal as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.scores := array(
    select row(
      s.id, s.organization_id, s.lead_id, s.kind, s.lead_score, s.ai_reasoning, s.model, s.model_version, s.base,
      s.contributions, app.utc_text(s.created_at)
    )::api.score
    from scoring.score as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.crm_pushes := array(
    select row(
      s.vendor, s.account, s.status, s.external_id, s.error_code, s.error, app.utc_text(s.last_synced_at),
      app.utc_text(s.created_at),
      array(
        select row(
          a.number, a.email, a.display_name, app.utc_text(a.sent_at), a.outcome, a.message, app.utc_text(a.created_at)
        )::api.crm_attempt
        from crm.attempt as a
        where a.organization_id = v_organization_id and a.sync_id = s.id
        order by a.number
      )
    )::api.crm_push
    from crm.sync as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at, s.id
  );
  v_everything.audit_events := array(
    select audit.event_item(e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at)
    from audit.event as e
    where e.organization_id = v_organization_id and e.lead_id = get_lead_everything.id
    order by e.created_at desc, e.id desc
    limit v_most + 1
  );
  v_everything.kept_answers := array(
    select row(
      k.status,
      case
        -- An upload is about other people, too.
        when k.body like '{"is_stored":%' then (
          select json_build_object('results', json_agg(r.result))
          from json_array_elements(k.body::json -> 'results') as r (result)
          where r.result ->> 'id' = get_lead_everything.id::text
        )
        else k.body::json
      end,
      app.utc_text(k.created_at)
    )::api.kept_answer
    from app.idempotency_key as k
    where k.organization_id = v_organization_id and strpos(k.body, get_lead_everything.id::text) > 0
    order by k.created_at desc
    limit v_most + 1
  );
  v_everything.submissions := array(
    select row(
      s.id, s.form_id, s.outcome, s.content::json, s.faults::json, app.utc_text(s.created_at)
    )::api.form_submission
    from intake.submission as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.webhooks := array(
    select row(r.endpoint_id, r.host, app.utc_text(r.first_at), app.utc_text(r.last_at))::api.webhook_recipient
    from webhook.recipient as r
    where r.organization_id = v_organization_id and r.lead_id = get_lead_everything.id
    order by r.first_at, r.endpoint_id
  );
  v_everything.is_complete := greatest(
    cardinality(v_everything.submissions), cardinality(v_everything.signals), cardinality(v_everything.scores), cardinality(v_everything.audit_events),
    cardinality(v_everything.kept_answers)
  ) <= v_most;
  v_everything.submissions := v_everything.submissions[:v_most];
  v_everything.signals := v_everything.signals[:v_most];
  v_everything.scores := v_everything.scores[:v_most];
  v_everything.audit_events := v_everything.audit_events[:v_most];
  v_everything.kept_answers := v_everything.kept_answers[:v_most];
  return row(200, null::json, row_to_json(v_everything)::text);
end $$;

comment on function api.get_lead_everything(uuid) is
$$Get everything about a lead.

The lead, its details, signals, scores, pushes with their attempts, audit events, submissions of forms, the responses that
are kept under Idempotency-Keys, and the webhooks that received its values. A person can request this data. lead and details
are null if the lead was deleted and not erased. A list has up to 1,000 entries, the newest. A lead that was erased returns
404.$$;

grant execute on function api.get_lead_everything(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_lead_everything', tag => 'Leads', answer => 'api.lead_everything');
