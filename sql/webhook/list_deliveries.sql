-- webhook.list_deliveries - the deliveries of a webhook, the newest first.
set local role leads_owner;

create or replace function webhook.list_deliveries(
  organization_id uuid,
  endpoint_id uuid,
  states text[],
  before timestamptz,
  before_id uuid,
  "limit" integer
)
returns setof api.webhook_delivery language plpgsql stable security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read and sort all deliveries of a webhook.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
  return query
  select (webhook.delivery_item(list_deliveries.organization_id, p.id)).*
  from unnest(list_deliveries.states) as s (state)
  -- One part of the index for each state.
  cross join lateral (
    select d.id, d.created_at
    from webhook.delivery as d
    where
      d.organization_id = list_deliveries.organization_id
      and d.endpoint_id = list_deliveries.endpoint_id
      and d.state = s.state
      and (d.created_at, d.id) < (list_deliveries.before, list_deliveries.before_id)
    order by d.created_at desc, d.id desc
    limit list_deliveries.limit
  ) as p
  order by p.created_at desc, p.id desc
  limit list_deliveries.limit;
end $$;

comment on function webhook.list_deliveries(uuid, uuid, text[], timestamptz, uuid, integer) is
  'A page of the deliveries in these states. before, before_id: the upper bound, exclusive.';

grant execute on function webhook.list_deliveries(uuid, uuid, text[], timestamptz, uuid, integer) to leads_exec, leads_jobs;
