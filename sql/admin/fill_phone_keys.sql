-- admin.fill_phone_keys - computes the phone_key of leads again, for leads organizations set.
set local role leads_jobs;

create or replace function admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, out last_id uuid, out leads integer)
returns record language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(fill_phone_keys.organization_id)).organization_id;
  v_ids uuid[];
begin
  v_ids := array(
    select l.id
    from app.lead as l
    where l.organization_id = v_organization_id and (l.id > fill_phone_keys.after or fill_phone_keys.after is null)
    order by l.id
    limit fill_phone_keys.batch
  );
  last_id := v_ids[cardinality(v_ids)];
  -- The trigger _500_stamp computes the value.
  update app.lead as l
  set phone_key = null
  where l.organization_id = v_organization_id and l.id = any (v_ids) and l.phone is not null;
  get diagnostics leads = row_count;
end $$;

comment on function admin.fill_phone_keys(uuid, uuid, integer) is
$$Computes app.lead.phone_key again, after the country code of the organization has changed, in up to batch leads after an id.

after: the last_id of the previous call; null for the first one. last_id: null if no lead was left. leads: how many have a phone
number. It changes neither revision nor updated_at, and writes no event. Raises PT404 organization_not_found, PT409
organization_erased.$$;

grant execute on function admin.fill_phone_keys(uuid, uuid, integer) to leads_operator;
