-- crm.open_until - until when the open attempts of a sync can still create a record at the vendor.
set local role leads_jobs;

create or replace function crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer)
returns timestamptz language sql stable security invoker
begin atomic
  -- A call lasts 5 seconds at the most.
  select max(a.sent_at) + make_interval(secs => 5 + open_until.settle_seconds)
  from crm.attempt as a
  where
    a.organization_id = open_until.organization_id
    and a.sync_id = open_until.sync_id
    and a.sent_at is not null
    and a.outcome is null;
end;

comment on function crm.open_until(uuid, uuid, integer) is
  'sent_at of the last open attempt, plus the deadline of a call, plus settle_seconds: no search before that time. Null: no '
  'attempt is open.';
