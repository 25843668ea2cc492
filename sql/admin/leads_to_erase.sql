-- admin.leads_to_erase - lists the leads that leads erase would erase.
set local role leads_jobs;

create or replace function admin.leads_to_erase(
  organization_id uuid default null,
  lead_id uuid default null,
  email text default null
)
returns table (
  organization_id uuid,
  lead_id uuid,
  name text,
  email text,
  is_deleted boolean,
  events bigint,
  copies json
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  with candidate as (
    select o.organization_id, f.id
    from app.organization as o
    cross join lateral (
      select l.id
      from app.lead as l
      where
        l.organization_id = o.organization_id
        and (
          l.id = leads_to_erase.lead_id
          or (leads_to_erase.lead_id is null and l.email_key = lower(leads_to_erase.email collate "C"))
        )
      union
      select e.lead_id
      from audit.event as e
      where e.organization_id = o.organization_id and e.lead_id = leads_to_erase.lead_id
      union
      -- Leads that had the address before, and deleted leads.
      select e.lead_id
      from audit.event as e
      where
        leads_to_erase.lead_id is null
        and leads_to_erase.organization_id is not null
        and e.organization_id = o.organization_id
        and e.lead_id is not null
        and lower(leads_to_erase.email collate "C") in (
          lower(e.payload #>> '{diff,email,from}' collate "C"), lower(e.payload #>> '{diff,email,to}' collate "C")
        )
    ) as f
    where o.organization_id = leads_to_erase.organization_id or leads_to_erase.organization_id is null
  )
  select
    c.organization_id,
    c.id,
    l.name,
    l.email,
    l.id is null,
    (select count(*) from audit.event as e where e.organization_id = c.organization_id and e.lead_id = c.id),
    crm.copies(c.organization_id, c.id)
  from candidate as c
  left join app.lead as l on l.organization_id = c.organization_id and l.id = c.id
  order by c.organization_id, c.id;
end;

comment on function admin.leads_to_erase(uuid, uuid, text) is
$$The lead with an id, or the leads with an e-mail address. The case of ASCII letters is ignored.

With organization_id, the address also finds the organization's deleted leads, and leads that had it before. name, email: null
if the lead was deleted. events: the number of the lead's events in the audit log. copies: the result of crm.copies.$$;

grant execute on function admin.leads_to_erase(uuid, uuid, text) to leads_operator;
