-- admin.leads_to_erase - lists the leads that leads erase would erase.
set local role leads_jobs;

-- Its result has a column more. In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.leads_to_erase(uuid, uuid, text, text);

create or replace function admin.leads_to_erase(
  organization_id uuid default null,
  lead_id uuid default null,
  email text default null,
  phone text default null
)
returns table (
  organization_id uuid,
  lead_id uuid,
  name text,
  email text,
  is_deleted boolean,
  events bigint,
  copies json,
  webhooks json
)
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  select
    f.lead_organization_id,
    f.id,
    l.name,
    l.email,
    l.id is null,
    (
      select count(*)
      from audit.event as e
      where e.organization_id = f.lead_organization_id and e.lead_id = f.id and e.action <> 'lead.read'
    ),
    crm.copies(f.lead_organization_id, f.id),
    webhook.recipients(f.lead_organization_id, f.id)
  from admin.find_leads_to_erase(
    leads_to_erase.organization_id, leads_to_erase.lead_id, leads_to_erase.email,
    leads_to_erase.phone
  ) as f
  left join app.lead as l on l.organization_id = f.lead_organization_id and l.id = f.id
  order by f.lead_organization_id, f.id;
end;

comment on function admin.leads_to_erase(uuid, uuid, text, text) is
$$The lead with an id, or an organization's leads with an e-mail address or a phone number. The case of ASCII letters, and the spelling
of a number, are ignored.

Address and number also find deleted leads, and leads that had them before; they need organization_id. name, email: null if the lead was
deleted. Raises PT422 invalid_phone. events: the number of the lead's events in the audit log, without lead.read. copies: the result of crm.copies. webhooks: that of
webhook.recipients. Writes
the event lead.read for each lead; if there is none, one event for the organization.$$;

grant execute on function admin.leads_to_erase(uuid, uuid, text, text) to leads_operator;
