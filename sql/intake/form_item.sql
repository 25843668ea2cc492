-- intake.form_item - a form as the API shows it.
set local role leads_owner;

create or replace function intake.form_item(organization_id uuid, form_id uuid, token text)
returns api.form language sql stable parallel safe security invoker
begin atomic
  select
    f.id, f.organization_id, f.name, f.preset, f.source, f.mapping::json, f.constants::json, f.origins, f.honeypot,
    f.redirect_url, f.on_duplicate, f.duplicate_hours, f.requests_per_minute, f.credential is not null,
    auth.key_state(f.organization_id, f.key_id),
    '/in/' || form_item.token,
    app.utc_text(f.created_at)
  from intake.form as f
  where f.organization_id = form_item.organization_id and f.id = form_item.form_id;
end;

comment on function intake.form_item(uuid, uuid, text) is
  'The form, or null. token: of a form that was just created; null: the address is not shown.';

grant execute on function intake.form_item(uuid, uuid, text) to leads_exec, leads_jobs;
