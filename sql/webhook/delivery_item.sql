-- webhook.delivery_item - a delivery as the API shows it.
set local role leads_owner;

create or replace function webhook.delivery_item(organization_id uuid, delivery_id uuid)
returns api.webhook_delivery language sql stable parallel safe security invoker
begin atomic
  select
    d.id, d.endpoint_id, d.event_id, d.action, d.lead_id, d.position, d.state, d.attempts, d.http_status, d.message,
    -- What was requested is due before all others, since 1970.
    app.utc_text(case when d.next_attempt_at is not null then greatest(d.next_attempt_at, d.created_at) end),
    app.utc_text(d.last_attempt_at), app.utc_text(d.created_at), app.utc_text(d.ended_at)
  from webhook.delivery as d
  where d.organization_id = delivery_item.organization_id and d.id = delivery_item.delivery_id;
end;

comment on function webhook.delivery_item(uuid, uuid) is 'The delivery, or null.';

grant execute on function webhook.delivery_item(uuid, uuid) to leads_exec, leads_jobs;
