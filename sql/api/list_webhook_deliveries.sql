-- api.list_webhook_deliveries - GET /webhooks/{id}/deliveries.
set local role leads_exec;

create or replace function api.list_webhook_deliveries(
  id uuid,
  state api.delivery_state default null,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_at timestamptz;
  v_id uuid;
begin
  if
    not exists (
      select
      from webhook.endpoint as p
      where p.organization_id = v_organization_id and p.id = list_webhook_deliveries.id
    )
  then
    return null;
  end if;
  select b.created_at, b.id into v_at, v_id from app.page_bound(list_webhook_deliveries.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(d)::text
      from webhook.list_deliveries(
        v_organization_id, list_webhook_deliveries.id,
        case
          when list_webhook_deliveries.state is not null then array[list_webhook_deliveries.state::text]
          else array['pending', 'delivered', 'failed', 'skipped', 'simulated']
        end,
        v_at, v_id,
        -- One row more than the page tells whether there is a next one.
        list_webhook_deliveries.limit + 1
      ) as d
    ),
    list_webhook_deliveries.limit
  );
end $$;

comment on function api.list_webhook_deliveries(uuid, api.delivery_state, api.page_size, api.cursor) is
$$List the deliveries of a webhook.

The newest come first: the order is created_at, then id, both descending. A delivery is listed until 30 days after its end.$$;

grant execute on function api.list_webhook_deliveries(uuid, api.delivery_state, api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_webhook_deliveries', tag => 'Webhooks', answer => 'api.webhook_delivery');
