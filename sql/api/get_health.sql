-- api.get_health - GET /health.
set local role leads_exec;

create or replace function api.get_health()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(row('ok', o.organization_id, o.environment, (select auth.key_scopes()))::api.health)::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_health() is
$$Check a key.

The response has the organization that the key belongs to, its environment (live or test), and the scopes of the key.$$;

grant execute on function api.get_health() to leads_api;

set local role leads_owner;
call api.document('api.get_health', tag => 'Organization', answer => 'api.health');
