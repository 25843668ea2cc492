-- admin.retired_years - lists the years that were retired from the audit log, with their archives.
set local role leads_jobs;

create or replace function admin.retired_years()
returns table (
  year integer,
  archive_name text,
  archive_digest text,
  events bigint,
  retired_at text,
  dropped_at text
)
language sql stable security definer
begin atomic
  select r.year, r.archive_name, encode(r.archive_digest, 'hex'), r.events, app.utc_text(r.retired_at),
    app.utc_text(r.dropped_at)
  from audit.retirement as r
  order by r.year;
end;

comment on function admin.retired_years() is
$$The years that were retired from the audit log, the oldest first.

archive_digest: the SHA-256 of the archive's file in hexadecimal digits. dropped_at: null if the detached tables still exist.$$;

grant execute on function admin.retired_years() to leads_operator;
