-- api.rotate_webhook_secret - POST /webhooks/{id}/rotate-secret.
set local role leads_exec;

create or replace function api.rotate_webhook_secret(
  id uuid,
  new_secret text,
  sealed_secret bytea,
  sealing_key text,
  body text default '{}',
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_overlap interval;
begin
  -- It returns no answer: a repeat of this request is an error.
  perform app.claim_idempotency_key(
    v_organization_id, rotate_webhook_secret.idempotency_key, rotate_webhook_secret.idempotency_wait,
    concat('POST /webhooks/', rotate_webhook_secret.id, '/rotate-secret', chr(10), rotate_webhook_secret.body)
  );
  v_overlap := auth.rotation_overlap(rotate_webhook_secret.body);
  perform
  from webhook.endpoint as p
  where p.organization_id = v_organization_id and p.id = rotate_webhook_secret.id
  for no key update;
  if not found then
    -- Raised, so that the claim is rolled back.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  perform webhook.rotate_secret(
    v_organization_id, rotate_webhook_secret.id, rotate_webhook_secret.sealed_secret, rotate_webhook_secret.sealing_key,
    v_overlap
  );
  perform app.keep_secret_answer(v_organization_id, rotate_webhook_secret.idempotency_key, 200, rotate_webhook_secret.id);
  -- Another statement, which sees the change.
  return row(
    200,
    null::json,
    row_to_json(
      webhook.endpoint_item(v_organization_id, rotate_webhook_secret.id, rotate_webhook_secret.new_secret)
    )::text
  );
end $$;

comment on function api.rotate_webhook_secret(uuid, text, bytea, text, text, api.idempotency_key, integer) is
$$Rotate a webhook's secret.

The response shows the new secret, once. For overlap_hours each message is signed with both secrets, so that the receiver can
change over without a gap. A second rotation within this time ends the oldest secret at once.$$;

grant execute on function
  api.rotate_webhook_secret(uuid, text, bytea, text, text, api.idempotency_key, integer)
to leads_api;

set local role leads_owner;
call api.document(
  'api.rotate_webhook_secret', tag => 'Webhooks', request => 'api.rotation_input', answer => 'api.webhook',
  problems => '{secret_already_shown,no_sealing_key}',
  examples => '{"200": {"id": "01a15d22-7c4d-7f50-8b6c-7d8e9fa0b1c2", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Data warehouse", "url": "https://hooks.example.com/leads", "actions": ["lead.created", "lead.updated", "lead.erased"], "include": "ids", "state": "enabled", "disabled_reason": null, "disabled_at": null, "failing_since": null, "secret": "whsec_…", "previous_secret_expires_at": "2026-04-28T13:22:05.000Z", "created_at": "2026-04-20T09:00:00.000Z", "updated_at": "2026-04-27T13:22:05.000Z"}}'
);
