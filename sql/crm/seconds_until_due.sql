-- crm.seconds_until_due - how long a worker can sleep.
set local role leads_jobs;

create or replace function crm.seconds_until_due(key_ids text[])
returns numeric language sql stable security definer
begin atomic
  select extract(epoch from min(greatest(d.run_at, c.blocked_until)) - clock_timestamp())
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  cross join lateral (
    select s.run_at
    from crm.sync as s
    where
      s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account and s.run_at is not null
    order by s.run_at
    limit 1
  ) as d
  where
    c.state = 'active'
    and not exists (select from app.placement as p where p.organization_id = c.organization_id and p.state <> 'copying')
    and (o.environment = 'test' or c.credential_key = any (seconds_until_due.key_ids));
end;

comment on function crm.seconds_until_due(text[]) is
  'Seconds until the next push is due or a lease ends. Negative: a push is due. Null: no push waits.';

grant execute on function crm.seconds_until_due(text[]) to leads_worker;
