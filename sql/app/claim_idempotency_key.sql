-- app.claim_idempotency_key - gives all requests with one Idempotency-Key one effect.
set local role leads_owner;

create or replace function app.claim_idempotency_key(
  organization_id uuid,
  idempotency_key text,
  wait integer,
  request text
)
returns api.answer language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := claim_idempotency_key.organization_id;
  v_key_digest bytea;
  v_request_digest bytea;
  v_lock_timeout text := current_setting('lock_timeout');
  v_is_claimed boolean;
  v_kept app.idempotency_key;
begin
  if claim_idempotency_key.idempotency_key is null then
    return null;
  end if;
  v_key_digest := sha256(convert_to(v_organization_id || claim_idempotency_key.idempotency_key, 'UTF8'));
  v_request_digest := sha256(convert_to(claim_idempotency_key.request, 'UTF8'));

  -- A second request waits here for the transaction of the first one. Then it finds the answer, or
  -- claims the key itself if the first one rolled back.
  begin
    perform set_config('lock_timeout', greatest(claim_idempotency_key.wait, 1)::text, true);
    insert into app.idempotency_key as k (organization_id, key_digest, request_digest)
    values (v_organization_id, v_key_digest, v_request_digest)
    on conflict (organization_id, key_digest) do update
    set
      request_digest = excluded.request_digest,
      status = null,
      headers = null,
      body = null,
      object_id = null,
      created_at = excluded.created_at
    where k.created_at < now() - interval '24 hours' or (k.status is null and k.request_digest = excluded.request_digest);
    v_is_claimed := found;
  exception
    when lock_not_available then
      raise sqlstate 'PT409' using message = 'idempotency_in_progress';
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);

  if v_is_claimed then
    -- Each claim deletes a few expired rows that no other transaction has locked.
    delete from app.idempotency_key as k
    where k.organization_id = v_organization_id and k.key_digest in (
      select e.key_digest
      from app.idempotency_key as e
      where e.organization_id = v_organization_id and e.created_at < now() - interval '24 hours'
      order by e.created_at
      limit 10
      for update skip locked
    );
    return null;
  end if;

  select k.* into v_kept
  from app.idempotency_key as k
  where k.organization_id = v_organization_id and k.key_digest = v_key_digest;
  if v_kept.request_digest is null then
    raise sqlstate 'PT409' using message = 'erased';
  end if;
  if v_kept.request_digest is distinct from v_request_digest then
    raise sqlstate 'PT422' using message = 'idempotency_key_reused';
  end if;
  if v_kept.object_id is not null then
    raise sqlstate 'PT409' using
      message = 'secret_already_shown',
      hint = format(
        'This request succeeded earlier. Its response showed the secret of %s, and is not kept. If you lost the secret, delete '
        'or rotate this object, and use a new Idempotency-Key.',
        v_kept.object_id
      );
  end if;
  return row(
    v_kept.status,
    (v_kept.headers::jsonb || '{"Idempotency-Replayed": "true"}')::json,
    v_kept.body
  )::api.answer;
end $$;

comment on function app.claim_idempotency_key(uuid, text, integer, text) is
$$Claims the key for this transaction, or returns the answer that is kept for it.

wait: milliseconds to wait for a transaction that has claimed the key, at least 1. request: method, path and body, raw.
Returns the kept answer. Null: the key is claimed (or idempotency_key is null); keep the answer with app.keep_answer, or, if
it shows a secret, app.keep_secret_answer. Raises PT409 idempotency_in_progress, erased and secret_already_shown, and PT422
idempotency_key_reused for another request with the same key.
The caller raises an error for a later fault, so that the rollback removes the claim.$$;

grant execute on function app.claim_idempotency_key(uuid, text, integer, text) to leads_exec;
