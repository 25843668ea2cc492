-- webhook.endpoint_item - a webhook as the API shows it.
set local role leads_owner;

create or replace function webhook.endpoint_item(organization_id uuid, endpoint_id uuid, secret text default null)
returns api.webhook language sql stable parallel safe security invoker
begin atomic
  select
    p.id, p.organization_id, p.name, p.url, p.actions, p.include, p.state, p.disabled_reason, app.utc_text(p.disabled_at),
    app.utc_text(p.failing_since), endpoint_item.secret,
    case when p.previous_expires_at > now() then app.utc_text(p.previous_expires_at) end, app.utc_text(p.created_at),
    app.utc_text(p.updated_at)
  from webhook.endpoint as p
  where p.organization_id = endpoint_item.organization_id and p.id = endpoint_item.endpoint_id;
end;

comment on function webhook.endpoint_item(uuid, uuid, text) is
  'The webhook, or null. secret: the new secret, or the text that stands for it; null: it is not shown.';

grant execute on function webhook.endpoint_item(uuid, uuid, text) to leads_exec, leads_jobs;
