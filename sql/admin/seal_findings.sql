-- admin.seal_findings - the findings about events that have no seal.
set local role leads_jobs;

create or replace function admin.seal_findings()
returns table (subject text, finding text, remedy text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  -- A worker seals new events every second.
  select
    'organization ' || o.organization_id,
    format(
      'Events without a seal: %s. The oldest is of %s. A change of these events can''t be detected.',
      q.events, app.utc_text(q.since)
    ),
    'Start a worker (leads worker). If one runs, its log has the errors that it meets with this organization.'
  from app.organization as o
  cross join lateral (
    select count(*) as events, min(e.created_at) as since
    from audit.unsealed as u
    join audit.event as e
      on e.organization_id = u.organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
    where u.organization_id = o.organization_id
  ) as q
  where q.since < now() - interval '1 minute'
  union all
  select
    'organization ' || u.organization_id,
    format('The event %s was removed from the audit log before it was sealed.', u.event_id),
    format('Find out who removed it. To list the faults, run: leads audit verify --organization %s', u.organization_id)
  from audit.unsealed as u
  where not exists (select from audit.event as e where e.organization_id = u.organization_id and e.id = u.event_id);
end;

comment on function admin.seal_findings() is
$$Findings about events of the audit log that have waited for their seal for more than a minute, or that were removed before.

In the form of admin.findings().$$;
