-- admin.webhook_findings - the findings about webhooks that send nothing, or not yet.
set local role leads_jobs;

create or replace function admin.webhook_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select
    format('webhook %s of organization %s', p.id, p.organization_id),
    format(
      'Its secret is sealed to the key "%s", which no worker has: nothing is sent.', p.secret_key
    ),
    format(
      'Start the workers with that key as one of the keys in LEADS_CRM_KEY. If it is lost, run: leads webhooks rotate-secret %s '
      '--overlap 0h, and give the receiver the new secret.', p.id
    )
  from webhook.endpoint as p
  join app.organization as o on o.organization_id = p.organization_id
  where
    p.state = 'enabled' and o.environment = 'live'
    and exists (select from webhook.sealing_key)
    and not exists (select from webhook.sealing_key as k where k.key_id = p.secret_key)
  union all
  select
    format('webhook %s of organization %s', p.id, p.organization_id),
    case p.disabled_reason
      when 'gone' then format('It was disabled at %s: the receiver answered with 410.', app.utc_text(p.disabled_at))
      else format('It was disabled at %s: nothing was delivered for 3 days.', app.utc_text(p.disabled_at))
    end,
    format(
      'Tell the organization. When the receiver works again, run: leads webhooks set %1$s --state enabled. If it is no longer needed, '
      'run: leads webhooks delete %1$s', p.id
    )
  from webhook.endpoint as p
  where p.state = 'disabled' and p.disabled_reason <> 'request'
  union all
  -- A worker that has both keys seals them again every minute.
  select
    'webhooks',
    format('Secrets that are sealed to a key that is not the current one of the workers, "%s": %s.', k.key_id, s.secrets),
    'Keep the old key in LEADS_CRM_KEY, after the new one, until this finding is gone. If it stays for minutes, look at the log '
    'of the worker.'
  from webhook.sealing_key as k
  cross join lateral (
    select
      count(*) filter (where o.key_id = p.secret_key)
      + count(*) filter (where o.key_id = p.previous_secret_key and p.previous_expires_at > now()) as secrets
    from webhook.endpoint as p
    join webhook.sealing_key as o on not o.is_current and o.key_id in (p.secret_key, p.previous_secret_key)
  ) as s
  where k.is_current and s.secrets > 0
  union all
  -- A worker queues new events every second.
  select
    'organization ' || q.organization_id,
    format('Events have waited since %s to be queued for its webhooks.', app.utc_text(q.since)),
    'Start a worker (leads worker). If one runs, its log has the errors that it meets with this organization.'
  from (
    select b.organization_id, min(app.id_time(b.id)) as since from webhook.unqueued_batch as b group by b.organization_id
  ) as q
  where q.since < now() - interval '5 minutes';
end;

comment on function admin.webhook_findings() is
$$Findings about webhooks that the worker has disabled, about those whose secret no worker can open, about secrets that are not
sealed to the current key yet, and about events that have waited for webhook.queue_deliveries for more than five minutes.

In the form of admin.findings().$$;
