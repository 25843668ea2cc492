-- admin.needed_keys - the keys without which the secrets of an organization can't be opened, at the source of a move.
set local role leads_jobs;

create or replace function admin.needed_keys(organization_id uuid)
returns setof text language sql stable security definer
begin atomic
  select k.key_id from webhook.sealing_key as k where k.is_current
  union
  select c.credential_key from crm.connection as c where c.organization_id = needed_keys.organization_id
  union
  select e.secret_key from webhook.endpoint as e where e.organization_id = needed_keys.organization_id
  union
  select e.previous_secret_key
  from webhook.endpoint as e
  where e.organization_id = needed_keys.organization_id and e.previous_expires_at > now();
end;

comment on function admin.needed_keys(uuid) is
$$The ids of the workers' keys (LEADS_CRM_KEY) that encrypt the credential of the organization's CRM and the secrets of its webhooks,
and of the one that encrypts new ones. admin.missing_keys takes them.$$;

grant execute on function admin.needed_keys(uuid) to leads_operator;
