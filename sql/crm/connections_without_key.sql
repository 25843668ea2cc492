-- crm.connections_without_key - the number of connections that a worker can't serve.
set local role leads_jobs;

create or replace function crm.connections_without_key(key_ids text[])
returns integer language sql stable security definer
begin atomic
  select count(*)::integer
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  where
    c.state = 'active'
    and o.environment = 'live'
    and c.credential_key <> all (connections_without_key.key_ids);
end;

comment on function crm.connections_without_key(text[]) is
  'The number of active connections whose credential none of the keys decrypts, for example after the loss of a key.';

grant execute on function crm.connections_without_key(text[]) to leads_worker;
