-- webhook.seconds_until_due - how long a worker can sleep.
set local role leads_jobs;

create or replace function webhook.seconds_until_due(key_ids text[])
returns double precision language sql stable security definer
begin atomic
  select extract(epoch from min(greatest(f.next_attempt_at, p.paused_until)) - clock_timestamp())::double precision
  from webhook.first_deliveries() as f
  join webhook.endpoint as p on p.organization_id = f.organization_id and p.id = f.endpoint_id
  where p.state = 'enabled' and p.secret_key = any (seconds_until_due.key_ids);
end;

comment on function webhook.seconds_until_due(text[]) is
  'Seconds until the next delivery is due or a lease ends. Negative: a delivery is due. Null: no delivery waits.';

grant execute on function webhook.seconds_until_due(text[]) to leads_worker;
