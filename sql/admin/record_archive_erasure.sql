-- admin.record_archive_erasure - records that events in an archive were erased, for leads erase --archive.
set local role leads_jobs;

create or replace function admin.record_archive_erasure(
  organization_id uuid,
  lead_id uuid,
  year integer,
  archive_digest bytea,
  erased json
)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.known_organization(record_archive_erasure.organization_id);
  if not exists (select from audit.retirement as r where r.year = record_archive_erasure.year) then
    raise sqlstate 'PT409' using
      message = 'not_retired',
      hint = format('The year %s isn''t retired in this database.', record_archive_erasure.year);
  end if;
  -- An event in the log is erased by audit.erase_events only.
  if exists (
    select
    from json_to_recordset(record_archive_erasure.erased) as i (event_id uuid, digest text)
    where
      not coalesce(
        i.digest ~ '^[0-9a-f]{64}$'
        and extract(year from app.id_time(i.event_id) at time zone 'UTC') = record_archive_erasure.year,
        false
      )
  )
  then
    raise sqlstate 'PT422' using
      message = 'invalid_erasure', hint = 'Each item must have the id of an event of the year, and a digest.';
  end if;
  perform audit.record_archive_erasure(
    record_archive_erasure.organization_id,
    record_archive_erasure.lead_id,
    concat(
      case
        when record_archive_erasure.lead_id is not null
          then '"lead_id":"' || record_archive_erasure.lead_id || '"'
        else '"organization":"' || record_archive_erasure.organization_id || '"'
      end,
      ',"archive":{"year":', record_archive_erasure.year, ',"sha256":"',
      encode(record_archive_erasure.archive_digest, 'hex'), '"},"erased":', (
        select json_agg(json_build_object('event_id', i.event_id, 'digest', i.digest))
        from json_to_recordset(record_archive_erasure.erased) as i (event_id uuid, digest text)
      )
    )
  );
  update audit.retirement as r
  set archive_digest = record_archive_erasure.archive_digest
  where r.year = record_archive_erasure.year;
end $$;

comment on function admin.record_archive_erasure(uuid, uuid, integer, bytea, json) is
$$Writes the event lead.erased, or if lead_id is null organization.erased, for events of a retired year that were erased in its
archive.

archive_digest: the SHA-256 of the new archive, which replaces the old one after this is committed. erased: an array of objects
with event_id and digest, the SHA-256 of the payload that remains in hexadecimal digits. The verification of the archive accepts
no other erased payload. Raises PT404 organization_not_found, PT409 not_retired, PT422 invalid_erasure.$$;

grant execute on function admin.record_archive_erasure(uuid, uuid, integer, bytea, json) to leads_operator;
