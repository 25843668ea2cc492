-- admin.retire_year - records in each organization's log that a year is retired, for leads audit retire.
set local role leads_jobs;

create or replace function admin.retire_year(
  year integer,
  archive_name text,
  archive_digest bytea,
  organizations json
)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_year integer := retire_year.year;
  v_organization record;
  v_events bigint := 0;
  v_retired text;
begin
  -- The archive would lack what another cell has, and a publication would lose the partition. No move begins until the end.
  execute 'lock table app.placement in share mode';
  if exists (select from app.placement as p where p.organization_id is not null) then
    raise sqlstate 'PT409' using
      message = 'move_has_begun',
      hint =
        'Organizations are moved between this cell and another one, or rows are left over from a move. End or abort the moves, delete '
        'what they left (admin.delete_moved), and run the command again. To list the moves, call admin.moves().';
  end if;
  if
    (
      select json_agg(json_build_array(a.organization_id, a.events, a.ranges) order by a.organization_id)::jsonb
      from admin.archive_organizations(v_year) as a
    )
    is distinct from (
      select json_agg(json_build_array(a.organization_id, a.events, a.ranges) order by a.organization_id)::jsonb
      from json_to_recordset(retire_year.organizations) as a (organization_id uuid, events bigint, ranges json)
    )
  then
    raise sqlstate 'PT409' using
      message = 'archive_differs',
      hint = 'The archive doesn''t have exactly the events of the year. Run the command again, with another file.';
  end if;

  for v_organization in
    select a.organization_id, a.events, a.ranges
    from json_to_recordset(retire_year.organizations) as a (organization_id uuid, events bigint, ranges json)
    order by a.organization_id
  loop
    -- The sealer takes other organizations until the end of the transaction.
    perform from app.organization as o where o.organization_id = v_organization.organization_id for no key update;
    v_retired := concat_ws(
      ',',
      (
        select substr(n.payload ->> 'retired', 2, length(n.payload ->> 'retired') - 2)
        from audit.newest_retirement(v_organization.organization_id) as n
      ),
      json_build_object(
        'year', v_year, 'archive', encode(retire_year.archive_digest, 'hex'), 'events', v_organization.events,
        'ranges', v_organization.ranges
      )
    );
    perform audit.record_retirement(
      v_organization.organization_id, concat('"year":', v_year, ',"retired":[', v_retired, ']')
    );
    v_events := v_events + v_organization.events;
    -- The seal of this event is the last of the chain afterwards, so the sealer goes on from it.
    while exists (select from audit.unsealed as u where u.organization_id = v_organization.organization_id) loop
      perform admin.seal_events(
        (
          select u.organization_id
          from audit.unsealed as u
          where u.organization_id < v_organization.organization_id
          order by u.organization_id desc
          limit 1
        ),
        1000
      );
      exit when exists (
        select
        from audit.seal as s
        where
          s.organization_id = v_organization.organization_id
          and s.event_id = (select n.id from audit.newest_retirement(v_organization.organization_id) as n)
      );
    end loop;
  end loop;
  -- The newest event counts. An earlier retirement has a later time if the clock was set back since.
  if (select count(distinct p.organization_id) from admin.retired_parts(v_year) as p) <> json_array_length(retire_year.organizations) then
    raise sqlstate 'PT409' using
      message = 'clock_set_back',
      hint = 'The clock of the database''s server is behind the time of the last retirement. Correct it, and run the command again.';
  end if;
  insert into audit.retirement (year, archive_name, archive_digest, events)
  values (v_year, retire_year.archive_name, retire_year.archive_digest, v_events);
  return v_events;
end $$;

comment on function admin.retire_year(integer, text, bytea, json) is
$$Writes the event audit.retired into the log of each organization that has events in a year, and seals it. Only the migrating
login can execute it. admin.finish_retirement follows in the same transaction.

archive_name: the name of the archive's file. archive_digest: its SHA-256. organizations: the result of
admin.archive_organizations in the archive. Returns the number of events.
Raises PT409 move_has_begun, archive_differs if the database has other positions now, and clock_set_back if an earlier retirement has a later time.$$;
