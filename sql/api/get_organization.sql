-- api.get_organization - GET /organizations/me.
set local role leads_exec;

create or replace function api.get_organization()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(
      row(
        o.organization_id,
        o.name,
        o.environment,
        array(
          select s.name
          from app.pipeline_stage as s
          where s.organization_id = o.organization_id
          order by s.position, s.name
        ),
        app.utc_text(o.created_at)
      )::api.organization
    )::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_organization() is
$$Get the organization.

The response has the organization that the key belongs to, with its pipeline stages in their order.$$;

grant execute on function api.get_organization() to leads_api;

set local role leads_owner;
call api.document('api.get_organization', tag => 'Organization', answer => 'api.organization');
