-- webhook.tg_endpoint__stamp - dates the changes of a webhook, and keeps the secret that a rotation replaces.
set local role leads_owner;

create or replace function webhook.tg_endpoint__stamp()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  new.updated_at := greatest(date_trunc('milliseconds', clock_timestamp()), old.updated_at);
  if new.state = 'enabled' and old.state <> 'enabled' then
    -- The failures before count no more, and no delivery is given up soon (webhook.settle_delivery).
    new.failures := 0;
    new.failing_since := null;
    new.paused_until := null;
    new.recovered_at := new.updated_at;
  end if;
  if new.secret is distinct from old.secret then
    new.previous_secret := case when new.previous_expires_at is not null then old.secret end;
    new.previous_secret_key := case when new.previous_expires_at is not null then old.secret_key end;
    new.previous_is_bound := new.previous_expires_at is not null and old.secret_is_bound;
  end if;
  return new;
end $$;

comment on function webhook.tg_endpoint__stamp() is
$$Trigger: sets updated_at. When the webhook is enabled, forgets its failures.

If the secret is replaced, the old one becomes previous_secret, or is dropped if previous_expires_at is null. The role of the
API can therefore replace a secret that it can't read.$$;
