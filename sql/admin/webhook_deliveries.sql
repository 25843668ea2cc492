-- admin.webhook_deliveries - lists deliveries of a webhook, for leads webhooks deliveries.
set local role leads_jobs;

create or replace function admin.webhook_deliveries(webhook_id uuid, states text[] default null, "limit" integer default 50)
returns setof api.webhook_delivery language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select d.*
  from webhook.list_deliveries(
    admin.known_webhook(webhook_deliveries.webhook_id), webhook_deliveries.webhook_id,
    coalesce(webhook_deliveries.states, '{pending,delivered,failed,skipped,simulated}'), 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', webhook_deliveries.limit
  ) as d;
end $$;

comment on function admin.webhook_deliveries(uuid, text[], integer) is
  'The newest deliveries of a webhook. states: null: all. Raises PT404 webhook_not_found.';

grant execute on function admin.webhook_deliveries(uuid, text[], integer) to leads_operator;
