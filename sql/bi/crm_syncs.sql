-- bi.crm_syncs - the pushes of leads to the CRM.
set local role leads_owner;

create or replace view bi.crm_syncs with (security_invoker = true) as
select
  s.id,
  s.organization_id,
  s.lead_id,
  s.vendor,
  s.status,
  s.error_code,
  s.attempts,
  s.created_at as requested_at,
  s.last_synced_at as pushed_at,
  -- Not an interval, which several clients cannot read.
  extract(epoch from s.last_synced_at - s.created_at)::double precision as lag_seconds
from crm.sync as s
-- The policy has the same condition. Each of the two is sufficient.
where s.organization_id = (select auth.analyst_organization_id());

comment on view bi.crm_syncs is
  'The pushes of leads to the CRM, one row for each lead and account, as they are now. Pushes of deleted and erased leads are not '
  'shown. Accounts, credentials, records and messages of the CRM are not shown.';
comment on column bi.crm_syncs.id is 'The push''s id, a UUID of version 7.';
comment on column bi.crm_syncs.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.crm_syncs.lead_id is 'The lead''s id, as in bi.leads.';
comment on column bi.crm_syncs.vendor is 'The CRM, such as hubspot.';
comment on column bi.crm_syncs.status is
  'pending: it waits. in_progress: a worker pushes it. ok: the record exists. failed, skipped: nothing more happens '
  'automatically; error_code says why.';
comment on column bi.crm_syncs.error_code is
  'failed: rejected (by the CRM), outcome_unknown (a record may exist) or gave_up (after a day of attempts). skipped: paused '
  '(the connection was), incomplete (the lead lacks a field) or bulk (many leads were stored at once). Otherwise null.';
comment on column bi.crm_syncs.attempts is 'The number of attempts, from 0.';
comment on column bi.crm_syncs.requested_at is 'timestamptz: when the push was first requested.';
comment on column bi.crm_syncs.pushed_at is 'timestamptz: when the record was created or found; null: it was not.';
comment on column bi.crm_syncs.lag_seconds is 'The seconds from requested_at to pushed_at; null: it was not pushed.';

grant select on bi.crm_syncs to leads_bi;
