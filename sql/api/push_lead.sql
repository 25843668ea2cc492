-- api.push_lead - POST /leads/{id}/push-to-crm.
set local role leads_exec;

create or replace function api.push_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_sync crm.sync_values;
begin
  -- The key only prevents its use for another request: the answer isn't stored.
  perform app.claim_idempotency_key(
    v_organization_id, push_lead.idempotency_key, push_lead.idempotency_wait,
    concat('POST /leads/', push_lead.id, '/push-to-crm')
  );

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = push_lead.id for key share;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_sync := crm.request_push(v_organization_id, push_lead.id, true);
  if v_sync.id is null then
    raise sqlstate 'PT409' using message = 'crm_not_configured';
  end if;
  perform crm.wake_worker(v_organization_id, push_lead.id);
  return crm.push_answer(push_lead.id, v_sync);
end $$;

comment on function api.push_lead(uuid, api.idempotency_key, integer) is
$$Push a lead to the CRM.

Use this if the automatic push at the change of the stage failed or was skipped. If the lead already has a record, the
response has the same external_id, and the CRM is not called. Otherwise the push begins, and the API waits up to 10
seconds for the result: 200 with the external_id, or 202 with the status pending while the push continues (Retry-After
says when to ask again). 502 crm_rejected has the reason of the CRM. If the outcome of an earlier push is unknown,
nothing is sent, and the response is 409 crm_outcome_unknown until an operator has checked the CRM. A body is ignored.$$;

grant execute on function api.push_lead(uuid, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.push_lead',
  tag => 'CRM',
  answer => 'api.lead_sync',
  statuses => '{200,202}',
  problems => '{validation_failed,crm_not_configured,crm_outcome_unknown,crm_rejected,crm_unavailable}',
  examples => '{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": null, "status": "pending", "last_synced_at": null}}}'
);
