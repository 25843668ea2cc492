-- admin.archive_organizations - the parts of the chains that the archive of a year has.
set local role leads_jobs;

create or replace function admin.archive_organizations(year integer)
returns table (organization_id uuid, events bigint, ranges json) language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select o.organization_id, r.events, r.ranges
  from app.organization as o
  cross join lateral (
    select sum(i.events)::bigint as events, json_agg(
      json_build_object(
        'first', i.first,
        'last', i.last,
        'hash_before', encode(
          coalesce(
            (
              select s.hash from audit.seal as s
              where s.organization_id = o.organization_id and s.position = i.first - 1
            ),
            (select a.hash from audit.retired_ranges(o.organization_id) as a where a.last = i.first - 1),
            case when i.first = 1 then sha256(uuid_send(o.organization_id)) end
          ),
          'hex'
        ),
        'hash', (
          select encode(s.hash, 'hex') from audit.seal as s
          where s.organization_id = o.organization_id and s.position = i.last
        )
      )
      order by i.first
    ) as ranges
    from (
      select min(n.position) as first, max(n.position) as last, count(*) as events
      from (
        select s.position, s.position - row_number() over (order by s.position) as island
        from audit.seal as s
        where
          s.organization_id = o.organization_id
          and s.created_at >= make_timestamptz(archive_organizations.year, 1, 1, 0, 0, 0, 'UTC')
          and s.created_at < make_timestamptz(archive_organizations.year + 1, 1, 1, 0, 0, 0, 'UTC')
      ) as n
      group by n.island
    ) as i
  ) as r
  where r.events > 0
  order by o.organization_id;
end;

comment on function admin.archive_organizations(integer) is
$$The organizations that have events in a year, with the ranges of positions in their chains. Only the migrating login can
execute it.

ranges: an array of first and last (positions, inclusive), hash_before (of the seal before first) and hash (of the seal at last), in
hexadecimal digits. A year can have several ranges: an event that commits late is sealed after events of the next year.$$;
