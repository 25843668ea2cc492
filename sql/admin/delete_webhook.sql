-- admin.delete_webhook - deletes a webhook, for leads webhooks delete.
set local role leads_jobs;

create or replace function admin.delete_webhook(webhook_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_webhook(delete_webhook.webhook_id);
begin
  delete from webhook.endpoint as p
  where p.organization_id = v_organization_id and p.id = delete_webhook.webhook_id;
end $$;

comment on function admin.delete_webhook(uuid) is
  'Deletes a webhook with its secret. The worker deletes its deliveries. Raises PT404 webhook_not_found.';

grant execute on function admin.delete_webhook(uuid) to leads_operator;
