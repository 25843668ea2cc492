-- app.keep_answer - keeps an answer under the Idempotency-Key that this transaction claimed.
set local role leads_owner;

create or replace function app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer)
returns void language sql volatile
begin atomic
  update app.idempotency_key as k
  set status = (keep_answer.answer).status, headers = (keep_answer.answer).headers, body = (keep_answer.answer).body
  where
    k.organization_id = keep_answer.organization_id
    and k.key_digest = sha256(convert_to(keep_answer.organization_id || keep_answer.idempotency_key, 'UTF8'))
    and (keep_answer.answer).status <> 202;
end;

comment on function app.keep_answer(uuid, text, api.answer) is
  'Keeps the answer for 24 hours, in the transaction of the change. A 202 is not kept. Does nothing if the key is null.';

grant execute on function app.keep_answer(uuid, text, api.answer) to leads_exec;
