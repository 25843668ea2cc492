-- app.keep_secret_answer - notes under the Idempotency-Key of this transaction that its answer showed a secret.
set local role leads_owner;

create or replace function app.keep_secret_answer(organization_id uuid, idempotency_key text, status integer, object_id uuid)
returns void language sql volatile
begin atomic
  update app.idempotency_key as k
  set status = keep_secret_answer.status, object_id = keep_secret_answer.object_id
  where
    k.organization_id = keep_secret_answer.organization_id
    and k.key_digest = sha256(
      convert_to(keep_secret_answer.organization_id || keep_secret_answer.idempotency_key, 'UTF8')
    );
end;

comment on function app.keep_secret_answer(uuid, text, integer, uuid) is
$$Keeps for 24 hours that the request succeeded, in the transaction of the change, but not its answer.

A repeat of the request is PT409 secret_already_shown (app.claim_idempotency_key). object_id: of the object whose secret the
answer shows. Does nothing if the key is null.$$;

grant execute on function app.keep_secret_answer(uuid, text, integer, uuid) to leads_exec;
