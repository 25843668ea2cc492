-- webhook.secrets_to_seal - the secrets of webhooks that a worker must seal again.
set local role leads_jobs;

create or replace function webhook.secrets_to_seal(
  key_ids text[],
  after_organization_id uuid default null,
  after_endpoint_id uuid default null,
  batch integer default 1000
)
returns table (organization_id uuid, endpoint_id uuid, secrets bytea[], secret_keys text[])
language sql stable security definer
begin atomic
  select p.organization_id, p.id, array_agg(s.secret), array_agg(s.key_id)
  from webhook.endpoint as p
  cross join lateral (
    values
      (p.secret, p.secret_key, p.secret_is_bound, null),
      (p.previous_secret, p.previous_secret_key, p.previous_is_bound, p.previous_expires_at)
  ) as s (secret, key_id, is_bound, expires_at)
  where
    (p.organization_id, p.id) > (
      coalesce(secrets_to_seal.after_organization_id, '00000000-0000-0000-0000-000000000000'),
      coalesce(secrets_to_seal.after_endpoint_id, '00000000-0000-0000-0000-000000000000')
    )
    and s.key_id = any (secrets_to_seal.key_ids)
    and not (s.is_bound and s.key_id = secrets_to_seal.key_ids[1])
    and (s.expires_at is null or s.expires_at > now())
    -- A worker whose first key is not the current one would undo the work of the others.
    and exists (select from webhook.sealing_key as k where k.is_current and k.key_id = secrets_to_seal.key_ids[1])
  group by p.organization_id, p.id
  order by p.organization_id, p.id
  limit secrets_to_seal.batch;
end;

comment on function webhook.secrets_to_seal(text[], uuid, uuid, integer) is
$$The secrets that are not sealed to the current key, or not bound to their webhook, of up to batch webhooks.

key_ids: the ids of the worker's keys, the current one first. Only secrets that one of them opens. after_organization_id,
after_endpoint_id: the webhooks after this one, in the order of the ids; null: from the first. A worker opens each, seals it to
the current public key, bound to its organization and its webhook, and calls webhook.keep_sealed_secret.$$;

grant execute on function webhook.secrets_to_seal(text[], uuid, uuid, integer) to leads_worker;
