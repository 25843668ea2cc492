-- app.utc_text - a time in the format of the API.
set local role leads_owner;

create or replace function app.utc_text(instant timestamptz)
returns text language sql stable parallel safe
begin atomic
  select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
end;

comment on function app.utc_text(timestamptz) is
  'The time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z, in any time zone of the session. Null '
  'for null.';

grant execute on function app.utc_text(timestamptz) to leads_exec, leads_jobs, leads_audit, leads_eraser, leads_intake;
