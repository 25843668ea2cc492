-- bi.lead_changes - one row for each field that changed, from the audit log.
set local role leads_owner;

create or replace view bi.lead_changes with (security_invoker = true) as
select
  e.id as event_id,
  e.organization_id,
  e.lead_id,
  e.created_at as changed_at,
  e.action,
  d.key as field,
  d.value ->> 'from' as old_value,
  d.value ->> 'to' as new_value,
  coalesce((d.value ->> 'erased')::boolean, false) as is_erased,
  -- Not "source", which is where a lead came from.
  e.source as changed_via,
  (e.payload ->> 'key_id')::uuid as key_id,
  e.payload ->> 'role' as role,
  e.correlation_id,
  e.payload ->> 'trace_id' as trace_id
from audit.event as e
cross join lateral json_each(e.payload -> 'diff') as d
where
  e.organization_id = (select auth.analyst_organization_id())
  and e.action in ('lead.created', 'lead.updated', 'lead.scored', 'lead.deleted', 'lead.erased');

comment on view bi.lead_changes is
  'Every change of a lead, one row for each field that changed, from the audit log. Filter by lead or by period, because '
  'the whole log is long. changed_at is printed in the session''s time zone, which is UTC by default.';
comment on column bi.lead_changes.event_id is 'The audit event''s id, a UUID of version 7. The rows of one change have the same.';
comment on column bi.lead_changes.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.lead_changes.lead_id is 'The lead''s id.';
comment on column bi.lead_changes.changed_at is 'timestamptz: when the change was made.';
comment on column bi.lead_changes.action is 'lead.created, lead.updated, lead.scored, lead.deleted or lead.erased.';
comment on column bi.lead_changes.field is 'The field''s name, as in bi.leads.';
comment on column bi.lead_changes.old_value is 'The value before the change, as text, times in UTC; null: none.';
comment on column bi.lead_changes.new_value is 'The value after the change, as text, times in UTC; null: none.';
comment on column bi.lead_changes.is_erased is 'Whether the values were erased since, on a person''s request.';
comment on column bi.lead_changes.changed_via is 'Where the change came from: api, sql, worker or system.';
comment on column bi.lead_changes.key_id is 'The id of the API key that made the change; null: it was not made through the API.';
comment on column bi.lead_changes.role is 'The database login that made the change; null: it was made through the API.';
comment on column bi.lead_changes.correlation_id is
  'The X-Request-Id of the request that made the change, or "import:" and the beginning of the SHA-256 of an imported file; '
  'otherwise null.';
comment on column bi.lead_changes.trace_id is
  'The trace id of the request that made the change, 32 hexadecimal digits; null: it had no traceparent.';

grant select on bi.lead_changes to leads_bi;
