-- admin.new_key - makes an API key of an organization, for leads keys create and rotate.
set local role leads_jobs;

create or replace function admin.new_key(organization_id uuid)
returns text language sql volatile security definer
begin atomic
  select auth.new_key((admin.organization(new_key.organization_id)).environment);
end;

comment on function admin.new_key(uuid) is
  'A key that is not stored yet: the caller computes its digest. Raises PT404 organization_not_found, PT409 organization_erased.';

grant execute on function admin.new_key(uuid) to leads_operator;
