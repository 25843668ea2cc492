-- webhook.endpoints_without_key - the number of webhooks that a worker can't serve.
set local role leads_jobs;

create or replace function webhook.endpoints_without_key(key_ids text[])
returns integer language sql stable security definer
begin atomic
  select count(*)::integer
  from webhook.endpoint as e
  join app.organization as o on o.organization_id = e.organization_id
  where
    e.state = 'enabled'
    and o.environment = 'live'
    and e.secret_key <> all (endpoints_without_key.key_ids);
end;

comment on function webhook.endpoints_without_key(text[]) is
  'The number of enabled webhooks whose secret none of the keys opens, for example after the loss of a key.';

grant execute on function webhook.endpoints_without_key(text[]) to leads_worker;
