-- api.list_webhooks - GET /webhooks.
set local role leads_exec;

create or replace function api.list_webhooks()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    concat(
      '{"data":[',
      string_agg(
        row_to_json(webhook.endpoint_item(p.organization_id, p.id))::text, ',' order by p.created_at, p.id
      ),
      '],"next_cursor":null}'
    )
  )::api.answer
  from webhook.endpoint as p
  where p.organization_id = (select auth.organization_id('admin'));
end;

comment on function api.list_webhooks() is
$$List the webhooks.

The oldest comes first. state and disabled_reason say whether a webhook sends, failing_since whether its receiver fails. The
secrets are not shown.$$;

grant execute on function api.list_webhooks() to leads_api;

set local role leads_owner;
call api.document('api.list_webhooks', tag => 'Webhooks', answer => 'api.webhook', form => 'page');
