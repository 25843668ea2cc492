-- api.get_lead - GET /leads/{id}.
set local role leads_exec;

create or replace function api.get_lead(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer api.answer;
begin
  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_whole(row(l.*)::app.lead_values))::text
  into v_answer
  from app.lead as l
  where l.organization_id = (select auth.entered_organization_id()) and l.id = get_lead.id;
  if not found then
    return null;
  end if;
  return v_answer;
end $$;

comment on function api.get_lead(uuid) is
$$Get a lead.

The response has all 17 fields. A lead of another organization returns 404, as if it did not exist.$$;

grant execute on function api.get_lead(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_lead', tag => 'Leads', answer => 'api.lead', headers => '{ETag}');
