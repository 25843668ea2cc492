-- api.rotate_key - POST /keys/{id}/rotate.
set local role leads_exec;

create or replace function api.rotate_key(
  id uuid,
  body text default '{}',
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_overlap interval;
  v_key text;
  v_id uuid;
  v_item api.key;
begin
  -- It returns no answer: a repeat of this request is an error.
  perform app.claim_idempotency_key(
    v_organization_id, rotate_key.idempotency_key, rotate_key.idempotency_wait,
    concat('POST /keys/', rotate_key.id, '/rotate', chr(10), rotate_key.body)
  );
  v_overlap := auth.rotation_overlap(rotate_key.body);

  perform auth.lock_admin_keys(v_organization_id);
  if v_overlap > interval '0' then
    perform auth.limit_keys(v_organization_id);
  end if;
  v_key := auth.new_key((
    select o.environment from app.organization as o where o.organization_id = v_organization_id
  ));
  v_id := auth.add_successor(v_organization_id, rotate_key.id, sha256(sha256(convert_to(v_key, 'UTF8'))));
  if v_id is null then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  perform app.keep_secret_answer(v_organization_id, rotate_key.idempotency_key, 201, v_id);
  v_item := api.key_item(v_organization_id, v_id, v_key);
  -- Last: if it is the key of this request, the request can do nothing afterwards.
  perform auth.end_overlap(v_organization_id, rotate_key.id, v_overlap);
  return row(201, auth.announcement(v_organization_id, v_id), row_to_json(v_item)::text);
end $$;

comment on function api.rotate_key(uuid, text, api.idempotency_key, integer) is
$$Rotate an API key.

It creates a key with the name, the scope and the expiry of this one. The new key is in the field key. It is shown once, so
keep it. The old key is valid for overlap_hours more, or until its own expiry if that is sooner. With 0 it is refused from
now on: if you then lose the response, you need another admin key. A key can be rotated once; then rotate its successor.$$;

grant execute on function api.rotate_key(uuid, text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.rotate_key', tag => 'Keys', request => 'api.rotation_input', answer => 'api.key', statuses => '{201}',
  problems => '{secret_already_shown,too_many_keys,key_not_valid,key_rotated_already}',
  examples => '{"201": {"id": "01a15d23-7d5e-7061-9c7d-8e9fa0b1c2d3", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Website", "scope": "write", "environment": "live", "state": "active", "key": "lk_live_…", "created_at": "2026-04-27T09:00:00.000Z", "expires_at": null, "revoked_at": null, "rotated_from": "01a15d22-6c4d-7f50-8b6c-7d8e9fa0b1c2", "last_used_at": null}}'
);
