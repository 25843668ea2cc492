-- crm.open_until - until when a sync's open attempts may still come to light at the vendor.
set local role leads_jobs;

create or replace function crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer)
returns timestamptz
language sql
stable
security invoker
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
  'The last open attempt''s sent_at, a call''s deadline and settle_seconds: no look-up before. Null: none is open.';
