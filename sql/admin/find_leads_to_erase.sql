-- admin.find_leads_to_erase - finds the leads of admin.leads_to_erase, and records that they are read.
set local role leads_jobs;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.leads_to_erase(uuid, uuid, text);
drop function if exists admin.find_leads_to_erase(uuid, uuid, text);

create or replace function admin.find_leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text)
returns table (lead_organization_id uuid, id uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_lead record;
  v_country_code text := app.country_code(find_leads_to_erase.organization_id);
  v_phones text[] := app.phone_keys(find_leads_to_erase.phone, find_leads_to_erase.organization_id);
begin
  perform audit.check_placement(find_leads_to_erase.organization_id);
  if app.is_phone(app.clean_text(find_leads_to_erase.phone)) is false then
    raise sqlstate 'PT422' using message = 'invalid_phone', hint = 'A phone number has 3 to 20 digits.';
  end if;
  for v_lead in
    select o.organization_id, f.id
    from app.organization as o
    cross join lateral (
      select l.id
      from app.lead as l
      where
        l.organization_id = o.organization_id
        and (
          l.id = find_leads_to_erase.lead_id
          or (
            find_leads_to_erase.lead_id is null
            and find_leads_to_erase.organization_id is not null
            and (
              l.email_key = lower(find_leads_to_erase.email collate "C")
              or l.phone_key = any (v_phones)
            )
          )
        )
      union
      select e.lead_id
      from audit.event as e
      where e.organization_id = o.organization_id and e.lead_id = find_leads_to_erase.lead_id
      union
      -- Leads that had the address or the number before, and deleted leads.
      select e.lead_id
      from audit.event as e
      where
        find_leads_to_erase.lead_id is null
        and find_leads_to_erase.organization_id is not null
        and e.organization_id = o.organization_id
        and e.lead_id is not null
        and (
          lower(find_leads_to_erase.email collate "C") in (
            lower(e.payload #>> '{diff,email,from}' collate "C"), lower(e.payload #>> '{diff,email,to}' collate "C")
          )
          or find_leads_to_erase.phone is not null and array[
            app.phone_key(e.payload #>> '{diff,phone,from}', v_country_code),
            app.phone_key(e.payload #>> '{diff,phone,to}', v_country_code)
          ] && v_phones
        )
    ) as f
    where
      (o.organization_id = find_leads_to_erase.organization_id or find_leads_to_erase.organization_id is null)
      and not exists (select from app.placement as e where e.organization_id = o.organization_id and e.is_fenced)
  loop
    perform audit.record_read(v_lead.organization_id, 'admin.leads_to_erase', array[v_lead.id]);
    lead_organization_id := v_lead.organization_id;
    id := v_lead.id;
    return next;
  end loop;
  -- That nobody has the address is an answer about the leads, too.
  if not found then
    perform audit.record_read(o.organization_id, 'admin.leads_to_erase', '{}')
    from app.organization as o
    where o.organization_id = find_leads_to_erase.organization_id;
  end if;
end $$;

comment on function admin.find_leads_to_erase(uuid, uuid, text, text) is
  'The leads that admin.leads_to_erase lists. Writes the event lead.read for each lead; if there is none, one event for the '
  'organization.';
