-- audit.record_archive_erasure - writes the event that records an erasure in an archive.
set local role leads_eraser;

create or replace function audit.record_archive_erasure(organization_id uuid, lead_id uuid, about text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.record_erasure(
    record_archive_erasure.organization_id, record_archive_erasure.lead_id, record_archive_erasure.about
  );
end $$;

comment on function audit.record_archive_erasure(uuid, uuid, text) is
  'Calls audit.record_erasure. Only admin.record_archive_erasure calls it, which checks the events.';

grant execute on function audit.record_archive_erasure(uuid, uuid, text) to leads_jobs;
