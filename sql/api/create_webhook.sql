-- api.create_webhook - POST /webhooks.
set local role leads_exec;

create or replace function api.create_webhook(
  body text,
  new_secret text,
  sealed_secret bytea,
  sealing_key text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_id uuid;
begin
  -- It returns no answer: a repeat of this request is an error. The digest of the request is stored. The url
  -- may contain a secret of the receiver, so the digest is not one of the url alone: it covers the Idempotency-Key, too.
  perform app.claim_idempotency_key(
    v_organization_id, create_webhook.idempotency_key, create_webhook.idempotency_wait,
    concat_ws(chr(10), 'POST /webhooks', create_webhook.idempotency_key, create_webhook.body)
  );
  -- Requests of one organization wait for each other here, so that together they don't exceed the number of webhooks.
  perform auth.lock_admin_keys(v_organization_id);
  v_id := webhook.create_endpoint(
    v_organization_id, app.read_object(create_webhook.body), create_webhook.sealed_secret, create_webhook.sealing_key
  );
  perform app.keep_secret_answer(v_organization_id, create_webhook.idempotency_key, 201, v_id);
  -- Another statement, which sees the row.
  return row(
    201, null::json, row_to_json(webhook.endpoint_item(v_organization_id, v_id, create_webhook.new_secret))::text
  );
end $$;

comment on function api.create_webhook(text, text, bytea, text, api.idempotency_key, integer) is
$$Create a webhook.

The events of the organization's audit log are posted to the url from now on, with signatures (Standard Webhooks 1.0.0) of the
secret that this response shows, once. actions chooses the events; without it, all are sent. By default a message has the ids
and the names of the changed fields; with "include": "values" it also has the values, which are personal data. The url must be https and
public. An organization can have 20 webhooks. The guide shows a message, and how to verify a signature.$$;

grant execute on function api.create_webhook(text, text, bytea, text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_webhook', tag => 'Webhooks', request => 'api.new_webhook_input', answer => 'api.webhook', statuses => '{201}',
  problems => '{too_many_webhooks,secret_already_shown,no_sealing_key}',
  examples => '{"201": {"id": "01a15d22-7c4d-7f50-8b6c-7d8e9fa0b1c2", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Data warehouse", "url": "https://hooks.example.com/leads", "actions": ["lead.created", "lead.updated", "lead.erased"], "include": "ids", "state": "enabled", "disabled_reason": null, "disabled_at": null, "failing_since": null, "secret": "whsec_…", "previous_secret_expires_at": null, "created_at": "2026-04-20T09:00:00.000Z", "updated_at": "2026-04-20T09:00:00.000Z"}}'
);
