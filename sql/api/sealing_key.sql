-- api.sealing_key - the public key to which the API server seals secrets.
set local role leads_exec;

create or replace function api.sealing_key()
returns table (id text, public_key bytea) language sql stable security definer
begin atomic
  select k.key_id, k.public_key from webhook.sealing_key as k where k.is_current;
end;

comment on function api.sealing_key() is
  'The current public key of the workers, with its id. No row: no worker has announced one. The server reads it at start and '
  'on NOTIFY, with the routes.';

grant execute on function api.sealing_key() to leads_api;
