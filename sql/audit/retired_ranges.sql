-- audit.retired_ranges - the positions of an organization's chain that were retired and may be missing.
set local role leads_owner;

create or replace function audit.retired_ranges(organization_id uuid)
returns table (first bigint, last bigint, hash bytea) language sql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
begin atomic
  -- An event that was changed, or that has no seal, retires nothing.
  with unchanged as materialized (
    select n.payload
    from audit.newest_retirement(retired_ranges.organization_id) as n
    where
      n.payload_digest = sha256(n.salt || convert_to(n.payload::text, 'UTF8'))
      and (
        exists (
          select
          from audit.seal as s
          where
            s.organization_id = retired_ranges.organization_id
            and s.event_id = n.id
            and s.created_at = n.created_at
            and s.event_hash = audit.event_hash(
              s.position, n.id, retired_ranges.organization_id, n.action, n.source, n.correlation_id, n.lead_id,
              n.payload_digest, n.created_at
            )
        )
        or exists (
          select
          from audit.unsealed as u
          where u.organization_id = retired_ranges.organization_id and u.event_id = n.id
        )
      )
  ),
  range as (
    select r.first, r.last, r.hash, lag(r.last) over (order by r.first) is distinct from r.first - 1 as begins
    from unchanged as u
    cross join lateral json_to_recordset(u.payload -> 'retired') as y (ranges json)
    cross join lateral json_to_recordset(y.ranges) as r (first bigint, last bigint, hash text)
  ),
  numbered as (
    select r.*, count(*) filter (where r.begins) over (order by r.first) as island from range as r
  )
  select min(n.first), max(n.last), decode((array_agg(n.hash order by n.last desc))[1], 'hex')
  from numbered as n
  group by n.island;
end;

comment on function audit.retired_ranges(uuid) is
$$The ranges of positions that the newest event audit.retired of an organization names. Ranges that follow one another are joined.
Runs with the caller's rights.

first, last: the positions, both inclusive. hash: the hash of the seal at last, which the next seal includes.$$;

grant execute on function audit.retired_ranges(uuid) to leads_exec, leads_jobs;
