-- admin.webhooks - lists webhooks, for leads webhooks list.
set local role leads_jobs;

create or replace function admin.webhooks(organization_id uuid default null)
returns setof api.webhook language sql stable security definer
begin atomic
  select (i.item).*
  from webhook.endpoint as p
  cross join lateral (select webhook.endpoint_item(p.organization_id, p.id) as item offset 0) as i
  where p.organization_id = webhooks.organization_id or webhooks.organization_id is null
  order by p.created_at, p.id;
end;

comment on function admin.webhooks(uuid) is
  'The webhooks of an organization, the oldest first, without their secrets. organization_id: null for all organizations.';

grant execute on function admin.webhooks(uuid) to leads_operator;
