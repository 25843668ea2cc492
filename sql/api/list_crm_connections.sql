-- api.list_crm_connections - GET /crm-connections.
set local role leads_exec;

create or replace function api.list_crm_connections()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    concat(
      '{"data":[',
      string_agg(
        row_to_json(
          row(
            c.id, c.organization_id, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds, c.settings::json,
            app.utc_text(c.created_at)
          )::api.crm_connection
        )::text,
        ','
      ),
      '],"next_cursor":null}'
    )
  )::api.answer
  from crm.connection as c
  where c.organization_id = (select auth.organization_id('admin'));
end;

comment on function api.list_crm_connections() is
$$List the CRM connections.

An organization has at most one connection. state is active or paused. fault says why, if the CRM rejected the
credential. The credential itself is never shown. An operator creates, pauses and removes connections.$$;

grant execute on function api.list_crm_connections() to leads_api;

set local role leads_owner;
call api.document('api.list_crm_connections', tag => 'CRM', answer => 'api.crm_connection', form => 'page');
