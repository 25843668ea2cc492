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
  e.source,
  (e.payload ->> 'key_id')::uuid as key_id,
  e.payload ->> 'role' as role,
  e.correlation_id
from audit.event as e
cross join lateral json_each(e.payload -> 'diff') as d
where
  e.organization_id = (select auth.analyst_organization_id())
  and e.action in ('lead.created', 'lead.updated', 'lead.scored', 'lead.deleted', 'lead.erased');

comment on view bi.lead_changes is
  'Every change of a lead, a row for each field that changed, from the audit log. Ask for a lead or a period: the whole '
  'log is long. changed_at is timestamptz: it prints in the session''s time zone, which is UTC unless it was changed.';
comment on column bi.lead_changes.event_id is 'The audit event''s id, a UUID of version 7: the rows of one change share it.';
comment on column bi.lead_changes.organization_id is 'The organization''s id: the same in every row.';
comment on column bi.lead_changes.lead_id is 'The lead''s id.';
comment on column bi.lead_changes.changed_at is 'timestamptz: when the change was made.';
comment on column bi.lead_changes.action is 'lead.created, lead.updated, lead.scored, lead.deleted or lead.erased.';
comment on column bi.lead_changes.field is 'The field''s name, as in bi.leads.';
comment on column bi.lead_changes.old_value is 'The value before, as text; an instant in UTC; null: there was none.';
comment on column bi.lead_changes.new_value is 'The value after, as text; an instant in UTC; null: there is none.';
comment on column bi.lead_changes.is_erased is 'Whether the values were erased since, for a person''s right to be forgotten.';
comment on column bi.lead_changes.source is 'Where the change came from: api, sql, worker or system.';
comment on column bi.lead_changes.key_id is 'The id of the API key that made it; null: it came from elsewhere.';
comment on column bi.lead_changes.role is 'The database login that made it; null: it came from the API.';
comment on column bi.lead_changes.correlation_id is 'The X-Request-Id of the request that made it; null outside requests.';

grant select on bi.lead_changes to leads_bi;
