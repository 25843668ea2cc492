-- api.create_key - POST /keys.
set local role leads_exec;

create or replace function api.create_key(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_fields jsonb;
  v_key text;
  v_id uuid;
begin
  -- It returns no answer: a repeat of this request is an error.
  perform app.claim_idempotency_key(
    v_organization_id, create_key.idempotency_key, create_key.idempotency_wait, 'POST /keys' || chr(10) || create_key.body
  );
  v_fields := app.read_object(create_key.body);
  perform app.raise_faults(422, 'validation_failed', auth.key_faults(v_fields));
  perform auth.lock_admin_keys(v_organization_id);
  perform auth.limit_keys(v_organization_id);
  v_key := auth.new_key((
    select o.environment from app.organization as o where o.organization_id = v_organization_id
  ));
  v_id := auth.add_key(
    v_organization_id,
    v_fields ->> 'scope',
    sha256(sha256(convert_to(v_key, 'UTF8'))),
    v_fields ->> 'name',
    app.read_instant(v_fields ->> 'expires_at')
  );
  perform app.keep_secret_answer(v_organization_id, create_key.idempotency_key, 201, v_id);
  -- Another statement, which sees the row.
  return row(
    201, auth.announcement(v_organization_id, v_id), row_to_json(api.key_item(v_organization_id, v_id, v_key))::text
  );
end $$;

comment on function api.create_key(text, api.idempotency_key, integer) is
$$Create an API key.

The new key is in the field key. It is shown once, so keep it: only a digest of it is stored. scope is the highest scope:
write includes read, and admin includes both. A key without expires_at does not expire. An organization can have 100 valid
keys.$$;

grant execute on function api.create_key(text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_key', tag => 'Keys', request => 'api.key_input', answer => 'api.key', statuses => '{201}',
  problems => '{secret_already_shown,too_many_keys}',
  examples => '{"201": {"id": "01a15d22-6c4d-7f50-8b6c-7d8e9fa0b1c2", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Website", "scope": "write", "environment": "live", "state": "active", "key": "lk_live_…", "created_at": "2026-04-20T09:00:00.000Z", "expires_at": "2027-04-20T00:00:00.000Z", "revoked_at": null, "rotated_from": null, "last_used_at": null}}'
);
