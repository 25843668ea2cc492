-- admin.archive_events - the lines of an archive: the events of a year with their seals.
set local role leads_jobs;

create or replace function admin.archive_events(year integer, organization_id uuid, after bigint, "limit" integer)
returns table ("position" bigint, line text) language sql stable security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them for a batch.
set enable_sort = off
begin atomic
  select
    s.position,
    json_build_object(
      'organization_id', s.organization_id, 'position', s.position, 'id', s.event_id, 'action', e.action,
      'source', e.source, 'correlation_id', e.correlation_id, 'lead_id', e.lead_id, 'payload', e.payload::text,
      'salt', encode(e.salt, 'hex'), 'payload_digest', encode(e.payload_digest, 'hex'),
      'created_at', app.utc_text(s.created_at), 'event_hash', encode(s.event_hash, 'hex'),
      'hash', encode(s.hash, 'hex'), 'sealed_at', app.utc_text(s.sealed_at)
    )::text
  from (
    select s.*
    from audit.seal as s
    where
      s.organization_id = archive_events.organization_id
      and s.position > archive_events.after
      and s.created_at >= make_timestamptz(archive_events.year, 1, 1, 0, 0, 0, 'UTC')
      and s.created_at < make_timestamptz(archive_events.year + 1, 1, 1, 0, 0, 0, 'UTC')
    order by s.position
    limit archive_events.limit
  ) as s
  left join lateral (
    select e.*
    from audit.event as e
    where e.organization_id = archive_events.organization_id and e.id = s.event_id and e.created_at = s.created_at
    -- OFFSET prevents a merge join, which would read all events of the organization.
    offset 0
  ) as e on true
  order by s.position;
end;

comment on function admin.archive_events(integer, uuid, bigint, integer) is
$$The events of a year of an organization, in the order of the chain, each as a JSON object in one line. Only the migrating
login can execute it.

after: the position of the last event of the previous batch; 0: the first batch. "limit": the number of events.$$;
