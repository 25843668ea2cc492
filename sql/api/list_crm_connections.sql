-- api.list_crm_connections - GET /crm-connections.
set local role leads_exec;

create or replace function api.list_crm_connections()
returns api.answer
language sql
stable
security definer
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

An organization has one at the most. state is active or paused; fault says why, where the vendor refused the credential. The
credential is never shown. An operator makes, pauses and removes connections.$$;

grant execute on function api.list_crm_connections() to leads_api;
