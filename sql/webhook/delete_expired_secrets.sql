-- webhook.delete_expired_secrets - deletes the previous secrets of webhooks whose overlap has ended.
set local role leads_jobs;

create or replace function webhook.delete_expired_secrets()
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted integer;
begin
  with expired as (
    select p.organization_id, p.id
    from webhook.endpoint as p
    where p.previous_expires_at <= now()
    -- A delivery may be about to end: the next call deletes the secret.
    for no key update skip locked
  )
  update webhook.endpoint as p
  set previous_secret = null, previous_secret_key = null, previous_is_bound = false, previous_expires_at = null
  from expired as e
  where p.organization_id = e.organization_id and p.id = e.id;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

comment on function webhook.delete_expired_secrets() is
  'Deletes the secrets of all webhooks that were replaced, and do not sign any more. Returns their number. A worker calls it '
  'every minute.';

grant execute on function webhook.delete_expired_secrets() to leads_worker;
