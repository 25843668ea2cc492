-- audit.record_retirement - writes the event that records that a year was retired from the log.
set local role leads_audit;

create or replace function audit.record_retirement(organization_id uuid, about text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- audit.retired_ranges accepts the event of this login only.
  if not audit.is_migrating_login() then
    raise sqlstate 'PT409' using
      message = 'refused', hint = 'Only the login that runs the migrations can retire a year of the audit log.';
  end if;
  perform audit.write_event(record_retirement.organization_id, 'audit.retired', null, record_retirement.about);
end $$;

comment on function audit.record_retirement(uuid, text) is
$$Writes the event audit.retired. Only admin.retire_year calls it.

about: members of the payload, in the format of audit.write_event. "retired" lists all years that were ever
retired, because an earlier event audit.retired may be in a retired year itself.
Raises PT409 refused.$$;

grant execute on function audit.record_retirement(uuid, text) to leads_jobs;
