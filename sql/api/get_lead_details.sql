-- api.get_lead_details - GET /leads/{id}/details.
set local role leads_exec;

create or replace function api.get_lead_details(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer api.answer;
begin
  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_details(row(l.*)::app.lead_values))::text
  into v_answer
  from app.lead as l
  where l.organization_id = (select auth.entered_organization_id()) and l.id = get_lead_details.id;
  if not found then
    return null;
  end if;
  return v_answer;
end $$;

comment on function api.get_lead_details(uuid) is
$$Get the details of a lead.

phone is the number as you sent it. reference is your own id of the lead. details has the other values, by name.$$;

grant execute on function api.get_lead_details(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_lead_details', tag => 'Leads', answer => 'api.lead_details', headers => '{ETag}');
