-- bi.signals - the signals of the leads.
set local role leads_owner;

create or replace view bi.signals with (security_invoker = true) as
select
  s.id,
  s.organization_id,
  s.lead_id,
  s.type,
  s.value,
  -- First among the times: tools that choose a time column by themselves take the first.
  s.observed_at,
  s.created_at,
  s.dedupe_key
from scoring.signal as s
-- The policy has the same condition. Each of the two is sufficient.
where s.organization_id = (select auth.analyst_organization_id());

comment on view bi.signals is
  'The observations of leads that scoring uses, one row for each signal. Signals of deleted and erased leads are not shown.';
comment on column bi.signals.id is 'The signal''s id, a UUID of version 7.';
comment on column bi.signals.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.signals.lead_id is 'The lead''s id, as in bi.leads.';
comment on column bi.signals.type is 'What was observed, as a machine name such as storm_event.';
comment on column bi.signals.value is
  'jsonb: true, false, null, a number, a text, or an object of these. (value #>> ''{}'')::numeric reads a number.';
comment on column bi.signals.observed_at is 'timestamptz: when it was observed. Scoring computes the age of the signal from it.';
comment on column bi.signals.created_at is 'timestamptz: when it was stored.';
comment on column bi.signals.dedupe_key is 'The sender''s key for this signal, as it was sent; null: none.';

grant select on bi.signals to leads_bi;
