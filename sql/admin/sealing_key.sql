-- admin.sealing_key - the public key to which leads webhooks seals secrets.
set local role leads_jobs;

create or replace function admin.sealing_key()
returns table (id text, public_key bytea) language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return query select k.key_id, k.public_key from webhook.sealing_key as k where k.is_current;
  if not found then
    raise sqlstate 'PT409' using
      message = 'no_sealing_key',
      hint = 'A secret can be stored only after a worker has announced its key. Start one with: leads worker';
  end if;
end $$;

comment on function admin.sealing_key() is
  'The current public key of the workers, with its id. Raises PT409 no_sealing_key if no worker has announced one.';

grant execute on function admin.sealing_key() to leads_operator;
